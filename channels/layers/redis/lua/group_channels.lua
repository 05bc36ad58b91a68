-- Ends the memberships that are too old and returns the others.
--
-- KEYS[1]  sorted set of the group (member = channel, score = ms of its last add)
-- ARGV[1]  ms a membership lives
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)
