-- Adds to the statistics of queues.
--
-- KEYS     hashes of statistics: one for each queue, and one for the whole server
-- ARGV     for each key: messages to add, refusals to add, ms the hash lives
for index, key in ipairs(KEYS) do
    local at = index * 3 - 2
    redis.call('HINCRBY', key, 'messages_count', ARGV[at])
    redis.call('HINCRBY', key, 'channel_full_count', ARGV[at + 1])
    redis.call('PEXPIRE', key, ARGV[at + 2])
end
return 1
