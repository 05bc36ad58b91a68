-- Appends messages to queues, and to the queue of every member of a group.
--
-- KEYS[i]  item i: list of a queue, or sorted set of a group (member = channel, score = ms of its last add); after
--          those of all items the streams of the queues of kind s, so that in a cluster none is elsewhere
-- ARGV     1 prefix of all keys             2 ms a message lives               3 ms a membership lives
--          4 capacity of normal channels    5 most receivers in one entry      6 1 if members that are not
--          (3 to 6 rule the members of groups)                                   process-specific are returned
--          then three for each item: kind and capacity, as in "c100"; head; rest
-- kinds    c  a channel: refused if its queue is full, and so is what follows for that queue in this call
--          m  one queue with members of a group: skipped if it is full
--          n  the same without a look at who reads the queue; for clusters, where that key may be on another node
--          s  a channel delivered at least once: refused like c. The entry goes to its stream. While there is something
--             in it, its list holds a ticket, an entry of nothing but flag 4, so that those who wait for lists are woken
--          k  the same for the stream alone, whose key stands in the place of its list, without a ticket; see apart.py
--          g  a group: one entry for each queue, naming all members that share it; rest is the encoded content
-- returns  how many messages were dropped that had expired, how many with the queues of dead processes; then one answer
--          for each item:
--          c, n, s, k  1 if its queue was full, else 0
--          m     the same, or 2 if its members are gone: their memberships are to be ended by the caller
--          g     a list: members that did not get it, members that are gone, a list of those that are returned;
--                then for each queue its name, entries pushed, entries refused
--
-- Whoever reads a process-specific queue keeps <prefix>:alive:<queue>, a string that holds the capacity of the queue.
-- Where it is missing the process is dead: its queue is deleted, its members are gone, and <prefix>:gone:<queue> tells
-- the process so, should it live nevertheless. A single-reader channel is gone when a message on it expired unread.
-- Memberships of those that are gone end.
--
-- An entry is head (2 bytes: version, flags), ms since the epoch when it expires (8 bytes, big endian), and the
-- rest: length of the receivers (4 bytes, big endian), receivers, encoded content. Receivers are what follows
-- the name of the queue in each channel name, joined by commas.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lifetime = ARGV[2]
local until_ms = now + lifetime
local stamp = struct.pack('>I4I4', math.floor(until_ms / 4294967296), until_ms % 4294967296)

local expired, buried = 0, 0

-- Drops the expired head of a queue, so that what nobody took does not keep living messages out.
local function drop_expired(key)
    local before = expired
    while true do
        local entry = redis.call('LINDEX', key, 0)
        if not entry or #entry < 14 then break end
        local high, low = struct.unpack('>I4I4', entry, 3)
        if high * 4294967296 + low > now then break end
        redis.call('LPOP', key)
        expired = expired + 1
    end
    return expired > before
end

local function is_of_process(name)
    return string.find(name, '!}?$') ~= nil
end

-- Returns nothing if those who read the queue at this key are gone, else its capacity if they said so, or the default.
local function check_readers(key, default)
    if is_of_process(key) then
        local queue = string.sub(key, #ARGV[1] + 1)
        local capacity = redis.call('GET', ARGV[1] .. ':alive:' .. queue)
        if capacity then return tonumber(capacity) or default end
        buried = buried + redis.call('LLEN', key)
        redis.call('UNLINK', key)
        redis.call('SET', ARGV[1] .. ':gone:' .. queue, '1', 'PX', ARGV[3])
        return nil
    end
    if drop_expired(key) and string.find(key, '?', #ARGV[1] + 1, true) then return nil end
    return default
end

local renewed = {}

local function push(key, capacity, head, rest)
    local entry = head .. stamp .. rest
    if redis.call('RPUSH', key, entry) > capacity then
        redis.call('RPOP', key)
        drop_expired(key)
        renewed[key] = nil  -- Nothing may be left of the list that it was set on.
        if redis.call('LLEN', key) >= capacity then return false end
        redis.call('RPUSH', key, entry)
    end
    if not renewed[key] then  -- Once per call is enough.
        redis.call('PEXPIRE', key, lifetime)
        renewed[key] = true
    end
    return true
end

local week_ms = 604800000
local never = string.rep('\127', 8)
local ticket = '\1\4' .. never .. '\0\0\0\0'

local stored = {}

local function store(key, capacity, head, rest, is_alone)
    local stream = is_alone and key or ARGV[1] .. ':stream:' .. string.sub(key, #ARGV[1] + 1)
    if redis.call('XLEN', stream) >= capacity then return false end
    redis.call('XADD', stream, '*', 'entry', head .. never .. rest)
    if not stored[key] then  -- Once per call is enough for keys that live for a week.
        if not is_alone and redis.call('LINDEX', key, -1) ~= ticket then redis.call('RPUSH', key, ticket) end
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
        if receivers[queue] == nil then
            -- Somebody else can write names here that would lead to other keys than queues.
            local is_name = queue ~= '' and queue ~= '!' and not string.find(queue, '[^%w%-_.!?]')
            receivers[queue] = is_name and {}
            if is_name then queues[#queues + 1] = queue end
        end
        if receivers[queue] then
            table.insert(receivers[queue], string.sub(channel, #queue + 1))
        else
            redis.call('ZREM', group, channel)
        end
    end
    return queues, receivers
end

local function push_to_members(group, head, content)
    local queues, receivers = read_members(group)
    local answer = {0, 0, {}}
    local most = tonumber(ARGV[5])

    local function push_entries(queue, members, capacity)
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

    local function serve(queue, members)
        local capacity = check_readers(ARGV[1] .. queue, tonumber(ARGV[4]))
        if capacity then push_entries(queue, members, capacity) end
        return capacity
    end

    for _, queue in ipairs(queues) do
        local members = receivers[queue]
        if ARGV[6] == '1' and not is_of_process(queue) then
            table.insert(answer[3], queue)
        else
            local is_served, capacity = pcall(serve, queue, members)
            if not is_served then
                -- Where somebody else keeps something that is no queue, nobody of ours reads.
                local problem = type(capacity) == 'table' and capacity.err or tostring(capacity)
                if not string.find(problem, 'WRONGTYPE', 1, true) then error(capacity) end
            end
            if not (is_served and capacity) then
                for _, member in ipairs(members) do redis.call('ZREM', group, queue .. member) end
                answer[2] = answer[2] + #members
            end
        end
    end
    return answer
end

local refused, answers = {}, {}
for item = 1, (#ARGV - 6) / 3 do
    local key, at = KEYS[item], 4 + item * 3
    local kind, capacity = string.sub(ARGV[at], 1, 1), tonumber(string.sub(ARGV[at], 2))
    local head, rest = ARGV[at + 1], ARGV[at + 2]
    local answer = 1
    if kind == 'g' then
        answer = push_to_members(key, head, rest)
    elseif kind == 'm' then
        capacity = check_readers(key, capacity)
        if not capacity then
            answer = 2
        elseif push(key, capacity, head, rest) then
            answer = 0
        end
    elseif kind == 'n' or not refused[key] then
        local put = (kind == 's' or kind == 'k') and store or push
        if put(key, capacity, head, rest, kind == 'k') then
            answer = 0
        elseif kind ~= 'n' then
            refused[key] = true
        end
    end
    answers[item + 2] = answer
end
answers[1], answers[2] = expired, buried
return answers
