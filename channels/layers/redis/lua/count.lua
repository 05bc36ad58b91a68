-- Adds to the statistics of queues.
--
-- KEYS     hashes of statistics: a total under each name; and for messages_count and channel_full_count their rate per
--          second, <name>:rate, as it was at <name>:at (seconds since the epoch)
-- ARGV     for each key: ms the hash lives, how many pairs follow, then pairs of a name and what to add
--
-- A rate halves in seven seconds (it falls by the factor e in ten) and rises by a tenth of each thing counted: that is
-- the average of the last ten seconds or so, whoever counts and however often.
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local rated = {messages_count = true, channel_full_count = true}

-- What cannot be added to was written by somebody else; counting begins anew. Returns whether the server has room.
local function add(key, name, amount)
    local reply = redis.pcall('HINCRBY', key, name, amount)
    if type(reply) ~= 'table' or not reply.err then return true end
    for _, problem in ipairs({'WRONGTYPE', 'not an integer', 'overflow'}) do
        if string.find(reply.err, problem, 1, true) then
            redis.call('UNLINK', key)
            redis.call('HINCRBY', key, name, amount)
            return true
        end
    end
    return false
end

local at = 1
for _, key in ipairs(KEYS) do
    local pairs_end = at + 1 + 2 * ARGV[at + 1]
    for pair = at + 2, pairs_end, 2 do
        local name, amount = ARGV[pair], ARGV[pair + 1]
        if not add(key, name, amount) then return 0 end
        if rated[name] then
            local known = redis.call('HMGET', key, name .. ':rate', name .. ':at')
            local rate, since = tonumber(known[1]) or 0, math.min(tonumber(known[2]) or now, now)
            if not (math.abs(rate) < math.huge) then rate = 0 end
            rate = rate * math.exp((since - now) / 10) + amount / 10
            redis.call('HSET', key, name .. ':rate', string.format('%.9g', rate), name .. ':at', string.format('%.6f', now))
        end
    end
    redis.call('PEXPIRE', key, ARGV[at])
    at = pairs_end + 1
end
return 1
