-- Makes a channel a member of a group, or renews its membership.
--
-- KEYS     1 sorted set of the group (member = channel, score = ms of its last add)
-- ARGV     1 channel   2 ms a membership lives
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
