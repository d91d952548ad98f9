/* libmailru's queue: one host thread hands in and takes out, the queue's one thread performs. */
#include "session.h"

#include <string.h>

static mailru_session session;
static mailru_queue queue;
static const struct work *given_work;

static void submit(void) {
    char *error;
    if (mailru_queue_submit(queue, session, given_work->method, given_work->params, 1, &error) != MAILRU_OK)
        fail("mailru_queue_submit", error);
}

static int begin(const struct work *work) {
    given_work = work;
    session = open_session(work, work->threads);
    queue = mailru_queue_new((uint32_t)work->threads, 2 * (uint32_t)work->threads + 64, NULL);
    return queue == 0;
}

/* A few calls more than can be in flight: none waits for the host. */
static void *enter(const struct work *work) {
    for (int i = 0; i < work->threads + 64; i++)
        submit();
    return &queue;
}

static size_t call(void *state) {
    (void)state;
    int32_t code;
    char *json = mailru_queue_next(queue, -1, NULL, &code);
    if (code != MAILRU_OK)
        fail("mailru_queue_next", json);
    size_t size = strlen(json);
    mailru_string_free(json);
    submit();
    return size;
}

static void leave(void *state) {
    (void)state;
    mailru_queue_free(queue);
}

const struct peer peer = {begin, enter, call, leave, 1};
