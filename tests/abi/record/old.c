/*
 * An old program: compiled against the header of this folder, linked with today's library, it must run as ever. It uses
 * each function that there was when the header was recorded; of a function that is added, a use is added here.
 *
 *     old OPTIONS REFRESH_TOKEN
 */
#include <mailru.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APP "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"
#define SECRET_KEY "3dad9cbf9baaa0360c0f2ba372d25716"
#define TOKEN "be6ef89965d58e56dec21acb9b62bdaa"
#define UID "1324730981306483817"

static const char *options;
static int tokens, phases, lines, releases;

static void fail(const char *what, const char *text) {
    printf("%s: %s\n", what, text ? text : "NULL");
    exit(1);
}

static void on_token(void *data, const char *json) {
    const mailru_session *own = data;
    tokens += strstr(json, "\"access_token\":\"") != NULL;
    if (mailru_session_hold(*own, 1) != MAILRU_OK || mailru_session_hold(*own, 0) != MAILRU_OK)
        fail("mailru_session_hold", NULL);
}
static void on_renewal(void *data, int32_t phase) { (void)data, phases += phase == 0 || phase == 1; }
static void on_log(void *data, int32_t level, const char *line) { (void)data, lines += level > 0 && line != NULL; }
static void release(void *data) { (void)data, releases++; }

/* The code and the text that a result must have. */
static void expect(const char *what, char *json, int32_t code, int32_t expected, const char *contains) {
    if (code != expected || json == NULL || strstr(json, contains) == NULL) fail(what, json);
    mailru_string_free(json);
}

static mailru_session made(const char *what, mailru_session session, char *error) {
    if (session == 0 || error != NULL) fail(what, error);
    return session;
}

#define MADE(constructor, ...)                                                                    \
    do {                                                                                          \
        char *error = NULL;                                                                       \
        mailru_session_free(made(#constructor, constructor(__VA_ARGS__, options, &error), error)); \
    } while (0)

#define SAME(constant) (strcmp(mailru_code_name(constant), #constant) ? fail("code", #constant) : (void)0)

static void codes(void) {
    SAME(MAILRU_OK), SAME(MAILRU_INVALID_ARGUMENT), SAME(MAILRU_INVALID_HANDLE), SAME(MAILRU_SIGNATURE_UNDEFINED);
    SAME(MAILRU_SIGNATURE_MISMATCH), SAME(MAILRU_REENTERED), SAME(MAILRU_API_ERROR), SAME(MAILRU_OAUTH_ERROR);
    SAME(MAILRU_EMPTY_RESPONSE), SAME(MAILRU_MALFORMED_RESPONSE), SAME(MAILRU_RESPONSE_TOO_LARGE);
    SAME(MAILRU_HTTP_ERROR), SAME(MAILRU_NETWORK_ERROR), SAME(MAILRU_TIMEOUT), SAME(MAILRU_TLS_ERROR);
    SAME(MAILRU_CANCELLED), SAME(MAILRU_OUT_OF_MEMORY), SAME(MAILRU_QUEUE_FULL), SAME(MAILRU_QUEUE_EMPTY);
    SAME(MAILRU_INTERNAL_ERROR);
    if (mailru_abi_version() != MAILRU_ABI_VERSION) fail("mailru_abi_version", "another number");
    if (strchr(mailru_version(), '.') == NULL) fail("mailru_version", mailru_version());
}

static void constructors(void) {
    char *error = NULL;
    mailru_session_free(made("mailru_public_session_new", mailru_public_session_new(options, &error), error));
    MADE(mailru_token_session_new, APP, PRIVATE_KEY, SECRET_KEY, TOKEN, UID);
    MADE(mailru_client_session_new, APP, PRIVATE_KEY, TOKEN, UID);
    MADE(mailru_server_session_new, APP, SECRET_KEY, TOKEN);
    MADE(mailru_code_session_new, APP, PRIVATE_KEY, SECRET_KEY, "code", "http://localhost/");
    MADE(mailru_code_client_session_new, APP, PRIVATE_KEY, "code", "http://localhost/");
    MADE(mailru_code_server_session_new, APP, SECRET_KEY, "code", "http://localhost/");
    MADE(mailru_password_session_new, APP, PRIVATE_KEY, SECRET_KEY, "demo@mail.ru", "demo", NULL);
    MADE(mailru_password_client_session_new, APP, PRIVATE_KEY, "demo@mail.ru", "demo", NULL);
    MADE(mailru_password_server_session_new, APP, SECRET_KEY, "demo@mail.ru", "demo", NULL);
    MADE(mailru_refresh_session_new, APP, PRIVATE_KEY, SECRET_KEY, "token");
    MADE(mailru_refresh_client_session_new, APP, PRIVATE_KEY, "token");
    MADE(mailru_refresh_server_session_new, APP, SECRET_KEY, "token");
    MADE(mailru_stored_session_new, APP, PRIVATE_KEY, NULL, "{\"access_token\":\"" TOKEN "\",\"uid\":\"" UID "\"}");
}

static void calls(void) {
    static const uint8_t data[] = {1, 2, 3};
    char *error = NULL, *json;
    int32_t code = -1;
    uint64_t sent = 0, total = 0, tag = 0;
    mailru_session session = mailru_client_session_new(APP, PRIVATE_KEY, TOKEN, UID, options, NULL);
    mailru_cancel cancel = mailru_cancel_new();
    json = mailru_call(session, "friends.get", "{\"ext\":1}", &code);
    expect("mailru_call", json, code, MAILRU_OK, "[{");
    json = mailru_call_within(session, "friends.get", NULL, 5000, cancel, &code);
    expect("mailru_call_within", json, code, MAILRU_OK, "[");
    json = mailru_upload(session, "sandbox.echo", "{}", "img_file", "a.jpg", data, sizeof data, &code);
    expect("mailru_upload", json, code, MAILRU_OK, "img_file");
    json = mailru_request(session, "{\"method\":\"friends.get\",\"retries\":0}", NULL, 0, cancel, &code);
    expect("mailru_request", json, code, MAILRU_OK, "[");
    json = mailru_public(session, "mail/demo", NULL, &code);
    expect("mailru_public", json, code, MAILRU_OK, "{");
    json = mailru_sign(session, "friends.get", NULL, &code);
    expect("mailru_sign", json, code, MAILRU_OK, "\"sig\":\"");
    json = mailru_stats(session, &code);
    expect("mailru_stats", json, code, MAILRU_OK, "\"calls\":5");
    json = mailru_call(session, "no.such", NULL, &code);
    if (mailru_error_number(json) != 3 && mailru_error_number(json) <= 0) fail("mailru_error_number", json);
    if (mailru_error_transient(json) != 0 && mailru_error_transient(json) != 1) fail("mailru_error_transient", json);
    char *message = mailru_error_message(json, &code);
    if (message == NULL || code != MAILRU_OK) fail("mailru_error_message", message);
    mailru_string_free(message);
    mailru_string_free(json);
    if (mailru_cancel_progress(cancel, &sent, &total) != MAILRU_OK) fail("mailru_cancel_progress", NULL);

    mailru_queue queue = mailru_queue_new(2, 8, &error);
    if (mailru_queue_fd(queue) < 0) fail("mailru_queue_fd", "-1");
    if (mailru_queue_submit(queue, session, "friends.get", NULL, 7, &error)) fail("mailru_queue_submit", error);
    json = mailru_queue_next(queue, 10000, &tag, &code);
    expect("mailru_queue_next", json, code, MAILRU_OK, "[");
    if (tag != 7) fail("mailru_queue_next", "another tag");
    if (mailru_queue_request(queue, session, "{\"method\":\"friends.get\"}", NULL, 0, cancel, 8, &error))
        fail("mailru_queue_request", error);
    if (mailru_queue_cancel(queue, 8) != MAILRU_OK) fail("mailru_queue_cancel", NULL);
    json = mailru_queue_next(queue, 10000, &tag, &code);
    expect("mailru_queue_next", json, code, code == MAILRU_OK ? MAILRU_OK : MAILRU_CANCELLED, "");
    if (mailru_queue_next(queue, 0, &tag, &code) != NULL || code != MAILRU_QUEUE_EMPTY) fail("an empty queue", NULL);
    mailru_queue_free(queue);

    if (mailru_cancel_fire(cancel) != MAILRU_OK) fail("mailru_cancel_fire", NULL);
    mailru_cancel_free(cancel);
    if (mailru_session_cancel(session) != MAILRU_OK) fail("mailru_session_cancel", NULL);
    mailru_session_free(session);
    json = mailru_call(session, "friends.get", NULL, &code);
    expect("a freed session", json, code, MAILRU_INVALID_HANDLE, "\"error_code\":-2");
}

static void authorization(const char *refresh_token) {
    char *error = NULL, *json;
    int32_t code = -1;
    if (mailru_set_log(on_log, NULL, release, 4) != MAILRU_OK) fail("mailru_set_log", NULL);
    mailru_session session = mailru_refresh_client_session_new(APP, PRIVATE_KEY, refresh_token, options, &error);
    made("a session with a refresh token", session, error);
    mailru_session_on_token(session, on_token, &session, release);
    mailru_session_on_renewal(session, on_renewal, NULL, release);
    json = mailru_authorize(session, &code);
    expect("mailru_authorize", json, code, MAILRU_OK, "{");
    json = mailru_tokens(session, &code);
    if (mailru_session_set_tokens(session, json, &error) != MAILRU_OK) fail("mailru_session_set_tokens", error);
    expect("mailru_tokens", json, code, MAILRU_OK, "\"refresh_token\":\"");
    mailru_session_on_token(session, NULL, NULL, NULL);
    mailru_session_on_renewal(session, NULL, NULL, NULL);
    mailru_session_free(session);
    if (mailru_set_log(on_log, NULL, release, 4 + MAILRU_LOG_IN_CALLS) != MAILRU_OK) fail("MAILRU_LOG_IN_CALLS", NULL);
    mailru_set_log(NULL, NULL, NULL, 0);
    if (tokens < 1 || phases < 2 || lines < 1 || releases != 4) fail("callbacks", "not called as promised");
}

static void helpers(void) {
    char *json;
    int32_t code = -1;
    json = mailru_methods(&code);
    expect("mailru_methods", json, code, MAILRU_OK, "\"name\": \"friends.get\"");
    json = mailru_errors(&code);
    expect("mailru_errors", json, code, MAILRU_OK, "\"code\":104");
    json = mailru_authorize_url(APP, "https://example.org/", NULL, "photos", "abc", &code);
    expect("mailru_authorize_url", json, code, MAILRU_OK, "\"url\":\"https://");
    json = mailru_authorize_url_at("https://example.org/login", APP, "https://example.org/", "code", NULL, "abc", &code);
    expect("mailru_authorize_url_at", json, code, MAILRU_OK, "\"url\":\"https://example.org/login");
    json = mailru_parse_redirect("https://example.org/?code=1&state=abc", "abc", &code);
    expect("mailru_parse_redirect", json, code, MAILRU_OK, "\"code\":\"1\"");
    json = mailru_verify("secretkey", "{\"app_id\":\"524632\",\"mailiki_price\":\"10\",\"other_price\":\"10000\","
        "\"profit\":\"5000\",\"service_id\":\"10\",\"transaction_id\":\"3751\",\"uid\":\"104\","
        "\"sig\":\"961a705e28008186d443fe211608184c\"}", &code);
    expect("mailru_verify", json, code, MAILRU_OK, "\"verified\":true");
    json = mailru_verify_launch(SECRET_KEY, "{\"app_id\":\"423004\",\"vid\":\"" UID "\",\"own\":\"1\","
        "\"authentication_key\":\"ab7d2184215c89773a36644dbec9c189\","
        "\"sig\":\"b8042a46c7084c24b4a0848ba4c78ff2\"}", &code);
    expect("mailru_verify_launch", json, code, MAILRU_OK, "\"verified\":true");
    json = mailru_verify_query("launch_by_key", SECRET_KEY, "app_id=423004&vid=" UID "&own=1"
        "&authentication_key=ab7d2184215c89773a36644dbec9c189", &code);
    expect("mailru_verify_query", json, code, MAILRU_OK, "\"params\":{");
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    options = argv[1];
    codes();
    constructors();
    calls();
    authorization(argv[2]);
    helpers();
    puts("as ever");
    return 0;
}
