-- Takes messages from the first queue that has any.
--
-- KEYS     lists of queues, in the order to look at them
-- ARGV[1]  most messages to take
-- returns  the key and the entries, as LMPOP of Redis 7 does, or nothing
for _, key in ipairs(KEYS) do
    local entries = redis.call('LPOP', key, ARGV[1])
    if entries then return {key, entries} end
end
return false
