// What mailru.hpp promises beyond the cases: both forms of failure, moves, and functions that are forgotten.
// Built with the sanitizers, so that a leak or a use after freeing ends it.
#include <mailru.hpp>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <iterator>
#include <random>
#include <thread>
#include <vector>

using namespace std::chrono_literals;

static int failures = 0;

static void check(bool holds, const char *what) {
    if (!holds) {
        std::cerr << "not so: " << what << '\n';
        failures++;
    }
}

template <typename Function> static std::int32_t thrown(Function function) {
    try {
        function();
    } catch (const mailru::error &error) {
        const mailru::error copy = error;
        check(copy.json().find("\"error\"") != std::string::npos, "an exception carries the JSON");
        return copy.code();
    }
    return MAILRU_OK;
}

static const char *options() { return std::getenv("MAILRU_OPTIONS"); }

static mailru::session client(mailru::result *outcome = nullptr) {
    return mailru::session::client("423004", "7815696ecbf1c96e6894b779456d330e", "be6ef89965d58e56dec21acb9b62bdaa",
                                   "1324730981306483817", options(), outcome);
}

static void constructors() {
    mailru::result outcome;
    const auto none = mailru::session::client(nullptr, "b", "c", "d", nullptr, &outcome);
    check(!none && outcome.code == MAILRU_INVALID_ARGUMENT, "a constructor that was given a result fills it");
    check(thrown([] { mailru::session::client("a", "", "c", "d"); }) == MAILRU_INVALID_ARGUMENT, "or it throws");
    check(client(&outcome) && outcome, "success is told as well");
    const mailru::session all[] = {
        mailru::session::public_pages(options()),
        mailru::session::token("1", "p", "s", "t", "2", options()),
        mailru::session::server("1", "s", "t", options()),
        mailru::session::code("1", "p", "s", "c", "http://localhost/", options()),
        mailru::session::code_client("1", "p", "c", "http://localhost/", options()),
        mailru::session::code_server("1", "s", "c", "http://localhost/", options()),
        mailru::session::password("1", "p", "s", "e", "w", nullptr, options()),
        mailru::session::password_client("1", "p", "e", "w", nullptr, options()),
        mailru::session::password_server("1", "s", "e", "w", nullptr, options()),
        mailru::session::refresh("1", "p", "s", "r", options()),
        mailru::session::refresh_client("1", "p", "r", options()),
        mailru::session::refresh_server("1", "s", "r", options()),
        mailru::session::stored("1", "p", "s", R"({"refresh_token":"r"})", options()),
    };
    for (const mailru::session &session : all) {
        check(bool(session), "every constructor is there");
    }
}

static void moves() {
    mailru::session session = client(), other = client();
    const mailru_session number = session.get();
    other = std::move(session);
    check(other.get() == number && session.get() == 0, "an assignment takes the handle over");
    check(session.try_tokens().code == MAILRU_INVALID_HANDLE, "what was moved from is empty");
    other.reset();
    check(mailru_session_on_token(number, nullptr, nullptr, nullptr) == MAILRU_INVALID_HANDLE, "reset frees");
}

static void calls() {
    const auto session = client();
    check(session.upload("photos.upload", R"({"aid":"_myphoto"})", "img_file", "a.png", "\x89PNG").find("pid") !=
              std::string::npos,
          "a file is uploaded");
    check(session.try_upload("photos.upload", nullptr, "img_file", "a.png", {}).code != MAILRU_INVALID_ARGUMENT,
          "an empty file is a file");
    const mailru::cancel_handle cancel;
    check(session.request(R"({"method":"photos.upload","params":{"aid":"_myphoto"},"file":{"field":"img_file","name":"a.png"}})",
                          "\x89PNG", &cancel)
                  .find("pid") != std::string::npos,
          "any request");
    check(cancel.progress().total > 0 && cancel.progress().sent == cancel.progress().total, "its progress");
    check(thrown([&] { session.request(R"({"method":"friends.get"})", "a file"); }) == MAILRU_INVALID_ARGUMENT,
          "a file where none belongs");
    check(session.public_page("mail/demo").find("1324730981306483817") != std::string::npos, "a page is read");
    check(session.authorize() == session.tokens(), "a token session has its tokens");
    session.cancel();
    check(bool(session.try_call("friends.get", nullptr, 10s)), "a call has a limit of its own");
    check(thrown([&] { session.call("no.such.method"); }) == MAILRU_API_ERROR, "a platform error is thrown");
    check(session.try_call("no.such.method").number() > 0, "with the platform's number");
    check(session.try_call(nullptr).number() == -MAILRU_INVALID_ARGUMENT, "or the library's");
    check(!session.try_call(nullptr).transient(), "which stays");
    check(session.try_call("friends.get", R"({"sig":1})").argument() == "sig", "it names the argument");
    check(session.try_call(std::string("friends.get\0x", 13)).code == MAILRU_INVALID_ARGUMENT, "a text that C would cut");
    const mailru::result refused = session.try_public_page("mail/demo", R"({},"authorize":true)", 5s);
    check(refused.code == MAILRU_INVALID_ARGUMENT, "parameters cannot break out of their request");
    check(session.public_page("mail/demo", nullptr, 5s) == session.public_page("mail/demo"), "a page with a limit");
    check(session.authorize(5s) == session.tokens(), "tokens with a limit");
    const std::string message = mailru::error_message(session.try_call(nullptr).json);
    check(message.find("method") != std::string::npos && message.find('{') == std::string::npos, "its text alone");
    check(mailru::errors().find("102") != std::string::npos, "the platform's errors");
}

static void structures() {
    mailru::options options;
    options.timeout = 1us;
    options.retries = 0;
    options.proxy = "a \"quoted\" \\ text\n";
    options.max_calls_per_second = 0.5;
    options.more = R"( {"get_limit": 0} )";
    check(options.json() == R"({"get_limit": 0,"timeout_ms":1,"retries":0,"proxy":"a \"quoted\" \\ text\u000a",)"
                            R"("max_calls_per_second":0.5})",
          options.json().c_str());
    options.more = "[]";
    check(thrown([&] { mailru::session::public_pages(options); }) == MAILRU_INVALID_ARGUMENT, "no object of options");
    const mailru::options nonsense = [] {
        mailru::options made;
        made.tls_roots = "nobody";
        return made;
    }();
    mailru::result outcome;
    check(!mailru::session::public_pages(nonsense, &outcome) && outcome.argument() == "tls_roots", "a wrong option");
    mailru::tokens tokens = mailru::tokens::parse(
        R"({"access_token":"a\"\u0416\ud83d\udc0c","refresh_token":null,"expires_in":5,"uid":"7","other":[{"uid":"8"}]})");
    check(tokens.access_token == "a\"\xD0\x96\xF0\x9F\x90\x8C" && !tokens.refresh_token && tokens.uid == "7" &&
              tokens.expires_in == 5s && tokens.valid(),
          "tokens are read");
    check(mailru::tokens::parse(tokens.json()) == tokens, "and written");
    tokens.expires_at = std::chrono::system_clock::now() - 1s;
    check(!tokens.valid() && !mailru::tokens::parse("{").valid() && !mailru::tokens::parse("").valid(), "or not valid");
    const std::vector<std::uint64_t> ids{18446744073709551615u, 7};
    const mailru::params params{{"ids", ids}, {"yes", true}, {"none", nullptr}, {"list", {1, "a"}}, {"half", 0.5}};
    check(params.json() == R"({"ids":[18446744073709551615,7],"yes":true,"none":null,"list":[1,"a"],"half":0.5})",
          params.json().c_str());
    check(client().call("sandbox.echo", params).find(R"("ids":"18446744073709551615,7")") != std::string::npos,
          "parameters are sent");
}

/* Whatever was stored, reading it touches nothing beyond it. */
static void nonsense() {
    std::minstd_rand random(1);
    const std::string pieces[] = {"{", "}", "[", "]", "\"", ",", ":", "\\", "\\u", "\\ud83d\\udc0c", "12", "null", " ", "uid",
                                  "\"uid\"", "access_token", "\xD0", "e"};
    for (int round = 0; round < 50000; round++) {
        std::string text = round % 2 == 0 ? "{\"uid\":" : "";
        for (auto count = random() % 12; count > 0; count--) {
            text += pieces[random() % std::size(pieces)];
        }
        /* In memory of its exact size, so that the sanitizer sees one byte beyond it. */
        const std::unique_ptr<char[]> exact(new char[text.size()]);
        text.copy(exact.get(), text.size());
        const std::string_view view(exact.get(), text.size());
        const mailru::tokens tokens = mailru::tokens::parse(view);
        check(mailru::tokens::parse(tokens.json()) == tokens, text.c_str());
        mailru::detail::elements(view);
        mailru::options options;
        options.more = text;
        options.retries = 0;
        options.json();
        if (mailru::detail::one_value(view)) {
            mailru::detail::unquoted(view);
        }
    }
}

/* Whether something comes true, on whichever thread it is done. */
static bool comes(const std::function<bool()> &is_so) {
    for (int look = 0; look < 10000 && !is_so(); look++) {
        std::this_thread::sleep_for(1ms);
    }
    return is_so();
}

static void functions() {
    const auto witness = std::make_shared<int>();
    {
        const auto session = client();
        session.on_token([witness](const mailru::tokens &) {});
        session.on_token([witness](const mailru::tokens &) {});
        check(witness.use_count() == 2, "a replaced function is forgotten");
    }
    check(witness.use_count() == 1, "a freed session forgets its function");
    const auto held = mailru::session::password_client("423004", "7815696ecbf1c96e6894b779456d330e", "demo@mail.ru", "demo",
                                                       nullptr, options());
    std::thread later;
    held.on_token([&](const mailru::tokens &) {
        held.hold();
        later = std::thread([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(200));
            held.proceed();
        });
    });
    const auto began = std::chrono::steady_clock::now();
    held.call("friends.get");
    check(std::chrono::steady_clock::now() - began >= std::chrono::milliseconds(200), "new tokens are held back");
    check(held.try_hold().code == MAILRU_INVALID_ARGUMENT, "there is nothing to hold");
    later.join();
    const auto stored = mailru::session::stored("423004", "7815696ecbf1c96e6894b779456d330e", nullptr,
        R"({"access_token":"old","refresh_token":"old","uid":"1324730981306483817","expires_at":1})", options());
    std::atomic<int> phases{0};
    stored.on_renewal([&phases, &stored, witness](std::int32_t phase) {
        phases += phase == 1 ? 10 : 1;
        if (phase == 1) {
            stored.set_tokens(R"({"access_token":"be6ef89965d58e56dec21acb9b62bdaa","refresh_token":"next"})");
        }
    });
    stored.call("friends.get");
    check(comes([&] { return phases == 11; }), "a renewal is told of, and newer tokens serve instead of it");
    check(stored.try_set_tokens("{}").code == MAILRU_INVALID_ARGUMENT, "no tokens at all");
    stored.on_renewal(nullptr);
    check(comes([&] { return witness.use_count() == 1; }), "a removed function is forgotten");
    const auto pages = mailru::session::public_pages();
    check(pages.try_on_token([witness](const mailru::tokens &) {}).code == MAILRU_INVALID_ARGUMENT, "refused");
    std::string log;
    mailru::set_log([&log, witness](std::int32_t, const std::string &line) { log += line; }, 4);
    client().call("friends.get");
    mailru::set_log(nullptr, 0);
    check(log.find("friends.get") != std::string::npos, "the log is told");
    check(thrown([&] { mailru::set_log([witness](std::int32_t, const std::string &) {}, 9); }) ==
              MAILRU_INVALID_ARGUMENT,
          "a level that is none is refused");
    check(witness.use_count() == 1, "refused and replaced functions are forgotten");
}

static void queues() {
    mailru::queue queue;
    check(!queue.next(1us) && queue.descriptor() >= 0, "an empty queue");
    check(queue.try_submit(client(), "no name", nullptr, 1).code == MAILRU_INVALID_ARGUMENT, "refused at once");
    check(thrown([] { mailru::queue(65537); }) == MAILRU_INVALID_ARGUMENT, "too many calls in flight");
    const auto session = client();
    queue.submit(session, "sandbox.echo", nullptr, 7);
    const auto completed = queue.next();
    check(completed && completed->tag == 7 && completed->outcome, "a completion");
    queue.request(session, R"({"public":"mail/demo"})", 8);
    const auto page = queue.next();
    check(page && page->tag == 8 && page->outcome, "any request");
    check(thrown([&] { queue.request(session, "{}", 9); }) == MAILRU_INVALID_ARGUMENT, "none at all");
    queue.reset();
    check(queue.next()->outcome.code == MAILRU_INVALID_HANDLE, "a freed queue says so");
}

static void helpers() {
    const char *payment = R"({"app_id":"524632","mailiki_price":"10","other_price":"10000","profit":"5000",
        "service_id":"10","transaction_id":"3751","uid":"104","sig":"961a705e28008186d443fe211608184c"})";
    check(mailru::verify("secretkey", payment) && !mailru::verify("another", payment), "payments are verified");
    check(thrown([] { mailru::verify("", "{}"); }) == MAILRU_INVALID_ARGUMENT, "a question that is none");
    check(thrown([] { mailru::verify_launch("key", "{}"); }) == MAILRU_INVALID_ARGUMENT, "launch parameters");
    const char *query = "app_id=524632&mailiki_price=10&other_price=10000&profit=5000&service_id=10"
                        "&transaction_id=3751&uid=104&sig=961a705e28008186d443fe211608184c";
    const mailru::verified_query verified = mailru::verify_query("payment", "secretkey", query);
    check(verified.params.at("transaction_id") == "3751" && verified.checked == std::vector<std::string>{"sig"} &&
              !verified.expires_at && !verified.expired,
          "a query's parameters");
    check(thrown([&] { mailru::verify_query("payment", "another", query); }) == MAILRU_SIGNATURE_MISMATCH, "forged");
    check(mailru::try_verify_query("launch", "secretkey", query).code == MAILRU_INVALID_ARGUMENT, "another kind");
    check(mailru::authorize_url("1", "http://localhost/").find("client_id=1") != std::string::npos, "an address");
    check(mailru::parse_redirect("http://localhost/?code=abc", nullptr).code == "abc", "a redirect");
    const mailru::redirect tokens = mailru::parse_redirect(
        "http://localhost/#access_token=t&expires_in=5&x_mailru_vid=7&state=s", "s");
    check(!tokens.code && tokens.tokens && tokens.tokens->access_token == "t", "with tokens");
    check(thrown([] { mailru::parse_redirect("http://localhost/?code=abc&state=b", "a"); }) == MAILRU_OAUTH_ERROR,
          "another login's");
    check(mailru::abi_version() == MAILRU_ABI_VERSION, "the library fits");
    check(mailru::methods().find("friends.get") != std::string::npos && !mailru::version().empty(), "catalogue");
}

int main() {
    constructors();
    moves();
    calls();
    structures();
    nonsense();
    functions();
    queues();
    helpers();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
