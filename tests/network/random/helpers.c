/* Sessions of every kind, and the functions that need none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"

#define GET(counter) atomic_load_explicit(counter, memory_order_relaxed)

const char *options[2], *refresh_tokens[2], *token_file;
_Atomic uint64_t sessions[SESSIONS], cancels[CANCELS];
_Thread_local uint64_t randomness;
_Thread_local int callbacks_running;
/* Threads of the library draw as well: each begins with another number. */
static atomic_uint threads;

uint32_t drawn(uint32_t below) {
    if (randomness == 0)
        randomness = 1 + atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) * UINT64_C(0x9e3779b97f4a7c15);
    randomness ^= randomness << 13;
    randomness ^= randomness >> 7;
    randomness ^= randomness << 17;
    return (uint32_t)(randomness >> 32) % below;
}

#define ONE_OF(list) ((list)[drawn(sizeof(list) / sizeof *(list))])

/* Mostly one that is shared, sometimes none, a number that was made up, or one of another kind. */
uint64_t any_session(void) {
    switch (drawn(40)) {
        case 0: return 0;
        case 1: return drawn(1000000);
        case 2: return GET(&cancels[drawn(CANCELS)]);
        default: return GET(&sessions[drawn(SESSIONS)]);
    }
}

/* One of the test's options, and more beside them. */
static void choose_options(char *text, size_t size, int platform) {
    static const char *const more[] = {
        "",
        ",\"pass_error\":true",
        ",\"get_limit\":200,\"callbacks_in_calls\":true",
        ",\"auto_refresh\":false",
        ",\"max_idle_connections\":1,\"allow_http\":true",
        ",\"max_calls_per_second\":2000",
        ",\"retries\":0,\"user_agent\":\"random\"",
        ",\"max_response_bytes\":2000,\"proxy\":\"env\"",
        ",\"connect_timeout_ms\":300,\"tls_roots\":\"webpki\"",
        ",\"client_secret\":\"" SECRET_KEY "\"",
        ",\"refresh_token\":\"unknown\",\"expires_in\":1",
    };
    int length = snprintf(text, size, "%.*s%s", (int)strlen(options[platform]) - 1, options[platform], ONE_OF(more));
    if (drawn(6) == 0) length += snprintf(text + length, size - length, ",\"token_file\":\"%s%d\"", token_file, platform);
    snprintf(text + length, size - length, drawn(60) == 0 ? ",\"no_such\":1}" : "}");
}

static uint64_t session_new(enum function function, const char *o, int platform, char **error) {
    static atomic_uint codes;
    char code[20];
    const char *p = PRIVATE_KEY, *s = SECRET_KEY, *refresh = refresh_tokens[platform];
    const char *uri = "http://localhost/cb", *email = "demo@mail.ru", *password = drawn(8) ? "demo" : "wrong";
    /* The test gave the platform some hundred codes of these names. */
    snprintf(code, sizeof code, "code-%u", atomic_fetch_add_explicit(&codes, 1, memory_order_relaxed));
    char tokens[300];
    snprintf(tokens, sizeof tokens, "{\"access_token\":\"%s\",\"refresh_token\":\"%s\",\"expires_in\":%u,\"uid\":\"%s\"}",
             SESSION_KEY, refresh, drawn(3), UID);
    switch (function) {
        case F_public_session_new: return M(public_session_new, o, error);
        case F_token_session_new: return M(token_session_new, APP_ID, p, drawn(2) ? s : NULL, SESSION_KEY, UID, o, error);
        case F_client_session_new: return M(client_session_new, APP_ID, p, SESSION_KEY, UID, o, error);
        case F_server_session_new: return M(server_session_new, APP_ID, s, SESSION_KEY, o, error);
        case F_code_session_new: return M(code_session_new, APP_ID, p, s, code, uri, o, error);
        case F_code_client_session_new: return M(code_client_session_new, APP_ID, p, code, uri, o, error);
        case F_code_server_session_new: return M(code_server_session_new, APP_ID, s, code, uri, o, error);
        case F_password_session_new: return M(password_session_new, APP_ID, p, s, email, password, NULL, o, error);
        case F_password_client_session_new:
            return M(password_client_session_new, APP_ID, p, email, password, NULL, o, error);
        case F_password_server_session_new:
            return M(password_server_session_new, APP_ID, s, email, password, "photos", o, error);
        case F_refresh_session_new: return M(refresh_session_new, APP_ID, p, s, refresh, o, error);
        case F_refresh_client_session_new: return M(refresh_client_session_new, APP_ID, p, refresh, o, error);
        case F_refresh_server_session_new: return M(refresh_server_session_new, APP_ID, s, refresh, o, error);
        case F_stored_session_new: return M(stored_session_new, APP_ID, p, s, tokens, o, error);
        default: return 0;
    }
}

void session_replace(unsigned slot) {
    char text[2000], *error = poison;
    enum function function = F_public_session_new + drawn(F_stored_session_new + 1 - F_public_session_new);
    int platform = (int)drawn(2);
    choose_options(text, sizeof text, platform);
    uint64_t session = session_new(function, text, platform, &error);
    bool may_fail = strstr(text, "no_such") != NULL;
    settled_error(function, error, session == 0, may_fail ? BIT(MAILRU_INVALID_ARGUMENT) : BIT(MAILRU_OK));
    uint64_t old = atomic_exchange_explicit(&sessions[slot], session, memory_order_relaxed);
    M(session_free, old);
    if (drawn(4) == 0) {
        int32_t code = POISONED;
        M(session_free, old);
        SETTLED(tokens, M(tokens, old, &code), BIT(MAILRU_INVALID_HANDLE));
    }
}

static void catalogues(void) {
    int32_t code;
    SETTLED(errors, M(errors, &code), BIT(MAILRU_OK));
    SETTLED(methods, M(methods, &code), BIT(MAILRU_OK));
    if (M(abi_version) != MAILRU_ABI_VERSION || strlen(M(version)) < 5) violated("another version");
    if (strcmp(M(code_name, MAILRU_TIMEOUT), "MAILRU_TIMEOUT") != 0) violated("another name");
    M(code_name, (int32_t)drawn(200) - 50);
}

static void read_errors(void) {
    static const char *const errors[] = {
        "{\"error\":{\"error_code\":102,\"error_msg\":\"no\"}}", "{\"error\":{\"error_code\":-21,\"error_msg\":\"no\"}}",
        "{\"error\":\"x\"}", "{}", "[1", "", NULL};
    const char *error = ONE_OF(errors);
    int32_t code = POISONED;
    char *text = M(error_message, error, &code);
    /* A text, or an error of its own. */
    fits(F_error_message, code, BIT(MAILRU_OK) | BIT(MAILRU_INVALID_ARGUMENT));
    if (!text) violated("no message");
    M(string_free, text);
    M(error_number, error);
    M(error_transient, error);
}

static void addresses(void) {
    static const char *const redirects[] = {
        "http://localhost/cb?code=1&state=s", "http://localhost/cb#access_token=1&state=s&expires_in=60",
        "http://localhost/cb?error=access_denied", "http://localhost/cb?code=1&code=2", "x", "", NULL};
    static const char *const states[] = {"s", "other", "", NULL};
    static const char *const texts[] = {"423004", "http://localhost/cb", "code", "photos", "", "\xff", NULL};
    int32_t code;
    SETTLED(parse_redirect, M(parse_redirect, ONE_OF(redirects), ONE_OF(states), &code), LOCAL | BIT(MAILRU_OAUTH_ERROR));
    SETTLED(authorize_url, M(authorize_url, ONE_OF(texts), ONE_OF(texts), ONE_OF(texts), ONE_OF(texts), ONE_OF(states), &code), LOCAL);
    SETTLED(authorize_url_at, M(authorize_url_at, ONE_OF(redirects), "423004", "http://localhost/cb", NULL, ONE_OF(texts), NULL, &code), LOCAL);
}

static void checks(void) {
    static const char *const params[] = {
        "{\"app_id\":\"423004\",\"transaction_id\":\"1\",\"service_id\":\"2\",\"uid\":\"3\",\"mailiki_price\":\"4\",\"sig\":\"5\"}",
        "{\"app_id\":\"1\",\"vid\":\"2\",\"oid\":\"2\",\"session_key\":\"k\",\"is_app_user\":\"1\",\"sig\":\"5\"}",
        "{\"a\":[1]}", "{}", "{", "", NULL};
    static const char *const queries[] = {"app_id=1&vid=2&sig=3", "app_id=1&app_id=2", "%", "", NULL};
    static const char *const kinds[] = {"payment", "launch", "cookie", "launch_by_key", "other", NULL};
    static const char *const keys[] = {SECRET_KEY, "", NULL};
    const uint64_t allowed = LOCAL | BIT(MAILRU_SIGNATURE_MISMATCH);
    int32_t code;
    SETTLED(verify, M(verify, ONE_OF(keys), ONE_OF(params), &code), allowed);
    SETTLED(verify_launch, M(verify_launch, ONE_OF(keys), ONE_OF(params), &code), allowed);
    SETTLED(verify_query, M(verify_query, ONE_OF(kinds), ONE_OF(keys), ONE_OF(queries), &code), allowed);
}

/* A function that needs no session and no network. */
void helper(void) {
    static void (*const all[])(void) = {catalogues, read_errors, addresses, checks};
    ONE_OF(all)();
}
