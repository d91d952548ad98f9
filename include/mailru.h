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
 * A function that answers with JSON returns it on success and on failure alike, and puts a code into
 * *code. A failure's JSON has one shape, {"error":{"error_code":N,"error_msg":"...",...}}. With
 * MAILRU_API_ERROR it is the platform's own object, byte for byte, with the platform's number; with
 * any other code, N is minus the code and these may follow:
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
 * A program that repeats failed calls looks at both: a read where transient is true, a write only
 * where sent is false, too. What was sent and not answered may have been done. For programs without a
 * JSON parser there are mailru_error_number, mailru_error_transient and mailru_error_message, which
 * read the platform's errors as well.
 *
 * Everything about a call comes back from that call: there is no "last error", and nothing is tied
 * to a thread. Keys, tokens, passwords and signatures never stand in an error or a log line.
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
 * once. A call needs 64 KiB of the thread's stack, over http and over TLS, besides what callbacks
 * need that run in it. The library's own threads have 2 MiB each and block every signal.
 *
 * A thread inside the library is not cancelled: pthread_cancel takes effect when the function has
 * returned. A thread whose cancellation is asynchronous may not call the library.
 *
 * CALLBACKS
 *
 * A callback must return. A C++ exception, longjmp, pthread_exit, a cancellation or another way out
 * of it ends the process; with the GNU C library at once, and a line on stderr says why. A jump that
 * stays within the callback is none. Hosts whose threads are ended when the host shuts down, such as
 * Python's, first remove their callbacks and wait until these are released.
 *
 * FORK
 *
 * After a fork the child may go on with its sessions: it makes connections of its own. Queues stay
 * with the parent. A fork is noticed however it is made, also without pthread_atfork and in a signal
 * handler.
 *
 * SIGNALS
 *
 * The library installs no signal handler, and none of its writes raises SIGPIPE. A signal handler may
 * call mailru_version, mailru_abi_version and mailru_code_name, and nothing else: mailru_cancel_fire,
 * too, takes locks. To end calls at a signal, have a thread wait for it with sigwait, or write to a
 * pipe in the handler, and call mailru_cancel_fire or mailru_session_cancel outside of it.
 *
 * PROCESS
 *
 * The process may end at any time, with calls under way, too; functions may still be called in exit
 * handlers and in the destructors of thread-specific data. Once loaded, the library stays loaded:
 * dlclose and FreeLibrary do not unload it. It prints nothing, but for the line named above.
 *
 * Where a large buffer cannot be had, for parameters or an answer, say, that is
 * MAILRU_OUT_OF_MEMORY. Where not even a few kilobytes are left, the process ends: no function returns
 * NULL for that.
 *
 * The environment is never changed. Constructors read the proxy variables, which are used with
 * "proxy":"env" only; with "tls_roots":"system" a session's first connection by TLS reads
 * SSL_CERT_FILE and SSL_CERT_DIR, except on Windows, macOS and Android. Nothing else is read, and no
 * other thread may change the environment meanwhile. In a program with more rights than its user
 * (set-uid, set-gid, capabilities) none of these variables has an effect. The locale is neither read
 * nor changed, and texts are English.
 *
 * OPTIONS of the constructors: a JSON object, NULL or ""; an unknown name or a wrong value is an error
 *
 *     pass_error            false                                 hand over any JSON body as MAILRU_OK
 *     api_url               https://appsmail.ru/platform/api      where signed calls go
 *     public_url            https://appsmail.ru/platform          where mailru_public reads
 *     token_url             the grant's own                       where grants and renewals go
 *     client_secret         secret_key, else private_key          what grants send as client_secret
 *     refresh_token         none                                  token sessions: renews the token
 *     expires_in            none                                  token sessions: the token's life in seconds
 *     token_file            none                                  processes share tokens in this file
 *     auto_refresh          true                                  renew tokens without being asked
 *     timeout_ms            30000                                 the limit of a whole call
 *     connect_timeout_ms    10000                                 the limit of making a connection
 *     retries               2                                     how often a request is repeated at most
 *     retry_delay_ms        200                                   the first pause; later ones are longer
 *     max_response_bytes    16777216                              the largest answer, decompressed
 *     get_limit             4096                                  the longest request line sent as GET
 *     max_idle_connections  16                                    connections kept for later calls
 *     user_agent            mailru/<version>                      the User-Agent header
 *     proxy                 none                                  http://... or socks5://..., or "env"
 *     tls_roots             webpki                                or "system": whom to trust
 *     ca_file               none                                  a PEM file of those to trust instead
 *     max_calls_per_second  none                                  calls of all sessions with this app_id wait their turn
 *     allow_http            false                                 allow plain http to other machines
 *
 * timeout_ms bounds a whole call, retries and renewals included. A request is repeated only where
 * that cannot do a write twice; Retry-After replaces the pause. Redirects are not followed. Plain http
 * goes to this machine only, unless allow_http is true, and to this machine it goes past any proxy. The
 * proxy "env" is read from https_proxy or HTTPS_PROXY for https, http_proxy for plain http, else all_proxy
 * or ALL_PROXY, with the exceptions of no_proxy or NO_PROXY: domains, host:port, addresses, networks as
 * 10.0.0.0/8, *.
 *
 * ERRORS OF THE PLATFORM (MAILRU_API_ERROR), by number; mailru_errors tells what to do about each
 *
 *       1  unknown error
 *       2  unknown method
 *       3  the service is unavailable
 *       4  the method is deprecated
 *       5  the application is not installed for the user (an old number, seen in one client only)
 *     100  a parameter is missing or invalid
 *     102  the session key or the uid is incorrect, or the session key has expired
 *     103  the application id is incorrect
 *     104  the signature is incorrect
 *     105  the application is not installed for the user
 *     200  the application lacks the permission
 *     201  the rate limit is exceeded
 *     202  access to this object is denied
 *     301  payments are disabled (seen in one client only)
 *     401  the request is invalid (seen in one client only)
 *     501  the image is incorrect or inaccessible
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

/* The status is not a 2xx and the body is no platform error; redirects end here. */
#define MAILRU_HTTP_ERROR 15

/* Resolving, connecting or the connection itself failed. */
#define MAILRU_NETWORK_ERROR 20

/* The time limit passed. */
#define MAILRU_TIMEOUT 21

/* The certificate or the handshake was refused. */
#define MAILRU_TLS_ERROR 22

/* The call, its session or its queued tag was cancelled, or its session freed. */
#define MAILRU_CANCELLED 23

/* A large buffer or a thread could not be had. */
#define MAILRU_OUT_OF_MEMORY 24

/* The queue holds as much as its capacity; take completions first. */
#define MAILRU_QUEUE_FULL 30

/* Nothing completed within the wait. */
#define MAILRU_QUEUE_EMPTY 31

/* A bug in this library; the host is unharmed. */
#define MAILRU_INTERNAL_ERROR 99


/*
 The number of the binary interface. It changes only when programs that were linked against an
 earlier one would break; mailru_abi_version tells the library's own.
 */
#define MAILRU_ABI_VERSION 0

/*
 A session: a number, 0 is none.
 */
typedef uint64_t mailru_session;

/*
 A cancel handle: a number, 0 is none.
 */
typedef uint64_t mailru_cancel;

/*
 Told of each new set of tokens, as the JSON of mailru_tokens, before any of them is used: the
 place to store them. A member is null if the answer lacked it. tokens_json is valid until the
 function returns. Runs on a thread of the library's; mailru_tokens may be called in it, while a call
 that needs the session's token, and its submission to a queue, is MAILRU_REENTERED. That is noticed
 on this thread only, where the log, renewal and release callbacks of the same renewal run, too: a
 call on another thread waits for this function to return, so do not wait for it here.
 It must return: an exception, longjmp, pthread_exit or another way out of it ends the process.
 */
typedef void (*mailru_token_callback)(void *user_data, const char *tokens_json);

/*
 Called once, when user_data will not be used again; may be NULL. Runs on the thread that used
 user_data last, which may be one of the library's. It must return: an exception, longjmp,
 pthread_exit or another way out of it ends the process.
 */
typedef void (*mailru_release_callback)(void *user_data);

/*
 Told of a renewal: phase is 1 before its request and 0 when it is over. Runs on a thread of the
 library's; the same rules hold as for mailru_token_callback, and mailru_session_set_tokens may be
 called in it.
 */
typedef void (*mailru_renewal_callback)(void *user_data, int32_t phase);

/*
 A queue of calls: a number, 0 is none.
 */
typedef uint64_t mailru_queue;

/*
 Given one line of the log, with its level: 1 error, 2 warning, 3 info, 4 debug. message is valid
 until the function returns. Runs on whichever thread the line comes from, the library's own among
 them, several at once. What it does itself by way of the library is not logged. It must return: an
 exception, longjmp, pthread_exit or another way out of it ends the process.
 */
typedef void (*mailru_log_callback)(void *user_data, int32_t level, const char *message);

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 A session for public pages: mailru_public works on it, signed calls are
 MAILRU_SIGNATURE_UNDEFINED.

 options_json: a JSON object of options; NULL or empty for the defaults. An unknown name or a wrong
 value is an error that names it.
 error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It
 may be NULL if the reason is not wanted.
 Returns a handle to be released with mailru_session_free, or 0 on failure. Neither this nor any
 other constructor touches the network, and none blocks.
 */
mailru_session mailru_public_session_new(const char *options_json, char **error);

/*
 A session with an access token that the program has already, in whichever circuit its keys and
 uid allow at each call: with uid and private_key client-server, else with secret_key
 server-server, else calls are MAILRU_SIGNATURE_UNDEFINED.

 app_id: the application's id; required.
 private_key, secret_key, uid: NULL means the same as empty, not given.
 access_token: required; empty for calls that need no session_key.
 The options refresh_token and expires_in let the session renew the token by itself.
 on_token (mailru_session_on_token): with the option refresh_token each renewal brings tokens that replace
 those that the program has; without it no tokens come, and the callback is not called.
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
 A session with an access token, signed in the client-server circuit for the user uid.

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
 A session signed in the server-server circuit with secret_key, which must never leave the
 application's server.

 app_id, secret_key: required and not empty.
 access_token: required; empty if calls name their user by the parameter uid, or need none.
 on_token: as for mailru_token_session_new.
 options_json, error and the result: as for mailru_public_session_new.
 */
mailru_session mailru_server_session_new(const char *app_id,
                                         const char *secret_key,
                                         const char *access_token,
                                         const char *options_json,
                                         char **error);

/*
 A session that trades the code of a redirect for its tokens, on the first call that needs them
 or by mailru_authorize. The code is sent once. The circuit is chosen as for
 mailru_token_session_new, with the uid that comes with the tokens.

 app_id: required. private_key, secret_key: NULL means the same as empty, not given.
 code: from mailru_parse_redirect; required and not empty.
 redirect_uri: the same as in the address that was opened; required and not empty.
 on_token (mailru_session_on_token): set it before the first call. The code works once, so the tokens that it brings
 are the only ones: a program that does not store them, or name a token_file, needs a new login after a restart.
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
 As mailru_code_session_new, signed in the client-server circuit.

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
 As mailru_code_session_new, signed in the server-server circuit.

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
 A session that trades the user's e-mail and password for its tokens, on the first call that
 needs them or by mailru_authorize. The platform allows it to native applications that a
 moderator has approved. The circuit is chosen as for mailru_token_session_new.

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
 As mailru_password_session_new, signed in the client-server circuit.

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
 As mailru_password_session_new, signed in the server-server circuit.

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
 A session that trades a refresh token, kept from an earlier session, for new tokens, on the
 first call that needs them or by mailru_authorize. The circuit is chosen as for
 mailru_token_session_new.

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
 As mailru_refresh_session_new, signed in the client-server circuit.

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
 As mailru_refresh_session_new, signed in the server-server circuit.

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
 A session that goes on with the tokens of an earlier one: the restart. The circuit is chosen as for
 mailru_token_session_new, with the uid that is stored. An access token that has expired, or is
 missing, is renewed with the refresh token on the first call that needs it.

 app_id: required. private_key, secret_key: NULL means the same as empty, not given.
 tokens_json: what the token callback was told or mailru_tokens showed, as JSON, with access_token,
 refresh_token or both; other members are ignored. NULL or empty if the option token_file names a
 file that holds tokens. Of two sets the one that ends later is used; where that is not known, the
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
 mailru_call with a time limit and a cancel handle of its own, as a Go context, an abort signal
 or a cancelled task needs it.

 timeout_ms: the limit of this call in milliseconds; 0 for the session's.
 cancel: a handle from mailru_cancel_new that may end this call, or 0 for none.
 All else is as for mailru_call. A negative timeout_ms is MAILRU_INVALID_ARGUMENT; a cancel handle
 that was fired is MAILRU_CANCELLED at once.
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
 file_name: what the file is called. Quotation marks, backslashes and controls in it and in field
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
 Performs any request, described as JSON: what the short functions leave out.

 session: a handle from one of the constructors.
 request_json: an object with exactly one of "method" (with "params", an object, and for an upload
 "file": {"field", "name", "type"}), "public" (a path, with "params") and "authorize": true. Beside
 it timeout_ms, retries and pass_error in place of the session's options. type is
 "application/octet-stream" if it is left out. An unknown member is an error that names it.
 data, size: the file of an upload, read in place and not kept; else NULL and 0.
 cancel: a handle from mailru_cancel_new that may end the request, or 0 for none.
 Returns what mailru_call, mailru_upload, mailru_public or mailru_authorize would return, with their
 codes, to be released with mailru_string_free. Blocks as they do.
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
 Codes: those of mailru_call but MAILRU_SIGNATURE_UNDEFINED and MAILRU_REENTERED.
 */
char *mailru_public(mailru_session session,
                    const char *path,
                    const char *params_json,
                    int32_t *code);

/*
 Shows a call as it would be sent now as GET: the answer to every "Incorrect signature".

 session, method, params_json: as for mailru_call.
 Returns {"url","sig","circuit","base","params"}, where base is the text that was hashed, ending in
 <private_key> or <secret_key> in place of the key; or the error's JSON. Release either with
 mailru_string_free. url and params hold the session key: they are not for logs.
 In the server circuit neither url, sig nor params may go to a browser or to a user's program.
 The attack: {"text":"hiuid=999"} has the signature of {"text":"hi","uid":"999"}. A user who chooses
 the text and gets the signature can act for user 999, and can call another method in the same way.
 Touches no network and does not block. A session that gets its token by a grant and has none yet
 is MAILRU_SIGNATURE_UNDEFINED. Other codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT,
 MAILRU_INVALID_HANDLE, MAILRU_REENTERED.
 */
char *mailru_sign(mailru_session session,
                  const char *method,
                  const char *params_json,
                  int32_t *code);

/*
 Ends the calls of a session that are under way on other threads, in whatever phase, within
 50 ms, as MAILRU_CANCELLED. Later calls work. A request to the authorization server goes on, so
 that no token is lost; only the waiting for it ends.

 Returns MAILRU_OK or MAILRU_INVALID_HANDLE. Does not block.
 */
int32_t mailru_session_cancel(mailru_session session);

/*
 Frees a session. Calls under way on other threads end with their answer or as
 MAILRU_CANCELLED; later uses of the handle are MAILRU_INVALID_HANDLE. A request to the
 authorization server that was sent goes on, and its tokens still reach the token callback.

 0, a freed handle and a handle of another kind are ignored. Does not block.
 */
void mailru_session_free(mailru_session session);

/*
 The number in an error's JSON: the platform's own, or minus the code of one of this library's, such as -21 for
 MAILRU_TIMEOUT. 0 if there is none: for NULL, for what is no error's JSON, for an error of another shape.

 error_json: what a function of this library returned beside a code other than MAILRU_OK, or through an error
 parameter. It is not released. Does not block.
 */
int64_t mailru_error_number(const char *error_json);

/*
 Whether the same call may succeed later: 1 or 0. This library's own errors say so by themselves, the platform's
 as the catalogue of mailru_errors says; an error that is not in it counts as one that stays, and so does NULL.

 It does not say that a write may be made again: that is safe only where "sent" is false, see the top of this file.
 error_json: as for mailru_error_number. Does not block.
 */
int32_t mailru_error_transient(const char *error_json);

/*
 The text of an error alone: no JSON, for a log or a user's eyes. A platform's error without a text gets the one of
 mailru_errors.

 error_json: as for mailru_error_number.
 code: receives MAILRU_OK, or MAILRU_INVALID_ARGUMENT for NULL and for what holds no error; may be NULL.
 Returns the text, or on failure the error's JSON; release either with mailru_string_free. Does not block.
 */
char *mailru_error_message(const char *error_json,
                           int32_t *code);

/*
 The platform's errors, as far as they are known: a JSON array of {code, meaning, transient, advice}, by code.

 code: receives MAILRU_OK; may be NULL. Release the string with mailru_string_free. Does not block.
 */
char *mailru_errors(int32_t *code);

/*
 A cancel handle for mailru_call_within, mailru_request and mailru_queue_request. It may serve many calls and threads.

 Returns a handle to be released with mailru_cancel_free; 0 only if something is very wrong. Does
 not block.
 */
mailru_cancel mailru_cancel_new(void);

/*
 Ends the calls that hold this cancel handle within 50 ms, in whatever phase, as MAILRU_CANCELLED,
 and later ones at once: a handle that was fired stays fired.

 Returns MAILRU_OK or MAILRU_INVALID_HANDLE. Does not block.
 */
int32_t mailru_cancel_fire(mailru_cancel cancel);

/*
 How much of the request bodies of all requests that hold this cancel handle was sent: for a
 progress bar, with a cancel handle for each upload.

 sent: receives the bytes that were handed to the connection; may be NULL.
 total: receives the bytes that there are to send, form fields and boundaries included; 0 before
 the first attempt begins. It may be NULL. A repeated attempt begins anew.
 Returns MAILRU_OK or MAILRU_INVALID_HANDLE; then both are 0. Does not block.
 */
int32_t mailru_cancel_progress(mailru_cancel cancel, uint64_t *sent, uint64_t *total);

/*
 Frees a cancel handle. Calls that hold it go on. 0, a freed handle and a handle of another
 kind are ignored. Does not block.
 */
void mailru_cancel_free(mailru_cancel cancel);

/*
 Gets the tokens of a code, password or refresh session, if it has none yet; renews those of a
 session that holds a refresh token; else answers with the tokens as they are, unless they are of no
 use any more and the session has a password. One request is made however many threads ask, and all
 get its outcome. Calls do this by themselves.

 code: receives the outcome's code; may be NULL.
 Returns the JSON of mailru_tokens, or the error's; release either with mailru_string_free.
 Blocks until the outcome is there, at most for the option timeout_ms. A request that was sent goes
 on when the waiting for it ends, for 30 seconds or timeout_ms if that is longer, and its tokens
 reach the token callback; one of which no byte was sent ends with the session, or when the last
 call that waits for it is cancelled. A remembered refusal is tried again, except for a code, which
 is sent once. After a failure that may pass (429, 503, say) the server is not asked again before
 the pause is over that it asked for, or one that grows: until then the answer is that failure.
 Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT (a public session), MAILRU_INVALID_HANDLE,
 MAILRU_REENTERED, MAILRU_OAUTH_ERROR, and those of mailru_call for the network and the answer.
 */
char *mailru_authorize(mailru_session session, int32_t *code);

/*
 Shows the tokens of a session at once, without network, for the host to store.

 code: receives the outcome's code; may be NULL.
 Returns {"access_token","refresh_token","expires_in","expires_at","uid","token_type","circuit"},
 null where unknown; expires_in is the whole lifetime in seconds as it was given, expires_at the
 end in seconds since 1970. Or the error's JSON. Release either with mailru_string_free.
 Codes: MAILRU_OK, MAILRU_INVALID_HANDLE.
 */
char *mailru_tokens(mailru_session session, int32_t *code);

/*
 Gives a session newer tokens, such as another process got: from now on its calls use them, and a
 refusal of the authorization server that it remembers is forgotten. If a renewal waits, this very
 thread's in the renewal callback included, it uses them instead of asking the server.

 tokens_json: as for mailru_stored_session_new; required. Without access_token only the refresh
 token is replaced. The tokens of another user than the session's are refused.
 error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It
 may be NULL.
 The token callback is not called. Tokens for a session with the option token_file go into the file.
 Returns MAILRU_OK, MAILRU_INVALID_ARGUMENT or MAILRU_INVALID_HANDLE. Does not block.
 */
int32_t mailru_session_set_tokens(mailru_session session, const char *tokens_json, char **error);

/*
 Has a function called for every new set of tokens, before any of them is used, on a thread of
 the library's; also for a grant that outlived its callers or its session, and for tokens that came
 in an answer that lacks something else. A slow callback delays only its own session: a call that
 waits for it to return in vain is MAILRU_TIMEOUT with a message that says so.

 callback: replaces the one set before; NULL removes it.
 user_data: handed to the callback, and never looked at.
 release: called once, when user_data will not be used again: at once, or on the thread that used
 it last; may be NULL. On failure it is called, too. A host that ends foreign threads when it shuts
 down, such as Python, removes the callback and waits for the release first.
 Returns MAILRU_OK, MAILRU_INVALID_HANDLE, or MAILRU_INVALID_ARGUMENT for a public session. Does
 not block.
 */
int32_t mailru_session_on_token(mailru_session session,
                                mailru_token_callback callback,
                                void *user_data,
                                mailru_release_callback release);

/*
 Has a function called around each renewal, so that processes that share tokens in a database or a
 keyring renew one at a time: with phase 1 before the request, with phase 0 when the renewal is over,
 always and after the token callback. In phase 1 the host takes a lock of its own, loads the stored
 tokens and hands them to mailru_session_set_tokens: if they serve, no request is made. In phase 0 it
 releases the lock. A first grant by code or password is no renewal.

 callback: replaces the one set before; NULL removes it. It runs on a thread of the library's.
 user_data, release, the result and the codes: as for mailru_session_on_token.
 */
int32_t mailru_session_on_renewal(mailru_session session,
                                  mailru_renewal_callback callback,
                                  void *user_data,
                                  mailru_release_callback release);

/*
 A queue: many calls for few threads of the host, such as the one of an event loop.

 workers: how many calls may be in flight at once, at most 65536; 0 for 64. They are no threads: on
 Linux a queue has one thread however many calls are in flight, elsewhere at most 64. It is started
 by the first submission and ends when there was nothing to do for some seconds.
 capacity: the most submissions that are not handed out yet; 0 for 1024, or twice the calls in
 flight if that is more. Sessions take turns: one with many submissions does not hold up others.
 error: receives NULL, or on failure the error's JSON, to be released with mailru_string_free. It
 may be NULL.
 Returns a handle to be released with mailru_queue_free, or 0 on failure. Does not block.
 */
mailru_queue mailru_queue_new(uint32_t workers, uint32_t capacity, char **error);

/*
 Hands a call to a queue and returns at once.

 queue: the queue; any number of threads and sessions may share it.
 session, method, params_json: as for mailru_call; what that would refuse is refused here.
 tag: comes back with the completion, to tell what it belongs to; not looked at.
 error: receives NULL, or the error's JSON if the submission was refused, to be released with
 mailru_string_free. It may be NULL.
 Returns MAILRU_OK if the submission was accepted: then it is handed out exactly once, unless the
 queue is freed first. Its time limit begins when it comes into flight. mailru_session_cancel and
 mailru_session_free complete the session's submissions as MAILRU_CANCELLED.
 Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_INVALID_HANDLE, MAILRU_SIGNATURE_UNDEFINED,
 MAILRU_QUEUE_FULL, MAILRU_CANCELLED (the session was freed meanwhile), MAILRU_OUT_OF_MEMORY (no
 thread could be started).
 */
int32_t mailru_queue_submit(mailru_queue queue,
                            mailru_session session,
                            const char *method,
                            const char *params_json,
                            uint64_t tag,
                            char **error);

/*
 Hands any request to a queue and returns at once: uploads, public pages and authorization too.

 queue, tag, error, the result and the codes: as for mailru_queue_submit.
 session, request_json, cancel: as for mailru_request; what that would refuse is refused here. A
 timeout_ms in request_json counts from the submission.
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

 timeout_ms: how long to wait for one in milliseconds; 0 does not wait, -1 waits until one comes,
 also while nothing is pending.
 tag: receives the submission's tag, or 0; may be NULL.
 code: receives the call's code, or the reason why there is no completion; may be NULL.
 Returns what mailru_call would have returned, to be released with mailru_string_free; NULL with
 MAILRU_QUEUE_EMPTY. If the queue is freed, before or meanwhile, the error's JSON with
 MAILRU_INVALID_HANDLE. Another negative timeout_ms is MAILRU_INVALID_ARGUMENT.
 */
char *mailru_queue_next(mailru_queue queue, int32_t timeout_ms, uint64_t *tag, int32_t *code);

/*
 Completes what bears this tag as MAILRU_CANCELLED: waiting submissions at once, calls under way
 within 50 ms. What has completed already keeps its outcome.

 Returns MAILRU_OK, also if nothing bears the tag, or MAILRU_INVALID_HANDLE. Does not block.
 */
int32_t mailru_queue_cancel(mailru_queue queue, uint64_t tag);

/*
 A descriptor that is readable exactly while a completion waits, for epoll, libuv or asyncio:
 level-triggered. It belongs to the queue, which closes it: the host neither reads nor closes it.

 Returns the descriptor, the same each time, or -1 on failure: a handle that is no queue, no
 descriptor left, or a system without descriptors (Windows), where a thread of the host's calls
 mailru_queue_next with a wait instead. Does not block.
 */
int32_t mailru_queue_fd(mailru_queue queue);

/*
 Frees a queue: its calls under way are cancelled, what is pending is not handed out any
 more, and threads blocked in mailru_queue_next wake. Other calls of its sessions go on.

 0, a freed handle and a handle of another kind are ignored. Does not block.
 */
void mailru_queue_free(mailru_queue queue);

/*
 What a session has done since it was made, for a program's monitoring: at once, without network.

 code: receives the outcome's code; may be NULL.
 Returns a JSON object, or the error's; release either with mailru_string_free. Does not block. Numbers only grow,
 but for in_flight. Its members, to which more may join, and none of which tells a secret:

     "calls"               requests of the session that began: mailru_call, mailru_call_within, mailru_upload,
                           mailru_public, mailru_request, mailru_authorize, and queued ones once they come into
                           flight. What an argument's error refuses is none.
     "in_flight"           those of them that are not over
     "failures"            an object: how many of them ended with which code, such as {"MAILRU_TIMEOUT":2};
                           codes that did not occur are absent. All others succeeded: with pass_error,
                           also those that the platform answered with an error.
     "latency"             how long those that are over took, retries and the wait for tokens included:
                           "calls", "sum_ms" (a fraction), and "buckets", an array of {"le_ms","calls"}: so many
                           took le_ms milliseconds or less, those of the buckets before included. The bounds are 5,
                           10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000, 30000 and null, which is none
     "attempts"            HTTP requests that were tried, those for tokens included
     "retries"             attempts that repeated one that failed
     "grants"              sets of tokens that the authorization server gave for a code or a password
     "renewals"            sets of tokens that it gave for a refresh token
     "token_failures"      requests for tokens that brought none
     "connections_opened"  attempts that made a new connection, proxy and TLS included
     "connections_reused"  attempts that used a kept one
     "bytes_out"           bytes that attempts wrote to their connections, TLS and proxies included
     "bytes_in"            bytes that they read

 Attempts are counted when they end, calls when they begin. After a fork the child's numbers begin at zero, so that
 those of all processes add up.
 Codes: MAILRU_OK, MAILRU_INVALID_HANDLE.
 */
char *mailru_stats(mailru_session session,
                   int32_t *code);

/*
 Releases a string that a function of this library returned, and no other: never with free().
 NULL is fine. Does not block.
 */
void mailru_string_free(char *json);

/*
 The library's version, such as "0.1.0". Static: not to be released.
 */
const char *mailru_version(void);

/*
 The number of the library's binary interface: a program may check that it equals
 MAILRU_ABI_VERSION of the header it was compiled with.
 */
uint32_t mailru_abi_version(void);

/*
 The name of a code, such as "MAILRU_OK"; for a number that is no code "MAILRU_UNKNOWN_CODE".
 Static: not to be released; never NULL.
 */
const char *mailru_code_name(int32_t code);

/*
 The catalogue of the platform's methods: a JSON array of {name, summary, write, privilege,
 params}. Methods that are not in it can be called as well; they count as writing.

 code: receives MAILRU_OK; may be NULL. Release the string with mailru_string_free. Does not block.
 */
char *mailru_methods(int32_t *code);

/*
 The address at which a user lets the application in; the browser is then sent to redirect_uri.

 app_id, redirect_uri: required and not empty.
 response_type: "code" for sites and servers, "token" for desktop programs; NULL is "code".
 scope: privileges separated by spaces; NULL or empty leaves it out.
 state: comes back with the redirect, to tell that it belongs to this login; NULL leaves it out.
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
 mailru_authorize_url for another authorization server than the platform's: a test's, such as the sandbox's.

 address: the server's page for logins, such as "http://127.0.0.1:8080/oauth/authorize", without a query; https, or
 plain http to this machine. NULL is the platform's. The login's session has its token_url there, too.
 app_id, redirect_uri, response_type, scope, state, code, the result and the codes: as for mailru_authorize_url.
 */
char *mailru_authorize_url_at(const char *address,
                              const char *app_id,
                              const char *redirect_uri,
                              const char *response_type,
                              const char *scope,
                              const char *state,
                              int32_t *code);

/*
 Reads the address to which the browser was sent after mailru_authorize_url.

 url: the whole address, with its query or fragment; required. Everything is taken from the one of
 these two that holds state or, without one, code, access_token or error.
 expected_state: the state that was sent, compared in constant time. It may not be empty. NULL skips
 the comparison, and with it the protection against forged logins.
 The attack: somebody begins a login of his own and has the victim's browser open its redirect; the
 victim then works in the attacker's account, or the two accounts are joined. The attacker does not
 know the state of the victim's login: keep it in the victim's session until the redirect comes.
 Returns {"code"} for mailru_code_session_new, or the tokens in the shape of mailru_tokens for
 mailru_token_session_new, or the error's JSON. Release it with mailru_string_free. Does not block.
 Codes: MAILRU_OK, MAILRU_INVALID_ARGUMENT, MAILRU_OAUTH_ERROR (the user or the server refused, the
 state is absent or another, an OAuth name is repeated, x_mailru_vid is not digits only, or there
 is neither code nor token).
 */
char *mailru_parse_redirect(const char *url, const char *expected_state, int32_t *code);

/*
 Checks a payment callback of the platform: sig over all other parameters with the secret key, in
 constant time. mailru_verify_query does the same for the query string as it came, which is safer.

 secret_key: required and not empty.
 params_json: a JSON object of every parameter that was received; required, with sig in it.
 A payment has app_id, transaction_id, service_id, uid and a price (mailiki_price, other_price or
 sms_price), each of digits only. Names are letters, digits and _; values are strings or numbers.
 Refused whatever the signature says: a name of a launch, a cookie or a call; a value with = after
 a letter, digit or _; and an unknown name after a value that could be the beginning of that name.
 The attack: the hashed text has no separators, so the signature of a launch whose referer_type is
 "service_id=10sms_price=500..." would be right for a payment of these parameters.
 The host compares app_id with its own, service_id and the price with its list, and grants each
 transaction_id once.
 Returns {"verified":true}, or the error's JSON; release either with mailru_string_free. Does not
 block. Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument where a parameter is refused
 whatever the signature says), MAILRU_INVALID_ARGUMENT (also without sig).
 */
char *mailru_verify(const char *secret_key, const char *params_json, int32_t *code);

/*
 Checks the launch parameters of an embedded application: sig over those of the platform's own
 names that are present, and authentication_key where it is present, in constant time.
 mailru_verify_query does the same for the query string as it came, which is safer.

 secret_key: required and not empty.
 params_json: a JSON object of the parameters of the application's address; required, with
 app_id, vid and sig in it. The application's own parameters may stay in it; they are not checked.
 Refused whatever the signature says: app_id, vid, oid, session_expire or is_app_user that is not
 digits only; a value that holds one of the platform's names followed by =; and a name that some
 servers read as one of the platform's, such as VID or vid[].
 The attack: the hashed text has no separators, so a user can move session_expire into the value of
 referer_type without changing the signature, and the launch has no end.
 The host compares app_id with its own and session_expire with the time, and trusts no name besides
 the platform's. Until it expires, a launch can be replayed by whoever saw its address.
 Returns {"verified":true}, or the error's JSON; release either with mailru_string_free. Does not
 block. Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument where a parameter is refused
 whatever the signature says), MAILRU_INVALID_ARGUMENT (also without sig, app_id or vid).
 */
char *mailru_verify_launch(const char *secret_key, const char *params_json, int32_t *code);

/*
 Checks a query string as it came, before a server's own parser has read it.

 kind: what the query should be; required:
     "payment"        a payment callback, checked as by mailru_verify
     "launch"         launch parameters, checked as by mailru_verify_launch
     "cookie"         the value of the JavaScript library's cookie mrc, which has app_id and exp
     "launch_by_key"  launch parameters of early applications, without sig: authentication_key
                      alone, which proves app_id and vid and never expires
 secret_key: required and not empty.
 query: what follows the "?" of the address, still percent-encoded; required. It is decoded
 strictly, and a repeated name is an error.
 Returns {"verified":true,"params","checked"}, and where there is session_expire or exp also
 "expires_at" (unix time) and "expired" (true or false); or the error's JSON. Release either with
 mailru_string_free. Does not block. params holds the decoded parameters that were checked and no
 others; checked names the proofs: "sig", "authentication_key".
 Use these params and nothing else of the query. Compare app_id with your own. Count a
 transaction_id once, since a payment can be sent again. Refuse what has expired: until then a
 launch or a cookie can be replayed.
 The attack: in "vid=1&vid%5B%5D=2" only vid=1 is signed, but PHP reads the other.
 Codes: MAILRU_OK, MAILRU_SIGNATURE_MISMATCH (with argument where a parameter is refused whatever
 the signature says), MAILRU_INVALID_ARGUMENT (also where something needed is missing).
 */
char *mailru_verify_query(const char *kind,
                          const char *secret_key,
                          const char *query,
                          int32_t *code);

/*
 Has the library's log told to a function, for the whole process. A line is one event in the form
 "event=answer session=1048741 call=3 method=friends.get attempt=1 ms=12 status=200 bytes=2048": session is the
 handle, call a number of the process. Values with other characters than letters, digits and "-_.:/" stand in
 quotation marks, escaped as in JSON, so that no server can forge a line. The events are answer and failure (of an
 attempt), retry, new_tokens, no_tokens and ignored_options; more events and values may join. Never a secret.

 callback: replaces the one set before; NULL switches the log off.
 user_data: handed to the callback, and never looked at.
 release: called once, when user_data will not be used again; may be NULL. On failure, too. A host
 that ends foreign threads when it shuts down, such as Python, removes the callback and waits for
 the release first.
 level: 0 off, 1 error, 2 warning, 3 info, 4 debug; lines up to it are told. It is off by default.
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
