-- Gives up a line: from now on only its last message runs, and not beside one that is running. If whoever had the
-- turn died, and messages delivered at least once that it was to run are kept, they are released once more instead.
--
-- KEYS     as for turn_take.lua
-- ARGV     1 connection   2 1 to give up at once, 0 only if it is due   3 ms a line lives
--          4 ms a line waits
-- returns  nothing if it is not due (any more); else the order that is missing (-1 if nothing is known to be lost),
--          how many kept messages were dropped, and the kept messages that may run all the same
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[2] == '0' then
    local score = redis.call('ZSCORE', KEYS[2], ARGV[1])
    if not score or tonumber(score) > now then return {} end
end
redis.call('ZREM', KEYS[2], ARGV[1])

local function wait_until(due)
    redis.call('ZADD', KEYS[2], due, ARGV[1])
    redis.call('PEXPIRE', KEYS[2], ARGV[3])  -- It may have been the only one.
end

local line = redis.call('HMGET', KEYS[1], 'next', 'running', 'due', 'state')
if line[4] == 'ended' then return {} end
local due = tonumber(line[3])
local running = line[2] and line[2] ~= '0'
local busy = running and due and now < due

if running and not busy and not line[4] and tonumber(line[1]) then
    local again = {-1, 0}
    while true do
        local message = redis.call('HGET', KEYS[1], 'e' .. (tonumber(line[1]) + #again - 2))
        if not message or (string.byte(message, 2) or 0) < 2 then break end
        again[#again + 1] = message
    end
    if #again > 2 then
        redis.call('HSET', KEYS[1], 'running', 0, 'due', now + ARGV[4])
        wait_until(now + ARGV[4])
        return again
    end
end

local released, kept, dropped = {}, 0, 0
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
    if string.match(fields[i], '^e%d') then
        if (string.byte(fields[i + 1], 2) or 0) % 2 ~= 1 then
            dropped = dropped + 1
            redis.call('HDEL', KEYS[1], fields[i])
        elseif busy then
            kept = kept + 1
        else
            released[#released + 1] = fields[i + 1]
            redis.call('HDEL', KEYS[1], fields[i])
        end
    end
end
local missing = tonumber(line[1]) or 0
if line[4] == 'broken' or (not line[1] and dropped == 0) then missing = -1 end
redis.call('HSET', KEYS[1], 'state', 'broken', 'early', kept)
if busy then
    if kept > 0 then wait_until(due) end
else
    redis.call('HSET', KEYS[1], 'running', 0)
    redis.call('HDEL', KEYS[1], 'due')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
table.insert(released, 1, missing)
table.insert(released, 2, dropped)
return released
