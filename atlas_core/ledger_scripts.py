"""The ledger's steps as Lua, each atomic.

A chunk is a hash: state, token, attempts, error, progress and `until`, in milliseconds of the ledger's clock: when a
waiting one may be queued, when a queued one's message counts as lost, when a leased one's lease ends.

Clocks are set, and machines sleep. A time further off than any that is ever noted was noted before the clock was put
back, and begins anew. A silence of all workers for longer than a lease ends no lease before each had time to be
renewed: it may be the clock that was put forward.
"""

# The last of ARGV is the time, or nothing where Redis's own clock is meant.
_NOW = """
local now = tonumber(ARGV[#ARGV])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
"""

_DUE = """
local function due(key, noted, furthest)
  local at = tonumber(noted or '0')
  if at - now > furthest then
    at = now + furthest
    redis.call('HSET', key, 'until', at)
  end
  return at <= now
end

local function silent(beats, term)
  local found = redis.call('HMGET', beats, 'last', 'since')
  local last, since = tonumber(found[1]), tonumber(found[2])
  return last and (now - last > term or (since and now - since < term))
end
"""

STATES = """
local rows = {}
for place, key in ipairs(KEYS) do
  local found = redis.call('HMGET', key, 'state', 'attempts', 'progress', 'error')
  local state = found[1] or 'waiting'
  rows[place] = {state, found[2] or '0', state == 'leased' and found[3] or '', state == 'failed' and found[4] or ''}
end
return rows
"""

# One letter a chunk, the first of its state's name, and how far the leased ones are: (place, progress) in turn.
OVERVIEW = """
local letters, shares = {}, {}
for place, key in ipairs(KEYS) do
  local state = redis.call('HGET', key, 'state') or 'waiting'
  letters[place] = string.sub(state, 1, 1)
  if state == 'leased' then
    table.insert(shares, tostring(place))
    table.insert(shares, redis.call('HGET', key, 'progress') or '')
  end
end
return {table.concat(letters), shares}
"""

# KEYS: the beats, then chunks.
# ARGV: milliseconds until requeued, attempts allowed, the error of a lost chunk, milliseconds of a lease, of a pause
QUEUE = (
    _NOW
    + _DUE
    + """
local furthest = {queued = tonumber(ARGV[1]), leased = tonumber(ARGV[4]), waiting = tonumber(ARGV[5])}
local quiet = silent(KEYS[1], furthest.leased)
local queued = {}
for place = 2, #KEYS do
  local key = KEYS[place]
  local found = redis.call('HMGET', key, 'state', 'until', 'attempts')
  local state = found[1] or 'waiting'
  if furthest[state] and due(key, found[2], furthest[state]) and not (state == 'leased' and quiet) then
    if state == 'leased' and tonumber(found[3] or '0') >= tonumber(ARGV[2]) then
      redis.call('HSET', key, 'state', 'failed', 'error', ARGV[3])
    else
      redis.call('HSET', key, 'state', 'queued', 'until', now + ARGV[1])
      table.insert(queued, place - 1)
    end
  end
end
return queued
"""
)

# KEYS: what was promoted of the job, the chunk. ARGV: chunks promoted at most, milliseconds until requeued, of a pause
PROMOTE = (
    _NOW
    + _DUE
    + """
local term = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. (now + term), '+inf')
for _, key in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local state = redis.call('HGET', key, 'state')
  if state ~= 'queued' and state ~= 'leased' then redis.call('ZREM', KEYS[1], key) end
end
local found = redis.call('HMGET', KEYS[2], 'state', 'until')
local state = found[1] or 'waiting'
local free = state == 'queued' or (state == 'waiting' and due(KEYS[2], found[2], tonumber(ARGV[3])))
if not free or redis.call('ZSCORE', KEYS[1], KEYS[2]) or redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then
  return 0
end
redis.call('HSET', KEYS[2], 'state', 'queued', 'until', now + term)
redis.call('ZADD', KEYS[1], now + term, KEYS[2])
redis.call('PEXPIRE', KEYS[1], 2 * term)
return 1
"""
)

# KEYS: the chunk, the worker's leases, the beats.
# ARGV: token, milliseconds, attempts allowed, the error of a lost chunk, note
LEASE = (
    _NOW
    + _DUE
    + """
local found = redis.call('HMGET', KEYS[1], 'state', 'until', 'attempts', 'token')
local state = found[1] or 'waiting'
if state == 'done' or state == 'failed' then return 0 end
if state == 'leased' then
  local term = tonumber(ARGV[2])
  if found[4] == ARGV[1] then return 1 end
  if not due(KEYS[1], found[2], term) or silent(KEYS[3], term) then return 0 end
  if tonumber(found[3] or '0') >= tonumber(ARGV[3]) then
    redis.call('HSET', KEYS[1], 'state', 'failed', 'error', ARGV[4])
    return 0
  end
end
redis.call('HSET', KEYS[1], 'state', 'leased', 'token', ARGV[1], 'until', now + ARGV[2])
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
redis.call('HDEL', KEYS[1], 'progress')
redis.call('HSET', KEYS[2], ARGV[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], 86400)
return 1
"""
)

# Only who holds the lease goes on.
_HELD = (
    _NOW
    + """
local found = redis.call('HMGET', KEYS[1], 'state', 'token')
if found[1] ~= 'leased' or found[2] ~= ARGV[1] then return 0 end
"""
)

# ARGV: token, milliseconds
RENEW = (
    _HELD
    + """
redis.call('HSET', KEYS[1], 'until', now + ARGV[2])
return 1
"""
)

# ARGV: token, milliseconds before the next attempt, counted, parked, attempts allowed, error, milliseconds at most.
# The pause doubles with every attempt that failed, and with every outage in a row.
SETTLE = (
    _HELD
    + """
local attempts = redis.call('HINCRBY', KEYS[1], 'attempts', ARGV[3] == '1' and 0 or -1)
local failures = attempts
if ARGV[3] == '1' then
  redis.call('HDEL', KEYS[1], 'outages')
else
  failures = tonumber(ARGV[2]) > 0 and redis.call('HINCRBY', KEYS[1], 'outages', 1) or 1
end
local pause = math.floor(math.min(tonumber(ARGV[2]) * 2 ^ (math.min(failures, 30) - 1), tonumber(ARGV[7])))
redis.call('HDEL', KEYS[1], 'token', 'progress')
if ARGV[4] == '1' or (ARGV[3] == '1' and attempts >= tonumber(ARGV[5])) then
  redis.call('HSET', KEYS[1], 'state', 'failed', 'error', ARGV[6])
else
  redis.call('HSET', KEYS[1], 'state', 'waiting', 'until', now + pause)
end
return 1
"""
)

MARK_DONE = """
for _, key in ipairs(KEYS) do
  redis.call('HDEL', key, 'token', 'until', 'error', 'progress')
  redis.call('HSET', key, 'state', 'done')
end
"""

REOPEN = """
for _, key in ipairs(KEYS) do
  local state = redis.call('HGET', key, 'state')
  if state == 'failed' or state == 'done' or state == 'queued' then redis.call('DEL', key) end
end
"""

UNQUEUE = """
if redis.call('HGET', KEYS[1], 'state') == 'queued' then redis.call('HSET', KEYS[1], 'state', 'waiting', 'until', 0) end
"""

# KEYS: the workers, the beats. ARGV: the worker, milliseconds, milliseconds of a lease
BEAT = (
    _NOW
    + """
local last = tonumber(redis.call('HGET', KEYS[2], 'last') or now)
if now < last then redis.call('ZREMRANGEBYSCORE', KEYS[1], now + ARGV[2], '+inf') end
if now < last or now - last > tonumber(ARGV[3]) then redis.call('HSET', KEYS[2], 'since', now) end
redis.call('HSET', KEYS[2], 'last', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
"""
)

WORKERS = (
    _NOW
    + """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZRANGE', KEYS[1], 0, -1)
"""
)

# KEYS: what is done once. ARGV: milliseconds until it may be done again
ONCE = (
    _NOW
    + """
local again = tonumber(redis.call('GET', KEYS[1]) or '0')
if now < again and again - now <= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], now + ARGV[1], 'PX', ARGV[1])
return 1
"""
)

SCRIPTS = {
    "queue": QUEUE, "promote": PROMOTE, "lease": LEASE, "renew": RENEW, "settle": SETTLE, "states": STATES,
    "overview": OVERVIEW, "mark_done": MARK_DONE, "reopen": REOPEN, "unqueue": UNQUEUE, "beat": BEAT,
    "workers": WORKERS, "once": ONCE,
}  # fmt: skip
