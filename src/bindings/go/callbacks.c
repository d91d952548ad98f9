/* Between the library's callbacks and Go's exported functions, which know no const. A function of Go's is a handle of
 * runtime/cgo, a number that never is an address. */
#include "_cgo_export.h"

#ifdef _WIN32
#include <windows.h>
uintptr_t mailru_go_thread(void) { return GetCurrentThreadId(); }
#else
#include <pthread.h>
uintptr_t mailru_go_thread(void) { return (uintptr_t)pthread_self(); }
#endif

static void tokens(void *user_data, const char *tokens_json) {
    goMailruTokens((uintptr_t)user_data, (char *)tokens_json);
}

static void renewal(void *user_data, int32_t phase) { goMailruRenewal((uintptr_t)user_data, phase); }

static void log_line(void *user_data, int32_t level, const char *message) {
    goMailruLog((uintptr_t)user_data, level, (char *)message);
}

static void release(void *user_data) { goMailruRelease((uintptr_t)user_data); }

int32_t mailru_go_on_token(mailru_session session, uintptr_t function) {
    if (function == 0) {
        return mailru_session_on_token(session, NULL, NULL, NULL);
    }
    return mailru_session_on_token(session, tokens, (void *)function, release);
}

int32_t mailru_go_on_renewal(mailru_session session, uintptr_t function) {
    if (function == 0) {
        return mailru_session_on_renewal(session, NULL, NULL, NULL);
    }
    return mailru_session_on_renewal(session, renewal, (void *)function, release);
}

int32_t mailru_go_set_log(uintptr_t function, int32_t level) {
    if (function == 0) {
        return mailru_set_log(NULL, NULL, NULL, level);
    }
    return mailru_set_log(log_line, (void *)function, release, level);
}
