/*
 * Eight threads that call, cancel, free and make sessions at once, without coordination. Every outcome must be one
 * that the contract allows.
 */
#include "check.h"

enum { THREADS = 8, SHARED = 4, CODES = 100 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static mailru_session sessions[SHARED];
static mailru_cancel cancels[SHARED];
static mailru_queue queue;
static long outcomes[CODES];
static long accepted, handed_out;
static int64_t end_ms;

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A small random generator for each thread: the same steps in each run, interleaved differently. */
static unsigned drawn(unsigned *state, unsigned below) {
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 16) % below;
}

static uint64_t shared(uint64_t *handles, unsigned which) {
    pthread_mutex_lock(&lock);
    uint64_t handle = handles[which];
    pthread_mutex_unlock(&lock);
    return handle;
}

/* Replaces a handle that other threads may be using. */
static uint64_t replaced(uint64_t *handles, unsigned which, uint64_t handle) {
    pthread_mutex_lock(&lock);
    uint64_t old = handles[which];
    handles[which] = handle;
    pthread_mutex_unlock(&lock);
    return old;
}

static void note(const char *what, int32_t code, const int32_t *allowed, size_t count) {
    bool fine = false;
    for (size_t i = 0; i < count; i++) fine |= code == allowed[i];
    if (!check(fine, "soak: %s ended as %s (%d)", what, mailru_code_name(code), (int)code)) return;
    pthread_mutex_lock(&lock);
    outcomes[code]++;
    pthread_mutex_unlock(&lock);
}

#define NOTE(what, code, ...)                                                    \
    do {                                                                         \
        const int32_t allowed[] = {__VA_ARGS__};                                 \
        note(what, code, allowed, sizeof allowed / sizeof *allowed);             \
    } while (0)

static void call(unsigned *state) {
    static const char *const methods[] = {"friends.get", "sandbox.echoSlow", "sandbox.echoSilent", "no.such"};
    unsigned which = drawn(state, 4);
    mailru_session session = shared(sessions, drawn(state, SHARED));
    mailru_cancel cancel = drawn(state, 2) == 0 ? 0 : shared(cancels, drawn(state, SHARED));
    int32_t code = POISONED_CODE;
    char *json = mailru_call_within(session, methods[which], NULL, which == 2 ? 30 : 0, cancel, &code);
    check(json != NULL, "soak: no JSON");
    mailru_string_free(json);
    switch (which) {
        case 2: NOTE(methods[2], code, MAILRU_TIMEOUT, MAILRU_CANCELLED, MAILRU_INVALID_HANDLE); break;
        case 3: NOTE(methods[3], code, MAILRU_API_ERROR, MAILRU_CANCELLED, MAILRU_INVALID_HANDLE); break;
        default: NOTE(methods[which], code, MAILRU_OK, MAILRU_CANCELLED, MAILRU_INVALID_HANDLE);
    }
}

static void submit(unsigned *state) {
    char *error = poison;
    mailru_session session = shared(sessions, drawn(state, SHARED));
    int32_t code = mailru_queue_submit(queue, session, "sandbox.echoSlow", NULL, drawn(state, 8), &error);
    check((error == NULL) == (code == MAILRU_OK) && error != poison, "soak: %s with and without an error",
          mailru_code_name(code));
    mailru_string_free(error);
    /* MAILRU_CANCELLED: the session was freed during the submission. */
    NOTE("mailru_queue_submit", code, MAILRU_OK, MAILRU_INVALID_HANDLE, MAILRU_QUEUE_FULL, MAILRU_CANCELLED);
    if (code == MAILRU_OK) {
        pthread_mutex_lock(&lock);
        accepted++;
        pthread_mutex_unlock(&lock);
    }
}

static bool take(int32_t timeout_ms) {
    int32_t code = POISONED_CODE;
    char *json = mailru_queue_next(queue, timeout_ms, NULL, &code);
    check((json == NULL) == (code == MAILRU_QUEUE_EMPTY), "soak: %s from the queue", mailru_code_name(code));
    mailru_string_free(json);
    NOTE("mailru_queue_next", code, MAILRU_OK, MAILRU_CANCELLED, MAILRU_QUEUE_EMPTY);
    if (json == NULL) return false;
    pthread_mutex_lock(&lock);
    handed_out++;
    pthread_mutex_unlock(&lock);
    return true;
}

static void renew_session(unsigned *state) {
    mailru_session old = replaced(sessions, drawn(state, SHARED), client(NULL));
    mailru_session_free(old);
    if (drawn(state, 2) == 0) mailru_session_free(old);
    answered("soak: a freed session", mailru_sign(old, "friends.get", NULL, NULL), NULL, MAILRU_INVALID_HANDLE, NULL);
}

static void renew_cancel(unsigned *state) {
    mailru_cancel old = replaced(cancels, drawn(state, SHARED), mailru_cancel_new());
    NOTE("mailru_cancel_fire", mailru_cancel_fire(old), MAILRU_OK);
    mailru_cancel_free(old);
}

static void *work(void *argument) {
    unsigned state = *(unsigned *)argument;
    while (now_ms() < end_ms) {
        switch (drawn(&state, 10)) {
            case 0: renew_session(&state); break;
            case 1: renew_cancel(&state); break;
            case 2: {
                int32_t code = mailru_session_cancel(shared(sessions, drawn(&state, SHARED)));
                NOTE("mailru_session_cancel", code, MAILRU_OK, MAILRU_INVALID_HANDLE);
                break;
            }
            case 3: submit(&state); break;
            case 4: take(drawn(&state, 20)); break;
            case 5: {
                int32_t code = mailru_queue_cancel(queue, drawn(&state, 8));
                NOTE("mailru_queue_cancel", code, MAILRU_OK);
                break;
            }
            default: call(&state);
        }
        pause_ms(drawn(&state, 10));
    }
    return NULL;
}

void soak(int seconds) {
    queue = mailru_queue_new(2, 16, NULL);
    for (int i = 0; i < SHARED; i++) {
        sessions[i] = client(NULL);
        cancels[i] = mailru_cancel_new();
    }
    end_ms = now_ms() + 1000 * (int64_t)seconds;
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        check(pthread_create(&threads[i], NULL, work, &seeds[i]) == 0, "soak: no thread");
    }
    for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);

    /* Every accepted submission is handed out once. */
    for (int i = 0; i < 500 && handed_out < accepted; i++) take(10);
    check(handed_out == accepted, "soak: %ld submissions, %ld handed out", accepted, handed_out);
    check(!take(0), "soak: handed out twice");

    for (int i = 0; i < SHARED; i++) {
        mailru_session_free(sessions[i]);
        mailru_cancel_free(cancels[i]);
    }
    mailru_queue_free(queue);
    printf("soak:");
    for (int code = 0; code < CODES; code++) {
        if (outcomes[code] > 0) printf(" %ld %s", outcomes[code], mailru_code_name(code));
    }
    printf(", %ld of the queue\n", handed_out);
    /* A short run under a slow tool may miss some outcomes. */
    static const int32_t all[] = {MAILRU_OK, MAILRU_API_ERROR, MAILRU_TIMEOUT, MAILRU_CANCELLED};
    for (size_t i = 0; i < (seconds < 10 ? 1 : sizeof all / sizeof *all); i++) {
        check(outcomes[all[i]] > 0, "soak: no outcome was %s", mailru_code_name(all[i]));
    }
}
