-- Ends the turn of a message and hands out the kept messages that follow it without a gap.
--
-- KEYS     as for turn_take.lua
-- ARGV     1 connection   2 order   3 1 if it is the last message   4 ms a line waits   5 ms a line lives
--          6 1 to go on to the next order, 0 if the same one comes again   7 ms an ended line is remembered
-- returns  the messages to run next
local line = redis.call('HMGET', KEYS[1], 'next', 'running', 'state', 'early')
local order, state, early = tonumber(ARGV[2]), line[3], tonumber(line[4]) or 0
if line[2] ~= '1' or tonumber(line[1]) ~= order then return {} end

if ARGV[6] == '1' and ARGV[3] == '1' then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'state', 'ended')
    redis.call('PEXPIRE', KEYS[1], ARGV[7])
    redis.call('ZREM', KEYS[2], ARGV[1])
    return {}
end

local next = order + tonumber(ARGV[6])
redis.call('HSET', KEYS[1], 'next', next, 'running', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
local released, waited = {}, early > 0
if waited then
    if state == 'broken' then
        local fields = redis.call('HGETALL', KEYS[1])
        for i = 1, #fields, 2 do
            if string.match(fields[i], '^e%d') then
                if string.byte(fields[i + 1], 2) == 1 then released[#released + 1] = fields[i + 1] end
                redis.call('HDEL', KEYS[1], fields[i])
            end
        end
        early = 0
    else
        while true do
            local field = 'e' .. (next + #released)
            local message = redis.call('HGET', KEYS[1], field)
            if not message then break end
            released[#released + 1] = message
            redis.call('HDEL', KEYS[1], field)
        end
        early = early - #released
    end
    redis.call('HSET', KEYS[1], 'early', early)
end
if early > 0 then
    local time = redis.call('TIME')
    local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
    redis.call('HSET', KEYS[1], 'due', due)
    redis.call('ZADD', KEYS[2], due, ARGV[1])
else
    redis.call('HDEL', KEYS[1], 'due')
    if waited then redis.call('ZREM', KEYS[2], ARGV[1]) end
end
return released
