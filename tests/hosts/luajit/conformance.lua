-- The cases of cases.tsv in LuaJIT.
local ffi = require("ffi")
local mailru = require("mailru")

local APP_ID, PRIVATE_KEY = "423004", "7815696ecbf1c96e6894b779456d330e"
local SECRET_KEY, SESSION_KEY = "3dad9cbf9baaa0360c0f2ba372d25716", "be6ef89965d58e56dec21acb9b62bdaa"

ffi.cdef("int usleep(unsigned int microseconds);")

local sessions = {
  client = function(options)
    return mailru.client(APP_ID, PRIVATE_KEY, SESSION_KEY, "1324730981306483817", options)
  end,
  server = function(options)
    return mailru.server(APP_ID, SECRET_KEY, SESSION_KEY, options)
  end,
  password = function(options)
    return mailru.password_client(APP_ID, PRIVATE_KEY, "demo@mail.ru", "demo", nil, options)
  end,
}

local actions = {}

function actions.call(session, test)
  return session:call(test.method, test.parameters)
end

function actions.sign(session, test)
  return session:sign(test.method, test.parameters)
end

function actions.deadline(session, test)
  return session:call(test.method, test.parameters, 300)
end

function actions.stale(session, test)
  session:close()
  return session:call(test.method, test.parameters)
end

function actions.together(session, test)
  local calls = tonumber(test.parameters)
  local queue = assert(mailru.queue(calls, calls))
  local missing = {}
  for tag = 1, calls do
    assert(queue:submit(session, test.method, ('{"tag":%d}'):format(tag), tag))
    missing[tag] = true
  end
  while next(missing) do
    local tag, text, code, failure = queue:next(30000)
    if not text then
      return nil, code, failure
    end
    assert(missing[tag] and text:find(('"tag":"%d"'):format(tag), 1, true), text)
    missing[tag] = nil
  end
  return ""
end

actions.crowd = actions.together

function actions.cancel(session, test)
  local queue = assert(mailru.queue())
  assert(queue:submit(session, test.method, test.parameters, 7))
  ffi.C.usleep(200000)
  queue:cancel(7)
  local _, text, code, failure = queue:next(2000)
  assert(session:call("sandbox.echo"))
  return text, code, failure
end

function actions.renewal(session, test)
  assert(session:call("sandbox.echo"))
  local first = session:tokens()
  local text, code, failure = session:call(test.method, test.parameters)
  assert(first:find('"access_token":"', 1, true) and first ~= session:tokens(), "the tokens stayed the same")
  return text, code, failure
end

local columns = { "name", "action", "circuit", "options", "method", "parameters", "code", "contains" }

for line in io.lines(os.getenv("MAILRU_CASES")) do
  if line:sub(1, 1) ~= "#" then
    local test, index = {}, 0
    for column in line:gmatch("[^\t]+") do
      index = index + 1
      test[columns[index]] = column ~= "-" and column or nil
    end
    local worked, text, code, failure = pcall(function()
      local session, code, failure = sessions[test.circuit](test.options)
      if not session then
        return nil, code, failure
      end
      return actions[test.action](session, test)
    end)
    if not worked then
      text, code, failure = nil, "", text
    end
    local got, json = text and "MAILRU_OK" or code, text or failure or ""
    if got == test.code and json:find(test.contains or "", 1, true) then
      print("ok " .. test.name)
    else
      print(("FAIL %s %s %s"):format(test.name, got, json))
    end
  end
end
