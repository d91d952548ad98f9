/*
 * NULL for every pointer of every function: a required argument is refused by its name, an optional one may be left
 * out, an out-parameter is ignored.
 */
#include "check.h"

enum { MOST = 6 };

static mailru_session session;
static mailru_queue queue;
static const char *options;
static const uint8_t picture[] = {0xFF, 0xD8};
static const char paid[] = "{\"app_id\":\"524632\",\"mailiki_price\":\"10\",\"other_price\":\"10000\","
                           "\"profit\":\"5000\",\"service_id\":\"10\",\"transaction_id\":\"3751\",\"uid\":\"104\","
                           "\"sig\":\"961a705e28008186d443fe211608184c\"}";
static const char launched[] = "{\"app_id\":\"423004\",\"vid\":\"1324730981306483817\",\"own\":\"1\","
                               "\"authentication_key\":\"ab7d2184215c89773a36644dbec9c189\","
                               "\"sig\":\"b8042a46c7084c24b4a0848ba4c78ff2\"}";

static const char early[] = "app_id=423004&vid=1324730981306483817&own=1"
                            "&authentication_key=ab7d2184215c89773a36644dbec9c189";

/* The position of the argument that is NULL in this round. */
static int missing;

static const char *arg(int position, const char *value) {
    return position == missing ? NULL : value;
}

/* Functions that return JSON. */

static char *call(int32_t *code) {
    return mailru_call(session, arg(0, "friends.get"), arg(1, "{\"ext\":1}"), code);
}

static char *call_within(int32_t *code) {
    return mailru_call_within(session, arg(0, "friends.get"), arg(1, "{\"ext\":1}"), 0, 0, code);
}

static char *upload(int32_t *code) {
    const uint8_t *data = missing == 4 ? NULL : picture;
    return mailru_upload(session, arg(0, "sandbox.echo"), arg(1, "{\"aid\":\"_myphoto\"}"), arg(2, "img_file"),
                         arg(3, "a.jpg"), data, sizeof picture, code);
}

static char *request(int32_t *code) {
    return mailru_request(session, arg(0, "{\"method\":\"friends.get\"}"), NULL, 0, 0, code);
}

static char *public_page(int32_t *code) {
    return mailru_public(session, arg(0, "mail/demo"), arg(1, "{}"), code);
}

static char *sign(int32_t *code) {
    return mailru_sign(session, arg(0, "friends.get"), arg(1, "{}"), code);
}

static char *authorize(int32_t *code) {
    return mailru_authorize(session, code);
}

static char *tokens(int32_t *code) {
    return mailru_tokens(session, code);
}

static char *stats(int32_t *code) {
    return mailru_stats(session, code);
}

static char *methods(int32_t *code) {
    return mailru_methods(code);
}

static char *errors(int32_t *code) {
    return mailru_errors(code);
}

static char *error_message(int32_t *code) {
    return mailru_error_message(arg(0, "{\"error\":{\"error_code\":104}}"), code);
}

static char *authorize_url(int32_t *code) {
    return mailru_authorize_url(arg(0, APP_ID), arg(1, "https://example.org/"), arg(2, "code"), arg(3, "photos"),
                                arg(4, "abc"), code);
}

static char *authorize_url_at(int32_t *code) {
    return mailru_authorize_url_at(arg(0, "http://127.0.0.1:8080/oauth/authorize"), arg(1, APP_ID),
                                   arg(2, "https://example.org/"), arg(3, "code"), arg(4, "photos"), arg(5, "abc"),
                                   code);
}

static char *parse_redirect(int32_t *code) {
    return mailru_parse_redirect(arg(0, "https://example.org/?code=1&state=abc"), arg(1, "abc"), code);
}

static char *verify(int32_t *code) {
    return mailru_verify(arg(0, "secretkey"), arg(1, paid), code);
}

static char *verify_launch(int32_t *code) {
    return mailru_verify_launch(arg(0, SECRET_KEY), arg(1, launched), code);
}

static char *verify_query(int32_t *code) {
    return mailru_verify_query(arg(0, "launch_by_key"), arg(1, SECRET_KEY), arg(2, early), code);
}

static const struct {
    const char *name;
    char *(*function)(int32_t *code);
    /* Each pointer but code: its name if it is required, "" if it may be NULL. */
    const char *arguments[MOST];
} answers[] = {
    {"mailru_call", call, {"method", ""}},
    {"mailru_call_within", call_within, {"method", ""}},
    {"mailru_upload", upload, {"method", "", "field", "file_name", "data"}},
    {"mailru_request", request, {"request_json"}},
    {"mailru_public", public_page, {"path", ""}},
    {"mailru_sign", sign, {"method", ""}},
    {"mailru_authorize", authorize, {NULL}},
    {"mailru_tokens", tokens, {NULL}},
    {"mailru_stats", stats, {NULL}},
    {"mailru_methods", methods, {NULL}},
    {"mailru_errors", errors, {NULL}},
    {"mailru_error_message", error_message, {"error_json"}},
    {"mailru_authorize_url", authorize_url, {"app_id", "redirect_uri", "", "", ""}},
    {"mailru_authorize_url_at", authorize_url_at, {"", "app_id", "redirect_uri", "", "", ""}},
    {"mailru_parse_redirect", parse_redirect, {"url", ""}},
    {"mailru_verify", verify, {"secret_key", "params_json"}},
    {"mailru_verify_launch", verify_launch, {"secret_key", "params_json"}},
    {"mailru_verify_query", verify_query, {"kind", "secret_key", "query"}},
};

/* Constructors. */

static mailru_session public_session(char **error) {
    return mailru_public_session_new(arg(0, options), error);
}

static mailru_session token_session(char **error) {
    return mailru_token_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, SECRET_KEY), arg(3, SESSION_KEY),
                                    arg(4, UID), arg(5, options), error);
}

static mailru_session client_session(char **error) {
    return mailru_client_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, SESSION_KEY), arg(3, UID),
                                     arg(4, options), error);
}

static mailru_session server_session(char **error) {
    return mailru_server_session_new(arg(0, APP_ID), arg(1, SECRET_KEY), arg(2, SESSION_KEY), arg(3, options), error);
}

static mailru_session code_session(char **error) {
    return mailru_code_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, SECRET_KEY), arg(3, "abc"),
                                   arg(4, "https://example.org/"), arg(5, options), error);
}

static mailru_session code_client_session(char **error) {
    return mailru_code_client_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, "abc"),
                                          arg(3, "https://example.org/"), arg(4, options), error);
}

static mailru_session code_server_session(char **error) {
    return mailru_code_server_session_new(arg(0, APP_ID), arg(1, SECRET_KEY), arg(2, "abc"),
                                          arg(3, "https://example.org/"), arg(4, options), error);
}

static mailru_session password_session(char **error) {
    return mailru_password_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, SECRET_KEY), arg(3, "demo@mail.ru"),
                                       arg(4, "demo"), arg(5, "photos"), missing == 6 ? NULL : options, error);
}

static mailru_session password_client_session(char **error) {
    return mailru_password_client_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, "demo@mail.ru"),
                                              arg(3, "demo"), arg(4, "photos"), arg(5, options), error);
}

static mailru_session password_server_session(char **error) {
    return mailru_password_server_session_new(arg(0, APP_ID), arg(1, SECRET_KEY), arg(2, "demo@mail.ru"),
                                              arg(3, "demo"), arg(4, "photos"), arg(5, options), error);
}

static mailru_session refresh_session(char **error) {
    return mailru_refresh_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, SECRET_KEY), arg(3, "abc"),
                                      arg(4, options), error);
}

static mailru_session refresh_client_session(char **error) {
    return mailru_refresh_client_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, "abc"), arg(3, options),
                                             error);
}

static mailru_session refresh_server_session(char **error) {
    return mailru_refresh_server_session_new(arg(0, APP_ID), arg(1, SECRET_KEY), arg(2, "abc"), arg(3, options),
                                             error);
}

static mailru_session stored_session(char **error) {
    return mailru_stored_session_new(arg(0, APP_ID), arg(1, PRIVATE_KEY), arg(2, SECRET_KEY),
                                     arg(3, "{\"refresh_token\":\"abc\"}"), arg(4, options), error);
}

static mailru_queue new_queue(char **error) {
    return mailru_queue_new(0, 0, error);
}

static const struct {
    const char *name;
    uint64_t (*function)(char **error);
    void (*release)(uint64_t handle);
    /* Each pointer but error: its name if it is required, "" if it may be NULL. */
    const char *arguments[MOST + 2];
} constructors[] = {
    {"mailru_public_session_new", public_session, mailru_session_free, {""}},
    {"mailru_token_session_new", token_session, mailru_session_free, {"app_id", "", "", "access_token", "", ""}},
    {"mailru_client_session_new",
     client_session,
     mailru_session_free,
     {"app_id", "private_key", "access_token", "", ""}},
    {"mailru_server_session_new", server_session, mailru_session_free, {"app_id", "secret_key", "access_token", ""}},
    {"mailru_code_session_new", code_session, mailru_session_free, {"app_id", "", "", "code", "redirect_uri", ""}},
    {"mailru_code_client_session_new",
     code_client_session,
     mailru_session_free,
     {"app_id", "private_key", "code", "redirect_uri", ""}},
    {"mailru_code_server_session_new",
     code_server_session,
     mailru_session_free,
     {"app_id", "secret_key", "code", "redirect_uri", ""}},
    {"mailru_password_session_new",
     password_session,
     mailru_session_free,
     {"app_id", "", "", "email", "password", "", ""}},
    {"mailru_password_client_session_new",
     password_client_session,
     mailru_session_free,
     {"app_id", "private_key", "email", "password", "", ""}},
    {"mailru_password_server_session_new",
     password_server_session,
     mailru_session_free,
     {"app_id", "secret_key", "email", "password", "", ""}},
    {"mailru_refresh_session_new", refresh_session, mailru_session_free, {"app_id", "", "", "refresh_token", ""}},
    {"mailru_refresh_client_session_new",
     refresh_client_session,
     mailru_session_free,
     {"app_id", "private_key", "refresh_token", ""}},
    {"mailru_refresh_server_session_new",
     refresh_server_session,
     mailru_session_free,
     {"app_id", "secret_key", "refresh_token", ""}},
    {"mailru_stored_session_new", stored_session, mailru_session_free, {"app_id", "", "", "tokens_json", ""}},
    {"mailru_queue_new", new_queue, mailru_queue_free, {NULL}},
};

/* `"argument":"NAME"`, or NULL for an argument that may be NULL. */
static const char *named(const char *argument) {
    static char text[64];
    if (argument == NULL || *argument == '\0') return NULL;
    snprintf(text, sizeof text, "\"argument\":\"%s\"", argument);
    return text;
}

static void functions_that_answer(void) {
    for (size_t row = 0; row < sizeof answers / sizeof *answers; row++) {
        const char *const *arguments = answers[row].arguments;
        for (missing = 0; missing < MOST && arguments[missing] != NULL; missing++) {
            int32_t code = POISONED_CODE;
            const char *name = named(arguments[missing]);
            char *json = answers[row].function(&code);
            answered(answers[row].name, json, &code, name != NULL ? MAILRU_INVALID_ARGUMENT : MAILRU_OK, name);
            /* The same without a code; the JSON has the same information. */
            json = answers[row].function(NULL);
            answered(answers[row].name, json, NULL, name != NULL ? MAILRU_INVALID_ARGUMENT : MAILRU_OK, name);
        }
        missing = -1;
        answered(answers[row].name, answers[row].function(NULL), NULL, MAILRU_OK, NULL);
    }
}

static void functions_that_make(void) {
    for (size_t row = 0; row < sizeof constructors / sizeof *constructors; row++) {
        const char *const *arguments = constructors[row].arguments;
        for (missing = 0; missing < MOST + 2 && arguments[missing] != NULL; missing++) {
            char *error = poison;
            const char *name = named(arguments[missing]);
            uint64_t handle = constructors[row].function(&error);
            if (name != NULL) {
                refused(constructors[row].name, handle, error, MAILRU_INVALID_ARGUMENT, name);
            } else {
                check(handle != 0 && error == NULL, "%s without argument %d", constructors[row].name, missing);
            }
            constructors[row].release(handle);
            handle = constructors[row].function(NULL);
            check((handle != 0) == (name == NULL), "%s with error NULL", constructors[row].name);
            constructors[row].release(handle);
        }
        missing = -1;
        uint64_t handle = constructors[row].function(NULL);
        check(handle != 0, "%s with error NULL", constructors[row].name);
        constructors[row].release(handle);
    }
}

static void functions_that_change_a_session(void) {
    char *error = poison;
    int32_t code = mailru_session_set_tokens(session, NULL, &error);
    answered("mailru_session_set_tokens", error, &code, MAILRU_INVALID_ARGUMENT, "\"argument\":\"tokens_json\"");
    code = mailru_session_set_tokens(session, NULL, NULL);
    check(code == MAILRU_INVALID_ARGUMENT, "mailru_session_set_tokens with error NULL: %d", code);
    error = poison;
    code = mailru_session_set_tokens(session, "{\"access_token\":\"" SESSION_KEY "\"}", &error);
    check(code == MAILRU_OK && error == NULL, "mailru_session_set_tokens: %d", code);
}

static void functions_of_the_queue(void) {
    char *error = poison;
    int32_t code = mailru_queue_submit(queue, session, NULL, NULL, 1, &error);
    answered("mailru_queue_submit", error, &code, MAILRU_INVALID_ARGUMENT, "\"argument\":\"method\"");
    code = mailru_queue_request(queue, session, NULL, NULL, 0, 0, 1, &error);
    answered("mailru_queue_request", error, &code, MAILRU_INVALID_ARGUMENT, "\"argument\":\"request_json\"");
    code = mailru_queue_request(queue, session, "{\"method\":\"friends.get\"}", NULL, 1, 0, 1, &error);
    answered("mailru_queue_request", error, &code, MAILRU_INVALID_ARGUMENT, "\"argument\":\"data\"");
    check(mailru_error_number(NULL) == 0 && mailru_error_transient(NULL) == 0, "no error has no number");
    mailru_cancel cancel = mailru_cancel_new();
    code = mailru_cancel_progress(cancel, NULL, NULL);
    check(code == MAILRU_OK, "mailru_cancel_progress without numbers: %d", code);
    mailru_cancel_free(cancel);
    code = mailru_queue_submit(queue, session, NULL, NULL, 1, NULL);
    check(code == MAILRU_INVALID_ARGUMENT, "mailru_queue_submit with error NULL: %d", code);
    error = poison;
    code = mailru_queue_submit(queue, session, "friends.get", NULL, 7, &error);
    check(code == MAILRU_OK && error == NULL, "mailru_queue_submit without parameters: %d", code);

    uint64_t tag = POISONED_TAG;
    code = POISONED_CODE;
    char *json = mailru_queue_next(queue, -1, &tag, &code);
    answered("mailru_queue_next", json, &code, MAILRU_OK, NULL);
    check(tag == 7, "the tag is handed out");
    check(mailru_queue_next(queue, 0, NULL, &code) == NULL && code == MAILRU_QUEUE_EMPTY, "an empty queue");
    check(mailru_queue_next(queue, 0, NULL, NULL) == NULL, "an empty queue, nothing wanted");
    mailru_queue_submit(queue, session, "friends.get", NULL, 8, NULL);
    answered("mailru_queue_next", mailru_queue_next(queue, -1, NULL, NULL), NULL, MAILRU_OK, NULL);
}

static void functions_with_callbacks(void) {
    check(mailru_session_on_token(session, NULL, NULL, NULL) == MAILRU_OK, "no token callback");
    check(mailru_session_on_renewal(session, NULL, NULL, NULL) == MAILRU_OK, "no renewal callback");
    check(mailru_set_log(NULL, NULL, NULL, 4) == MAILRU_OK, "no log callback");
    check(mailru_set_log(NULL, NULL, NULL, 5) == MAILRU_INVALID_ARGUMENT, "no such level");
}

void nulls(void) {
    options = given("MAILRU_OPTIONS");
    session = client(NULL);
    queue = mailru_queue_new(1, 1, NULL);
    functions_that_answer();
    functions_that_make();
    functions_that_change_a_session();
    functions_of_the_queue();
    functions_with_callbacks();
    mailru_string_free(NULL);
    mailru_queue_free(queue);
    mailru_session_free(session);
}
