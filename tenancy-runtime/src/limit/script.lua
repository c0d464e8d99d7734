-- Counts one request for every key, or for none of them.
--
-- KEYS: one for each limit. ARGV: for each of them how many requests it lets
-- through, and the microseconds of a slice; a limit's time has 60 slices. The
-- time is this server's: no client says what time it is.
--
-- Answers 1 or 0 for let through or not, and for each key what is counted now
-- and the microseconds until the oldest of that counts no more.

local SLICES = 60
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local admitted = 1
local all = {}
for i, key in ipairs(KEYS) do
  local limit = tonumber(ARGV[2 * i - 1])
  local length = tonumber(ARGV[2 * i])
  local slice = math.floor(now / length)
  local used, oldest, gone, ahead = 0, slice, {}, 0
  local entries = redis.call('HGETALL', key)
  for j = 1, #entries, 2 do
    local at, count = tonumber(entries[j]), tonumber(entries[j + 1])
    if at < slice - SLICES then
      gone[#gone + 1] = entries[j]
    else
      used = used + count
      if at > slice then
        -- The clock was set back: this counts as of now, and not until the
        -- clock has caught up.
        gone[#gone + 1] = entries[j]
        ahead = ahead + count
      elseif at < oldest then
        oldest = at
      end
    end
  end
  if #gone > 0 then
    redis.call('HDEL', key, unpack(gone))
  end
  if ahead > 0 then
    redis.call('HINCRBY', key, string.format('%.0f', slice), ahead)
    redis.call('PEXPIRE', key, math.ceil((SLICES + 1) * length / 1000))
  end
  if used >= limit then
    admitted = 0
  end
  all[i] = { key, slice, length, used, oldest }
end

local answer = { admitted }
for _, one in ipairs(all) do
  local key, slice, length, used, oldest = unpack(one)
  if admitted == 1 then
    redis.call('HINCRBY', key, string.format('%.0f', slice), 1)
    redis.call('PEXPIRE', key, math.ceil((SLICES + 1) * length / 1000))
    used = used + 1
  end
  answer[#answer + 1] = used
  answer[#answer + 1] = (oldest + SLICES + 1) * length - now
end
return answer
