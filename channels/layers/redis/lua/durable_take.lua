-- Hands out messages of a channel that is delivered at least once.
--
-- KEYS     1 stream of the channel (one field, "entry": as told at the head of send.lua)
--          2 stream of its dead letters (fields "entry", "deliveries")
--          3 list of its ticket: see send.lua
--          4 list of the ids of messages that were handed out and handed back unbegun
--          2 to 4 may be left out, where they may be on another node: see apart.py. Then nothing becomes a dead letter
-- ARGV     1 most messages to hand out   2 ms after which one that was handed out counts as lost; 0 does not look
--          3 most deliveries of one      4 ms that dead letters live
--          5 1 to do nothing while the ticket is there: whoever asked waited for it in vain
--          6... without KEYS[4], what was in it
-- returns  how many messages became dead letters, then for each message its id, its entry, how often it was handed out
--
-- What was handed back comes first. One group, one consumer name for all: what counts is how long ago a message was handed out or renewed.
local key, group, name = KEYS[1], 'workers', 'workers'
local limit, most = tonumber(ARGV[1]), tonumber(ARGV[3])
local has_all = #KEYS > 1
local answer = {0}

-- By value, because messages from before the channel was delivered at least once may be in its list, too.
local ticket = '\1\4' .. string.rep('\127', 8) .. '\0\0\0\0'

if redis.call('EXISTS', key) == 0 then return answer end
if ARGV[5] == '1' and redis.call('LINDEX', KEYS[3], -1) == ticket then return answer end

-- What was handed back did not count as a delivery; JUSTID keeps the count that its first delivery made.
local function claim_returned()
    local ids = has_all and redis.call('LPOP', KEYS[4], limit) or {unpack(ARGV, 6)}
    for _, id in ipairs(ids) do
        local pending = redis.call('XPENDING', key, group, id, id, 1)[1]
        local message = pending and redis.call('XRANGE', key, id, id)[1]
        if message then
            redis.call('XCLAIM', key, group, name, 0, id, 'JUSTID')
            answer[#answer + 1] = {id, message[2][2], pending[4]}
        end
    end
end

claim_returned()

local function claim_late(cursor)
    local reply = redis.pcall('XAUTOCLAIM', key, group, name, ARGV[2], cursor, 'COUNT', limit - #answer + 1)
    if reply.err then return '0-0' end  -- No group yet: nothing was handed out.
    for _, message in ipairs(reply[2]) do
        local id = message and message[1]
        local pending = id and redis.call('XPENDING', key, group, id, id, 1)[1]
        if pending then
            if has_all then redis.call('LREM', KEYS[4], 1, id) end
            if pending[4] > most and has_all then
                redis.call('XADD', KEYS[2], '*', 'entry', message[2][2], 'deliveries', pending[4] - 1)
                redis.call('PEXPIRE', KEYS[2], ARGV[4])
                redis.call('XACK', key, group, id)
                redis.call('XDEL', key, id)
                answer[1] = answer[1] + 1
            elseif pending[4] <= most then
                answer[#answer + 1] = {id, message[2][2], pending[4]}
            end
        end
    end
    return reply[1]
end

if tonumber(ARGV[2]) > 0 and #answer <= limit then
    local cursor = '0-0'
    repeat
        cursor = claim_late(cursor)
    until cursor == '0-0' or #answer > limit
end

local function read_new()
    return redis.pcall('XREADGROUP', 'GROUP', group, name, 'COUNT', limit - #answer + 1, 'STREAMS', key, '>')
end

if #answer <= limit then
    local reply = read_new()
    if reply and reply.err then
        redis.call('XGROUP', 'CREATE', key, group, '0')
        reply = read_new()
    end
    local messages = reply and reply[1][2] or {}
    for _, message in ipairs(messages) do
        answer[#answer + 1] = {message[1], message[2][2], 1}
    end
end

if not has_all then return answer end

-- What is left is for others, who wait for a ticket.
if #answer <= limit then
    redis.call('LREM', KEYS[3], 0, ticket)
elseif redis.call('LINDEX', KEYS[3], -1) ~= ticket then
    redis.call('RPUSH', KEYS[3], ticket)
    redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
return answer
