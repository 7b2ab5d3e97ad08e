-- What the Redis store does on the server: one script per operation, so that
-- each is one atomic step. docs/store-format.md is the contract of the keys.
--
-- redis_scripts.py cuts this file at the lines that begin with "--@" and makes
-- a C header of it. "--@ part NAME" is a piece that scripts share, "--@ script
-- NAME: PARTS" a script: the parts it names in front of its own lines.
--
-- KEYS[1] is {NAME}:meta; every other key has the same hash tag, so the whole
-- store is one slot of a cluster. A script answers with an array whose first
-- element says how it went. What it checks, it checks before its first write:
-- Redis does not roll back.
--
-- REPL_NONE: leases, waiting lines, claims and what a copy needs are neither in
-- the append-only file nor at the replicas. Losing them is safe (a commit is
-- refused, a row is claimed again), and a lock costs no fsync. Whatever a
-- commit changes is in both.

--@ part base
local call, A = redis.call, ARGV
local P = string.sub(KEYS[1], 1, -5)

--@ part now
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

--@ part volatile
redis.set_repl(redis.REPL_NONE)

--@ part wake
-- The subject is free: tell whoever stands first in line, through its process.
local function wake(subject)
  local first = call('ZRANGE', P .. 'line:' .. subject, 0, 0)[1]
  if first then
    call('PUBLISH', P .. 'wake:' .. string.sub(first, 1, 16), first)
  end
end

--@ part settle
-- Claims of a subject: "TOKEN EXPIRES FIRST LAST" each, of rows from seq to seq. One that is over
-- stays until somebody takes its rows: its attempt may still be told.
local function claims_of(id)
  local list = {}
  local text = call('HGET', P .. 'claim', id)
  if text then
    for token, expires, first, last in string.gmatch(text, '(%x+) (%d+) (%d+) (%d+)') do
      list[#list + 1] = { token = token, expires = tonumber(expires), first = tonumber(first), last = tonumber(last) }
    end
  end
  return list
end

local function claims_set(id, list)
  local texts = {}
  for _, c in ipairs(list) do
    if c.first <= c.last then
      texts[#texts + 1] = c.token .. ' ' .. c.expires .. ' ' .. c.first .. ' ' .. c.last
    end
  end
  if #texts > 0 then
    call('HSET', P .. 'claim', id, table.concat(texts, ';'))
  else
    call('HDEL', P .. 'claim', id)
  end
end

-- When a row can be claimed, given the claims of its subject; 0: now.
local function free_at(seq, list)
  for _, c in ipairs(list) do
    if c.first <= seq and seq <= c.last and c.expires > now then
      return c.expires
    end
  end
  local try = call('HGET', P .. 'try', seq)
  local at = try and tonumber(string.match(try, '^%d+ (%d+)')) or 0
  return at > now and at or 0
end

local function due(id, head)
  call('ZADD', P .. 'due', head, id)
  if call('ZCARD', P .. 'due') == 1 then
    call('PUBLISH', P .. 'outbox', '')
  end
end

-- Put a subject where it belongs after its queue or its claims have changed: in
-- `due` (its oldest row can be claimed), in `later` (not yet), or in neither.
local function settle(id, list)
  local head = call('ZRANGE', P .. 'queue:' .. id, 0, 0)[1]
  if not head then
    call('ZREM', P .. 'due', id)
    call('ZREM', P .. 'later', id)
    call('HDEL', P .. 'claim', id)
    return
  end
  local at = free_at(tonumber(head), list or claims_of(id))
  if at > 0 then
    call('ZADD', P .. 'later', at, id)
    call('ZREM', P .. 'due', id)
  else
    due(id, head)
    call('ZREM', P .. 'later', id)
  end
end

--@ part row
-- Members of the outbox and of the dead letters are "SEQ.ID".
local function member(set, seq)
  local found = call('ZRANGEBYSCORE', P .. set, seq, seq)[1]
  return found, found and string.match(found, '%.(%d+)$')
end

local function remove(seq, found, id)
  call('ZREM', P .. 'outbox', found)
  call('ZREM', P .. 'queue:' .. id, seq)
  call('HDEL', P .. 'try', seq)
end

--@ part event
-- {"SEQ-0", fields, subject, attempts, due, error}; false: there is no such event.
local function event(seq, id, tries)
  local found = call('XRANGE', P .. 'event', seq .. '-0', seq .. '-0')[1]
  if not found then
    return false
  end
  found[3] = call('HGET', P .. 'subject', id) or ''
  local try = tries and call('HGET', tries, seq)
  if try then
    found[4], found[5], found[6] = string.match(try, '^(%d+) (%d+) (.*)$')
  end
  return found
end

--@ part copying
-- Whether a copy of the whole store is being made, and of which moment.
local function copying(dump)
  if not dump then
    return nil
  end
  local token, expires, seq, id = string.match(dump, '^(%x+) (%d+) (%d+) (%d+)$')
  if tonumber(expires) <= now then
    return nil
  end
  return { token = token, seq = tonumber(seq), id = tonumber(id) }
end

--@ part forget
-- Drop what a copy kept.
local function forget()
  for _, id in ipairs(call('SMEMBERS', P .. 'old')) do
    call('UNLINK', P .. 'old:' .. id)
  end
  call('UNLINK', P .. 'old', P .. 'copy:outbox', P .. 'copy:dead', P .. 'copy:try')
  call('HDEL', KEYS[1], 'dump')
end

--@ script open: base now
-- 1 create a store where there is none; 2 wipe what an interrupted load left
if call('TYPE', KEYS[1]).ok ~= 'hash' and call('EXISTS', KEYS[1]) == 1 then
  return { 'FOREIGN' }
end
local meta = call('HMGET', KEYS[1], 'version', 'loading')
if not meta[1] and A[1] == '1' then
  call('HSET', KEYS[1], 'version', 1, 'created', now)
  meta[1] = '1'
end
return { 'OK', tonumber(meta[1] or 0), meta[2] or '' }

--@ script wipe: base
-- Everything of a load that did not end. Answers how many keys are left to ask for again.
if not call('HGET', KEYS[1], 'loading') then
  return { 'OK', 0 }
end
local newest = tonumber(call('HGET', KEYS[1], 'id') or 0)
local last = math.max(newest - 1000, 0)
for id = newest, last + 1, -1 do
  call('UNLINK', P .. 'rec:' .. id, P .. 'inbox:' .. id, P .. 'hist:' .. id, P .. 'queue:' .. id)
end
if last > 0 then
  call('HSET', KEYS[1], 'id', last)
  return { 'OK', last }
end
for _, name in ipairs({ 'id', 'subject', 'all', 'event', 'outbox', 'due', 'later', 'claim', 'try',
  'dead', 'deadof', 'definition' }) do
  call('UNLINK', P .. name)
end
for _, status in ipairs(call('SMEMBERS', P .. 'status')) do
  call('UNLINK', P .. 'status:' .. status)
end
call('UNLINK', P .. 'status')
call('HDEL', KEYS[1], 'loading', 'page', 'id', 'seq')
return { 'OK', 0 }

--@ script lock: base now volatile wake
-- subject, token, ttl, ticket or '', inbox key or '', 1: and the record
-- HELD, ms until the lease ends (-1: free, but others stand in line)
-- OK, fence, expires, consumed, record
local subject, token, ticket = A[1], A[2], A[4]
local fence, expires, ends
local lease = call('HGET', P .. 'lease', subject)
if lease then
  local f, t, e = string.match(lease, '^(%d+) (%x+) (%d+)$')
  e = tonumber(e)
  if e > now and t == token then
    fence, expires = tonumber(f), e -- asked again: the answer was lost
  elseif e > now then
    ends = e
  end
end
if not fence then
  local line, seen = P .. 'line:' .. subject, P .. 'seen:' .. subject
  local first = call('ZRANGE', line, 0, 0)[1]
  while first and first ~= ticket and now - tonumber(call('HGET', seen, first) or 0) > 3000 do
    call('ZREM', line, first) -- it has stopped asking
    call('HDEL', seen, first)
    first = call('ZRANGE', line, 0, 0)[1]
  end
  if ends or (first and first ~= ticket) then
    if ticket ~= '' then
      if not call('ZSCORE', line, ticket) then
        call('ZADD', line, call('HINCRBY', KEYS[1], 'ticket', 1), ticket)
      end
      call('HSET', seen, ticket, now)
      call('PEXPIRE', line, 10000)
      call('PEXPIRE', seen, 10000)
    end
    return { 'HELD', ends and ends - now or -1 }
  end
  fence = call('HINCRBY', KEYS[1], 'fence', 1)
  expires = now + A[3]
  call('HSET', P .. 'lease', subject, fence .. ' ' .. token .. ' ' .. expires)
  if first then
    call('ZREM', line, first)
    call('HDEL', seen, first)
  end
end
if A[6] ~= '1' then
  return { 'OK', fence, expires }
end
local id = call('HGET', P .. 'id', subject)
if not id then
  return { 'OK', fence, expires, 0, {} }
end
return { 'OK', fence, expires, call('HEXISTS', P .. 'inbox:' .. id, A[5]),
  call('HGETALL', P .. 'rec:' .. id) }

--@ script leave: base volatile now wake
-- subject, ticket: out of the line
call('ZREM', P .. 'line:' .. A[1], A[2])
call('HDEL', P .. 'seen:' .. A[1], A[2])
local lease = call('HGET', P .. 'lease', A[1])
if not lease or tonumber(string.match(lease, '(%d+)$')) <= now then
  wake(A[1])
end
return { 'OK' }

--@ script unlock: base volatile wake
-- subject, "FENCE TOKEN "
local lease = call('HGET', P .. 'lease', A[1])
if lease and string.sub(lease, 1, #A[2]) == A[2] then
  call('HDEL', P .. 'lease', A[1])
  wake(A[1])
end
return { 'OK' }

--@ script renew: base now volatile
-- subject, "FENCE TOKEN ", ttl
local lease = call('HGET', P .. 'lease', A[1])
if not lease or string.sub(lease, 1, #A[2]) ~= A[2] or tonumber(string.sub(lease, #A[2] + 1)) <= now then
  return { 'LEASE' }
end
call('HSET', P .. 'lease', A[1], A[2] .. (now + A[3]))
return { 'OK', now + A[3] }

--@ script commit: base now wake settle row copying
-- 1: asked again, operation or '', count, and per commit from i on: subject, "FENCE TOKEN " or '',
-- fence, 1: release, seq done or 0, previous revision, words of the record, null fields of it,
-- status, definition's hash or '', its document, inbox key or '', id, source, type, domains, json,
-- events produced; then the record's words, its null fields, and five words per event.
local meta = call('HMGET', KEYS[1], 'version', 'seq', 'fence', 'id', 'loading', 'dump')
if not meta[1] then
  return { 'GONE' }
end
if meta[5] then
  return { 'FILLING' }
end
local again = A[1] == '1'
if again and A[2] ~= '' and call('EXISTS', P .. 'op:' .. A[2]) == 1 then
  return { 'OK' }
end

local list, i = {}, 4
for k = 1, tonumber(A[3]) do
  local c = { at = i, words = i + 18 }
  c.nulls = c.words + A[i + 6]
  c.events = c.nulls + A[i + 7]
  c.subject, c.lease = A[i], A[i + 1]
  c.id = call('HGET', P .. 'id', c.subject)
  local stored = {}
  if c.id and A[i + 6] ~= '0' then
    stored = call('HMGET', P .. 'rec:' .. c.id, 'revision', 'status', 'fence')
    c.status = stored[2]
    if again and stored[3] == A[i + 2] and tonumber(stored[1]) == A[i + 5] + 1 then
      return { 'OK' } -- nobody else had this lease: it was this commit
    end
  end
  if again and c.id and A[i + 11] ~= '' and call('HEXISTS', P .. 'inbox:' .. c.id, A[i + 11]) == 1 then
    return { 'CONSUMED', k }
  end
  if c.lease ~= '' then
    local lease = call('HGET', P .. 'lease', c.subject)
    if not lease or string.sub(lease, 1, #c.lease) ~= c.lease
      or tonumber(string.sub(lease, #c.lease + 1)) <= now then
      return { 'LEASE', k }
    end
  end
  if A[i + 6] ~= '0' and (stored[1] or '0') ~= A[i + 5] then
    return { 'REVISION', k, stored[1] or '0' }
  end
  if c.id and A[i + 11] ~= '' and call('HEXISTS', P .. 'inbox:' .. c.id, A[i + 11]) == 1 then
    return { 'CONSUMED', k }
  end
  if A[i + 4] ~= '0' then
    c.done, c.doneid = member('outbox', A[i + 4])
    if not c.done then
      return { 'TAKEN', k }
    end
  end
  list[k] = c
  i = c.events + 5 * A[i + 17]
end

local seq, newest, copy = tonumber(meta[2] or 0), tonumber(meta[4] or 0), copying(meta[6])
local released, ids = {}, {}
for _, c in ipairs(list) do
  local i, id = c.at, c.id or ids[c.subject]
  local has_record, consumed, produced = A[i + 6] ~= '0', A[i + 11] ~= '', tonumber(A[i + 17])
  if not id and (has_record or consumed or produced > 0) then
    newest = newest + 1
    id = newest
    ids[c.subject] = id
    call('HSET', P .. 'id', c.subject, id)
    call('HSET', P .. 'subject', id, c.subject)
  end
  if has_record then
    local rec = P .. 'rec:' .. id
    if c.status == nil or c.status == false then
      call('HSET', rec, 'created', now, 'updated', now, unpack(A, c.words, c.nulls - 1))
      call('ZADD', P .. 'all', id, id)
    else
      if copy and tonumber(id) <= copy.id then
        redis.set_repl(redis.REPL_NONE)
        if call('SADD', P .. 'old', id) == 1 then
          call('COPY', rec, P .. 'old:' .. id)
        end
        redis.set_repl(redis.REPL_ALL)
      end
      call('HSET', rec, 'updated', now, unpack(A, c.words, c.nulls - 1))
      if c.nulls < c.events then
        call('HDEL', rec, unpack(A, c.nulls, c.events - 1))
      end
    end
    if c.status ~= A[i + 8] then
      if c.status then
        call('ZREM', P .. 'status:' .. c.status, id)
      end
      call('ZADD', P .. 'status:' .. A[i + 8], id, id)
      call('SADD', P .. 'status', A[i + 8])
    end
    if A[i + 9] ~= '' then
      call('HSETNX', P .. 'definition', A[i + 9], A[i + 10])
    end
  end
  local cause, seqs = 0, {}
  if consumed then
    seq = seq + 1
    cause = seq
    seqs[1] = seq
    call('XADD', P .. 'event', seq .. '-0', 'd', 0, 's', id, 'c', 0, 't', now, 'id', A[i + 12],
      'source', A[i + 13], 'type', A[i + 14], 'domains', A[i + 15], 'event', A[i + 16])
    call('HSET', P .. 'inbox:' .. id, A[i + 11], seq)
  end
  if c.done then
    remove(A[i + 4], c.done, c.doneid)
    settle(c.doneid)
  end
  if produced > 0 then
    local queue = P .. 'queue:' .. id
    local first = call('EXISTS', queue) == 0 and seq + 1
    for e = c.events, c.events + 5 * produced - 1, 5 do
      seq = seq + 1
      seqs[#seqs + 1] = seq
      call('XADD', P .. 'event', seq .. '-0', 'd', 1, 's', id, 'c', cause, 't', now, 'id', A[e],
        'source', A[e + 1], 'type', A[e + 2], 'domains', A[e + 3], 'event', A[e + 4])
      call('ZADD', P .. 'outbox', seq, seq .. '.' .. id)
      call('ZADD', queue, seq, seq)
    end
    if first then
      due(id, first)
    end
  end
  for s = 1, #seqs, 1000 do
    call('RPUSH', P .. 'hist:' .. id, unpack(seqs, s, math.min(s + 999, #seqs)))
  end
  if A[i + 3] == '1' then
    released[#released + 1] = c.subject
  end
end
if #list > 0 then
  call('HSET', KEYS[1], 'seq', seq, 'fence', meta[3] or 0, 'id', newest)
end
if A[2] ~= '' then
  call('SET', P .. 'op:' .. A[2], 1, 'PX', 600000)
end
if #released > 0 then
  redis.set_repl(redis.REPL_NONE)
  for _, subject in ipairs(released) do
    call('HDEL', P .. 'lease', subject)
    wake(subject)
  end
end
return { 'OK' }

--@ script read: base
-- subject -> record
local id = call('HGET', P .. 'id', A[1])
return { 'OK', id and call('HGETALL', P .. 'rec:' .. id) or {} }

--@ script inbox: base event
-- subject, inbox key, offset in the history to go on at (0: at the event itself), count (0: none)
-- -> seq or 0, events that it caused, the next offset or 0
local id = call('HGET', P .. 'id', A[1])
local seq = id and call('HGET', P .. 'inbox:' .. id, A[2])
if not seq then
  return { 'OK', 0, {}, 0 }
end
local rows, at, want = {}, tonumber(A[3]), tonumber(A[4])
if want == 0 then
  return { 'OK', tonumber(seq), rows, 0 }
end
-- The newest are asked for again most often.
at = at > 0 and at or (call('LPOS', P .. 'hist:' .. id, seq, 'RANK', -1) or -1) + 1
local seqs = call('LRANGE', P .. 'hist:' .. id, at, at + want - 1)
for _, s in ipairs(seqs) do
  local row = event(s, id)
  if row and row[2][6] == seq then
    rows[#rows + 1] = row
  end
end
return { 'OK', tonumber(seq), rows, #seqs == want and at + want or 0 }

--@ script history: base event
-- subject, offset, count -> events
local id = call('HGET', P .. 'id', A[1])
local rows = {}
if id then
  for _, seq in ipairs(call('LRANGE', P .. 'hist:' .. id, A[2], A[2] + A[3] - 1)) do
    rows[#rows + 1] = event(seq, id) or nil
  end
end
return { 'OK', rows }

--@ script list: base
-- 1: status given, status, 1: orchestrator given, orchestrator, after, count
-- -> last id looked at (0: the end), {id, record, subject}...
local set = A[1] == '1' and P .. 'status:' .. A[2] or P .. 'all'
local rows, last, looked = {}, 0, 0
local ids = call('ZRANGEBYSCORE', set, '(' .. A[5], '+inf', 'LIMIT', 0, 200)
for _, id in ipairs(ids) do
  last, looked = tonumber(id), looked + 1
  if A[3] == '0' or call('HGET', P .. 'rec:' .. id, 'orchestrator') == A[4] then
    rows[#rows + 1] = { last, call('HGETALL', P .. 'rec:' .. id), call('HGET', P .. 'subject', id) or '' }
    if #rows >= tonumber(A[6]) then
      break
    end
  end
end
return { 'OK', looked == #ids and #ids < 200 and 0 or last, rows }

--@ script find: base
-- subject -> id or 0
return { 'OK', tonumber(call('HGET', P .. 'id', A[1]) or 0) }

--@ script rows: base event
-- outbox or dead, after, count -> events
local rows = {}
for _, m in ipairs(call('ZRANGEBYSCORE', P .. A[1], '(' .. A[2], '+inf', 'LIMIT', 0, A[3])) do
  local seq, id = string.match(m, '^(%d+)%.(%d+)$')
  rows[#rows + 1] = event(seq, id, P .. 'try') or nil
end
return { 'OK', rows }

--@ script done: base now settle row
-- seq
local found, id = member('outbox', A[1])
if found then
  remove(A[1], found, id)
  settle(id)
end
return { 'OK' }

--@ script claim: base now volatile settle event
-- token, ttl, limit -> events
local token, expires, left = A[1], now + A[2], tonumber(A[3])
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'later', '-inf', now, 'LIMIT', 0, 1000)) do
  settle(id)
end
local rows = {}

-- The oldest rows of all subjects that are due: merge their queues, lowest seq first.
local function put(active, subject)
  local seq = call('ZRANGE', P .. 'queue:' .. subject.id, subject.taken, subject.taken)[1]
  if not seq then
    return
  end
  subject.seq = tonumber(seq)
  local low, high = 1, #active + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if active[middle].seq < subject.seq then
      low = middle + 1
    else
      high = middle
    end
  end
  table.insert(active, low, subject)
end

local function take(subjects)
  local active = {}
  for _, id in ipairs(subjects) do
    put(active, { id = id, taken = 0, claims = claims_of(id) })
  end
  while left > 0 and #active > 0 do
    local subject = table.remove(active, 1)
    if free_at(subject.seq, subject.claims) == 0 then
      subject.first = subject.first or subject.seq
      subject.last = subject.seq
      subject.taken = subject.taken + 1
      left = left - 1
      rows[#rows + 1] = event(subject.seq, subject.id, P .. 'try') or nil
      put(active, subject)
    end
    subjects[subject.id] = subject
  end
  for _, id in ipairs(subjects) do
    local subject = subjects[id]
    if subject and subject.first then
      local list = {}
      for _, c in ipairs(subject.claims) do
        if c.first > subject.last then -- those in front of it are of rows that are gone
          list[#list + 1] = c
        end
      end
      list[#list + 1] = { token = token, expires = expires, first = subject.first, last = subject.last }
      claims_set(id, list)
    end
    settle(id)
  end
end

while left > 0 do
  local subjects = call('ZRANGE', P .. 'due', 0, left - 1)
  if #subjects == 0 then
    break
  end
  take(subjects)
end
return { 'OK', rows }

--@ part failed
-- seq, token -> what a delivery that failed is of; nil when the row is gone or somebody else's.
-- The deliverer's claims end, on this row and those behind it.
local function failed(seq, token)
  local found, id = member('outbox', seq)
  if not found then
    return nil
  end
  local n, list, is_own = tonumber(seq), claims_of(id), false
  for _, c in ipairs(list) do
    if c.token == token and c.last >= n then
      is_own = is_own or c.first <= n
      c.last = c.first <= n and n - 1 or -1
    end
  end
  if not is_own then
    return nil
  end
  claims_set(id, list)
  local try = call('HGET', P .. 'try', seq)
  return found, id, tonumber(try and string.match(try, '^%d+') or 0)
end

--@ script retry: base now settle row failed
-- seq, token, delay, error
local found, id, attempts = failed(A[1], A[2])
if found then
  local at = A[3] == '0' and 0 or now + A[3]
  call('HSET', P .. 'try', A[1], (attempts + 1) .. ' ' .. at .. ' ' .. A[4])
  settle(id)
end
return { 'OK' }

--@ script bury: base now settle row failed
-- seq, token, error
local found, id, attempts = failed(A[1], A[2])
if found then
  remove(A[1], found, id)
  call('ZADD', P .. 'dead', A[1], found)
  call('HINCRBY', P .. 'deadof', id, 1)
  call('HSET', P .. 'try', A[1], (attempts + 1) .. ' ' .. now .. ' ' .. A[3])
  settle(id)
end
return { 'OK' }

--@ part raise
-- A dead letter leaves its place.
local function raise(seq)
  local found, id = member('dead', seq)
  if found then
    call('ZREM', P .. 'dead', found)
    call('HDEL', P .. 'try', seq)
    if call('HINCRBY', P .. 'deadof', id, -1) <= 0 then
      call('HDEL', P .. 'deadof', id)
    end
  end
  return found, id
end

--@ script revive: base now settle row raise
-- seq
local found, id = raise(A[1])
if not found then
  return { 'NONE' }
end
call('ZADD', P .. 'outbox', A[1], found)
call('ZADD', P .. 'queue:' .. id, A[1], A[1])
settle(id)
return { 'OK' }

--@ script drop: base now row raise
-- seq
return { raise(A[1]) and 'OK' or 'NONE' }

--@ script release: base now volatile settle
-- token
local cursor = '0'
repeat
  local page = call('HSCAN', P .. 'claim', cursor, 'COUNT', 1000)
  cursor = page[1]
  for i = 1, #page[2], 2 do
    if string.find(page[2][i + 1], A[1], 1, true) then
      local id, list = page[2][i], {}
      for _, c in ipairs(claims_of(id)) do
        if c.token ~= A[1] then
          list[#list + 1] = c
        end
      end
      claims_set(id, list)
      settle(id)
    end
  end
until cursor == '0'
return { 'OK' }

--@ script next: base now
-- -> ms until there may be something to claim; -1: nothing waits
if call('ZCARD', P .. 'due') > 0 then
  return { 'OK', 0 }
end
local first = call('ZRANGE', P .. 'later', 0, 0, 'WITHSCORES')
return { 'OK', first[2] and math.max(first[2] - now, 0) or -1 }

--@ script stats: base now
local meta = call('HMGET', KEYS[1], 'version', 'seq')
local claimed, held, expired, oldest, buried = 0, 0, 0, 0, 0
local claims = call('HGETALL', P .. 'claim')
for i = 1, #claims, 2 do
  for expires, from, last in string.gmatch(claims[i + 1], '%x+ (%d+) (%d+) (%d+)') do
    if tonumber(expires) > now then
      claimed = claimed + call('ZCOUNT', P .. 'queue:' .. claims[i], from, last)
    end
  end
end
for _, lease in ipairs(call('HVALS', P .. 'lease')) do
  if tonumber(string.match(lease, '(%d+)$')) > now then
    held = held + 1
  else
    expired = expired + 1
  end
end
local first = call('ZRANGE', P .. 'outbox', 0, 0, 'WITHSCORES')[2]
if first then
  local row = call('XRANGE', P .. 'event', first .. '-0', first .. '-0')[1]
  oldest = row and tonumber(row[2][8]) or 0
end
for _, seq in ipairs(call('ZRANGE', P .. 'dead', 0, 999)) do
  local at = tonumber(string.match(call('HGET', P .. 'try', string.match(seq, '^%d+')) or '0 0', '^%d+ (%d+)'))
  if buried == 0 or at < buried then
    buried = at
  end
end
return { 'OK', now, tonumber(meta[1] or 0), call('ZCARD', P .. 'status:active'), call('ZCARD', P .. 'status:done'),
  call('ZCARD', P .. 'status:error'), call('XLEN', P .. 'event'), call('ZCARD', P .. 'outbox'), claimed, oldest,
  call('ZCARD', P .. 'dead'), buried, held, expired }

--@ part spare
-- Whether an instance may be deleted.
local function spare(id, status, orchestrator, before)
  local r = call('HMGET', P .. 'rec:' .. id, 'status', 'orchestrator', 'updated')
  if not r[1] or r[1] ~= status or (orchestrator ~= '' and r[2] ~= orchestrator)
    or tonumber(r[3]) >= before then
    return false
  end
  local subject = call('HGET', P .. 'subject', id)
  local lease = subject and call('HGET', P .. 'lease', subject)
  if not subject or (lease and tonumber(string.match(lease, '(%d+)$')) > now) then
    return false
  end
  return call('EXISTS', P .. 'queue:' .. id) == 0 and call('HEXISTS', P .. 'deadof', id) == 0 and subject
end

--@ script overdue: base now spare
-- status, orchestrator or '', before, after, count -> last id looked at (0: the end), ids
local ids = call('ZRANGEBYSCORE', P .. 'status:' .. A[1], '(' .. A[4], '+inf', 'LIMIT', 0, 500)
local found, last, looked = {}, 0, 0
for _, id in ipairs(ids) do
  last, looked = tonumber(id), looked + 1
  if spare(id, A[1], A[2], tonumber(A[3])) then
    found[#found + 1] = last
    if #found >= tonumber(A[5]) then
      break
    end
  end
end
return { 'OK', looked == #ids and #ids < 500 and 0 or last, found }

--@ script purge: base now spare copying
-- 1: count only, orchestrator or '', before, then status and id of each -> instances, events
if copying(call('HGET', KEYS[1], 'dump')) then
  return { 'COPYING' }
end
local instances, events = 0, 0
for k = 4, #A, 2 do
  local status, id = A[k], A[k + 1]
  local subject = spare(id, status, A[2], tonumber(A[3]))
  if subject then
    instances = instances + 1
    events = events + call('LLEN', P .. 'hist:' .. id)
    if A[1] ~= '1' then
      for at = 0, call('LLEN', P .. 'hist:' .. id) - 1, 500 do
        local entries = call('LRANGE', P .. 'hist:' .. id, at, at + 499)
        for n, seq in ipairs(entries) do
          entries[n] = seq .. '-0'
        end
        call('XDEL', P .. 'event', unpack(entries))
      end
      call('UNLINK', P .. 'rec:' .. id, P .. 'hist:' .. id, P .. 'inbox:' .. id)
      call('ZREM', P .. 'all', id)
      call('ZREM', P .. 'status:' .. status, id)
      call('HDEL', P .. 'id', subject)
      call('HDEL', P .. 'subject', id)
      call('HDEL', P .. 'lease', subject)
    end
  end
end
return { 'OK', instances, events }

--@ script copy: base now volatile copying forget
-- token, ttl -> seq, fence, id, hashes of definitions
local meta = call('HMGET', KEYS[1], 'seq', 'fence', 'id', 'dump', 'version')
if copying(meta[4]) then
  return { 'COPYING' }
end
forget()
local seq, id = meta[1] or 0, meta[3] or 0
call('COPY', P .. 'outbox', P .. 'copy:outbox')
call('COPY', P .. 'dead', P .. 'copy:dead')
call('COPY', P .. 'try', P .. 'copy:try')
call('HSET', KEYS[1], 'dump', A[1] .. ' ' .. (now + A[2]) .. ' ' .. seq .. ' ' .. id)
local hashes = call('HKEYS', P .. 'definition')
table.sort(hashes)
return { 'OK', tonumber(seq), tonumber(meta[2] or 0), tonumber(id), hashes }

--@ part page
-- The copy goes on; nil: it is over.
local function page(token, ttl)
  local copy = copying(call('HGET', KEYS[1], 'dump'))
  if not copy or copy.token ~= token then
    return nil
  end
  call('HSET', KEYS[1], 'dump', string.format('%s %d %d %d', token, now + ttl, copy.seq, copy.id))
  return copy
end

--@ script copydefinition: base now volatile copying page
-- token, ttl, hash -> document
if not page(A[1], A[2]) then
  return { 'OVER' }
end
return { 'OK', call('HGET', P .. 'definition', A[3]) or '' }

--@ script copyrecords: base now volatile copying page
-- token, ttl, after, count -> {id, record, subject}...
local copy = page(A[1], A[2])
if not copy then
  return { 'OVER' }
end
local rows = {}
for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'all', '(' .. A[3], copy.id, 'LIMIT', 0, A[4])) do
  local rec = call('HGETALL', P .. 'old:' .. id)
  if #rec == 0 then
    rec = call('HGETALL', P .. 'rec:' .. id)
  end
  rows[#rows + 1] = { tonumber(id), rec, call('HGET', P .. 'subject', id) or '' }
end
return { 'OK', rows }

--@ script copyevents: base now volatile copying page
-- token, ttl, after, count -> events
local copy = page(A[1], A[2])
if not copy then
  return { 'OVER' }
end
local rows = {}
if tonumber(A[3]) < copy.seq then
  rows = call('XRANGE', P .. 'event', (A[3] + 1) .. '-0', copy.seq .. '-0', 'COUNT', A[4])
  for _, row in ipairs(rows) do
    row[3] = call('HGET', P .. 'subject', row[2][4]) or ''
  end
end
return { 'OK', rows }

--@ script copyrows: base now volatile copying page event
-- token, ttl, outbox or dead, after, count -> events
if not page(A[1], A[2]) then
  return { 'OVER' }
end
local rows = {}
for _, m in ipairs(call('ZRANGEBYSCORE', P .. 'copy:' .. A[3], '(' .. A[4], '+inf', 'LIMIT', 0, A[5])) do
  local seq, id = string.match(m, '^(%d+)%.(%d+)$')
  rows[#rows + 1] = event(seq, id, P .. 'copy:try') or nil
end
return { 'OK', rows }

--@ script copyend: base now volatile copying forget
-- token
local copy = copying(call('HGET', KEYS[1], 'dump'))
if copy and copy.token == A[1] then
  forget()
end
return { 'OK' }

--@ script loadbegin: base
-- token
local meta = call('HMGET', KEYS[1], 'version', 'seq', 'id', 'loading')
if not meta[1] then
  return { 'GONE' }
end
if (meta[4] and meta[4] ~= A[1]) or (meta[2] or '0') ~= '0' or (meta[3] or '0') ~= '0'
  or call('EXISTS', P .. 'definition') == 1 then
  return { 'NOTEMPTY' }
end
call('HSET', KEYS[1], 'loading', A[1])
return { 'OK' }

--@ script load: base now settle row
-- token, number of the page, rows, and per row its kind and words
local meta = call('HMGET', KEYS[1], 'loading', 'page')
if meta[1] ~= A[1] then
  return { 'OVER' }
end
if tonumber(meta[2] or 0) >= tonumber(A[2]) then
  return { 'OK' } -- the answer was lost
end
local function id_of(subject)
  local id = call('HGET', P .. 'id', subject)
  if not id then
    id = call('HINCRBY', KEYS[1], 'id', 1)
    call('HSET', P .. 'id', subject, id)
    call('HSET', P .. 'subject', id, subject)
  end
  return id
end
local i = 4
for _ = 1, tonumber(A[3]) do
  local kind = A[i]
  if kind == 'definition' then
    if call('HSETNX', P .. 'definition', A[i + 1], A[i + 2]) == 0 then
      return { 'REFUSED', 'there are two definitions with hash ' .. A[i + 1] }
    end
    i = i + 3
  elseif kind == 'record' then
    local id, words = id_of(A[i + 1]), tonumber(A[i + 3])
    if call('EXISTS', P .. 'rec:' .. id) == 1 then
      return { 'REFUSED', 'there are two records of ' .. A[i + 1] }
    end
    call('HSET', P .. 'rec:' .. id, unpack(A, i + 4, i + 3 + words))
    call('ZADD', P .. 'all', id, id)
    call('ZADD', P .. 'status:' .. A[i + 2], id, id)
    call('SADD', P .. 'status', A[i + 2])
    i = i + 4 + words
  elseif kind == 'event' then
    local id, seq = id_of(A[i + 1]), A[i + 2]
    call('XADD', P .. 'event', seq .. '-0', 'd', A[i + 3], 's', id, 'c', A[i + 4], 't', A[i + 5], 'id',
      A[i + 7], 'source', A[i + 8], 'type', A[i + 9], 'domains', A[i + 10], 'event', A[i + 11])
    call('RPUSH', P .. 'hist:' .. id, seq)
    if A[i + 3] == '0' then
      call('HSET', P .. 'inbox:' .. id, A[i + 6], seq)
    end
    i = i + 12
  else -- outbox or dead: seq, attempts, due, error
    local seq = A[i + 1]
    local row = call('XRANGE', P .. 'event', seq .. '-0', seq .. '-0')[1]
    if not row or row[2][2] ~= '1' or member('outbox', seq) or member('dead', seq) then
      return { 'REFUSED', 'the outbox row or dead letter ' .. seq .. ' has no produced event of its own' }
    end
    local id = row[2][4]
    call('ZADD', P .. kind, seq, seq .. '.' .. id)
    if kind == 'dead' then
      call('HINCRBY', P .. 'deadof', id, 1)
    end
    if kind == 'dead' or A[i + 2] ~= '0' or A[i + 3] ~= '0' then
      call('HSET', P .. 'try', seq, A[i + 2] .. ' ' .. A[i + 3] .. ' ' .. A[i + 4])
    end
    if kind == 'outbox' then
      call('ZADD', P .. 'queue:' .. id, seq, seq)
      settle(id)
    end
    i = i + 5
  end
end
call('HSET', KEYS[1], 'page', A[2])
return { 'OK' }

--@ script loadend: base
-- token, seq, fence
if call('HGET', KEYS[1], 'loading') ~= A[1] then
  return { call('HGET', KEYS[1], 'loaded') == A[1] and 'OK' or 'OVER' }
end
local fence = math.max(tonumber(A[3]), tonumber(call('HGET', KEYS[1], 'fence') or 0))
call('HSET', KEYS[1], 'seq', A[2], 'fence', fence, 'loaded', A[1])
call('HDEL', KEYS[1], 'loading', 'page')
return { 'OK' }

--@ script check: base now
-- after, count -> last id looked at (0: the end), {subject, what}...
local newest = tonumber(call('HGET', KEYS[1], 'id') or 0)
local last = math.min(A[1] + A[2], newest)
local found = {}
for id = A[1] + 1, last do
  local subject = call('HGET', P .. 'subject', id)
  local function say(what)
    found[#found + 1] = { subject or ('id ' .. id), what }
  end
  local r = call('HMGET', P .. 'rec:' .. id, 'orchestrator', 'version', 'status', 'revision', 'fence',
    'created', 'updated')
  local has_record = r[1] or r[2] or r[3] or r[4] or false
  local has_hist = call('EXISTS', P .. 'hist:' .. id) == 1
  if not subject and (has_record or has_hist) then
    say('has data, but its subject is unknown')
  end
  if subject and call('HGET', P .. 'id', subject) ~= tostring(id) then
    say('its subject leads to another id')
  end
  for n, field in ipairs({ 'orchestrator', 'version', 'status', 'revision', 'fence', 'created', 'updated' }) do
    if has_record and not r[n] then
      say('its record lacks ' .. field)
    end
  end
  if has_record and not call('ZSCORE', P .. 'all', id) then
    say('its record is not in the list of all')
  end
  if has_record and r[3] and not call('ZSCORE', P .. 'status:' .. r[3], id) then
    say('its record is not in the list of its status')
  end
  for _, seq in ipairs(call('LRANGE', P .. 'hist:' .. id, 0, -1)) do
    if #call('XRANGE', P .. 'event', seq .. '-0', seq .. '-0') == 0 then
      say('event ' .. seq .. ' of its history is missing')
    end
  end
  local waiting = call('ZRANGE', P .. 'queue:' .. id, 0, -1)
  for _, seq in ipairs(waiting) do
    if not call('ZSCORE', P .. 'outbox', seq .. '.' .. id) then
      say('event ' .. seq .. ' waits in its queue and not in the outbox')
    end
  end
  if #waiting > 0 and not call('ZSCORE', P .. 'due', id) and not call('ZSCORE', P .. 'later', id) then
    say('events wait, and nobody would claim them')
  end
end
return { 'OK', last < newest and last or 0, found }

--@ script checkrows: base
-- outbox or dead, after, count -> last seq looked at (0: the end), {seq, what}...
local found, last, looked = {}, 0, 0
for _, m in ipairs(call('ZRANGEBYSCORE', P .. A[1], '(' .. A[2], '+inf', 'LIMIT', 0, A[3])) do
  local seq, id = string.match(m, '^(%d+)%.(%d+)$')
  last, looked = tonumber(seq), looked + 1
  if #call('XRANGE', P .. 'event', seq .. '-0', seq .. '-0') == 0 then
    found[#found + 1] = { 'seq ' .. seq, 'is in the ' .. A[1] .. ', and there is no such event' }
  end
  if A[1] == 'outbox' and not call('ZSCORE', P .. 'queue:' .. id, seq) then
    found[#found + 1] = { 'seq ' .. seq, 'is in the outbox and not in the queue of its subject' }
  end
end
return { 'OK', looked < tonumber(A[3]) and 0 or last, found }
