"""What Redis does for the journal in one step each, in Lua (Redis 6.2 or newer, Valkey).

Two keys: a hash with the life's `epoch` and the id of its `last` entry, and the stream of that life. An id is
`<number>-<microseconds>`: numbers are our own and consecutive, so nothing rests on Redis's clock going forward.
"""

LIFE = "wsx:{journal}"
"""The hash. The braces keep both keys in one slot, where Redis is a cluster itself."""


def stream_of(epoch: str) -> str:
    """The stream of this life. Another life has another: nobody can take entries of the one for those of the other."""
    return f"{LIFE}:{epoch}"


LOOK = """
local life = redis.call('HMGET', KEYS[1], 'epoch', 'last')
local epoch, last = life[1], life[2]
local known, number, id = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local is_other = not epoch or epoch < known
if epoch == known then
  local at = tonumber(string.match(last, '^%d+'))
  is_other = at < number or (at == number and last ~= id)
  if at > number and number > 0 then
    local entry = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
    is_other = entry and entry[1] ~= id
  end
end
if is_other then
  epoch, last = ARGV[4], '0-0'
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'last', last)
end
local following = redis.call('XRANGE', KEYS[2], string.format('%.0f', number + 1), '+', 'COUNT', 1)[1]
local now = redis.call('TIME')
return {epoch, last, following and following[1] or '', now[1] .. string.format('%06d', now[2])}
"""
"""Look how far the journal is. ARGV: the life, number and id of what this node was called with last, and a name for a new life.

A life ends when Redis does not know what the node knows: it is empty, or a copy from before, or one that went another way.
Returns the life, the id of its last entry, of the one that follows on what the node knows (or nothing), and the time in µs.
"""

APPEND = """
local now = redis.call('TIME')
local us = now[1] .. string.format('%06d', now[2])
if tonumber(us) > tonumber(ARGV[2]) then return {'late', 0, us} end
local life = redis.call('HMGET', KEYS[1], 'epoch', 'last')
if life[1] ~= ARGV[1] then return {'other', 0, us} end
local before = tonumber(string.match(life[2], '^%d+'))
local number = before
for at = 6, #ARGV do
  number = number + 1
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], string.format('%.0f-', number) .. us, 'p', ARGV[at])
end
redis.call('HSET', KEYS[1], 'last', string.format('%.0f-', number) .. us)
redis.call('XTRIM', KEYS[2], 'MINID', '~', ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[5])
return {'done', before + 1, us}
"""
"""Append the payloads. ARGV: the life, until when (microseconds of Redis's clock), how many entries are kept, the number of the
first that is, for how long (ms), payloads.

What comes later than that is refused: a Redis that stood still does not do afterwards what its callers were told had failed.
Returns a word, the number of the first of them, and the time in microseconds.
"""
