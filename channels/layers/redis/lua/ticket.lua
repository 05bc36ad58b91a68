-- Puts a ticket, as told at the head of send.lua, into a list that does not end with one.
--
-- KEYS     1 the list   ARGV     1 the ticket   2 ms that it lives
if redis.call('LINDEX', KEYS[1], -1) ~= ARGV[1] then redis.call('RPUSH', KEYS[1], ARGV[1]) end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
