-- The program's functions that are told of something. What they raise is reported and ends nothing.
local ffi = require("ffi")
local library = require("mailru.library")

local C = library.C
local listeners = {}

local function report(message, what)
  io.stderr:write("mailru: the ", what, " raised ", tostring(message), "\n")
end

-- Has a function told of what a listener raises, and the listener's name; nil writes it to standard error.
function listeners.on_error(told)
  listeners.report = told
end

function listeners.tell(what, listener, ...)
  local worked, message = pcall(listener, ...)
  if not worked then
    pcall(listeners.report or report, message, what)
  end
end

local semaphores
if jit.os == "Linux" or jit.os == "BSD" then
  ffi.cdef([[
    void *mailru_lua_calloc(size_t, size_t) __asm__("calloc");
    int mailru_lua_sem_init(void *, int, unsigned int) __asm__("sem_init");
    int mailru_lua_sem_post(void *) __asm__("sem_post");
    int mailru_lua_sem_trywait(void *) __asm__("sem_trywait");
    void mailru_lua_sem_wait(void *, const char *) __asm__("sem_wait");
    void mailru_lua_free(void *) __asm__("free");
  ]])
  for _, name in ipairs({ false, "pthread" }) do
    local loaded, c = pcall(function()
      local from = name and ffi.load(name) or ffi.C
      return from.mailru_lua_sem_wait and from
    end)
    semaphores = semaphores or loaded and c or nil
  end
end

local SIZE = 64 -- larger than any system's sem_t
local PATIENCE = 1 -- seconds after which the library's thread goes on though the tokens are the same as before

local function post(holder, times)
  for _ = 1, holder.semaphore and times or 0 do
    semaphores.mailru_lua_sem_post(holder.semaphore)
  end
end

-- Before the library releases the semaphore, which frees its memory: whoever waits goes on.
function listeners.abandon(holder)
  post(holder, 64)
  holder.semaphore = nil
end

-- Has a function told of a session's new tokens before they are used. The library's callback for it runs on a thread of
-- the library's, which Lua cannot enter. So the callback is the C library's own sem_wait, which keeps that thread
-- waiting: Lua, which waits for a call, sees the new tokens in mailru_tokens, tells the function, and lets the library go
-- on. Where there are no such semaphores (macOS, Windows) the function is told a moment later. holder has the semaphore.
function listeners.on_token(number, holder, listener)
  local telling = { inside = false }

  local function current()
    local worked, tokens = pcall(library.answer, "mailru_tokens", number)
    return worked and tokens or nil
  end

  local told = current()

  function telling.look(waited)
    if telling.inside then
      return
    end
    while holder.semaphore and semaphores.mailru_lua_sem_trywait(holder.semaphore) == 0 do
      -- Takes back what nobody went through.
    end
    local tokens = current()
    if tokens and tokens ~= told then
      told = tokens
      telling.inside = true
      listeners.tell("token listener", listener, tokens)
      telling.inside = false
      post(holder, 1)
    elseif waited and waited >= PATIENCE then
      post(holder, 1)
    end
  end

  -- The present tokens need not be told.
  function telling.known()
    told = current()
  end

  if semaphores then
    local semaphore = semaphores.mailru_lua_calloc(1, SIZE)
    semaphores.mailru_lua_sem_init(semaphore, 0, 0)
    local wait, free = semaphores.mailru_lua_sem_wait, semaphores.mailru_lua_free
    library.done(C.mailru_session_on_token(number, wait, semaphore, free), "session")
    holder.semaphore = semaphore
  end
  return telling
end

return listeners
