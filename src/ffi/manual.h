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
@OPTIONS@
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
@ERRORS@
 */
