-- Ends a turn, which ran one message or several, and hands out the kept messages that follow it without a gap.
--
-- KEYS     as for turn_take.lua
-- ARGV     1 connection   2 order of the message that ran last   3 1 if it is the last of its connection
--          4 ms a line waits   5 ms a line lives   6 what follows: again (the same order), let_go (the next),
--          run_released (the next, at once if it is returned)   7 ms an ended line is remembered
--          8 order that the turn was given to   9 mark of whoever has the turn from then on
-- returns  1 if the first message that follows has the turn already, else 0; then the kept messages to run next
local line = redis.call('HMGET', KEYS[1], 'next', 'running', 'state', 'early')
local order, state, early = tonumber(ARGV[2]), line[3], tonumber(line[4]) or 0
local step = ARGV[6]

-- Kept messages without a gap, from an order on.
local function in_sequence(first)
    local found = {}
    while true do
        local message = redis.call('HGET', KEYS[1], 'e' .. (first + #found))
        if not message then return found end
        found[#found + 1] = message
    end
end

if line[2] == ARGV[9] then
    -- Asked again, because the answer was lost.
    local released = in_sequence(tonumber(line[1]))
    table.insert(released, 1, 1)
    return released
end
if not line[2] or line[2] == '0' or tonumber(line[1]) ~= tonumber(ARGV[8]) then return {0} end

if step ~= 'again' and ARGV[3] == '1' then
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], 'state', 'ended')
    redis.call('PEXPIRE', KEYS[1], ARGV[7])
    redis.call('ZREM', KEYS[2], ARGV[1])
    return {0}
end

local next = step == 'again' and order or order + 1
if early == 0 then
    -- The usual case: nobody waits.
    redis.call('HSET', KEYS[1], 'next', next, 'running', 0, 'due', '')
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    return {0}
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])

local released = {}
if state == 'broken' then
    local fields = redis.call('HGETALL', KEYS[1])
    for i = 1, #fields, 2 do
        if string.match(fields[i], '^e%d') then
            if (string.byte(fields[i + 1], 2) or 0) % 2 == 1 then released[#released + 1] = fields[i + 1] end
            redis.call('HDEL', KEYS[1], fields[i])
        end
    end
    early = 0
else
    -- Copies of what has run.
    for run = tonumber(ARGV[8]), next - 1 do
        early = early - redis.call('HDEL', KEYS[1], 'e' .. run)
    end
    released = in_sequence(next)
end

local passed_on = step == 'run_released' and state ~= 'broken' and #released > 0
if not passed_on and state ~= 'broken' then
    -- They go back to their channels. What is passed on is kept until it has run: the answer may be lost.
    for position = 1, #released do redis.call('HDEL', KEYS[1], 'e' .. (next + position - 1)) end
    early = early - #released
end
local due = ''
if passed_on or early > 0 then
    local time = redis.call('TIME')
    due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4]
end
redis.call('HSET', KEYS[1], 'next', next, 'running', passed_on and ARGV[9] or 0, 'due', due, 'early', early)
if early > 0 then
    redis.call('ZADD', KEYS[2], due, ARGV[1])
else
    redis.call('ZREM', KEYS[2], ARGV[1])
end
table.insert(released, 1, passed_on and 1 or 0)
return released
