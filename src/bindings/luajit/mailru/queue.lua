-- Calls at once: they are submitted one after another and taken as they complete.
local ffi = require("ffi")
local callbacks = require("mailru.callbacks")
local failures = require("mailru.failure")
local json = require("mailru.json")
local library = require("mailru.library")
local text = require("mailru.text")

local C = library.C
local EMPTY = 31
local Queue = {}
Queue.__index = Queue

-- tag: any value, which comes back with the completion; so does a failure's.
local function enter(self, session, tag, name, ...)
  session:prepare()
  local arguments, count = { ... }, select("#", ...) + 1
  self.last = self.last + 1
  arguments[count] = self.last
  local worked, failure = pcall(library.made, name, self.number, session.number, unpack(arguments, 1, count))
  if not worked then
    if failures.is(failure) then
      failure.tag = tag
    end
    error(failure, 0)
  end
  self.pending[self.last] = { tag = tag, session = session }
  self.size = self.size + 1
  return true
end

-- Hands a call to the queue.
Queue.submit = library.public(function(self, session, method, params, tag)
  method, params = text.text("method", method), text.object("params_json", params)
  return enter(self, session, tag, "mailru_queue_submit", method, params)
end)

-- Hands any request to the queue, as the library's JSON: with method, public or authorize. options: data, cancel, tag.
Queue.request = library.public(function(self, session, request, options)
  options = options or {}
  local data, cancel = options.data, options.cancel
  local described = text.object("request", request)
  local size = data and #data or 0
  return enter(self, session, options.tag, "mailru_queue_request", described, data, size, cancel and cancel.number or 0)
end)

local function take(self, ms)
  local own, code = ffi.new("uint64_t[1]"), ffi.new("int32_t[1]")
  local answer = library.taken(C.mailru_queue_next(self.number, ms, own, code))
  if code[0] == EMPTY then
    return nil
  end
  local number = tonumber(own[0])
  local entry = self.pending[number]
  if not entry then
    error(failures.of(code[0], answer), 0)
  end
  self.pending[number], self.size = nil, self.size - 1
  local completion = { tag = entry.tag }
  if code[0] == 0 then
    completion.json, completion.value = answer, json.decode(answer)
  else
    completion.failure = failures.of(code[0], answer)
    completion.failure.tag = entry.tag
  end
  return completion
end

local function wait(self, left)
  while true do
    local slice = math.max(0, math.min(callbacks.slice(), left))
    local completion = take(self, slice)
    left = left - slice
    callbacks.tell()
    if completion or left <= 0 then
      return completion
    end
  end
end

-- The next completion: { tag, value, json } or { tag, failure }. nil if none came within the seconds of timeout; without
-- it this waits.
Queue.next = library.public(function(self, timeout)
  return wait(self, timeout and text.milliseconds("timeout", timeout, true) or math.huge)
end)

-- Completes what bears this tag as MAILRU_CANCELLED.
Queue.cancel = library.public(function(self, tag)
  for own, entry in pairs(self.pending) do
    if entry.tag == tag then
      library.done(C.mailru_queue_cancel(self.number, own), "queue")
    end
  end
  return true
end)

-- A descriptor that is readable while next has something to do, for an event loop; -1 on Windows.
function Queue:descriptor()
  return C.mailru_queue_fd(self.number)
end

-- Cancels what is pending.
function Queue:close()
  C.mailru_queue_free(self.number)
  self.pending, self.size = {}, 0
end

-- Compiled code may not be called back, and would not look at hooks.
jit.off(true, true)

return {
  -- workers: how many calls may be in flight at once; capacity: how many submissions may not be taken yet.
  new = library.public(function(options)
    options = options or {}
    local workers = text.whole("workers", options.workers or 0)
    local number = library.made("mailru_queue_new", workers, text.whole("capacity", options.capacity or 0))
    local owned = library.owned(number, C.mailru_queue_free)
    return setmetatable({ number = number, owned = owned, pending = {}, size = 0, last = 0 }, Queue)
  end),
}
