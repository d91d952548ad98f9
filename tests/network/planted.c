/* Panics planted in the library of the tests: what a program sees of them, and that it goes on.
 *
 *     planted CASE OPTIONS
 *
 * MAILRU_TEST_PANIC_IN says where the library panics, how often. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mailru.h"

#define APP "423004"
#define KEY "7815696ecbf1c96e6894b779456d330e"
#define TOKEN "be6ef89965d58e56dec21acb9b62bdaa"

static const char *options;
static int released;

static void fail(const char *what, const char *detail)
{
    printf("%s: %s\n", what, detail ? detail : "");
    fflush(stdout);
    _Exit(1);
}

/* The JSON of a panic in this file of the library. */
static void is_bug(const char *what, char *json, int32_t number, const char *file)
{
    if (number != MAILRU_INTERNAL_ERROR)
        fail(what, json ? json : mailru_code_name(number));
    if (!json || !strstr(json, "\"error_code\":-99,") || !strstr(json, "a bug in libmailru at ") ||
        !strstr(json, file) || strstr(json, "hunter2"))
        fail(what, json);
    mailru_string_free(json);
}

static void is_ok(const char *what, char *json, int32_t number)
{
    if (number != MAILRU_OK)
        fail(what, json);
    mailru_string_free(json);
}

static void on_text(void *data, const char *text)
{
    (void)text;
    fail("a callback runs", data);
}

static void on_phase(void *data, int32_t phase)
{
    (void)phase;
    fail("a callback runs", data);
}

static void on_line(void *data, int32_t level, const char *line)
{
    (void)level;
    (void)line;
    fail("a callback runs", data);
}

static void release(void *data)
{
    (void)data;
    released++;
}

static int32_t code;
static char *error;

/* A function that returns JSON, or an error's, and stores its code. */
#define JSON(call)                                                                                                     \
    do {                                                                                                               \
        char *json = call;                                                                                             \
        is_bug(#call, json, code, "src/ffi/mod.rs:");                                                                  \
    } while (0)

/* A function that returns a handle, and stores an error's JSON. */
#define HANDLE(call)                                                                                                   \
    do {                                                                                                               \
        code = call ? MAILRU_OK : MAILRU_INTERNAL_ERROR;                                                               \
        is_bug(#call, error, code, "src/ffi/mod.rs:");                                                                 \
    } while (0)

/* A function that returns a code, and stores an error's JSON. */
#define CODE_AND_ERROR(call)                                                                                           \
    do {                                                                                                               \
        code = call;                                                                                                   \
        is_bug(#call, error, code, "src/ffi/mod.rs:");                                                                 \
    } while (0)

/* A function that returns a number, and this one after a panic. */
#define NUMBER(expected, call)                                                                                         \
    do {                                                                                                               \
        if ((int64_t)call != (expected))                                                                               \
            fail(#call, "another result");                                                                             \
    } while (0)

/* Each function that can fail at all panics. */
static void exports(void)
{
    uint64_t sent, total, tag;
    HANDLE(mailru_public_session_new(options, &error));
    HANDLE(mailru_token_session_new(APP, KEY, KEY, TOKEN, "1", options, &error));
    HANDLE(mailru_client_session_new(APP, KEY, TOKEN, "1", options, &error));
    HANDLE(mailru_server_session_new(APP, KEY, TOKEN, options, &error));
    HANDLE(mailru_code_session_new(APP, KEY, KEY, "code", "http://a.example/", options, &error));
    HANDLE(mailru_code_client_session_new(APP, KEY, "code", "http://a.example/", options, &error));
    HANDLE(mailru_code_server_session_new(APP, KEY, "code", "http://a.example/", options, &error));
    HANDLE(mailru_password_session_new(APP, KEY, KEY, "a@b.c", "word", NULL, options, &error));
    HANDLE(mailru_password_client_session_new(APP, KEY, "a@b.c", "word", NULL, options, &error));
    HANDLE(mailru_password_server_session_new(APP, KEY, "a@b.c", "word", NULL, options, &error));
    HANDLE(mailru_refresh_session_new(APP, KEY, KEY, TOKEN, options, &error));
    HANDLE(mailru_refresh_client_session_new(APP, KEY, TOKEN, options, &error));
    HANDLE(mailru_refresh_server_session_new(APP, KEY, TOKEN, options, &error));
    HANDLE(mailru_stored_session_new(APP, KEY, KEY, "{}", options, &error));
    HANDLE(mailru_queue_new(1, 1, &error));
    JSON(mailru_call(1, "friends.get", NULL, &code));
    JSON(mailru_call_within(1, "friends.get", NULL, -1, 0, &code));
    JSON(mailru_upload(1, "photos.upload", NULL, "img_file", "a.jpg", NULL, 0, &code));
    JSON(mailru_request(1, "{}", NULL, 0, 0, &code));
    JSON(mailru_public(1, "a", NULL, &code));
    JSON(mailru_sign(1, "friends.get", NULL, &code));
    JSON(mailru_error_message("{}", &code));
    JSON(mailru_errors(&code));
    JSON(mailru_authorize(1, &code));
    JSON(mailru_tokens(1, &code));
    JSON(mailru_stats(1, &code));
    JSON(mailru_methods(&code));
    JSON(mailru_authorize_url(APP, "http://a.example/", "code", NULL, NULL, &code));
    JSON(mailru_authorize_url_at("https://a.example/", APP, "http://a.example/", "code", NULL, NULL, &code));
    JSON(mailru_parse_redirect("http://a.example/", NULL, &code));
    JSON(mailru_verify(KEY, "{}", &code));
    JSON(mailru_verify_launch(KEY, "{}", &code));
    JSON(mailru_verify_query("launch", KEY, "a=b", &code));
    JSON(mailru_queue_next(1, 0, &tag, &code));
    CODE_AND_ERROR(mailru_session_set_tokens(1, "{}", &error));
    CODE_AND_ERROR(mailru_queue_submit(1, 1, "friends.get", NULL, 1, &error));
    CODE_AND_ERROR(mailru_queue_request(1, 1, "{}", NULL, 0, 0, 1, &error));
    NUMBER(MAILRU_INTERNAL_ERROR, mailru_session_cancel(1));
    NUMBER(MAILRU_INTERNAL_ERROR, mailru_session_hold(1, 1));
    NUMBER(MAILRU_INTERNAL_ERROR, mailru_session_on_token(1, on_text, NULL, release));
    NUMBER(MAILRU_INTERNAL_ERROR, mailru_session_on_renewal(1, on_phase, NULL, release));
    NUMBER(MAILRU_INTERNAL_ERROR, mailru_set_log(on_line, NULL, release, 4));
    NUMBER(MAILRU_INTERNAL_ERROR, mailru_queue_cancel(1, 1));
    NUMBER(MAILRU_INTERNAL_ERROR, mailru_cancel_fire(1));
    NUMBER(MAILRU_INTERNAL_ERROR, mailru_cancel_progress(1, &sent, &total));
    NUMBER(0, mailru_cancel_new());
    NUMBER(-1, mailru_queue_fd(1));
    NUMBER(0, mailru_error_number("{\"error\":{\"error_code\":5}}"));
    NUMBER(0, mailru_error_transient("{\"error\":{\"transient\":true}}"));
    mailru_session_free(1);
    mailru_queue_free(1);
    mailru_cancel_free(1);
    /* These only read a constant, or free. */
    mailru_string_free(NULL);
    if (!mailru_version() || mailru_abi_version() != MAILRU_ABI_VERSION ||
        strcmp(mailru_code_name(MAILRU_INTERNAL_ERROR), "MAILRU_INTERNAL_ERROR") != 0)
        fail("a constant", NULL);
    if (released != 3)
        fail("not each user_data is released once", NULL);
}

static mailru_session client(void)
{
    mailru_session session = mailru_client_session_new(APP, KEY, TOKEN, "1324730981306483817", options, &error);
    if (!session)
        fail("session", error);
    return session;
}

/* Of a session's calls, each second one panics after its answer has come. */
static void answers(void)
{
    mailru_session session = client();
    for (int i = 0; i < 20; i++) {
        char *json;
        if (i % 4 < 2)
            json = mailru_call(session, "friends.get", NULL, &code);
        else
            json = mailru_upload(session, "photos.upload", "{\"aid\":\"1\"}", "img_file", "a.jpg", (const uint8_t *)"a", 1,
                                 &code);
        if (i % 2 == 0)
            is_ok("an answer", json, code);
        else
            is_bug("a panic", json, code, "src/http/mod.rs:");
    }
    mailru_session_free(session);
}

/* The first call ends with a panic in this file, on another thread, and the next one with this code. */
static void first(mailru_session session, const char *file, int32_t next)
{
    char *json = mailru_call(session, "friends.get", NULL, &code);
    is_bug("the first call", json, code, file);
    json = mailru_call(session, "friends.get", NULL, &code);
    if (code != next)
        fail("the next call", json);
    mailru_string_free(json);
    mailru_session_free(session);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    options = argv[2];
    if (strcmp(argv[1], "export") == 0) {
        exports();
    } else if (strcmp(argv[1], "answer") == 0) {
        answers();
    } else if (strcmp(argv[1], "resolve") == 0) {
        first(client(), "src/http/resolver.rs:", MAILRU_NETWORK_ERROR);
    } else if (strcmp(argv[1], "token") == 0) {
        mailru_session session = mailru_password_client_session_new(APP, KEY, "demo@mail.ru", "demo", NULL, options, &error);
        if (!session)
            fail("session", error);
        first(session, "src/oauth/", MAILRU_OK);
    } else {
        return 2;
    }
    puts(argv[1]);
    return 0;
}
