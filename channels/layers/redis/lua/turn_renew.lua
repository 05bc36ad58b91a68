-- Says that the consumer which has the turn is still running.
--
-- KEYS     as for turn_take.lua
-- ARGV     1 connection   2 order   3 ms a line waits
local line = redis.call('HMGET', KEYS[1], 'next', 'running')
if not line[2] or line[2] == '0' or tonumber(line[1]) ~= tonumber(ARGV[2]) then return 0 end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[3]
redis.call('HSET', KEYS[1], 'due', due)
redis.call('ZADD', KEYS[2], 'XX', due, ARGV[1])
return 1
