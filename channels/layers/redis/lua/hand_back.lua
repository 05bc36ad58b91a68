-- Puts messages that were taken, and not worked on, before what their queue holds, whatever its capacity.
--
-- KEYS[1]  list of the queue
-- ARGV     1 ms a message lives, then head and rest of each message, in order: see send.lua
--
-- They expire with the message that was the first, so that those behind them still expire in order.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function packed(ms)
    return struct.pack('>I4I4', math.floor(ms / 4294967296), ms % 4294967296)
end

local stamp = packed(now + ARGV[1])
local first = redis.call('LINDEX', KEYS[1], 0)
if first and #first >= 14 and string.sub(first, 3, 10) > packed(now) then
    stamp = string.sub(first, 3, 10)
end
for at = #ARGV - 1, 2, -2 do
    redis.call('LPUSH', KEYS[1], ARGV[at] .. stamp .. ARGV[at + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
