"""The ledger's steps as Lua, each atomic.

A chunk is a hash: state, token, attempts, error, progress and `until`, in milliseconds of Redis's clock: when a
waiting one may be queued, when a queued one's message counts as lost, when a leased one's lease ends.
"""

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
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

# ARGV: milliseconds until requeued, attempts allowed, the error of a lost chunk
QUEUE = (
    _NOW
    + """
local queued = {}
for place, key in ipairs(KEYS) do
  local found = redis.call('HMGET', key, 'state', 'until', 'attempts')
  local state = found[1] or 'waiting'
  if state ~= 'done' and state ~= 'failed' and tonumber(found[2] or '0') <= now then
    if state == 'leased' and tonumber(found[3] or '0') >= tonumber(ARGV[2]) then
      redis.call('HSET', key, 'state', 'failed', 'error', ARGV[3])
    else
      redis.call('HSET', key, 'state', 'queued', 'until', now + ARGV[1])
      table.insert(queued, place)
    end
  end
end
return queued
"""
)

# KEYS: the chunk, the worker's leases. ARGV: token, milliseconds, attempts allowed, the error of a lost chunk, note
LEASE = (
    _NOW
    + """
local found = redis.call('HMGET', KEYS[1], 'state', 'until', 'attempts', 'token')
local state = found[1] or 'waiting'
if state == 'done' or state == 'failed' then return 0 end
if state == 'leased' then
  if found[4] == ARGV[1] then return 1 end
  if tonumber(found[2]) > now then return 0 end
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

# ARGV: the worker, milliseconds
BEAT = (
    _NOW
    + """
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
