-- Appends messages to queues, and to the queue of every member of a group.
--
-- KEYS[i]  item i: list of a queue, or sorted set of a group (member = channel, score = ms of its last add)
-- ARGV     1 prefix of all keys             2 ms a message lives               3 ms a membership lives
--          4 capacity of normal channels    5 of process-specific ones         6 most receivers in one entry
--          (3 to 6 rule the members of groups), then three for each item:
--          kind and capacity, as in "c100"; head; rest
-- kinds    c  a channel: refused if its queue is full, and so is what follows for that queue in this call
--          m  one queue with members of a group: skipped if it is full
--          s  a channel delivered at least once: refused like c. The entry goes to its stream. While there is something
--             in it, its list holds a ticket, an entry of nothing but flag 4, so that those who wait for lists are woken
--          g  a group: one entry for each queue, naming all members that share it; rest is the encoded content
-- returns  how many messages that had expired were dropped, then one answer for each item:
--          c, m, s  1 if its queue was full, else 0
--          g     a list: members that did not get it, then for each queue its name, entries pushed, entries refused
--
-- A message that expired on the queue of a member ends the memberships (in the group sent to) of its receivers:
-- nobody read it, so their process is gone.
--
-- An entry is head (2 bytes: version, flags), ms since the epoch when it expires (8 bytes, big endian), and the
-- rest: length of the receivers (4 bytes, big endian), receivers, encoded content. Receivers are what follows
-- the name of the queue in each channel name, joined by commas.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lifetime = ARGV[2]
local until_ms = now + lifetime
local stamp = struct.pack('>I4I4', math.floor(until_ms / 4294967296), until_ms % 4294967296)

local expired = 0

-- Drops the expired head of a queue, so that what nobody took does not keep living messages out.
-- Returns what its receivers were, as keys of a table.
local function drop_expired(key)
    local receivers = {}
    while true do
        local entry = redis.call('LINDEX', key, 0)
        if not entry or #entry < 14 then return receivers end
        local high, low, length = struct.unpack('>I4I4I4', entry, 3)
        if high * 4294967296 + low > now then return receivers end
        redis.call('LPOP', key)
        expired = expired + 1
        for receiver in string.gmatch(string.sub(entry, 15, 14 + length) .. ',', '([^,]*),') do
            receivers[receiver] = true
        end
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

local week_ms = 604800000
local never = string.rep('\127', 8)
local ticket = '\1\4' .. never .. '\0\0\0\0'

local stored = {}

local function store(key, capacity, head, rest)
    local stream = ARGV[1] .. ':stream:' .. string.sub(key, #ARGV[1] + 1)
    if redis.call('XLEN', stream) >= capacity then return false end
    redis.call('XADD', stream, '*', 'entry', head .. never .. rest)
    if not stored[key] then  -- Once per call is enough for keys that live for a week.
        if redis.call('LINDEX', key, -1) ~= ticket then redis.call('RPUSH', key, ticket) end
        redis.call('PEXPIRE', stream, week_ms)
        redis.call('PEXPIRE', key, week_ms)
        stored[key] = true
    end
    return true
end

local function read_members(group)
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
    return queues, receivers
end

local function without_gone(group, queue, members)
    local gone = drop_expired(ARGV[1] .. queue)
    if not next(gone) then return members end
    local kept = {}
    for _, member in ipairs(members) do
        if gone[member] then
            redis.call('ZREM', group, queue .. member)
        else
            kept[#kept + 1] = member
        end
    end
    return kept
end

local function push_to_members(group, head, content)
    local queues, receivers = read_members(group)
    local answer = {0}
    local most = tonumber(ARGV[6])
    for _, queue in ipairs(queues) do
        local members = without_gone(group, queue, receivers[queue])
        local capacity = tonumber(string.sub(queue, -1) == '!' and ARGV[5] or ARGV[4])
        local pushed, refused = 0, 0
        for first = 1, #members, most do
            local last = math.min(first + most - 1, #members)
            local names = table.concat(members, ',', first, last)
            if push(ARGV[1] .. queue, capacity, head, struct.pack('>I4', #names) .. names .. content) then
                pushed = pushed + 1
            else
                refused = refused + 1
                answer[1] = answer[1] + last - first + 1
            end
        end
        local size = #answer
        answer[size + 1], answer[size + 2], answer[size + 3] = queue, pushed, refused
    end
    return answer
end

local refused, answers = {}, {}
for item, key in ipairs(KEYS) do
    local at = 4 + item * 3
    local kind = string.sub(ARGV[at], 1, 1)
    if kind == 'g' then
        answers[item + 1] = push_to_members(key, ARGV[at + 1], ARGV[at + 2])
    elseif kind ~= 'm' and refused[key] then
        answers[item + 1] = 1
    else
        if kind == 'm' then drop_expired(key) end
        local put = kind == 's' and store or push
        local fits = put(key, tonumber(string.sub(ARGV[at], 2)), ARGV[at + 1], ARGV[at + 2])
        answers[item + 1] = fits and 0 or 1
        if kind ~= 'm' and not fits then refused[key] = true end
    end
end
answers[1] = expired
return answers
