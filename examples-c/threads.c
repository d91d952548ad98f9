/*
 * Adds to the errors: one session that many threads use at once, and the two ways to end calls from outside.
 *
 * Half of the eight threads pass a cancel handle to their calls: mailru_cancel_fire ends those calls and no
 * others, and stays fired, so a loop of calls ends by itself. The other half is ended by mailru_session_cancel,
 * which ends what is under way on the session, while later calls work: those threads also look at a flag.
 */
#define _POSIX_C_SOURCE 200112L
#include "demo.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum { THREADS = 8 };

static mailru_session session;
static mailru_cancel cancel;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool stop; /* guarded by lock */

struct worker {
    pthread_t thread;
    bool has_cancel;
    int answers;
    int32_t last; /* the code of the last call */
};

static void pause_ms(long milliseconds) {
    struct timespec pause = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static bool told_to_stop(void) {
    pthread_mutex_lock(&lock);
    bool told = stop;
    pthread_mutex_unlock(&lock);
    return told;
}

static void *work(void *argument) {
    struct worker *self = argument;
    while (!told_to_stop()) {
        /* 0 is the session's time limit; a cancel handle of 0 is none. */
        char *json = mailru_call_within(session, "users.getInfo", NULL, 0, self->has_cancel ? cancel : 0, &self->last);
        bool failed = self->last != MAILRU_OK;
        if (failed && self->last != MAILRU_CANCELLED) fprintf(stderr, "%s\n", json);
        mailru_string_free(json);
        if (failed) break;
        self->answers++;
        pause_ms(5);
    }
    return NULL;
}

int main(void) {
    char *error;
    session = mailru_client_session_new(APP_ID, PRIVATE_KEY, ACCESS_TOKEN, USER_ID, OPTIONS, &error);
    if (session == 0) {
        fprintf(stderr, "no session: %s\n", error);
        mailru_string_free(error);
        return EXIT_FAILURE;
    }
    cancel = mailru_cancel_new();

    struct worker workers[THREADS] = {{.has_cancel = false}};
    for (int i = 0; i < THREADS; i++) {
        workers[i].has_cancel = i % 2 == 0;
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) return EXIT_FAILURE;
    }

    pause_ms(300);
    mailru_cancel_fire(cancel);
    for (int i = 0; i < THREADS; i += 2) pthread_join(workers[i].thread, NULL);
    printf("the cancel handle ended its four threads; the other four go on\n");

    pthread_mutex_lock(&lock);
    stop = true;
    pthread_mutex_unlock(&lock);
    mailru_session_cancel(session); /* a call that takes long does not hold up the end */
    for (int i = 1; i < THREADS; i += 2) pthread_join(workers[i].thread, NULL);
    printf("all threads have ended\n");

    bool fine = true;
    for (int i = 0; i < THREADS; i++) {
        struct worker *worker = &workers[i];
        bool ended_well = worker->last == MAILRU_CANCELLED || (!worker->has_cancel && worker->last == MAILRU_OK);
        printf("thread %d: %d answers, last %s\n", i, worker->answers, mailru_code_name(worker->last));
        fine &= worker->answers > 0 && ended_well;
    }
    mailru_cancel_free(cancel);
    mailru_session_free(session);
    return fine ? EXIT_SUCCESS : EXIT_FAILURE;
}
