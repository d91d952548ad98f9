# frozen_string_literal: true

# The cases of cases.tsv in Ruby.

require "json"
require "mailru"

Case = Struct.new(:name, :action, :circuit, :options, :method, :parameters, :code, :contains)

APP_ID = "423004"
PRIVATE_KEY = "7815696ecbf1c96e6894b779456d330e"
SECRET_KEY = "3dad9cbf9baaa0360c0f2ba372d25716"
SESSION_KEY = "be6ef89965d58e56dec21acb9b62bdaa"

KEYS = { app_id: APP_ID, private_key: PRIVATE_KEY }.freeze

def session_of(test)
  options = JSON.parse(test.options || "{}", symbolize_names: true)
  case test.circuit
  when "client"
    Mailru::Session.client(**KEYS, access_token: SESSION_KEY, uid: "1324730981306483817", **options)
  when "server"
    Mailru::Session.server(app_id: APP_ID, secret_key: SECRET_KEY, access_token: SESSION_KEY, **options)
  else
    Mailru::Session.password(**KEYS, email: "demo@mail.ru", password: "demo", circuit: :client, **options)
  end
end

def together(session, test)
  threads = Array.new(test.parameters.to_i) { |tag| Thread.new { session.call(test.method, { tag: tag }) } }
  threads.each_with_index { |thread, tag| raise thread.value.to_s unless thread.value["tag"] == tag.to_s }
  ""
end

def crowd(session, test)
  calls = test.parameters.to_i
  queue = Mailru::Queue.new(workers: calls, capacity: calls)
  calls.times { |tag| queue.submit(session, test.method, { tag: tag }, tag: tag) }
  tags = Array.new(calls) do
    done = queue.next(timeout: 30)
    raise done.inspect unless done.value["tag"] == done.tag.to_s

    done.tag
  end
  raise "a completion is missing" unless tags.uniq.size == calls

  queue.close
  ""
end

def cancelled(session, test)
  cancel = Mailru::Cancel.new
  Thread.new { sleep(0.2) && cancel.fire }
  session.call(test.method, cancel: cancel)
ensure
  session.call("sandbox.echo")
end

def renewal(session, test)
  told = []
  session.on_token { |tokens| told << tokens }
  session.call("sandbox.echo")
  json = session.call(test.method, raw: true)
  session.on_token
  raise "told #{told.size} times" unless told.size == 2 && told[0] != told[1] && told[1] == session.tokens

  json
end

def act(test)
  session = session_of(test)
  case test.action
  when "call" then session.call(test.method, test.parameters, raw: true)
  when "sign" then session.sign(test.method, test.parameters, raw: true)
  when "deadline" then session.call(test.method, test.parameters, timeout: 0.3)
  when "together" then together(session, test)
  when "crowd" then crowd(session, test)
  when "cancel" then cancelled(session, test)
  when "renewal" then renewal(session, test)
  when "stale"
    session.close
    session.call(test.method, test.parameters)
  end
ensure
  session&.close
end

def verdict(test)
  begin
    code = "MAILRU_OK"
    json = act(test)
  rescue Mailru::Error => error
    code = error.name
    json = error.json
  end
  return "ok #{test.name}" if code == test.code && json.include?(test.contains || "")

  "FAIL #{test.name} #{code} #{json}"
rescue StandardError => error
  "FAIL #{test.name} #{error.inspect}"
end

$stdout.sync = true
File.foreach(ENV.fetch("MAILRU_CASES"), encoding: "UTF-8", chomp: true) do |line|
  next if line.start_with?("#")

  puts verdict(Case.new(*line.split("\t").map { |column| column == "-" ? nil : column }))
end
