-- Ends the turn of a message and hands out the kept messages that follow it without a gap.
--
-- KEYS     as for turn_take.lua
-- ARGV     1 connection   2 order   3 1 if it is the last message   4 ms a line waits   5 ms a line lives
--          6 what follows: again (the same order), let_go (the next), run_released (the next, at once if it is
--            returned), run_in_hand (the next, at once)   7 ms an ended line is remembered
-- returns  1 if the next message has the turn already, else 0; then the kept messages to run next
local line = redis.call('HMGET', KEYS[1], 'next', 'running', 'state', 'early')
local order, state, early = tonumber(ARGV[2]), line[3], tonumber(line[4]) or 0
if line[2] ~= '1' or tonumber(line[1]) ~= order then return {0} end
local step = ARGV[6]

if step ~= 'again' and ARGV[3] == '1' then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'state', 'ended')
    redis.call('PEXPIRE', KEYS[1], ARGV[7])
    redis.call('ZREM', KEYS[2], ARGV[1])
    return {0}
end

local function wait_until_due()
    local time = redis.call('TIME')
    local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
    redis.call('HSET', KEYS[1], 'due', due)
    if early > 0 then redis.call('ZADD', KEYS[2], due, ARGV[1]) end
end

local next = step == 'again' and order or order + 1
redis.call('HSET', KEYS[1], 'next', next)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if step == 'run_in_hand' and state ~= 'broken' then
    wait_until_due()
    return {1}
end

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
local passed_on = step == 'run_released' and state ~= 'broken' and #released > 0
redis.call('HSET', KEYS[1], 'running', passed_on and 1 or 0)
if waited and early == 0 then redis.call('ZREM', KEYS[2], ARGV[1]) end
if passed_on or early > 0 then
    wait_until_due()
else
    redis.call('HDEL', KEYS[1], 'due')
end
table.insert(released, 1, passed_on and 1 or 0)
return released
