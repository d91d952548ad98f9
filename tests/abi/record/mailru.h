/*
 * libmailru: the Mail.ru platform's REST API for programs in any language.
 *
 * This header is generated from the library's source; do not edit it.
 *
 * A FIRST PROGRAM
 *
 *     #include <mailru.h>
 *     #include <stdio.h>
 *
 *     int main(void) {
 *         mailru_session session = mailru_client_session_new(
 *             "423004", "7815696ecbf1c96e6894b779456d330e",
 *             "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817", NULL, NULL);
 *         int32_t code;
 *         char *json = mailru_call(session, "friends.get", "{\"ext\":1}", &code);
 *         printf("%s: %s\n", mailru_code_name(code), json);
 *         mailru_string_free(json);
 *         mailru_session_free(session);
 *         return code != MAILRU_OK;
 *     }
 *
 * Compile it with: cc first.c -lmailru
 *
 * ANSWERS AND ERRORS
 *
 * A function with a JSON result returns it both on success and on failure, and stores a code in
 * *code. The JSON of every failure has the form {"error":{"error_code":N,"error_msg":"...",...}}.
 * With MAILRU_API_ERROR it is the platform's own object, byte for byte, with the platform's number;
 * with any other code, N is minus the code and these members may follow:
 *
 *     transient    always there: whether the same call may succeed later, true or false
 *     argument     the argument, option or parameter that was wrong
 *     sent         with MAILRU_EMPTY_RESPONSE to MAILRU_OUT_OF_MEMORY, whatever became of a request: false
 *                  only if no byte of it can have reached a server, so that even a write may be made again
 *     http_status  the status of the answer
 *     retry_after_ms  how long to wait before the next request, if the server said so
 *     field        what an answer lacks
 *     oauth        the authorization server's refusal, as it came
 *     platform     an answer whose "error" is of an unknown shape (MAILRU_API_ERROR, too)
 *
 * A program that retries failed calls checks both members: it may retry a read if transient is
 * true, a write only if sent is false as well. A request that was sent and not answered may have
 * been carried out. For programs without a JSON parser there are mailru_error_number,
 * mailru_error_transient and mailru_error_message, which read the platform's errors as well.
 *
 * A call returns everything about itself: there is no "last error", and nothing is tied to a
 * thread. No error or log line contains a key, token, password or signature.
 *
 * WHICH CONSTRUCTOR for which program
 *
 *     what it begins with                 mailru_..._session_new      signs     tokens are renewed
 *     nothing, reads public pages         public                      nothing   it has none
 *     a launch inside the platform        client, with session_key    client    no: they live as long as the page
 *       (checked by mailru_verify_query)    and vid of the launch
 *     a server that calls for users       server                      server    no
 *       whom the parameter uid names
 *     a login on a site, by its code      code_server                 server    yes
 *     a login in a desktop program        code_client; with tokens    client    yes; with the option
 *                                           in the redirect client                refresh_token
 *     an e-mail and a password, in an     password_client             client    yes, else with the password
 *       approved native program
 *     a refresh token alone               refresh_client or _server   either    yes
 *     tokens stored before a restart      stored                      either    yes
 *
 * A constructor without _client or _server takes both keys and signs as they and the uid allow at each call:
 * client-server with uid and private_key, else server-server with secret_key. secret_key stays on the application's
 * server. Wherever tokens are renewed the newest have to be kept, by mailru_session_on_token or the option token_file.
 *
 * OWNERSHIP
 *
 * Strings that the library returns are released with mailru_string_free, never with free(), unless
 * their function says that they are static. Strings that come in are NUL-terminated UTF-8 and are not
 * used after the function has returned. Out-parameters may be NULL and are written on every path.
 *
 * HANDLES
 *
 * A handle is a number below 2^53, never an address; 0 is none. A freed, foreign or made-up handle is
 * answered with MAILRU_INVALID_HANDLE. Freeing twice is harmless, and so is freeing during calls on
 * other threads: they end with their answer or as MAILRU_CANCELLED. Numbers are not used again.
 *
 * THREADS
 *
 * Any function may be called from any thread at any time, and one session serves many threads at
 * once. A call needs 64 KiB of the thread's stack, and what its callbacks need. The library's own
 * threads have 2 MiB each and block every signal.
 *
 * A thread inside the library is not cancelled: pthread_cancel takes effect when the function has
 * returned. A thread whose cancellation is asynchronous may not call the library.
 *
 * CALLBACKS
 *
 * A callback must return. Leaving it by a C++ exception, longjmp, pthread_exit, a cancellation or
 * otherwise ends the process, with the GNU C library at once and with a line on stderr that says
 * why. A jump within the callback is allowed. A host that ends its threads when it shuts down, such
 * as Python, must first remove its callbacks and wait until they are released.
 *
 * Callbacks run on threads of the library. A host that no other thread may enter, such as PHP or
 * LuaJIT, sets the option callbacks_in_calls, and adds MAILRU_LOG_IN_CALLS to the level of
 * mailru_set_log. Then callbacks run only on the thread that sets them, and only while it is inside
 * the library: when it enters or leaves a function that returns JSON, a handle or a code, and while
 * it waits for a token or in mailru_queue_next. The descriptors that the thread got from
 * mailru_queue_fd are readable while callbacks wait for it. New tokens are used when the callback
 * has returned, so calls of other threads wait for the thread; the token file has them already. A
 * renewal whose callback is not called within 30 seconds, or timeout_ms if that is longer, fails
 * without a request. A thread that ends is told nothing more. After a callback was replaced or
 * removed on its thread, it is not called again, not even for the end of a renewal. Inside a
 * callback no other runs, unless it waits. release runs on that thread as well, or on the one that
 * used user_data last if that thread has ended.
 *
 * FORK
 *
 * After a fork the child may continue to use its sessions: it makes its own connections. Queues
 * work only in the parent. Every kind of fork is noticed, also one without pthread_atfork or in a
 * signal handler.
 *
 * SIGNALS
 *
 * The library installs no signal handler, and none of its writes raises SIGPIPE. A signal handler
 * may call mailru_version, mailru_abi_version and mailru_code_name, and no other function:
 * mailru_cancel_fire takes locks too. To end calls at a signal, have a thread wait for it with
 * sigwait, or write to a pipe in the handler, and call mailru_cancel_fire or mailru_session_cancel
 * outside of it.
 *
 * PROCESS
 *
 * The process may end at any time, even during calls. Functions may still be called in exit
 * handlers and in destructors of thread-specific data. Once loaded, the library stays loaded:
 * dlclose and FreeLibrary do not unload it. It prints nothing except the line named above.
 *
 * A large allocation that fails (parameters, an upload, an answer) is MAILRU_OUT_OF_MEMORY. If the
 * system has no memory for a small one, up to 64 KB, the library takes it from a reserve of 1 MB of
 * its own, so that the calls under way end properly; new calls, sessions and queues are
 * MAILRU_OUT_OF_MEMORY until the system has memory again. If the reserve is used up as well, or there
 * are not even some hundred bytes for a thread that starts, the process ends, as with every library
 * in Rust: no function returns NULL for that.
 *
 * The environment is never changed. Constructors read the proxy variables, which are used only with
 * "proxy":"env". With "tls_roots":"system" a session's first TLS connection reads SSL_CERT_FILE and
 * SSL_CERT_DIR, except on Windows, macOS and Android. No other variables are read, and no other
 * thread may change the environment meanwhile. In a program with more rights than its user
 * (set-uid, set-gid, capabilities) none of these variables has an effect. The locale is neither
 * read nor changed, and texts are English.
 *
 * OPTIONS of the constructors: a JSON object, NULL or ""; an unknown name or a wrong value is an error
 *
 *     pass_error            false                                 any JSON body is MAILRU_OK
 *     api_url               https://appsmail.ru/platform/api      the address of signed calls
 *     public_url            https://appsmail.ru/platform          the address of mailru_public
 *     token_url             the grant's own                       the address of token requests
 *     client_secret         secret_key, else private_key          sent as client_secret
 *     refresh_token         none                                  token sessions: renews the token
 *     expires_in            none                                  token sessions: the token's life in seconds
 *     token_file            none                                  processes share tokens in this file
 *     auto_refresh          true                                  renew tokens automatically
 *     timeout_ms            30000                                 the limit of a whole call
 *     connect_timeout_ms    10000                                 the limit of making a connection
 *     retries               2                                     the maximum number of retries
 *     retry_delay_ms        200                                   the first pause; later ones are longer
 *     max_response_bytes    16777216                              the largest answer, decompressed
 *     get_limit             4096                                  the longest request line sent as GET
 *     max_idle_connections  16                                    connections kept for later calls
 *     user_agent            mailru/<version>                      the User-Agent header
 *     proxy                 none                                  http://... or socks5://..., or "env"
 *     tls_roots             webpki                                or "system": the trusted authorities
 *     ca_file               none                                  a PEM file of authorities to trust instead
 *     max_calls_per_second  none                                  one rate limit for all sessions with this app_id
 *     callbacks_in_calls    false                                 callbacks only on the thread that sets them
 *     allow_http            false                                 allow plain http to other machines
 *
 * timeout_ms limits a whole call, with retries and renewals. A request is retried only if that
 * cannot perform a write twice; the server's Retry-After replaces the pause. Redirects are not
 * followed. Plain http is allowed only to this machine, unless allow_http is true, and to this
 * machine it uses no proxy. The proxy "env" is read from https_proxy or HTTPS_PROXY for https,
 * http_proxy for plain http, else all_proxy or ALL_PROXY, with the exceptions in no_proxy or
 * NO_PROXY: domains, host:port, addresses, networks as 10.0.0.0/8, *.
 *
 * ERRORS OF THE PLATFORM (MAILRU_API_ERROR) by number, with what to do; mailru_errors tells the same as JSON
 *
 *       1  unknown error
 *          Repeat the call; a method that writes may have done its work all the same, so look first.
 *       2  unknown method
 *          Check the method's name; mailru_methods lists those that are known.
 *       3  the service is unavailable
 *          Repeat the call after a pause; nothing was done.
 *       4  the method is deprecated
 *          Use another method.
 *       5  the application is not installed for the user (an old number, seen in one client only)
 *          Have the user install the application.
 *     100  a parameter is missing or invalid
 *          Compare the parameters with the method's description; the message may name the one that is
 *          wrong.
 *     102  the session key or the uid is incorrect, or the session key has expired
 *          Sessions with a refresh token renew it and repeat the call by themselves; else have the user
 *          log in again, and check the uid.
 *     103  the application id is incorrect
 *          Check app_id.
 *     104  the signature is incorrect
 *          Check private_key, secret_key and uid; mailru_sign shows the text that is hashed.
 *     105  the application is not installed for the user
 *          Have the user install the application.
 *     200  the application lacks the permission
 *          Ask the user for the privilege: it belongs into the scope of the login.
 *     201  the rate limit is exceeded
 *          Make fewer calls: the option max_calls_per_second spreads them; then repeat the call.
 *     202  access to this object is denied
 *          The page is closed to this user, or the user is on its black list.
 *     301  payments are disabled (seen in one client only)
 *          Look into the application's settings.
 *     401  the request is invalid (seen in one client only)
 *          Compare the parameters with the method's description.
 *     501  the image is incorrect or inaccessible
 *          Check the file, or that the platform can read img_url.
 */

#ifndef MAILRU_H
#define MAILRU_H

#include <stddef.h>
#include <stdint.h>

/* Success: the JSON is the answer. */
#define MAILRU_OK 0

/* An argument is NULL, not UTF-8, malformed or wrongly typed JSON, an unknown option or a reserved parameter; `argument` names it. */
#define MAILRU_INVALID_ARGUMENT 1

/* The handle was freed, is of another kind, or was never given out. */
#define MAILRU_INVALID_HANDLE 2

/* The session can sign neither way: it has neither uid and private_key nor secret_key. */
#define MAILRU_SIGNATURE_UNDEFINED 3

/* mailru_verify, mailru_verify_launch, mailru_verify_query: the signature is not the platform's, or could be another request's. */
#define MAILRU_SIGNATURE_MISMATCH 4

/* A call that needs the token, or its submission to a queue, inside a callback on the thread that fetches its session's tokens. */
#define MAILRU_REENTERED 5

/* The platform answered with an error; the JSON is the platform's own. */
#define MAILRU_API_ERROR 10

/* The authorization server refused (`oauth` holds its answer), or its answer lacks a field (`field` names it). */
#define MAILRU_OAUTH_ERROR 11

/* A 2xx answer has no body, or is {} or null. */
#define MAILRU_EMPTY_RESPONSE 12

/* The answer is not JSON, not UTF-8, nested too deep, or cut off. */
#define MAILRU_MALFORMED_RESPONSE 13

/* The answer is larger than max_response_bytes after decompression. */
#define MAILRU_RESPONSE_TOO_LARGE 14

/* The status is not a 2xx and the body is not a platform error; also redirects. */
#define MAILRU_HTTP_ERROR 15

/* Resolving, connecting or the connection itself failed. */
#define MAILRU_NETWORK_ERROR 20

/* The time limit passed. */
#define MAILRU_TIMEOUT 21

/* The certificate or the handshake was refused. */
#define MAILRU_TLS_ERROR 22

/* The call, its session or its queued tag was cancelled, or its session freed. */
#define MAILRU_CANCELLED 23

/* A large buffer or a thread could not be allocated, or no memory is left for a new call. */
#define MAILRU_OUT_OF_MEMORY 24

/* The queue is full; take completions first. */
#define MAILRU_QUEUE_FULL 30

/* No submission completed within the wait. */
#define MAILRU_QUEUE_EMPTY 31

/* A bug in this library; the host is unharmed. */
#define MAILRU_INTERNAL_ERROR 99


/*
 The number of the binary interface. It changes only when programs that were linked against an
 earlier one would break; mailru_abi_version returns the library's own.
 */
#define MAILRU_ABI_VERSION 0

/*
 Added to the level of mailru_set_log: the callback runs only on the thread that sets it, inside its
 calls of the library, see CALLBACKS. The lines of other threads are kept until then, in order, and at
 most 1000 of them: the oldest are dropped, and counted in a line "event=dropped_lines lines=7".
 */
#define MAILRU_LOG_IN_CALLS 256

/*
 A session: a number, 0 is none.
 */
typedef uint64_t mailru_session;

/*
 A cancel handle: a number, 0 is none.
 */
typedef uint64_t mailru_cancel;

/*
 Called with each new set of tokens, as the JSON of mailru_tokens, before any of them is used, so
 that the host can store them. A member is null if the answer lacked it. tokens_json is valid until
 the function returns.

 Runs on a thread of the library, unless the session has callbacks_in_calls. mailru_tokens may be
 called in it; a call that needs the session's token, or its submission to a queue, fails with
 MAILRU_REENTERED. That is noticed only on this thread, which also runs the log, renewal and release
 callbacks of the same renewal. A call on another thread waits for this function to return, so do not
 wait for such a call here.
 It must return: leaving it by an exception, longjmp, pthread_exit or otherwise ends the process.
 */
typedef void (*mailru_token_callback)(void *user_data, const char *tokens_json);

/*
 Called once, when user_data will not be used again; may be NULL. Runs on the thread that used
 user_data last, which may be a thread of the library. It must return: leaving it by an exception,
 longjmp, pthread_exit or otherwise ends the process.
 */
typedef void (*mailru_release_callback)(void *user_data);

/*
 Called around a renewal: phase is 1 before its request and 0 when the renewal has ended. Runs on a
 thread of the library, with the rules of mailru_token_callback; mailru_session_set_tokens may be
 called in it.
 */
typedef void (*mailru_renewal_callback)(void *user_data, int32_t phase);

/*
 A queue of calls: a number, 0 is none.
 */
typedef uint64_t mailru_queue;

/*
 Called with one line of the log and its level: 1 error, 2 warning, 3 info, 4 debug. message is valid
 until the function returns. Runs on the thread that logs the line, which may be one of the
 library's, unless MAILRU_LOG_IN_CALLS is given; several threads may run it at once. Calls of the
 library made in it are not logged. It must return: leaving it by an exception, longjmp, pthread_exit
 or otherwise ends the process.
 */
typedef void (*mailru_log_callback)(void *user_data, int32_t level, const char *message);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 Makes a session for mailru_public only: signed calls are MAILRU_SIGNATURE_UNDEFINED.

 options_json: a JSON object of options; NULL or empty for the defaults. An unknown name or a wrong
 value is an error that names it.
 error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It may
 be NULL.
 Returns a handle to be released with mailru_session_free, or 0 on failure. No constructor uses the
 network or blocks.
 */
mailru_session mailru_public_session_new(const char *options_json,
                                         char **error);

/*
 Makes a session with an existing access token. Its circuit is chosen at each call: client-server if
 uid and private_key are given, else server-server if secret_key is given, else the call is
 MAILRU_SIGNATURE_UNDEFINED.

 app_id: the application's id; required.
 private_key, secret_key, uid: NULL means the same as empty, not given.
 access_token: required; empty for calls that need no session_key.
 With the options refresh_token and expires_in the session renews the token by itself. on_token
 (mailru_session_on_token): with the option refresh_token each renewal brings tokens that replace
 those of the program; without it the callback is not called.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_token_session_new(const char *app_id,
                                        const char *private_key,
                                        const char *secret_key,
                                        const char *access_token,
                                        const char *uid,
                                        const char *options_json,
                                        char **error);

/*
 Makes a session with an existing access token, for the client-server circuit and the user uid.

 app_id, private_key: required and not empty.
 access_token: required; empty for calls that need no session_key.
 uid: the session user's id; NULL or empty makes calls MAILRU_SIGNATURE_UNDEFINED.
 on_token: as for mailru_token_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_client_session_new(const char *app_id,
                                         const char *private_key,
                                         const char *access_token,
                                         const char *uid,
                                         const char *options_json,
                                         char **error);

/*
 Makes a session for the server-server circuit. secret_key must never leave the application's server.

 app_id, secret_key: required and not empty.
 access_token: required; empty if calls name their user by the parameter uid, or need no user.
 on_token: as for mailru_token_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_server_session_new(const char *app_id,
                                         const char *secret_key,
                                         const char *access_token,
                                         const char *options_json,
                                         char **error);

/*
 Makes a session that exchanges the code of a redirect for tokens, on the first call that needs them
 or in mailru_authorize. The code is sent once. The circuit is chosen as for
 mailru_token_session_new, with the uid that the tokens bring.

 app_id: required. private_key, secret_key: NULL means the same as empty, not given.
 code: from mailru_parse_redirect; required and not empty.
 redirect_uri: the same as was given to mailru_authorize_url; required and not empty. on_token
 (mailru_session_on_token): set it before the first call. The code works once: a program that neither
 stores its tokens nor has a token_file needs a new login after a restart.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_code_session_new(const char *app_id,
                                       const char *private_key,
                                       const char *secret_key,
                                       const char *code,
                                       const char *redirect_uri,
                                       const char *options_json,
                                       char **error);

/*
 As mailru_code_session_new, for the client-server circuit.

 app_id, private_key, code, redirect_uri: required and not empty.
 on_token: as for mailru_code_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_code_client_session_new(const char *app_id,
                                              const char *private_key,
                                              const char *code,
                                              const char *redirect_uri,
                                              const char *options_json,
                                              char **error);

/*
 As mailru_code_session_new, for the server-server circuit.

 app_id, secret_key, code, redirect_uri: required and not empty.
 on_token: as for mailru_code_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_code_server_session_new(const char *app_id,
                                              const char *secret_key,
                                              const char *code,
                                              const char *redirect_uri,
                                              const char *options_json,
                                              char **error);

/*
 Makes a session that exchanges the user's e-mail and password for tokens, on the first call that
 needs them or in mailru_authorize. The platform allows this only for native applications approved by
 a moderator. The circuit is chosen as for mailru_token_session_new.

 app_id: required. private_key, secret_key: NULL means the same as empty, not given.
 email, password: required and not empty.
 scope: privileges separated by spaces; NULL or empty is the full scope,
 "photos guestbook stream messages events".
 on_token (mailru_session_on_token): called with the first tokens and with each renewal's. A program that stores
 them need not keep the password, and begins with mailru_stored_session_new after a restart.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_password_session_new(const char *app_id,
                                           const char *private_key,
                                           const char *secret_key,
                                           const char *email,
                                           const char *password,
                                           const char *scope,
                                           const char *options_json,
                                           char **error);

/*
 As mailru_password_session_new, for the client-server circuit.

 app_id, private_key, email, password: required and not empty. scope: may be NULL.
 on_token: as for mailru_password_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_password_client_session_new(const char *app_id,
                                                  const char *private_key,
                                                  const char *email,
                                                  const char *password,
                                                  const char *scope,
                                                  const char *options_json,
                                                  char **error);

/*
 As mailru_password_session_new, for the server-server circuit.

 app_id, secret_key, email, password: required and not empty. scope: may be NULL.
 on_token: as for mailru_password_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_password_server_session_new(const char *app_id,
                                                  const char *secret_key,
                                                  const char *email,
                                                  const char *password,
                                                  const char *scope,
                                                  const char *options_json,
                                                  char **error);

/*
 Makes a session that exchanges a stored refresh token for new tokens, on the first call that needs
 them or in mailru_authorize. The circuit is chosen as for mailru_token_session_new.

 app_id: required. private_key, secret_key: NULL means the same as empty, not given.
 refresh_token: required and not empty.
 on_token (mailru_session_on_token): set it before the first call. The server may end a refresh token when it is
 used, so the one given here is worthless from then on, and the new one has to be stored in its place.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_refresh_session_new(const char *app_id,
                                          const char *private_key,
                                          const char *secret_key,
                                          const char *refresh_token,
                                          const char *options_json,
                                          char **error);

/*
 As mailru_refresh_session_new, for the client-server circuit.

 app_id, private_key, refresh_token: required and not empty.
 on_token: as for mailru_refresh_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_refresh_client_session_new(const char *app_id,
                                                 const char *private_key,
                                                 const char *refresh_token,
                                                 const char *options_json,
                                                 char **error);

/*
 As mailru_refresh_session_new, for the server-server circuit.

 app_id, secret_key, refresh_token: required and not empty.
 on_token: as for mailru_refresh_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_refresh_server_session_new(const char *app_id,
                                                 const char *secret_key,
                                                 const char *refresh_token,
                                                 const char *options_json,
                                                 char **error);

/*
 Makes a session with stored tokens, after a restart of the program. The circuit is chosen as for
 mailru_token_session_new, with the stored uid. An access token that has expired, or is missing, is
 renewed with the refresh token on the first call that needs it.

 app_id: required. private_key, secret_key: NULL means the same as empty, not given.
 tokens_json: the JSON passed to the token callback or returned by mailru_tokens, with access_token,
 refresh_token or both; unknown members are ignored. NULL or empty if the option token_file names a
 file that holds tokens. Of the two sets the one that expires later is used; if that is unknown, the
 file's.
 on_token (mailru_session_on_token): called with each renewal's tokens, which replace the stored ones.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_stored_session_new(const char *app_id,
                                         const char *private_key,
                                         const char *secret_key,
                                         const char *tokens_json,
                                         const char *options_json,
                                         char **error);

/*
 Calls a method of the platform and waits for its answer.

 session: a handle from one of the constructors.
 method: any name of dotted letters, digits and underscores, such as "friends.get".
 params_json: a JSON object of the method's parameters; NULL or empty for none. A string is sent as it
 is, a number exactly as written, true and false as 1 and 0; null leaves the parameter out; an
 array of these is joined by commas; anything else is sent as compact JSON. Names are letters,
 digits, _, -, ., [ and ]. The names method, app_id, session_key, secure, sig and cb are the
 library's own and refused, in any case and before a [ or . as well; format may only be "json".
 A parameter's name must come from the program and never from a user.
 The attack: a user who may choose a name adds uid and so decides for whom the call is made.
 code: receives the outcome's code; may be NULL.
 Returns the platform's own JSON, byte for byte, or on failure the error's JSON: in both cases to
 be released with mailru_string_free; never NULL.

 Blocks until the answer is there, at most for the option timeout_ms, retries and the renewal of
 the token included. mailru_session_cancel and mailru_session_free from another thread end it.
 Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_INVALID_HANDLE, MAILRU_SIGNATURE_UNDEFINED,
 MAILRU_REENTERED, and all from MAILRU_API_ERROR to MAILRU_CANCELLED.
 */
char *mailru_call(mailru_session session,
                  const char *method,
                  const char *params_json,
                  int32_t *code);

/*
 As mailru_call, with a time limit and a cancel handle for this call: for a Go context, an abort
 signal or a task that can be cancelled.

 timeout_ms: the time limit of this call in milliseconds; 0 for the session's.
 cancel: a handle from mailru_cancel_new that may end this call, or 0 for none. Everything else is as
 for mailru_call. A negative timeout_ms is MAILRU_INVALID_ARGUMENT. If the cancel handle was fired,
 the call is MAILRU_CANCELLED at once.
 */
char *mailru_call_within(mailru_session session,
                         const char *method,
                         const char *params_json,
                         int64_t timeout_ms,
                         mailru_cancel cancel,
                         int32_t *code);

/*
 Calls a method with a file, as multipart/form-data: photos.upload, guestbook.post.

 session, method, params_json, code, the result and the codes: as for mailru_call.
 field: the form field of the file, such as "img_file"; it is not signed. It may not have the name
 of a parameter.
 file_name: the file's name. Quotation marks, backslashes and control characters in it and in field
 are percent-encoded.
 data, size: the file, read in place and not kept; data may not be NULL.
 Blocks as mailru_call does.
 */
char *mailru_upload(mailru_session session,
                    const char *method,
                    const char *params_json,
                    const char *field,
                    const char *file_name,
                    const uint8_t *data,
                    size_t size,
                    int32_t *code);

/*
 Performs any request, described as JSON, with settings that the other functions do not have.

 session: a handle from one of the constructors.
 request_json: an object with exactly one of "method" (with "params", an object, and for an upload
 "file": {"field", "name", "type"}), "public" (a path, with "params") and "authorize": true. Optional
 members timeout_ms, retries and pass_error replace the session's options. type is
 "application/octet-stream" if it is left out. An unknown member is an error that names it.
 data, size: the file of an upload, read in place and not kept; else NULL and 0.
 cancel: a handle from mailru_cancel_new that may end the request, or 0 for none.
 Returns the result and the codes of mailru_call, mailru_upload, mailru_public or mailru_authorize.
 Release it with mailru_string_free. Blocks as they do.
 */
char *mailru_request(mailru_session session,
                     const char *request_json,
                     const uint8_t *data,
                     size_t size,
                     mailru_cancel cancel,
                     int32_t *code);

/*
 Reads a public page's JSON, such as "mail/nick", which turns a page's address into a user's id.

 session: any session; nothing is signed.
 path: segments of letters, digits, '.', '_' and '-' joined by '/'; none may be "." or "..".
 params_json: a JSON object of query parameters, none of them reserved, or NULL.
 code, the result and the time limit: as for mailru_call.
 Codes: those of mailru_call except MAILRU_SIGNATURE_UNDEFINED and MAILRU_REENTERED.
 */
char *mailru_public(mailru_session session,
                    const char *path,
                    const char *params_json,
                    int32_t *code);

/*
 Returns a call as it would be sent now as GET, for finding the cause of an "Incorrect signature"
 error.

 session, method, params_json: as for mailru_call.
 Returns {"url","sig","circuit","base","params"}, where base is the text that was hashed, with
 <private_key> or <secret_key> in place of the key at its end; or the error's JSON. Release either
 with mailru_string_free. url and params contain the access token: do not log them. In the
 server-server circuit do not give url, sig or params to a browser or to a user's program.
 The attack: {"text":"hiuid=999"} has the signature of {"text":"hi","uid":"999"}. A user who chooses
 the text and gets the signature can act for user 999, and can call another method in the same way.
 Uses no network and does not block. For a session that gets its token by a grant and has none yet
 the code is MAILRU_SIGNATURE_UNDEFINED. Other codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT,
 MAILRU_INVALID_HANDLE, MAILRU_REENTERED.
 */
char *mailru_sign(mailru_session session,
                  const char *method,
                  const char *params_json,
                  int32_t *code);

/*
 Ends the running calls of a session, in any phase, within 50 ms, as MAILRU_CANCELLED. Later calls
 work. A token request continues, so that no token is lost; only the waiting for it ends.

 Returns MAILRU_OK or MAILRU_INVALID_HANDLE. Does not block.
 */
int32_t mailru_session_cancel(mailru_session session);

/*
 Frees a session. Running calls on other threads end with their answer or as MAILRU_CANCELLED; later
 uses of the handle are MAILRU_INVALID_HANDLE. A token request that was sent continues, and its
 tokens still reach the token callback.

 0, a freed handle and a handle of another kind are ignored. Does not block.
 */
void mailru_session_free(mailru_session session);

/*
 The number in an error's JSON: the platform's own, or minus this library's code, such as -21 for
 MAILRU_TIMEOUT. 0 if there is none: for NULL, for JSON that is not an error, for an error of another
 shape.

 error_json: the JSON that a function returned with a code other than MAILRU_OK, or stored in an
 error parameter. It is not released. Does not block.
 */
int64_t mailru_error_number(const char *error_json);

/*
 Whether the same call may succeed later: 1 or 0. For a platform error this is looked up in the list
 of mailru_errors. For an error that is not in the list, and for NULL, the result is 0.

 It does not say that a write may be retried: that is safe only if "sent" is false, see the top of
 this file.
 error_json: as for mailru_error_number. Does not block.
 */
int32_t mailru_error_transient(const char *error_json);

/*
 The message of an error as plain text, for a log or for display. For a platform error without a
 message it is the meaning from mailru_errors.

 error_json: as for mailru_error_number.
 code: receives MAILRU_OK, or MAILRU_INVALID_ARGUMENT for NULL and for JSON without an error; may be
 NULL.
 Returns the text, or on failure the error's JSON; release either with mailru_string_free. Does not block.
 */
char *mailru_error_message(const char *error_json,
                           int32_t *code);

/*
 The known errors of the platform: a JSON array of {code, meaning, transient, advice}, sorted by
 code.

 code: receives MAILRU_OK; may be NULL. Release the string with mailru_string_free. Does not block.
 */
char *mailru_errors(int32_t *code);

/*
 Makes a cancel handle for mailru_call_within, mailru_request and mailru_queue_request. Any number of
 calls and threads may use it.

 Returns a handle to be released with mailru_cancel_free; 0 only after a bug in this library. Does
 not block.
 */
mailru_cancel mailru_cancel_new(void);

/*
 Ends the calls that use this cancel handle, in any phase, within 50 ms, as MAILRU_CANCELLED. Later
 calls with it end at once: a fired handle cannot be reset.

 Returns MAILRU_OK or MAILRU_INVALID_HANDLE. Does not block.
 */
int32_t mailru_cancel_fire(mailru_cancel cancel);

/*
 Tells how much was sent of the bodies of all requests that use this cancel handle: for a progress
 bar, with one cancel handle for each upload.

 sent: receives the number of bytes written to the connection; may be NULL.
 total: receives the number of bytes to send, with form fields and boundaries; 0 before the first
 attempt begins. It may be NULL. A retry counts from 0 again.
 Returns MAILRU_OK or MAILRU_INVALID_HANDLE; then both are 0. Does not block.
 */
int32_t mailru_cancel_progress(mailru_cancel cancel, uint64_t *sent, uint64_t *total);

/*
 Frees a cancel handle. Calls that use it continue. 0, a freed handle and a handle of another kind
 are ignored. Does not block.
 */
void mailru_cancel_free(mailru_cancel cancel);

/*
 Obtains the tokens of a code, password or refresh session if it has none yet, and renews those of a
 session with a refresh token. A session with a password and expired tokens obtains new ones.
 Otherwise it returns the current tokens. Concurrent threads share one token request and its outcome.
 Calls do all this by themselves.

 code: receives the outcome's code; may be NULL.
 Returns the JSON of mailru_tokens, or the error's; release either with mailru_string_free.
 Blocks until the outcome is there, at most for the option timeout_ms. A token request that was sent
 continues after that for 30 seconds, or timeout_ms if that is longer, and its tokens reach the token
 callback. One of which no byte was sent ends with the session, or when the last call that waits for
 it is cancelled. After a remembered refusal the request is made again, except with a code, which is
 sent once. After a transient failure (429 or 503, for example) no request is made until the server's
 Retry-After has passed, or else a growing pause; until then the result is that failure.
 Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT (a public session), MAILRU_INVALID_HANDLE,
 MAILRU_REENTERED, MAILRU_OAUTH_ERROR, and those of mailru_call for the network and the answer.
 */
char *mailru_authorize(mailru_session session,
                       int32_t *code);

/*
 Returns the current tokens of a session at once, without network, for the host to store.

 code: receives the outcome's code; may be NULL.
 Returns {"access_token","refresh_token","expires_in","expires_at","uid","token_type","circuit"},
 null where unknown; expires_in is the lifetime in seconds as the server gave it, expires_at the end
 in seconds since 1970. Or the error's JSON. Release either with mailru_string_free.
 Codes: MAILRU_OK, MAILRU_INVALID_HANDLE.
 */
char *mailru_tokens(mailru_session session, int32_t *code);

/*
 Gives a session newer tokens, for example obtained by another process. Later calls use them, and a
 remembered refusal of the authorization server is forgotten. A renewal that waits, such as in the
 renewal callback, uses them instead of making a request.

 tokens_json: as for mailru_stored_session_new; required. Without access_token only the refresh token
 is replaced. Tokens of a user other than the session's are refused.
 error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It
 may be NULL.
 The token callback is not called. With the option token_file the tokens are written into the file.
 Returns MAILRU_OK, MAILRU_INVALID_ARGUMENT or MAILRU_INVALID_HANDLE. Does not block.
 */
int32_t mailru_session_set_tokens(mailru_session session,
                                  const char *tokens_json,
                                  char **error);

/*
 Sets the callback that receives every new set of tokens, before any of them is used, on a thread of
 the library or, with callbacks_in_calls, on this thread. It is also called for a grant that outlived
 its callers or its session, and for tokens in an answer that lacks another field. A slow callback
 delays only its own session: a call that waits too long for it is MAILRU_TIMEOUT with a message that
 says so.

 callback: replaces the one set before; NULL removes it.
 user_data: passed to the callback, never accessed by the library.
 release: called once, when user_data will not be used again: at once, or on the thread that used it
 last; also on failure; may be NULL. A host that ends foreign threads when it shuts down, such as
 Python, must first remove the callback and wait for the release.
 Returns MAILRU_OK, MAILRU_INVALID_HANDLE, or MAILRU_INVALID_ARGUMENT for a public session. Does
 not block.
 */
int32_t mailru_session_on_token(mailru_session session,
                                mailru_token_callback callback,
                                void *user_data,
                                mailru_release_callback release);

/*
 Sets the callback for renewals, with which processes that share tokens in a database or a keyring
 renew one at a time. It is called with phase 1 before the request, and always with phase 0 when the
 renewal has ended, after the token callback. In phase 1 the host takes its own lock, loads the
 stored tokens and passes them to mailru_session_set_tokens: if they are newer, no request is made.
 In phase 0 it releases the lock. A first grant by code or password is not a renewal.

 callback: replaces the one set before; NULL removes it. It runs on a thread of the library or, with
 callbacks_in_calls, on this thread.
 user_data, release, the result and the codes: as for mailru_session_on_token.
 */
int32_t mailru_session_on_renewal(mailru_session session,
                                  mailru_renewal_callback callback,
                                  void *user_data,
                                  mailru_release_callback release);

/*
 Has a token or renewal callback count as running after it has returned, for a host whose callbacks
 cannot wait: one that stores tokens by an event loop, or runs no code of its users in a callback.

 hold: 1 while a callback of this session runs, on any thread. What waits for the callback continues
 to wait: new tokens are not used, a renewal makes no request. Then 0, on any thread, when the host is
 ready; also if nothing is held. mailru_session_free ends it, too.
 A call that needs the tokens waits meanwhile, within its time limit: do not wait for one before the
 0, which the library does not notice.
 Returns MAILRU_OK, MAILRU_INVALID_HANDLE, or MAILRU_INVALID_ARGUMENT for another number, for 1
 outside of a callback, and for a public session. Does not block.
 */
int32_t mailru_session_hold(mailru_session session,
                            int32_t hold);

/*
 Makes a queue: many calls in flight for a host with few threads, such as one with an event loop.

 workers: the maximum number of calls in flight at once, at most 65536; 0 for 64. It is not a number
 of threads: on Linux a queue has one thread, on other systems at most 64. A thread is started by the
 first submission and ends after some seconds without work.
 capacity: the maximum number of submissions not yet handed out; 0 for 1024, or twice workers if that
 is more. Sessions take turns: one with many submissions does not delay others.
 error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It
 may be NULL.
 Returns a handle to be released with mailru_queue_free, or 0 on failure. Does not block.
 */
mailru_queue mailru_queue_new(uint32_t workers,
                              uint32_t capacity,
                              char **error);

/*
 Submits a call to a queue and returns at once.

 queue: the queue; any number of threads and sessions may share it.
 session, method, params_json: as for mailru_call, with the same checks.
 tag: returned with the completion, to identify it; not interpreted by the library.
 error: receives NULL, or the error's JSON if the submission was refused, to be released with
 mailru_string_free. It may be NULL.
 Returns MAILRU_OK if the submission was accepted: its completion is then handed out exactly once,
 unless the queue is freed first. Its time limit begins when the call comes into flight.
 mailru_session_cancel and mailru_session_free complete the session's submissions as
 MAILRU_CANCELLED.
 Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_INVALID_HANDLE, MAILRU_SIGNATURE_UNDEFINED,
 MAILRU_QUEUE_FULL, MAILRU_CANCELLED (the session was freed meanwhile), MAILRU_OUT_OF_MEMORY (no
 thread could be started, or no memory is left).
 */
int32_t mailru_queue_submit(mailru_queue queue,
                            mailru_session session,
                            const char *method,
                            const char *params_json,
                            uint64_t tag,
                            char **error);

/*
 Submits any request to a queue and returns at once, also uploads, public pages and authorization.

 queue, tag, error, the result and the codes: as for mailru_queue_submit.
 session, request_json, cancel: as for mailru_request, with the same checks. A timeout_ms in
 request_json begins with the submission.
 A cancel handle that was fired refuses the submission as MAILRU_CANCELLED.
 data, size: the file of an upload, copied; else NULL and 0.
 */
int32_t mailru_queue_request(mailru_queue queue,
                             mailru_session session,
                             const char *request_json,
                             const uint8_t *data,
                             size_t size,
                             mailru_cancel cancel,
                             uint64_t tag,
                             char **error);

/*
 Takes the next completion from a queue, in the order of completion.

 timeout_ms: how long to wait, in milliseconds; 0 does not wait, -1 waits until there is one, even
 while nothing is pending.
 tag: receives the submission's tag, or 0; may be NULL.
 code: receives the call's code, or the reason why there is no completion; may be NULL.
 Returns the call's result as from mailru_call, to be released with mailru_string_free; NULL with
 MAILRU_QUEUE_EMPTY. If the queue was or is freed, the error's JSON with MAILRU_INVALID_HANDLE.
 Another negative timeout_ms is MAILRU_INVALID_ARGUMENT.
 */
char *mailru_queue_next(mailru_queue queue, int32_t timeout_ms, uint64_t *tag, int32_t *code);

/*
 Completes the submissions with this tag as MAILRU_CANCELLED: waiting ones at once, running calls
 within 50 ms. Completed ones keep their outcome.

 Returns MAILRU_OK, also if no submission has the tag, or MAILRU_INVALID_HANDLE. Does not block.
 */
int32_t mailru_queue_cancel(mailru_queue queue, uint64_t tag);

/*
 A level-triggered descriptor for epoll, libuv or asyncio, readable while a completion waits. It
 belongs to the queue, which closes it: the host must neither read nor close it.

 Returns the descriptor, the same each time, or -1 on failure: an invalid handle, no free descriptor,
 or a system without descriptors (Windows), where a thread of the host calls mailru_queue_next with a
 wait instead. Does not block.
 */
int32_t mailru_queue_fd(mailru_queue queue);

/*
 Frees a queue: cancels its running calls, discards its submissions and completions, and wakes
 threads blocked in mailru_queue_next. Other calls of its sessions continue.

 0, a freed handle and a handle of another kind are ignored. Does not block.
 */
void mailru_queue_free(mailru_queue queue);

/*
 The statistics of a session since it was made, for a program's monitoring: at once, without network.

 code: receives the outcome's code; may be NULL.
 Returns a JSON object, or the error's; release either with mailru_string_free. Does not block. All
 numbers except in_flight only grow. Its members, none of which is secret; more may be added:

     "calls"               requests of the session that began: mailru_call, mailru_call_within,
                           mailru_upload, mailru_public, mailru_request, mailru_authorize, and
                           queued ones once they come into flight. A request refused for a bad
                           argument does not count.
     "in_flight"           those of them that have not ended
     "failures"            an object: how many failed with each code, such as {"MAILRU_TIMEOUT":2}.
                           Codes that did not occur are absent. All others succeeded; with
                           pass_error, these include answers with a platform error.
     "latency"             the durations of ended requests, with retries and the wait for tokens:
                           "calls", "sum_ms" (a fraction), and "buckets", an array of
                           {"le_ms","calls"}: how many took le_ms milliseconds or less, with those
                           of lower buckets. The bounds are 5, 10, 25, 50, 100, 250, 500, 1000,
                           2500, 5000, 10000, 30000 and null, which means no bound.
     "attempts"            attempted HTTP requests, with those for tokens
     "retries"             attempts after a failed one
     "grants"              sets of tokens received for a code or a password
     "renewals"            sets of tokens received for a refresh token
     "token_failures"      token requests that brought no tokens
     "connections_opened"  attempts that made a new connection, proxy and TLS included
     "connections_reused"  attempts that used a kept connection
     "bytes_out"           bytes written to connections, with those of TLS and proxies
     "bytes_in"            bytes read from connections

 Attempts are counted when they end, calls when they begin. After a fork the child's numbers begin at
 zero, so that the numbers of all processes can be added.
 Codes: MAILRU_OK, MAILRU_INVALID_HANDLE.
 */
char *mailru_stats(mailru_session session,
                   int32_t *code);

/*
 Releases a string that a function of this library returned. Never release such a string with free(),
 nor another string with this function. NULL is allowed. Does not block.
 */
void mailru_string_free(char *json);

/*
 The library's version, such as "0.1.0". Static: not to be released.
 */
const char *mailru_version(void);

/*
 The number of the library's binary interface. A program may check that it equals MAILRU_ABI_VERSION
 in the header with which it was compiled.
 */
uint32_t mailru_abi_version(void);

/*
 The name of a code, such as "MAILRU_OK"; "MAILRU_UNKNOWN_CODE" for any other number.
 Static: not to be released; never NULL.
 */
const char *mailru_code_name(int32_t code);

/*
 The catalogue of the platform's methods: a JSON array of {name, summary, write, privilege, params}.
 Other methods can be called too; they count as writing.

 code: receives MAILRU_OK; may be NULL. Release the string with mailru_string_free. Does not block.
 */
char *mailru_methods(int32_t *code);

/*
 Makes the address at which a user grants the application access; the browser is then redirected to
 redirect_uri.

 app_id, redirect_uri: required and not empty.
 response_type: "code" for sites and servers, "token" for desktop programs; NULL is "code".
 scope: privileges separated by spaces; NULL or empty leaves it out.
 state: returned with the redirect, to show that it belongs to this login; NULL leaves it out.
 Returns {"url"} or the error's JSON; release either with mailru_string_free. Does not block.
 Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT.
 */
char *mailru_authorize_url(const char *app_id,
                           const char *redirect_uri,
                           const char *response_type,
                           const char *scope,
                           const char *state,
                           int32_t *code);

/*
 As mailru_authorize_url, for an authorization server other than the platform's, such as the
 sandbox's in tests.

 address: the server's login page, such as "http://127.0.0.1:8080/oauth/authorize", without a query;
 https, or plain http to this machine. NULL means the platform's. The session for this login needs
 the option token_url of the same server. app_id, redirect_uri, response_type, scope, state, code,
 the result and the codes: as for mailru_authorize_url.
 */
char *mailru_authorize_url_at(const char *address,
                              const char *app_id,
                              const char *redirect_uri,
                              const char *response_type,
                              const char *scope,
                              const char *state,
                              int32_t *code);

/*
 Reads the address to which the browser was redirected after mailru_authorize_url.

 url: the whole address, with its query or fragment; required. Everything is read from the part that
 has state or, if neither has, from the part that has code, access_token or error.
 expected_state: the state that was sent, compared in constant time. It may not be empty. NULL skips
 the comparison, and with it the protection against forged logins.
 The attack: an attacker begins a login and makes the victim's browser open its redirect; the victim
 then works in the attacker's account, or the two accounts are joined. The attacker does not know the
 state of the victim's login: keep it in the victim's session until the redirect comes.
 Returns {"code"} for mailru_code_session_new, or the tokens in the shape of mailru_tokens for
 mailru_token_session_new, or the error's JSON. Release it with mailru_string_free. Does not block.
 Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_OAUTH_ERROR (the user or the server refused, the
 state is missing or wrong, an OAuth name is repeated, x_mailru_vid is not digits only, or there is
 neither code nor token).
 */
char *mailru_parse_redirect(const char *url,
                            const char *expected_state,
                            int32_t *code);

/*
 Checks a payment callback of the platform: sig over all other parameters with the secret key, in
 constant time. mailru_verify_query does the same for the query string as received, which is safer.

 secret_key: required and not empty.
 params_json: a JSON object of every parameter that was received; required, with sig in it. A payment
 has app_id, transaction_id, service_id, uid and a price (mailiki_price, other_price or sms_price),
 each of digits only. Names are letters, digits and _; values are strings or numbers. Refused even
 with a correct signature: a name of a launch, a cookie or a call; a value with = after a letter,
 digit or _; and an unknown name after a value that could be the beginning of that name.
 The attack: the hashed text has no separators, so the signature of a launch whose referer_type is
 "service_id=10sms_price=500..." would be correct for a payment with these parameters. The host must
 compare app_id with its own, compare service_id and the price with its list, and serve each
 transaction_id once.
 Returns {"verified":true}, or the error's JSON; release either with mailru_string_free. Does not
 block. Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument if a parameter is refused even
 with a correct signature), MAILRU_INVALID_ARGUMENT (also without sig).
 */
char *mailru_verify(const char *secret_key,
                    const char *params_json,
                    int32_t *code);

/*
 Checks the launch parameters of an embedded application: sig over the platform's own parameters, and
 authentication_key if it is present, in constant time. mailru_verify_query does the same for the
 query string as received, which is safer.

 secret_key: required and not empty.
 params_json: a JSON object of the parameters of the application's address; required, with app_id,
 vid and sig in it. The application's own parameters may stay in it; they are not checked. Refused
 even with a correct signature: app_id, vid, oid, session_expire or is_app_user that is not digits
 only; a value that contains one of the platform's names followed by =; and a name that some servers
 read as one of the platform's, such as VID or vid[].
 The attack: the hashed text has no separators, so a user can move session_expire into the value of
 referer_type without changing the signature, and the launch never expires.
 The host must compare app_id with its own and session_expire with the current time, and trust no
 parameters other than the platform's. Until it expires, anyone who saw its address can replay a
 launch.
 Returns {"verified":true}, or the error's JSON; release either with mailru_string_free. Does not
 block. Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument if a parameter is refused even
 with a correct signature), MAILRU_INVALID_ARGUMENT (also without sig, app_id or vid).
 */
char *mailru_verify_launch(const char *secret_key,
                           const char *params_json,
                           int32_t *code);

/*
 Checks a query string as received, before a server's own parser reads it.

 kind: the expected kind of query; required:
     "payment"        a payment callback, checked as by mailru_verify
     "launch"         launch parameters, checked as by mailru_verify_launch
     "cookie"         the value of the JavaScript library's cookie mrc, which has app_id and exp
     "launch_by_key"  launch parameters of early applications, without sig: authentication_key
                      alone, which proves app_id and vid and never expires
 secret_key: required and not empty.
 query: the part of the address after the "?", still percent-encoded; required. It is decoded
 strictly, and a repeated name is an error.
 Returns {"verified":true,"params","checked"}, and with session_expire or exp also "expires_at" (unix
 time) and "expired" (true or false); or the error's JSON. Release either with mailru_string_free.
 Does not block. params has the decoded parameters that were checked and no others; checked names the
 signatures that were checked: "sig", "authentication_key".
 Use only these params, and nothing else of the query. Compare app_id with your own. Serve each
 transaction_id once, because a payment can be sent again. Refuse an expired launch or cookie: until
 it expires, it can be replayed.
 The attack: in "vid=1&vid%5B%5D=2" only vid=1 is signed, but PHP reads vid=2.
 Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument if a parameter is refused even with a
 correct signature), MAILRU_INVALID_ARGUMENT (also if a required parameter is missing).
 */
char *mailru_verify_query(const char *kind,
                          const char *secret_key,
                          const char *query,
                          int32_t *code);

/*
 Sets the callback for the library's log, for the whole process. A line is one event in the form
 "event=answer session=1048741 call=3 method=friends.get attempt=1 ms=12 status=200 bytes=2048":
 session is the handle, call is the call's number in this process. Values with characters other than
 letters, digits and "-_.:/" are quoted and escaped as in JSON, so that no server can forge a line.
 The events are answer and failure (of an attempt), retry, new_tokens, no_tokens, ignored_options
 and dropped_lines; more events and values may be added. No line contains a secret.

 callback: replaces the one set before; NULL ends logging.
 user_data: passed to the callback, never accessed by the library.
 release: called once, when user_data will not be used again, also on failure; may be NULL. A host
 that ends foreign threads when it shuts down, such as Python, must first remove the callback and
 wait for the release.
 level: 0 off, 1 error, 2 warning, 3 info, 4 debug; lines up to this level are logged. Off by
 default. MAILRU_LOG_IN_CALLS may be added to it.
 Returns MAILRU_OK, or MAILRU_INVALID_ARGUMENT for another level. Does not block.
 */
int32_t mailru_set_log(mailru_log_callback callback,
                       void *user_data,
                       mailru_release_callback release,
                       int32_t level);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MAILRU_H */
