-- Gives the turn to a message of a connection, or keeps the message, or refuses it. See channels/layers/turns.py,
-- whose Line does the same in Python.
--
-- KEYS     1 hash of the line: next (order that may run), running (0, or the mark of whoever has the turn), due (ms when patience ends, if
--            somebody waits), state (nothing, broken, ended), early (how many are kept), e<order> (a kept message)
--          2 sorted set of lines that keep messages (member = connection, score = due)
-- ARGV     1 connection   2 order   3 1 if it is the last message   4 ms a line waits   5 ms a line lives
--          6 the message, or nothing to ask first without sending it: codec's flags (1 byte), 1 if it is the last and
--            2 if it is delivered at least once (1 byte, their sum), encoded
--          7 mark of whoever asks, who asks again with the same one if the answer was lost
-- returns  run, early (ask again with the message), or dropped; where the message was kept, how many are kept
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local line = redis.pcall('HMGET', KEYS[1], 'next', 'running', 'due', 'state', 'early')
if line.err then  -- Somebody else keeps something there.
    redis.call('UNLINK', KEYS[1])
    line = {}
end
local next, due, state, early = tonumber(line[1]), tonumber(line[3]), line[4], math.floor(tonumber(line[5]) or 0)
local order, is_last = tonumber(ARGV[2]), ARGV[3] == '1'
local running = line[2] and line[2] ~= '0'
local busy = running and due and now < due

local function judge()
    if running and line[2] == ARGV[7] and order == next then return 'run' end
    if state == 'ended' then return 'dropped' end
    if state == 'broken' then
        if not is_last then return 'dropped' end
        return busy and 'early' or 'run'
    end
    if not next then
        return (order == 0 or (order == 1 and not is_last)) and 'run' or 'early'
    end
    if order < next then return 'dropped' end
    return (order > next or busy) and 'early' or 'run'
end

local verdict = judge()
if verdict == 'run' then
    due = now + ARGV[4]
    redis.call('HSET', KEYS[1], 'next', order, 'running', ARGV[7], 'due', due)
    redis.call('PEXPIRE', KEYS[1], ARGV[5])
    if early > 0 then redis.call('ZADD', KEYS[2], due, ARGV[1]) end
    return verdict
end
if verdict == 'dropped' or ARGV[6] == '' then return verdict end
if redis.call('HSETNX', KEYS[1], 'e' .. order, ARGV[6]) == 0 then
    -- A copy, perhaps of the message that is running.
    return running and order == next and early or 'dropped'
end
if not running and not due then
    due = now + ARGV[4]
    redis.call('HSET', KEYS[1], 'due', due)
end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('ZADD', KEYS[2], due, ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
redis.call('HSET', KEYS[1], 'early', early + 1)
return early + 1
