/*
 * Results and failures of every kind, provoked by the sandbox, as the host sees them: the code, the JSON, the
 * out-parameters. The test has set the faults of the methods named sandbox.echo...
 */
#include "check.h"

#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static mailru_session session;

static void call(const char *method, const char *params_json, int32_t expected, const char *contained) {
    int32_t code = POISONED_CODE;
    char *json = mailru_call(session, method, params_json, &code);
    answered(method, json, &code, expected, contained);
}

/* The platform's answers, and network failures. */
static void answers_and_failures(void) {
    session = client(NULL);
    call("friends.get", "{\"ext\":1}", MAILRU_OK, "\"uid\":\"18446744073709551615\"");
    call("sandbox.echo", "{\"zero\":0,\"no\":false,\"empty\":\"\",\"list\":[1,\"b\"]}", MAILRU_OK, "\"list\":\"1,b\"");
    call("sandbox.echo", "{\"text\":\"\xD0\x9F &=+\"}", MAILRU_OK, "\xD0\x9F &=+");
    call("no.such", NULL, MAILRU_API_ERROR, "\"error_code\":2");
    call("users.getInfo", "{\"uids\":\"a,b,", MAILRU_INVALID_ARGUMENT, "\"argument\":\"params_json\"");
    call("users.getInfo", "[]", MAILRU_INVALID_ARGUMENT, "\"argument\":\"params_json\"");
    call("users.getInfo", "{\"sig\":1}", MAILRU_INVALID_ARGUMENT, "\"argument\":\"sig\"");
    call("users.getInfo", "{\"a\":\"\xFF\"}", MAILRU_INVALID_ARGUMENT, "\"argument\":\"params_json\"");
    call("users getInfo", NULL, MAILRU_INVALID_ARGUMENT, "\"argument\":\"method\"");
    call("sandbox.empty", NULL, MAILRU_EMPTY_RESPONSE, NULL);
    call("sandbox.echoGarbage", NULL, MAILRU_MALFORMED_RESPONSE, NULL);
    call("sandbox.echoBadUtf8", NULL, MAILRU_MALFORMED_RESPONSE, NULL);
    call("sandbox.echoDeep", NULL, MAILRU_MALFORMED_RESPONSE, NULL);
    call("sandbox.echoStatus", NULL, MAILRU_HTTP_ERROR, "\"http_status\":500");
    call("sandbox.echoRedirect", NULL, MAILRU_HTTP_ERROR, "\"http_status\":302");
    call("sandbox.echoReset", NULL, MAILRU_NETWORK_ERROR, "\"transient\":true");
    call("friends.get", NULL, MAILRU_OK, NULL);
    mailru_session_free(session);

    session = client(given("MAILRU_SMALL_OPTIONS"));
    call("sandbox.echoHuge", NULL, MAILRU_RESPONSE_TOO_LARGE, NULL);
    mailru_session_free(session);
    session = client(given("MAILRU_TLS_OPTIONS"));
    call("friends.get", NULL, MAILRU_TLS_ERROR, NULL);
    mailru_session_free(session);
}

/* A thread that ends another thread's call. */
struct ending {
    pthread_t thread;
    uint64_t handle;
    int32_t (*end)(uint64_t handle);
};

static void *end_soon(void *argument) {
    struct ending *ending = argument;
    pause_ms(500); /* by then the call is under way, also under valgrind */
    check(ending->end(ending->handle) == MAILRU_OK, "the call could not be ended");
    return NULL;
}

static int32_t free_session(uint64_t handle) {
    mailru_session_free(handle);
    return MAILRU_OK;
}

/* A call that never gets an answer, ended by another thread. */
static void ended_by(const char *what, uint64_t handle, int32_t (*end)(uint64_t), mailru_cancel cancel) {
    struct ending ending = {.handle = handle, .end = end};
    if (!check(pthread_create(&ending.thread, NULL, end_soon, &ending) == 0, "no thread")) return;
    int32_t code = POISONED_CODE;
    char *json = mailru_call_within(session, "sandbox.echoSilent", NULL, 20000, cancel, &code);
    answered(what, json, &code, MAILRU_CANCELLED, NULL);
    pthread_join(ending.thread, NULL);
}

static void endings(void) {
    session = client(NULL);
    int32_t code = POISONED_CODE;
    char *json = mailru_call_within(session, "sandbox.echoSilent", NULL, 50, 0, &code);
    answered("a short time limit", json, &code, MAILRU_TIMEOUT, "\"transient\":true");
    json = mailru_call_within(session, "friends.get", NULL, -1, 0, &code);
    answered("a negative time limit", json, &code, MAILRU_INVALID_ARGUMENT, "\"argument\":\"timeout_ms\"");

    mailru_cancel cancel = mailru_cancel_new();
    ended_by("mailru_cancel_fire", cancel, mailru_cancel_fire, cancel);
    mailru_cancel_free(cancel);
    ended_by("mailru_session_cancel", session, mailru_session_cancel, 0);
    call("friends.get", NULL, MAILRU_OK, NULL);
    ended_by("mailru_session_free", session, free_session, 0);
    call("friends.get", NULL, MAILRU_INVALID_HANDLE, NULL);
}

static void public_pages(void) {
    char *error = poison;
    session = mailru_public_session_new(given("MAILRU_OPTIONS"), &error);
    check(session != 0 && error == NULL, "a public session");
    int32_t code = POISONED_CODE;
    answered("mailru_public", mailru_public(session, "mail/demo", NULL, &code), &code, MAILRU_OK, UID);
    code = POISONED_CODE;
    answered("a path", mailru_public(session, "../api", NULL, &code), &code, MAILRU_INVALID_ARGUMENT, "\"path\"");
    call("friends.get", NULL, MAILRU_SIGNATURE_UNDEFINED, NULL);
    code = POISONED_CODE;
    answered("no tokens", mailru_authorize(session, &code), &code, MAILRU_INVALID_ARGUMENT, "\"session\"");
    mailru_session_free(session);

    error = poison;
    session = mailru_public_session_new("{\"time_limit\":1}", &error);
    refused("an unknown option", session, error, MAILRU_INVALID_ARGUMENT, "\"argument\":\"time_limit\"");
    error = poison;
    session = mailru_client_session_new(APP_ID, "", SESSION_KEY, UID, NULL, &error);
    refused("an empty key", session, error, MAILRU_INVALID_ARGUMENT, "\"argument\":\"private_key\"");
}

/* The examples of the guide; nothing is sent. */
static void signatures(void) {
    session = client(NULL);
    int32_t code = POISONED_CODE;
    answered("mailru_sign", mailru_sign(session, "friends.get", NULL, &code), &code, MAILRU_OK,
             "\"sig\":\"5073f15c6d5b6ab2fde23ac43332b002\"");
    answered("mailru_sign", mailru_sign(session, "friends.get", NULL, &code), &code, MAILRU_OK, "<private_key>");
    mailru_session_free(session);
    code = POISONED_CODE;
    char *json = mailru_verify("secretkey", "{\"uid\":\"104\",\"sig\":\"961a705e28008186d443fe211608184c\"}", &code);
    answered("mailru_verify", json, &code, MAILRU_SIGNATURE_MISMATCH, NULL);
    code = POISONED_CODE;
    json = mailru_verify_query("payment", "secretkey", "uid=104&sig=961a705e28008186d443fe211608184c", &code);
    answered("mailru_verify_query", json, &code, MAILRU_SIGNATURE_MISMATCH, "\"argument\"");
    code = POISONED_CODE;
    json = mailru_verify("", "{\"uid\":\"104\"}", &code);
    answered("mailru_verify", json, &code, MAILRU_INVALID_ARGUMENT, "\"argument\":\"secret_key\"");
    code = POISONED_CODE;
    json = mailru_upload(session, "photos.upload", NULL, "img_file", "a.jpg", (const uint8_t *)"\xFF\xD8", 2, &code);
    answered("mailru_upload", json, &code, MAILRU_INVALID_HANDLE, NULL);
}

static void files(void) {
    session = client(NULL);
    static const uint8_t picture[] = {0xFF, 0xD8, 0x00, 0xFF};
    int32_t code = POISONED_CODE;
    char *json = mailru_upload(session, "photos.upload", "{\"aid\":\"_myphoto\"}", "img_file", "a.jpg", picture,
                               sizeof picture, &code);
    answered("mailru_upload", json, &code, MAILRU_OK, "\"pid\"");
    json = mailru_upload(session, "sandbox.echo", NULL, "img_file", "a.jpg", picture, sizeof picture, &code);
    answered("mailru_upload", json, &code, MAILRU_OK, "\"a.jpg\"");
    mailru_session_free(session);
}

/* A write to a closed connection is an error; the signal SIGPIPE would end this program. */
static void a_write_that_is_cut_off(void) {
    session = client(given("MAILRU_LEAVING_OPTIONS"));
    size_t size = 32 << 20; /* more than the system takes for a server that does not read */
    uint8_t *data = calloc(size, 1);
    int32_t code = POISONED_CODE;
    char *json = mailru_upload(session, "photos.upload", NULL, "img_file", "a.jpg", data, size, &code);
    answered("a write that is cut off", json, &code, MAILRU_NETWORK_ERROR, NULL);
    free(data);
    mailru_session_free(session);
}

/* The data of a token callback, and what it may call. */
struct listener {
    pthread_mutex_t lock;
    mailru_session session;
    int received;
    int released;
};

static void on_tokens(void *user_data, const char *tokens_json) {
    struct listener *listener = user_data;
    pthread_mutex_lock(&listener->lock);
    listener->received++;
    pthread_mutex_unlock(&listener->lock);
    int32_t code = POISONED_CODE;
    char *json = mailru_tokens(listener->session, &code);
    check(strcmp(json, tokens_json) == 0, "the callback received %s, the session returns %s", tokens_json, json);
    answered("mailru_tokens in the callback", json, &code, MAILRU_OK, "\"refresh_token\":\"");
    code = POISONED_CODE;
    json = mailru_call(listener->session, "friends.get", NULL, &code);
    answered("a call in the callback", json, &code, MAILRU_REENTERED, NULL);
}

static void on_release(void *user_data) {
    struct listener *listener = user_data;
    pthread_mutex_lock(&listener->lock);
    listener->released++;
    pthread_mutex_unlock(&listener->lock);
}

static int released(struct listener *listener) {
    pthread_mutex_lock(&listener->lock);
    int count = listener->released;
    pthread_mutex_unlock(&listener->lock);
    return count;
}

static void grants(void) {
    char *error = poison;
    session = mailru_password_session_new(APP_ID, PRIVATE_KEY, SECRET_KEY, "demo@mail.ru", "wrong", NULL,
                                          given("MAILRU_OPTIONS"), &error);
    int32_t code = POISONED_CODE;
    answered("a wrong password", mailru_authorize(session, &code), &code, MAILRU_OAUTH_ERROR, "\"oauth\":{");
    call("friends.get", NULL, MAILRU_OAUTH_ERROR, NULL);
    mailru_session_free(session);

    struct listener listener = {.lock = PTHREAD_MUTEX_INITIALIZER};
    session = mailru_password_session_new(APP_ID, PRIVATE_KEY, SECRET_KEY, "demo@mail.ru", "demo", NULL,
                                          given("MAILRU_OPTIONS"), NULL);
    listener.session = session;
    code = POISONED_CODE;
    answered("no tokens yet", mailru_tokens(session, &code), &code, MAILRU_OK, "\"access_token\":null");
    check(mailru_session_on_token(session, on_tokens, &listener, on_release) == MAILRU_OK, "a callback");
    call("messages.getUnreadCount", NULL, MAILRU_OK, "\"count\"");
    check(listener.received == 1, "called %d times before the first use", listener.received);
    code = POISONED_CODE;
    answered("a renewal", mailru_authorize(session, &code), &code, MAILRU_OK, "\"expires_in\":86400");
    check(listener.received == 2, "called %d times after a renewal", listener.received);
    check(released(&listener) == 0, "released too early");
    mailru_session_free(session);
    for (int i = 0; i < 200 && released(&listener) == 0; i++) pause_ms(10);
    check(released(&listener) == 1, "released %d times", released(&listener));
}

struct log {
    pthread_mutex_t lock;
    int lines;
    int released;
};

static void on_line(void *user_data, int32_t level, const char *message) {
    struct log *log = user_data;
    pthread_mutex_lock(&log->lock);
    log->lines++;
    pthread_mutex_unlock(&log->lock);
    check(level >= 1 && level <= 4, "level %d", level);
    check(strstr(message, PRIVATE_KEY) == NULL && strstr(message, SESSION_KEY) == NULL, "a secret: %s", message);
}

static void on_log_release(void *user_data) {
    struct log *log = user_data;
    log->released++;
}

static void logging(void) {
    struct log log = {.lock = PTHREAD_MUTEX_INITIALIZER};
    session = client(NULL);
    check(mailru_set_log(on_line, &log, on_log_release, 4) == MAILRU_OK, "a log");
    call("friends.get", NULL, MAILRU_OK, NULL);
    check(mailru_set_log(NULL, NULL, NULL, 0) == MAILRU_OK, "no log");
    int lines = log.lines;
    check(lines > 0, "a call leaves no line");
    check(log.released == 1, "released %d times", log.released);
    call("friends.get", NULL, MAILRU_OK, NULL);
    check(log.lines == lines, "a line after the log was switched off");
    mailru_session_free(session);
}

static void queues(void) {
    session = client(NULL);
    char *error = poison;
    mailru_queue queue = mailru_queue_new(2, 2, &error);
    check(queue != 0 && error == NULL, "a queue");
    check(mailru_queue_fd(queue) >= 0, "its descriptor");
    uint64_t tag = POISONED_TAG;
    int32_t code = POISONED_CODE;
    check(mailru_queue_next(queue, 0, &tag, &code) == NULL, "a completion of nothing");
    check(code == MAILRU_QUEUE_EMPTY && tag == 0, "an empty queue: %d, tag %d", (int)code, (int)tag);
    for (uint64_t i = 1; i <= 2; i++) {
        error = poison;
        code = mailru_queue_submit(queue, session, "sandbox.echoSilent", NULL, i, &error);
        check(code == MAILRU_OK && error == NULL, "a submission: %s", mailru_code_name(code));
    }
    error = poison;
    code = mailru_queue_submit(queue, session, "friends.get", NULL, 3, &error);
    answered("one too many", error, &code, MAILRU_QUEUE_FULL, NULL);
    check(mailru_queue_cancel(queue, 2) == MAILRU_OK, "mailru_queue_cancel");
    char *json = mailru_queue_next(queue, -1, &tag, &code);
    answered("a cancelled tag", json, &code, MAILRU_CANCELLED, NULL);
    check(tag == 2, "tag %d", (int)tag);
    mailru_queue_free(queue);
    mailru_session_free(session);
}

/* A child's numbers begin at zero, so that the numbers of all processes can be added. */
void figures(void) {
    int32_t code = POISONED_CODE;
    session = client(NULL);
    call("friends.get", NULL, MAILRU_OK, NULL);
    answered("mailru_stats", mailru_stats(session, &code), &code, MAILRU_OK, "\"attempts\":1,");
    int status = -1;
    pid_t child = fork();
    if (child == 0) {
        int before = failures();
        answered("a child's mailru_stats", mailru_stats(session, &code), &code, MAILRU_OK, "\"calls\":0,");
        call("friends.get", NULL, MAILRU_OK, NULL);
        answered("a child's mailru_stats", mailru_stats(session, &code), &code, MAILRU_OK, "\"calls\":1,");
        _exit(failures() != before);
    }
    check(child > 0 && waitpid(child, &status, 0) == child && status == 0, "the child failed: %d", status);
    call("friends.get", NULL, MAILRU_OK, NULL);
    answered("mailru_stats", mailru_stats(session, &code), &code, MAILRU_OK, "\"attempts\":2,");
    mailru_session_free(session);
}

static void without_a_session(void) {
    int32_t code = POISONED_CODE;
    answered("mailru_methods", mailru_methods(&code), &code, MAILRU_OK, "\"friends.get\"");
    check(mailru_abi_version() == MAILRU_ABI_VERSION, "the header and the library differ");
    check(strchr(mailru_version(), '.') != NULL, "version %s", mailru_version());
    check(strcmp(mailru_code_name(MAILRU_TIMEOUT), "MAILRU_TIMEOUT") == 0, "mailru_code_name");
    check(strcmp(mailru_code_name(-1), "MAILRU_UNKNOWN_CODE") == 0, "mailru_code_name of no code");
    code = POISONED_CODE;
    char *json = mailru_authorize_url(APP_ID, "https://example.org/", NULL, NULL, "abc", &code);
    answered("mailru_authorize_url", json, &code, MAILRU_OK, "state=abc");
    code = POISONED_CODE;
    json = mailru_parse_redirect("https://example.org/?code=1&state=abd", "abc", &code);
    answered("another's redirect", json, &code, MAILRU_OAUTH_ERROR, NULL);
}

void results(void) {
    answers_and_failures();
    endings();
    public_pages();
    signatures();
    files();
    a_write_that_is_cut_off();
    grants();
    logging();
    queues();
    without_a_session();
}
