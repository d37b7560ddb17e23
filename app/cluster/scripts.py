"""What Redis does in one step for the roster. Keys are made inside: it works on one server, and not on a Redis Cluster.

    wsx:roster:epoch          made by the first node: whoever finds another one knows that Redis has lost what it had
    wsx:roster:beats          lives by the time of their last beat, in ms of Redis's own clock
    wsx:roster:back           when the first one beat again after nobody could for long: nobody is dead yet because of that
    wsx:roster:left           users by the time when a node had no connection of theirs any more, as long as they may come back
    wsx:roster:life:<life>    version, answer (to its last batch), its Condition, heir (the life that takes over from a dead one)
    wsx:roster:users:<life>   users of that life, each a Record
    wsx:roster:<database>     the channel of changes, which is KEYS[1]: channels know no databases

A life is `<node id>:<random>`. Its users and all else of it go with it; whatever is left over expires.
"""

from typing import Final

PREFIX: Final = "wsx:roster"

_BEGIN: Final = """
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local epoch, beats, left = 'wsx:roster:epoch', 'wsx:roster:beats', 'wsx:roster:left'
local function of(life) return 'wsx:roster:life:' .. life, 'wsx:roster:users:' .. life end
local me, users = of(ARGV[1])
"""

ENTER: Final = (
    _BEGIN
    + """
-- life, a new epoch, keep for ms -> the epoch
redis.call('SET', epoch, ARGV[2], 'NX')
redis.call('HSET', me, 'version', 0)
redis.call('PEXPIRE', me, ARGV[3])
redis.call('ZADD', beats, now, ARGV[1])
return redis.call('GET', epoch)
"""
)

CHANGE: Final = (
    _BEGIN
    + """
-- life, heir or '', version, change, keep for ms, then for each user: id, record or '', tell (1), left (1)
-- -> 'over', 'lost', or 'told' and the places of those in the batch of whom the caller is to tell
local was = redis.call('HMGET', me, 'version', 'heir', 'answer')
if not was[1] or (was[2] or '') ~= ARGV[2] then return 'over' end
if was[1] == ARGV[3] then return was[3] end
if was[1] + 1 ~= tonumber(ARGV[3]) then return 'lost' end
local others = {}
for _, life in ipairs(redis.call('ZRANGE', beats, 0, -1)) do
  if life ~= ARGV[1] then
    local _, there = of(life)
    others[#others + 1] = there
  end
end
local function is_elsewhere(user)
  for _, there in ipairs(others) do
    if redis.call('HEXISTS', there, user) == 1 then return true end
  end
  return false
end
local answer = 'told'
for i = 6, #ARGV, 4 do
  local is_change
  if ARGV[i + 1] == '' then
    is_change = redis.call('HDEL', users, ARGV[i])
  else
    is_change = redis.call('HSET', users, ARGV[i], ARGV[i + 1])
  end
  if ARGV[i + 3] == '1' then redis.call('ZADD', left, now, ARGV[i]) end
  if is_change == 1 and ARGV[i + 2] == '1' and not is_elsewhere(ARGV[i]) then answer = answer .. ' ' .. (i - 6) / 4 end
end
redis.call('HSET', me, 'version', ARGV[3], 'answer', answer)
redis.call('PEXPIRE', users, ARGV[5])
redis.call('PUBLISH', KEYS[1], ARGV[4])
return answer
"""
)

BEAT: Final = (
    _BEGIN
    + """
-- life, dead after ms, keep for ms, away for ms, admins, database (1), fingerprint
-- -> 0, or for each life: itself, version, lives (1), heir, left (1), admins, database, fingerprint
-- at its first beat the others look at once
local was = redis.call('HMGET', me, 'version', 'heir')
if not was[1] or was[2] then return 0 end
local newest = redis.call('ZRANGE', beats, -1, -1, 'WITHSCORES')[2] or 0
local back = tonumber(redis.call('GET', 'wsx:roster:back') or 0)
if newest + ARGV[2] < now then
  back = now
  redis.call('SET', 'wsx:roster:back', back)
end
local function is_beating(life)
  local beat = tonumber(redis.call('ZSCORE', beats, life) or 0)
  return beat > 0 and math.max(beat, back) + ARGV[2] >= now
end
if redis.call('HEXISTS', me, 'database') == 0 then redis.call('PUBLISH', KEYS[1], '') end
redis.call('HSET', me, 'admins', ARGV[5], 'database', ARGV[6], 'fingerprint', ARGV[7])
redis.call('PEXPIRE', me, ARGV[3])
redis.call('PEXPIRE', users, ARGV[3])
redis.call('ZADD', beats, now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', left, '-inf', now - ARGV[4])
local rows = {}
for _, life in ipairs(redis.call('ZRANGE', beats, 0, -1)) do
  local its, _ = of(life)
  local has = redis.call('HMGET', its, 'version', 'heir', 'admins', 'database', 'fingerprint')
  if not has[1] then
    redis.call('ZREM', beats, life)
  else
    local lives = not has[2] and is_beating(life)
    local heir = has[2] or ''
    if not lives and not (has[2] and is_beating(has[2])) then
      heir = ARGV[1]
      redis.call('HSET', its, 'heir', heir)
    end
    local has_left = tonumber(redis.call('ZSCORE', beats, life)) == 0
    local is = {has[3] or '0', has[4] or '0', has[5] or ''}
    rows[#rows + 1] = {life, has[1], lives and 1 or 0, heir, has_left and 1 or 0, is[1], is[2], is[3]}
  end
end
return rows
"""
)

LEAVE: Final = (
    _BEGIN
    + """
-- life: it is over, and the others look at once
if redis.call('HEXISTS', me, 'version') == 1 then
  redis.call('ZADD', beats, 0, ARGV[1])
  redis.call('PUBLISH', KEYS[1], '')
end
"""
)

CLOSE: Final = (
    _BEGIN
    + """
-- life, heir: of a life that the heir has settled nothing is left
if redis.call('HGET', me, 'heir') == ARGV[2] and redis.call('HLEN', users) == 0 then
  redis.call('DEL', me, users)
  redis.call('ZREM', beats, ARGV[1])
end
"""
)
