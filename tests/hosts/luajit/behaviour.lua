-- What the wrapper promises beyond the cases: each promise is a function that prints "ok NAME", or fails the program.
local ffi = require("ffi")
local cjson = require("cjson")
local mailru = require("mailru")

ffi.cdef([[
  int usleep(unsigned int microseconds);
  int fork(void);
  int waitpid(int process, int *status, int options);
  void _exit(int status);
]])

local SLOW = "sandbox.echo.slow"
local OPTIONS = cjson.decode(os.getenv("MAILRU_OPTIONS"))

local function with(members, more)
  local all = { app_id = "423004", private_key = "7815696ecbf1c96e6894b779456d330e" }
  for _, part in ipairs({ OPTIONS, members, more or {} }) do
    for name, value in pairs(part) do
      all[name] = value
    end
  end
  return all
end

local function client(more)
  local key = "be6ef89965d58e56dec21acb9b62bdaa"
  return assert(mailru.client(with({ access_token = key, uid = 1324730981306483817ULL }, more)))
end

local function password(more)
  return assert(mailru.password(with({ email = "demo@mail.ru", password = "demo" }, more)))
end

local function check(holds, what)
  if not holds then
    error(tostring(what or "it does not hold"), 2)
  end
end

local function promise(name, keep)
  local kept, why = xpcall(keep, function(failure)
    return debug.traceback(tostring(failure))
  end)
  print(kept and "ok " .. name or "FAIL " .. name .. " " .. why)
  if not kept then
    os.exit(1)
  end
end

-- What another LuaJIT prints that runs a program.
local function another_lua(program, before)
  local file = os.tmpname()
  local handle = assert(io.open(file, "w"))
  handle:write(([[
    local mailru, cjson = require("mailru"), require("cjson")
    local options = cjson.decode(os.getenv("MAILRU_OPTIONS"))
    options.app_id, options.private_key = "423004", "7815696ecbf1c96e6894b779456d330e"
    options.access_token, options.uid = "key", "1"
    local session = mailru.client(options)
  ]]) .. program)
  handle:close()
  local pipe = assert(io.popen((before or "") .. " luajit " .. file .. " 2>&1"))
  local output = pipe:read("*a")
  pipe:close()
  os.remove(file)
  return output
end

promise("numbers are not cut", function()
  local session = client()
  local _, failure = mailru.queue({ workers = -1 })
  check(failure.argument == "workers")
  _, failure = mailru.queue({ capacity = 2 ^ 32 })
  check(failure.argument == "capacity")
  for _, timeout in ipairs({ 0, -1, 0 / 0, 1 / 0 }) do
    _, failure = session:call("sandbox.echo", nil, { timeout = timeout })
    check(failure.argument == "timeout", timeout)
  end
  _, failure = session:call(SLOW, nil, { timeout = 0.0001 })
  check(failure.name == "MAILRU_TIMEOUT")
  local echo = session:call("sandbox.echo", { id = 18446744073709551615ULL, exact = 9007199254740991, part = 0.1, third = 1 / 3 })
  check(echo.id == "18446744073709551615" and echo.exact == "9007199254740991" and echo.part == "0.1", cjson.encode(echo))
  check(tonumber(echo.third) == 1 / 3)
  _, failure = session:call("sandbox.echo", { id = 2 ^ 60 })
  check(failure.argument == "params_json")
  check(session:call("friends.get")[1] == "15410773191172635989")
  local deep = assert(session:call("sandbox.echo", { nested = { id = 15410773191172635989ULL } }))
  check(deep.nested == '{"id":15410773191172635989}', deep.nested)
end)

promise("long integers are read as strings and strings as they are", function()
  local json = require("mailru.json")
  local read = json.decode('{"a":12345678901234567890,"b":["x 12345678901234567890 \\" 1",-9223372036854775808],"c":1.5e300}')
  check(read.a == "12345678901234567890" and read.b[1] == 'x 12345678901234567890 " 1')
  check(read.b[2] == "-9223372036854775808" and read.c == 1.5e300)
end)

promise("texts are whole and an empty table is no list", function()
  local session = client()
  local _, failure = session:call("sandbox.echo\0x")
  check(failure.argument == "method")
  check(session:call("sandbox.echo", { text = "a\0b" }).text == "a\0b")
  _, failure = session:call("sandbox.echo", '{},"pass_error":true')
  check(failure.argument == "params_json")
  _, failure = session:call("sandbox.echo", { 1, 2 })
  check(failure.argument == "params_json" and failure.message:find("names"), failure)
  check(type(session:call("sandbox.echo", {})) == "table")
  _, failure = session:call("sandbox.echo", nil, { time_out = 5 })
  check(failure.argument == "time_out")
  _, failure = session:call(nil)
  check(failure.name == "MAILRU_INVALID_ARGUMENT")
end)

promise("a failed queued call keeps its tag", function()
  local queue, session, tag = assert(mailru.queue({ capacity = 1 })), client(), { "any value" }
  assert(queue:submit(session, "no.such.method", nil, tag))
  local _, failure = queue:submit(session, "sandbox.echo", nil, "second")
  check(failure.name == "MAILRU_QUEUE_FULL" and failure.tag == "second")
  local done = queue:next(5)
  check(done.tag == tag and done.failure.number == 2 and done.failure.tag == tag)
  assert(queue:request(session, { public = "mail/nosuchuser" }, { tag = 3 }))
  check(queue:next(5).tag == 3 and queue:next(0) == nil and queue:descriptor() > 0)
  queue:close()
  _, failure = queue:next()
  check(failure.name == "MAILRU_INVALID_HANDLE")
end)

promise("what a listener raises is reported and the answer kept", function()
  local reports = {}
  mailru.on_listener_error(function(message, what)
    reports[#reports + 1] = what .. ": " .. message:gsub("^.*: ", "")
  end)
  mailru.log(function()
    error("no space left")
  end, "debug")
  check(client():call("sandbox.echo", { a = 1 }).a == "1")
  mailru.log(nil)
  check(reports[1] == "logger: no space left" and #reports == 1, reports[1])
  local session = password()
  session:on_token(function()
    error("the disk is full")
  end)
  check(session:call("sandbox.echo", { a = 1 }).a == "1" and reports[2] == "token listener: the disk is full", reports[2])
  mailru.on_listener_error(nil)
end)

promise("the log is the library's and tells no secrets", function()
  local lines = {}
  mailru.log(function(level, line)
    lines[#lines + 1] = level .. " " .. line
  end, "debug")
  local session = password()
  session:call("sandbox.echo")
  session:call("no.such.method")
  local tokens = session:tokens()
  mailru.log(nil)
  session:call("sandbox.echo")
  local all = table.concat(lines, "\n")
  check(all:find("debug event=answer session=%d+ call=%d+ method=sandbox.echo attempt=1 ms=%d+ status=200"), all)
  check(all:find("info event=new_tokens") and select(2, all:gsub("method=no.such.method", "")) == 1, all)
  check(not all:find(tokens.access_token, 1, true) and not all:find(tokens.refresh_token, 1, true))
  -- A logger may call the library, and yield: it runs after the library's call.
  local thread = coroutine.wrap(function()
    mailru.log(function()
      client():call("sandbox.echo")
      coroutine.yield("yielded")
    end, "debug")
    client():call("sandbox.echo")
    mailru.log(nil)
    return "over"
  end)
  check(thread() == "yielded" and thread() == "over")
  -- Lua may end with its log and its sessions in use.
  local output = another_lua('mailru.log(print, "debug"); session:on_token(print); session:call("sandbox.echo")')
  check(output:find("event=answer", 1, true), output)
end)

promise("compiled code is called back", function()
  jit.opt.start("hotloop=2")
  local session, lines = client(), 0
  mailru.log(function()
    lines = lines + 1
  end, "debug")
  for _ = 1, 100 do
    assert(session:call("sandbox.echo"))
    session:sign("friends.get")
    session:stats()
  end
  mailru.log(nil)
  jit.opt.start("hotloop=56")
  check(lines == 100, lines)
end)

promise("a hook ends a call and the wait of a queue", function()
  local session, queue = client(), assert(mailru.queue())
  local waits = {
    function()
      session:call(SLOW)
    end,
    function()
      queue:next()
    end,
  }
  for _, wait in ipairs(waits) do
    local steps = 0
    debug.sethook(function()
      steps = steps + 1
      if steps == 10 then
        error("interrupted")
      end
    end, "", 100)
    local worked, why = pcall(wait)
    debug.sethook()
    check(not worked and why:find("interrupted"), why)
  end
  check(session:call("sandbox.echo"))
  local output = another_lua('session:call("' .. SLOW .. '")', "timeout -s INT 5 ")
  check(output:find("interrupted"), output)
end)

promise("tokens are told before they are used", function()
  local session, inside = password(), nil
  session:on_token(function(tokens)
    ffi.C.usleep(300000)
    local _, failure = session:call("sandbox.echo")
    inside = { tokens == session:tokens(), failure.name }
  end)
  assert(session:call("sandbox.echo"))
  check(inside[1] and inside[2] == "MAILRU_REENTERED", inside[2])
end)

promise("a forked child goes on", function()
  local session, told = password(), {}
  session:on_token(function(tokens)
    told[#told + 1] = tokens.access_token
  end)
  assert(session:call("sandbox.echo"))
  local child = ffi.C.fork()
  if child == 0 then
    local answer = session:call("sandbox.echo.expired1")
    ffi.C._exit(answer and #told == 2 and told[2] == session:tokens().access_token and 0 or 1)
  end
  local status = ffi.new("int[1]")
  ffi.C.waitpid(child, status, 0)
  check(status[0] == 0, "the child was not told")
  assert(session:call("sandbox.echo"))
end)

promise("renewals are told", function()
  local phases, keys = {}, {}
  local function note(phase, session)
    phases[#phases + 1], keys[#keys + 1] = phase, session:tokens().access_token
  end
  local session = password({ on_renewal = note })
  session:on_token(function(tokens)
    phases[#phases + 1], keys[#keys + 1] = "tokens", tokens.access_token
  end)
  check(session:call("sandbox.echo.expired2", { a = 1 }).a == "1")
  check(table.concat(phases, " ") == "tokens before tokens after" and keys[2] ~= keys[3], table.concat(phases, " "))
  -- Newer tokens of another process's serve: no request is made.
  local newer, requests = session:tokens(), session:stats().attempts
  session:on_renewal(function(phase, told)
    if phase == "before" then
      assert(told:set_tokens(newer))
    end
  end)
  local old = mailru.parse_tokens(newer:json())
  old.access_token, old.expires_at = "old", 1
  assert(session:set_tokens(old))
  check(assert(session:authorize()).access_token == newer.access_token and session:stats().attempts == requests)
  session:on_renewal(nil)
  -- In a queue, too, and for two sessions at once.
  local queue, others = assert(mailru.queue()), {}
  phases = {}
  for number = 1, 2 do
    others[number] = password({ on_renewal = note })
    assert(others[number]:authorize())
    assert(queue:request(others[number], { authorize = true }, { tag = number }))
  end
  check(not queue:next(5).failure and not queue:next(5).failure and #phases == 4, table.concat(phases, " "))
end)

promise("tokens are told at the end of a session", function()
  local session, queue, told = password(), assert(mailru.queue()), 0
  session:on_token(function()
    told = told + 1
  end)
  assert(queue:submit(session, "sandbox.echo"))
  ffi.C.usleep(400000)
  check(told == 0)
  session:close()
  check(told == 1)
end)

promise("what is not used any more is freed", function()
  local freed = {}
  for index = 1, 20 do
    local session = client()
    freed[index] = session.number
    session:on_token(function()
      return session
    end)
  end
  collectgarbage()
  collectgarbage()
  local library = require("mailru.library")
  for _, number in ipairs(freed) do
    local worked, failure = pcall(library.answer, "mailru_tokens", number)
    check(not worked and failure.name == "MAILRU_INVALID_HANDLE", "a session is alive")
  end
end)

promise("errors say what they know", function()
  local session = client()
  local _, failure = session:call("no.such.method")
  check(failure.number == 2 and failure.code == 10 and failure.name == "MAILRU_API_ERROR" and not failure.transient)
  _, failure = session:call(SLOW, nil, { timeout = 0.1 })
  check(failure.number == -21 and failure.transient and failure.sent == true, failure.json)
  _, failure = client({ api_url = "http://127.0.0.1:1/", retries = 0 }):call("sandbox.echo")
  check(failure.name == "MAILRU_NETWORK_ERROR" and failure.sent == false and tostring(failure):find("127.0.0.1"), failure)
end)

promise("uploads show their progress and can be cancelled", function()
  local session, seen, all = client(), nil, nil
  local file = { data = ("x"):rep(3000000), field = "img_file", name = "a.jpg" }
  assert(session:upload("photos.upload", { aid = "_myphoto" }, file, {
    progress = function(sent, total)
      seen, all = sent, total
    end,
  }))
  check(seen == all and all > 3000000, all)
  local cancel = mailru.cancel()
  cancel:fire()
  local _, failure = session:upload("photos.upload", nil, file, { cancel = cancel })
  check(failure.name == "MAILRU_CANCELLED")
end)

promise("tokens outlive a restart and do not stand in logs", function()
  local session, stored = password(), nil
  session:on_token(function(tokens)
    stored = tokens:json()
  end)
  assert(session:call("sandbox.echo"))
  session:close()
  local again = assert(mailru.stored(with({ tokens = stored })))
  assert(again:call("sandbox.echo"))
  local tokens = again:tokens()
  check(not tostring(tokens):find(tokens.access_token, 1, true) and tokens.expires_at > os.time())
  assert(again:set_tokens(mailru.parse_tokens(stored)))
  check(assert(again:authorize()).access_token ~= mailru.parse_tokens(stored).access_token)
end)

promise("the helpers", function()
  local url = mailru.authorize_url({ app_id = 423004, redirect_uri = "https://example.com/in", scope = { "photos", "stream" }, state = "s" })
  check(url:find("client_id=423004") and url:find("state=s"), url)
  url = mailru.authorize_url({ app_id = 1, redirect_uri = "https://example.com/in", address = "http://127.0.0.1:1/login" })
  check(url:find("http://127.0.0.1:1/login?", 1, true), url)
  check(mailru.parse_redirect("https://example.com/in?code=abc&state=s", "s") == "abc")
  local _, failure = mailru.parse_redirect("https://example.com/in?code=abc&state=t", "s")
  check(failure.name == "MAILRU_OAUTH_ERROR")
  _, failure = mailru.parse_redirect("https://example.com/in?code=abc")
  check(failure.argument == "state")
  check(#mailru.catalogue() > 50 and #mailru.error_catalogue() > 10)
  _, failure = mailru.verify("key", { sig = "0", app_id = 1 })
  check(failure.code == 4)
  _, failure = mailru.verify_launch("key", { sig = "0", app_id = 1, vid = 2 })
  check(failure.code == 4)
  _, failure = mailru.verify_query("launch", "key", "app_id=1&vid=2&sig=0")
  check(failure.code == 4)
  check(mailru.abi_version() == 0 and #mailru.version() > 0)
end)

promise("a library that is not there is named", function()
  local output = another_lua("", "MAILRU_LIBRARY=/nowhere/libmailru.so.0")
  check(output:find("/nowhere/libmailru.so.0", 1, true) and output:find("MAILRU_LIBRARY", 1, true), output)
end)
