// What mailru.hpp promises beyond the cases: both forms of failure, moves, and functions that are forgotten.
// Built with the sanitizers, so that a leak or a use after freeing ends it.
#include <mailru.hpp>

#include <cstdlib>
#include <iostream>

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
}

static void functions() {
    const auto witness = std::make_shared<int>();
    {
        const auto session = client();
        session.on_token([witness](const std::string &) {});
        session.on_token([witness](const std::string &) {});
        check(witness.use_count() == 2, "a replaced function is forgotten");
    }
    check(witness.use_count() == 1, "a freed session forgets its function");
    const auto stored = mailru::session::stored("423004", "7815696ecbf1c96e6894b779456d330e", nullptr,
        R"({"access_token":"old","refresh_token":"old","uid":"1324730981306483817","expires_at":1})", options());
    int phases = 0;
    stored.on_renewal([&phases, &stored, witness](std::int32_t phase) {
        phases += phase == 1 ? 10 : 1;
        if (phase == 1) {
            stored.set_tokens(R"({"access_token":"be6ef89965d58e56dec21acb9b62bdaa","refresh_token":"next"})");
        }
    });
    stored.call("friends.get");
    check(phases == 11, "a renewal is told of, and newer tokens serve instead of it");
    check(stored.try_set_tokens("{}").code == MAILRU_INVALID_ARGUMENT, "no tokens at all");
    stored.on_renewal(nullptr);
    check(witness.use_count() == 1, "a removed function is forgotten");
    const auto pages = mailru::session::public_pages();
    check(pages.try_on_token([witness](const std::string &) {}).code == MAILRU_INVALID_ARGUMENT, "refused");
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
    check(mailru::verify_query("payment", "secretkey", query).find(R"("transaction_id":"3751")") != std::string::npos,
          "a query's parameters");
    check(thrown([&] { mailru::verify_query("payment", "another", query); }) == MAILRU_SIGNATURE_MISMATCH, "forged");
    check(mailru::try_verify_query("launch", "secretkey", query).code == MAILRU_INVALID_ARGUMENT, "another kind");
    check(mailru::authorize_url("1", "http://localhost/").find("client_id=1") != std::string::npos, "an address");
    check(mailru::parse_redirect("http://localhost/?code=abc") == R"({"code":"abc"})", "a redirect");
    check(mailru::methods().find("friends.get") != std::string::npos && !mailru::version().empty(), "catalogue");
}

int main() {
    constructors();
    moves();
    calls();
    functions();
    queues();
    helpers();
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
