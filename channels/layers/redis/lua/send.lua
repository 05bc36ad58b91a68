-- Appends messages to queues, and to the queue of every member of a group.
--
-- KEYS[i]  item i: list of a queue, or sorted set of a group (member = channel, score = ms of its last add)
-- ARGV     1 prefix of all keys             2 ms a message lives               3 ms a membership lives
--          4 capacity of normal channels    5 of process-specific ones         6 most receivers in one entry
--          (3 to 6 rule the members of groups), then three for each item:
--          kind and capacity, as in "c100"; head; rest
-- kinds    c  a channel: refused if its queue is full, and so is what follows for that queue in this call
--          m  one queue with members of a group: skipped if it is full
--          g  a group: one entry for each queue, naming all members that share it; rest is the encoded content
-- returns  one number for each item: receivers that did not get it
--
-- An entry is head (2 bytes: version, flags), ms since the epoch when it expires (8 bytes, big endian), and the
-- rest: length of the receivers (4 bytes, big endian), receivers, encoded content. Receivers are what follows
-- the name of the queue in each channel name, joined by commas.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lifetime = ARGV[2]
local until_ms = now + lifetime
local stamp = struct.pack('>I4I4', math.floor(until_ms / 4294967296), until_ms % 4294967296)

-- Expired messages nobody took must not keep living ones out.
local function drop_expired(key)
    while true do
        local entry = redis.call('LINDEX', key, 0)
        if not entry or #entry < 14 then return end
        local high, low = struct.unpack('>I4I4', entry, 3)
        if high * 4294967296 + low > now then return end
        redis.call('LPOP', key)
    end
end

local function push(key, capacity, head, rest)
    local entry = head .. stamp .. rest
    if redis.call('RPUSH', key, entry) > capacity then
        redis.call('RPOP', key)
        drop_expired(key)
        if redis.call('LLEN', key) >= capacity then return false end
        redis.call('RPUSH', key, entry)
    end
    redis.call('PEXPIRE', key, lifetime)
    return true
end

local function push_to_members(group, head, content)
    redis.call('ZREMRANGEBYSCORE', group, '-inf', now - ARGV[3])
    local receivers, queues = {}, {}
    for _, channel in ipairs(redis.call('ZRANGE', group, 0, -1)) do
        local mark = string.find(channel, '!', 1, true)
        local queue = mark and string.sub(channel, 1, mark) or channel
        if not receivers[queue] then
            receivers[queue] = {}
            queues[#queues + 1] = queue
        end
        table.insert(receivers[queue], string.sub(channel, #queue + 1))
    end
    local missed = 0
    local most = tonumber(ARGV[6])
    for _, queue in ipairs(queues) do
        local members = receivers[queue]
        local capacity = tonumber(string.sub(queue, -1) == '!' and ARGV[5] or ARGV[4])
        for first = 1, #members, most do
            local last = math.min(first + most - 1, #members)
            local names = table.concat(members, ',', first, last)
            local rest = struct.pack('>I4', #names) .. names .. content
            if not push(ARGV[1] .. queue, capacity, head, rest) then missed = missed + last - first + 1 end
        end
    end
    return missed
end

local refused, outcomes = {}, {}
for item, key in ipairs(KEYS) do
    local at = 4 + item * 3
    local kind = string.sub(ARGV[at], 1, 1)
    if kind == 'g' then
        outcomes[item] = push_to_members(key, ARGV[at + 1], ARGV[at + 2])
    elseif kind == 'c' and refused[key] then
        outcomes[item] = 1
    else
        local fits = push(key, tonumber(string.sub(ARGV[at], 2)), ARGV[at + 1], ARGV[at + 2])
        outcomes[item] = fits and 0 or 1
        if kind == 'c' and not fits then refused[key] = true end
    end
end
return outcomes
