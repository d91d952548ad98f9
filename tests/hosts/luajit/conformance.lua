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

actions["queue-cancel"] = actions.cancel

function actions.renewal(_, test, options)
  local told, phases = {}, {}
  options.on_renewal = function(phase)
    phases[#phases + 1] = phase
  end
  local session = assert(sessions.password(options))
  session:on_token(function(tokens)
    told[#told + 1] = tokens
  end)
  assert(session:call("sandbox.echo"))
  local answer, failure = session:call(test.method, test.parameters, RAW)
  session:on_token(nil)
  assert(#told == 2 and told[1] ~= told[2] and told[2] == session:tokens(), "told " .. #told .. " times")
  assert(table.concat(phases, " ") == "before after", "the phases were " .. table.concat(phases, " "))
  return answer, failure
end

function actions.request(session, test)
  return session:request({ method = test.method, params = json.decode(test.parameters) }, nil, RAW)
end

function actions.queued(session, test)
  local queue = assert(mailru.queue())
  local request = { method = test.method, params = json.decode(test.parameters) }
  assert(queue:request(session, request, { tag = "tag" }))
  local done = assert(queue:next(30))
  assert(done.tag == "tag", "another tag")
  return done.json, done.failure
end

actions["session-cancel"] = function(session, test)
  local queue = assert(mailru.queue())
  assert(queue:submit(session, test.method))
  ffi.C.usleep(200000)
  session:cancel()
  local done = assert(queue:next(2))
  return done.json, done.failure
end

local FILE = { data = ("x"):rep(100000), field = "img_file", name = "snail.jpg" }

function actions.upload(session, test)
  local cancel = mailru.cancel()
  local answer, failure = session:upload(test.method, test.parameters, FILE, { cancel = cancel, raw = true })
  local sent, total = cancel:progress()
  assert(sent == total and total > 100000, sent .. " of " .. total .. " bytes")
  return answer, failure
end

actions["upload-cancel"] = function(session, test)
  local cancel, steps = mailru.cancel(), 0
  return session:upload(test.method, nil, FILE, {
    cancel = cancel,
    raw = true,
    progress = function()
      steps = steps + 1
      if steps == 10 then -- of 20 ms each
        cancel:fire()
      end
    end,
  })
end

function actions.public(session, test)
  return session:public(test.method, nil, RAW)
end

local function in_turn(session, method, calls)
  for _ = 1, calls do
    assert(session:call(method))
  end
end

function actions.rate(session, test)
  in_turn(session, test.method, tonumber(test.parameters))
  return ""
end

function actions.error(session, test)
  local answer, failure = session:call(test.method)
  assert(failure.code == 10 and failure.number == 2 and #failure.message > 0 and failure.transient == false)
  return answer, failure
end

function actions.log(session, test)
  local lines = {}
  mailru.log(function(_, line)
    lines[#lines + 1] = line
  end, "debug")
  local answer, failure = session:call(test.method, nil, RAW)
  mailru.log(nil)
  local all = table.concat(lines, "\n")
  assert(all:find("event=answer") and all:find("method=" .. test.method, 1, true) and not all:find(SESSION_KEY), all)
  return answer, failure
end

function actions.stats(session, test)
  in_turn(session, test.method, 2)
  return json.encode(session:stats())
end

local function restarted(tokens, options, method)
  options.app_id, options.private_key, options.tokens = APP_ID, PRIVATE_KEY, tokens
  local session = assert(mailru.stored(options))
  assert(not tokens or session:set_tokens(tokens))
  return session:call(method, nil, RAW)
end

actions["token-file"] = function(session, test)
  assert(session:call(test.method))
  session:close()
  return restarted(nil, json.decode(test.options), test.method)
end

local alone = {}

function alone.methods()
  return json.encode(mailru.catalogue())
end

function alone.errors()
  return json.encode(mailru.error_catalogue())
end

function alone.verify(test)
  local checked, failure = mailru.verify_query(test.method, SECRET_KEY, test.parameters)
  return checked and json.encode(checked), failure
end

function alone.payment(test)
  return json.encode({ verified = assert(mailru.verify(SECRET_KEY, json.decode(test.parameters))) })
end

function alone.launch(test)
  return json.encode({ verified = assert(mailru.verify_launch(SECRET_KEY, json.decode(test.parameters))) })
end

function alone.redirect(test)
  return mailru.parse_redirect(test.parameters, "case-state")
end

function alone.login(test)
  local address = { app_id = APP_ID, redirect_uri = "https://example.org/login", state = "case-state" }
  local url = assert(mailru.authorize_url(address))
  assert(url:find("state=case-state", 1, true), url)
  local given = json.decode(test.options)
  given.code = assert(mailru.parse_redirect(test.parameters, "case-state"))
  given.app_id, given.private_key, given.circuit, given.redirect_uri = APP_ID, PRIVATE_KEY, "client", address.redirect_uri
  local session = assert(mailru.code(given))
  local tokens = assert(session:authorize()):json()
  session:close()
  return restarted(tokens, json.decode(test.options), test.method)
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
      if not test.circuit then
        return alone[test.action](test)
      end
      local options = json.decode(test.options or "{}")
      options.app_id = APP_ID
      local session, failure = sessions[test.circuit](options)
      if not session then
        return nil, failure
      end
      return actions[test.action](session, test, options)
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
