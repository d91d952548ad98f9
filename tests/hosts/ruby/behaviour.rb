# frozen_string_literal: true

# What the wrapper promises beyond the cases: each promise is a block that prints "ok NAME", or fails the program.

require "json"
require "logger"
require "mailru"
require "objspace"
require "open3"
require "rbconfig"
require "stringio"
require "timeout"

OPTIONS = JSON.parse(ENV.fetch("MAILRU_OPTIONS"), symbolize_names: true)
KEYS = { app_id: "423004", private_key: "7815696ecbf1c96e6894b779456d330e" }.freeze
SLOW = "sandbox.echo.slow"

def client(**more)
  Mailru::Session.client(**KEYS, access_token: "be6ef89965d58e56dec21acb9b62bdaa", uid: "1324730981306483817",
                         **OPTIONS, **more)
end

def password(**more)
  Mailru::Session.password(**KEYS, email: "demo@mail.ru", password: "demo", **OPTIONS, **more)
end

def check(holds, what = "it does not hold")
  raise what.to_s unless holds
end

def promise(name)
  Timeout.timeout(30) { yield }
  puts "ok #{name}"
rescue Exception => error # rubocop:disable Lint/RescueException
  puts "FAIL #{name} #{error.full_message(highlight: false)}"
  exit!(1)
end

def failure
  yield
  raise "nothing was raised"
rescue Mailru::Error => error
  error
end

def seconds
  started = Process.clock_gettime(Process::CLOCK_MONOTONIC)
  yield
  Process.clock_gettime(Process::CLOCK_MONOTONIC) - started
end

# How long another Ruby runs a program that uses the library, and what it prints.
def another_ruby(program, environment = {})
  output = nil
  took = seconds do
    library = File.expand_path("../../../src/bindings/ruby/lib", __dir__)
    prelude = <<~RUBY
      require "json"; require "mailru"
      OPTIONS = JSON.parse(ENV["MAILRU_OPTIONS"], symbolize_names: true)
      SESSION = Mailru::Session.client(app_id: "423004", private_key: "7815696ecbf1c96e6894b779456d330e",
        access_token: "be6ef89965d58e56dec21acb9b62bdaa", uid: "1324730981306483817", **OPTIONS)
    RUBY
    output, = Open3.capture2e(environment, RbConfig.ruby, "-w", "-I", library, "-e", prelude + program)
  end
  [took, output]
end

$stdout.sync = true

promise "fork with on_token" do
  told = []
  session = password
  session.on_token { |tokens| told << tokens.access_token }
  session.call("sandbox.echo")
  check told == [session.tokens.access_token], told
  child = fork do
    2.times { session.call("sandbox.echo.expired1") }
    other = []
    another = password
    another.on_token { |tokens| other << tokens.access_token }
    another.call("sandbox.echo")
    exit!(told.size == 2 && told.last == session.tokens.access_token && other.size == 1)
  end
  check seconds { Process.wait(child) } < 10
  check Process.last_status.success?, "the child was not told"
  session.call("sandbox.echo")
end

promise "one listener for two sessions and set twice" do
  told = []
  listener = proc { |tokens| told << tokens.access_token }
  sessions = Array.new(2) { password }
  sessions.each { |session| session.on_token(&listener) }
  sessions[0].on_token(&listener)
  sessions.each { |session| session.call("sandbox.echo") }
  check told == sessions.map { |session| session.tokens.access_token }, told
  sessions[1].on_token
  sessions[0].close
  GC.start
  check Mailru.version
end

promise "tokens are told before they are used" do
  session = password
  inside = nil
  session.on_token do |tokens|
    sleep 0.3
    inside = [tokens == session.tokens, failure { session.call("sandbox.echo") }.name]
  end
  took = seconds { session.call("sandbox.echo") }
  check took > 0.3 && inside == [true, "MAILRU_REENTERED"], [took, inside]
end

promise "what a listener raises is reported and the answer kept" do
  reports = []
  Mailru.on_listener_error { |error, what| reports << [error.message, what] }
  session = password
  session.on_token { raise "the disk is full" }
  check session.call("sandbox.echo", { a: 1 })["a"] == "1"
  check reports == [["the disk is full", "token listener"]], reports
  _, output = another_ruby(<<~RUBY)
    session = Mailru::Session.password(app_id: "423004", private_key: "7815696ecbf1c96e6894b779456d330e",
      email: "demo@mail.ru", password: "demo", **OPTIONS)
    session.on_token { raise "the disk is full" }
    session.call("sandbox.echo")
    puts "went on"
  RUBY
  check output.include?("the disk is full") && output.include?("went on"), output
end

promise "a listener that mentions its session does not keep it" do
  made = Array.new(20) do
    session = client
    session.on_token { session.inspect }
    session.on_renewal { session.inspect }
    session.object_id
  end
  3.times { GC.start }
  alive = ObjectSpace.each_object(Mailru::Session).map(&:object_id) & made
  check alive.size < 5, "#{alive.size} of 20 are alive"
end

promise "interrupts end a call at once" do
  session = client
  took = seconds do
    Timeout.timeout(0.2) { session.call(SLOW) }
    raise "no time-out"
  rescue Timeout::Error
    nil
  end
  check took < 0.5, "Timeout.timeout took #{took} s"
  thread = Thread.new { session.call(SLOW) }
  sleep 0.1
  took = seconds { thread.kill.join }
  check took < 0.2, "Thread#kill took #{took} s"
  sender = Thread.new { sleep 0.2; Process.kill(:INT, Process.pid) }
  took = seconds do
    session.call(SLOW)
    raise "no interrupt"
  rescue Interrupt
    nil
  end
  sender.join
  check took < 0.4, "Ctrl-C took #{took} s"
  check session.call("sandbox.echo")
end

promise "interrupts end the wait of a queue" do
  queue = Mailru::Queue.new
  check queue.next(timeout: 0.05).nil?
  took = seconds do
    Timeout.timeout(0.2) { queue.next }
  rescue Timeout::Error
    nil
  end
  check took < 0.5, "Timeout.timeout took #{took} s"
  thread = Thread.new { queue.next }
  sleep 0.1
  check seconds { thread.kill.join } < 0.2
  waiting = Thread.new { failure { queue.next } }
  sleep 0.1
  queue.close
  check waiting.value.is_a?(Mailru::InvalidHandle)
end

promise "exit does not wait for calls" do
  {
    "a call on a thread" => "Thread.new { SESSION.call(#{SLOW.dump}) }; sleep 0.3; exit",
    "a waiting queue" => "Thread.new { Mailru::Queue.new.next }; sleep 0.3",
    "an uncaught error" => "Thread.new { SESSION.call(#{SLOW.dump}) }; sleep 0.3; raise 'oops'",
    "with a log" => "require 'logger'; Mailru.logger = Logger.new($stderr); SESSION.on_token { 1 }\n" \
                    "Thread.new { SESSION.call(#{SLOW.dump}) }; sleep 0.3; exit"
  }.each do |how, program|
    took, output = another_ruby(program)
    check took < 3, "#{how}: #{took} s: #{output}"
  end
end

promise "other threads run meanwhile" do
  session = client
  ticks = 0
  ticker = Thread.new { loop { sleep 0.01; ticks += 1 } }
  failure { session.call(SLOW, timeout: 0.3) }
  ticker.kill
  check ticks > 10, ticks
end

promise "errors say what they know" do
  session = client
  error = failure { session.call("no.such.method") }
  check error.is_a?(Mailru::APIError) && error.number == 2 && error.name == "MAILRU_API_ERROR" && !error.transient?
  check !error.text.empty? && JSON.parse(error.json)["error"]["error_code"] == 2
  error = failure { session.call(SLOW, timeout: 0.1) }
  check error.is_a?(Mailru::TimeoutError) && error.number == -21 && error.transient? && error.sent?, error
  error = failure { client(api_url: "http://127.0.0.1:1/", retries: 0).call("sandbox.echo") }
  check error.is_a?(Mailru::NetworkError) && error.sent == false && error.transient?, error.json
  copy = Marshal.load(Marshal.dump(error))
  check copy.number == error.number && copy.json == error.json
end

promise "arguments are checked before they reach C" do
  session = client
  check failure { session.call("sandbox.echo\0x") }.argument == "method"
  check failure { session.call("sandbox.echo", { text: "a\xff" }) }.argument == "params_json"
  check session.call("sandbox.echo", { text: "a\0b" })["text"] == "a\0b"
  check failure { client(user_agent: 5) }.is_a?(Mailru::InvalidArgument)
  check failure { session.call("sandbox.echo", [1]) }.argument == "params_json"
  check failure { session.call("sandbox.echo", {}, timeout: 0) }.argument == "timeout"
  check failure { session.call(5) }.argument == "method"
  check failure { session.call("sandbox.echo", '{},"pass_error":true') }.argument == "params_json"
  check failure { Mailru::Queue.new(workers: -1) }.argument == "workers"
  check failure { session.call(SLOW, timeout: 0.0001) }.is_a?(Mailru::TimeoutError)
  check session.call("sandbox.echo", { id: 18_446_744_073_709_551_615 })["id"] == "18446744073709551615"
end

promise "a failed queued call keeps its tag" do
  queue = Mailru::Queue.new(capacity: 1)
  session = client
  queue.submit(session, "no.such.method", tag: [:any, "object"])
  error = failure { queue.submit(session, "sandbox.echo", tag: :second) }
  check error.is_a?(Mailru::QueueFull) && error.tag == :second
  done = queue.next(timeout: 5)
  check done.tag == [:any, "object"] && done.error.number == 2 && done.error.tag == done.tag
  queue.request(session, { public: "mail/nosuchuser" }, tag: 3)
  check queue.next(timeout: 5).tag == 3
  queue.submit(session, SLOW, tag: :slow)
  queue.cancel(:slow)
  check IO.select([queue], nil, nil, 2)
  check queue.next(timeout: 1).error.is_a?(Mailru::Cancelled)
end

promise "the log reaches a Logger whatever that raises" do
  text = StringIO.new
  Mailru.logger = Logger.new(text, level: :debug)
  client.call("sandbox.echo")
  sleep 0.2
  check text.string.match?(/event=answer .*method=sandbox.echo/), text.string
  check !text.string.include?("be6ef89965d58e56dec21acb9b62bdaa")
  broken = Logger.new(StringIO.new, level: :debug)
  def broken.add(*) = raise("no space left")
  Mailru.logger = broken
  check client.call("sandbox.echo", { a: 1 })["a"] == "1"
  Mailru.logger = nil
end

promise "renewals are told" do
  session = password
  phases = []
  session.on_renewal do |phase|
    phases << phase
    session.hold
    Thread.new do
      sleep 0.1
      session.proceed
    end
  end
  check seconds { session.call("sandbox.echo.expired2") } > 0.1
  sleep 0.3
  check phases == %i[before after], phases
  session.on_renewal
end

promise "uploads show their progress and can be cancelled" do
  session = client
  seen = []
  session.upload("photos.upload", { aid: "_myphoto" }, file: "x" * 3_000_000, field: "img_file", name: "a.jpg") do |sent, total|
    seen << [sent, total]
  end
  check seen.last[0] == seen.last[1] && seen.last[0] > 3_000_000, seen.last
  cancel = Mailru::Cancel.new
  cancel.fire
  check failure { session.upload("photos.upload", file: "x", field: "img_file", cancel: cancel) }.is_a?(Mailru::Cancelled)
end

promise "tokens outlive a restart and do not stand in logs" do
  stored = nil
  session = password
  session.on_token { |tokens| stored = tokens.to_json }
  session.call("sandbox.echo")
  session.close
  again = Mailru::Session.stored(**KEYS, tokens: stored, **OPTIONS)
  check again.call("sandbox.echo")
  check !again.tokens.inspect.include?(again.tokens.access_token) && again.tokens.expires_at.is_a?(Time)
  again.tokens = Mailru::Tokens.parse(stored)
  check again.authorize.access_token != JSON.parse(stored)["access_token"]
end

promise "the helpers" do
  url = Mailru.authorize_url(app_id: 423_004, redirect_uri: "https://example.com/in", scope: %w[photos stream], state: "s")
  check url.include?("client_id=423004") && url.include?("state=s"), url
  url = Mailru.authorize_url(app_id: 1, redirect_uri: "https://example.com/in", address: "http://127.0.0.1:1/login")
  check url.start_with?("http://127.0.0.1:1/login?"), url
  check Mailru.parse_redirect("https://example.com/in?code=abc&state=s", state: "s") == "abc"
  check failure { Mailru.parse_redirect("https://example.com/in?code=abc&state=t", state: "s") }.is_a?(Mailru::OAuthError)
  check Mailru.catalogue.any? { |method| method["name"] == "friends.get" }
  check Mailru.error_catalogue.any? { |error| error["code"] == 102 && error["meaning"] }
  check failure { Mailru.verify("key", { "sig" => "0", "app_id" => "1" }) }.is_a?(Mailru::SignatureMismatch)
  check failure { Mailru.verify_launch("key", { "sig" => "0", "app_id" => "1", "vid" => "2" }) }.code == 4
  check failure { Mailru.verify_query(:launch, "key", "app_id=1&vid=2&sig=0") }.code == 4
  check Mailru.abi_version.zero?
end

promise "a library that is not there is named" do
  _, output = another_ruby("", "MAILRU_LIBRARY" => "/nowhere/libmailru.so.0")
  check output.include?("/nowhere/libmailru.so.0") && output.include?("MAILRU_LIBRARY"), output
end
