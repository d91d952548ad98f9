-- The cases of cases.tsv in LuaJIT.
local ffi = require("ffi")
local json = require("cjson")
local mailru = require("mailru")

local APP_ID, PRIVATE_KEY = "423004", "7815696ecbf1c96e6894b779456d330e"
local SECRET_KEY, SESSION_KEY = "3dad9cbf9baaa0360c0f2ba372d25716", "be6ef89965d58e56dec21acb9b62bdaa"

ffi.cdef("int usleep(unsigned int microseconds);")

local sessions = {
  client = function(given)
    given.private_key, given.access_token, given.uid = PRIVATE_KEY, SESSION_KEY, "1324730981306483817"
    return mailru.client(given)
  end,
  server = function(given)
    given.secret_key, given.access_token = SECRET_KEY, SESSION_KEY
    return mailru.server(given)
  end,
  password = function(given)
    given.private_key, given.email, given.password, given.circuit = PRIVATE_KEY, "demo@mail.ru", "demo", "client"
    return mailru.password(given)
  end,
}

local RAW = { raw = true }
local actions = {}

function actions.call(session, test)
  return session:call(test.method, test.parameters, RAW)
end

function actions.sign(session, test)
  return session:sign(test.method, test.parameters, RAW)
end

function actions.deadline(session, test)
  return session:call(test.method, test.parameters, { timeout = 0.3 })
end

function actions.stale(session, test)
  session:close()
  return session:call(test.method, test.parameters)
end

function actions.together(session, test)
  local calls = tonumber(test.parameters)
  local queue = assert(mailru.queue({ workers = calls, capacity = calls }))
  local missing = {}
  for tag = 1, calls do
    assert(queue:submit(session, test.method, { tag = tag }, tag))
    missing[tag] = true
  end
  while next(missing) do
    local done = assert(queue:next(30))
    if done.failure then
      return nil, done.failure
    end
    assert(missing[done.tag] and done.value.tag == tostring(done.tag), done.json)
    missing[done.tag] = nil
  end
  return ""
end

actions.crowd = actions.together

function actions.cancel(session, test)
  local queue = assert(mailru.queue())
  assert(queue:submit(session, test.method, test.parameters, "slow"))
  ffi.C.usleep(200000)
  queue:cancel("slow")
  local done = assert(queue:next(2))
  assert(session:call("sandbox.echo"))
  return done.json, done.failure
end

function actions.renewal(session, test)
  local told = {}
  session:on_token(function(tokens)
    told[#told + 1] = tokens
  end)
  assert(session:call("sandbox.echo"))
  local answer, failure = session:call(test.method, test.parameters, RAW)
  session:on_token(nil)
  assert(#told == 2 and told[1] ~= told[2] and told[2] == session:tokens(), "told " .. #told .. " times")
  return answer, failure
end

local columns = { "name", "action", "circuit", "options", "method", "parameters", "code", "contains" }

for line in io.lines(os.getenv("MAILRU_CASES")) do
  if line:sub(1, 1) ~= "#" then
    local test, index = {}, 0
    for column in line:gmatch("[^\t]+") do
      index = index + 1
      test[columns[index]] = column ~= "-" and column or nil
    end
    local worked, answer, failure = pcall(function()
      local options = json.decode(test.options or "{}")
      options.app_id = APP_ID
      local session, failure = sessions[test.circuit](options)
      if not session then
        return nil, failure
      end
      return actions[test.action](session, test)
    end)
    if not worked then
      failure = { name = "", json = tostring(answer) }
      answer = nil
    end
    local got, text = answer and "MAILRU_OK" or failure.name, answer or failure.json
    if got == test.code and text:find(test.contains or "", 1, true) then
      print("ok " .. test.name)
    else
      print(("FAIL %s %s %s"):format(test.name, got, text))
    end
  end
end
