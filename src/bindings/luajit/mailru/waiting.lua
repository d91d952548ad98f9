-- Waits for calls where Lua can be interrupted: all go through one queue of the library's, which is asked again and
-- again, so that a hook such as Ctrl-C's ends the wait, and the call with it.
local ffi = require("ffi")
local callbacks = require("mailru.callbacks")
local library = require("mailru.library")
local failures = require("mailru.failure")

local C = library.C
local EMPTY = 31

local waiting = {}
local queue, process, tags = nil, nil, 0
-- Completions by tag: false for calls that were interrupted.
local taken = {}

-- The queue of this process: after a fork the parent's is the parent's.
local function own_queue()
  if process ~= library.process() then
    queue, process, taken = library.made("mailru_queue_new", 0, 0), library.process(), {}
  end
  return queue
end

local function step()
  local tag, code = ffi.new("uint64_t[1]"), ffi.new("int32_t[1]")
  local text = library.taken(C.mailru_queue_next(queue, callbacks.slice(), tag, code))
  if code[0] == EMPTY then
    return
  end
  local number = tonumber(tag[0])
  if taken[number] == false then
    taken[number] = nil
  else
    taken[number] = { code = code[0], text = text }
  end
end

local function wait(tag, meanwhile)
  while not taken[tag] do
    step()
    callbacks.tell()
    if meanwhile then
      meanwhile()
    end
  end
end

-- Performs a request and gives its JSON. meanwhile, if given, is called again and again.
function waiting.perform(session, request, data, cancel, meanwhile)
  local queue_now = own_queue()
  tags = tags + 1
  local tag = tags
  library.made("mailru_queue_request", queue_now, session, request, data, data and #data or 0, cancel or 0, tag)
  local worked, interrupt = pcall(wait, tag, meanwhile)
  local outcome = taken[tag]
  taken[tag] = nil
  if not worked then
    if not outcome then
      taken[tag] = false
    end
    C.mailru_queue_cancel(queue_now, tag)
    error(interrupt, 0)
  end
  if outcome.code ~= 0 then
    error(failures.of(outcome.code, outcome.text), 0)
  end
  return outcome.text
end

-- Compiled code may not be called back, and would not look at hooks.
jit.off(true, true)

return waiting
