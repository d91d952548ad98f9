/* Between the library's callbacks and Go's exported functions, which know no const. */
#include "_cgo_export.h"

static void tokens(void *user_data, const char *tokens_json) {
    goMailruTokens((uintptr_t)user_data, (char *)tokens_json);
}

static void renewal(void *user_data, int32_t phase) { goMailruRenewal((uintptr_t)user_data, phase); }

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
