-- Sends one message to a channel unless its mark is known, and marks it if it was sent.
--
-- KEYS     those of send.lua for one item; then the mark: a string that lives as long as the message may be tried again.
--          Both are in one place: on one server, in a cluster in one slot.
-- ARGV     those of send.lua for one item; then ms that the mark lives
-- returns  {-1} if the mark was known, else what send.lua returns
--
-- What stands in place of the last but one statement below is the text of send.lua: scripts cannot call each other.
local mark = table.remove(KEYS)
local mark_ms = table.remove(ARGV)

if redis.call('EXISTS', mark) == 1 then return {-1} end

local function send()
    --[[ send.lua ]]
end

local sent = send()
if sent[3] == 0 then redis.call('SET', mark, '1', 'PX', mark_ms) end
return sent
