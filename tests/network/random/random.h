/*
 * A host that uses every function of the header at random, from many threads at once, and checks the laws of the contract
 * itself: which codes a function may have, the shape of errors, that each accepted submission is handed out once, that each
 * release is called once and nothing after it, and that nothing is left at the end.
 *
 * Its own records are relaxed atomics: they order nothing, so that the thread sanitizer sees what only the library orders.
 */
#ifndef RANDOM_H
#define RANDOM_H

#include <mailru.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define APP_ID "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"
#define SECRET_KEY "3dad9cbf9baaa0360c0f2ba372d25716"
#define SESSION_KEY "be6ef89965d58e56dec21acb9b62bdaa"
#define UID "1324730981306483817"

#define LIST(X)                                                                                                            \
    X(public_session_new) X(token_session_new) X(client_session_new) X(server_session_new) X(code_session_new)             \
    X(code_client_session_new) X(code_server_session_new) X(password_session_new) X(password_client_session_new)           \
    X(password_server_session_new) X(refresh_session_new) X(refresh_client_session_new) X(refresh_server_session_new)      \
    X(stored_session_new) X(call) X(call_within) X(upload) X(request) X(public) X(sign) X(session_cancel) X(session_free)  \
    X(error_number) X(error_transient) X(error_message) X(errors) X(cancel_new) X(cancel_fire) X(cancel_progress)          \
    X(cancel_free) X(authorize) X(tokens) X(session_set_tokens) X(session_on_token) X(session_on_renewal) X(session_hold) X(queue_new)     \
    X(queue_submit) X(queue_request) X(queue_next) X(queue_cancel) X(queue_fd) X(queue_free) X(stats) X(string_free)       \
    X(version) X(abi_version) X(code_name) X(methods) X(authorize_url) X(authorize_url_at) X(parse_redirect) X(verify)     \
    X(verify_launch) X(verify_query) X(set_log)

#define NUMBER(name) F_##name,
enum function { LIST(NUMBER) FUNCTIONS };
extern const char *const function_names[FUNCTIONS];

/* Calls a function of the library, and counts it. */
#define M(name, ...) (used(F_##name), mailru_##name(__VA_ARGS__))
void used(enum function function);

/* Sets of codes. */
#define BIT(code) (UINT64_C(1) << ((code) == MAILRU_INTERNAL_ERROR ? 63 : (code)))
#define LOCAL (BIT(MAILRU_OK) | BIT(MAILRU_INVALID_ARGUMENT) | BIT(MAILRU_INVALID_HANDLE))
#define SENT                                                                                                               \
    (BIT(MAILRU_EMPTY_RESPONSE) | BIT(MAILRU_MALFORMED_RESPONSE) | BIT(MAILRU_RESPONSE_TOO_LARGE) |                        \
     BIT(MAILRU_HTTP_ERROR) | BIT(MAILRU_NETWORK_ERROR) | BIT(MAILRU_TIMEOUT) | BIT(MAILRU_TLS_ERROR) |                    \
     BIT(MAILRU_CANCELLED))
#define REQUEST                                                                                                            \
    (LOCAL | SENT | BIT(MAILRU_API_ERROR) | BIT(MAILRU_OAUTH_ERROR) | BIT(MAILRU_SIGNATURE_UNDEFINED))

/* The content of out-parameters before a call: not a value of the library. */
enum { POISONED = -12345 };
extern char poison[];

/* laws.c */
void violated(const char *format, ...) __attribute__((format(printf, 1, 2)));
extern atomic_long violations;
/* Checks an outcome's code and shape; returns the JSON. */
char *judged(enum function function, char *json, int32_t code, uint64_t allowed);
/* The same, and releases it. */
void settled(enum function function, char *json, int32_t code, uint64_t allowed);
/* The same of a call that stores its code in `code`. */
#define SETTLED(name, call, allowed)                                                                                       \
    do {                                                                                                                   \
        code = POISONED;                                                                                                   \
        char *json_ = call;                                                                                                \
        settled(F_##name, json_, code, allowed);                                                                           \
    } while (0)
/* A code alone. */
void fits(enum function function, int32_t code, uint64_t allowed);
/* An error of a function with an out-parameter for it. */
void settled_error(enum function function, char *error, bool failed, uint64_t allowed);

struct listener;
struct listener *listener_new(void);
void on_token(void *listener, const char *tokens_json);
void on_renewal(void *listener, int32_t phase);
void on_log(void *listener, int32_t level, const char *message);
void on_release(void *listener);
long listeners_alive(void);

/* Queues and what was submitted to them. */
enum { QUEUES = 3 };
void queue_replace(unsigned slot);
mailru_queue queue_of(unsigned slot, uint32_t *index);
/* A tag for a submission; whether it was accepted has to be told. */
uint64_t submission_new(uint32_t index);
void submission_over(uint64_t tag, bool accepted);
void handed_out(uint32_t index, uint64_t tag);
/* Takes a completion from the queue in a slot; false if there was none. */
bool take(unsigned slot, int32_t timeout_ms);
void queues_end(void);

/* actions.c, helpers.c */
enum { SESSIONS = 12, CANCELS = 8 };
extern _Atomic uint64_t sessions[SESSIONS], cancels[CANCELS];
extern _Thread_local uint64_t randomness;
extern _Thread_local int callbacks_running;
extern const char *options[2], *refresh_tokens[2], *token_file;
/* A number below this. */
uint32_t drawn(uint32_t below);
uint64_t any_session(void);
void session_replace(unsigned slot);
void action(void);
void helper(void);
/* What a child does after a fork; returns whether everything was as it should be. */
void in_child(void);

/* What is printed at the end. */
extern atomic_long counts[FUNCTIONS], outcomes[100], accepted_sum, handed_sum, discarded_sum, listeners_sum, forks_sum, echoes_sum;

#endif
