/* libmailru through its C interface: one session for all threads. */
#include "session.h"

#include <string.h>

static mailru_session session;
static const struct work *given_work;

static int begin(const struct work *work) {
    session = open_session(work, work->threads);
    given_work = work;
    return 0;
}

static void *enter(const struct work *work) {
    (void)work;
    return &session;
}

static size_t call(void *state) {
    (void)state;
    int32_t code;
    char *json = mailru_call(session, given_work->method, given_work->params, &code);
    if (code != MAILRU_OK)
        fail("mailru_call", json);
    size_t size = strlen(json);
    mailru_string_free(json);
    return size;
}

static void leave(void *state) {
    (void)state;
}

const struct peer peer = {begin, enter, call, leave, 0};
