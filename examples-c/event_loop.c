/*
 * Adds to the threads: many calls at once from one thread that never blocks, in an epoll loop.
 *
 * The program submits 1,000 calls to a queue and goes on with its own work, here a timer that ticks. The
 * queue's descriptor is readable while a completion waits; then the loop takes what there is. A submission
 * that the full queue refuses is made again when there is room. Linux only, for epoll and timerfd.
 *
 *     event_loop [CALLS [IN_FLIGHT]]      by default 1000 and 64
 *
 * A call in flight needs a descriptor for its connection: with 10,000 of them `ulimit -n` must allow that.
 */
#define _GNU_SOURCE /* CLOCK_MONOTONIC in strict C */
#include "demo.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

static uint64_t calls = 1000;
static uint32_t in_flight = 64;

/* Submits until the queue is full or everything is submitted; false if a call is refused for good. */
static bool submit_more(mailru_queue queue, mailru_session session, uint64_t *submitted) {
    while (*submitted < calls) {
        char *error;
        int32_t code = mailru_queue_submit(queue, session, "users.getInfo", NULL, *submitted, &error);
        if (code == MAILRU_OK) {
            ++*submitted;
            continue;
        }
        if (code != MAILRU_QUEUE_FULL) fprintf(stderr, "refused: %s\n", error);
        mailru_string_free(error);
        return code == MAILRU_QUEUE_FULL;
    }
    return true;
}

/* Takes every completion that waits; how many failed is counted. */
static void take_all(mailru_queue queue, unsigned *taken, unsigned *failed) {
    for (;;) {
        uint64_t tag;
        int32_t code;
        char *json = mailru_queue_next(queue, 0, &tag, &code);
        if (json == NULL) return;
        ++*taken;
        if (code != MAILRU_OK && ++*failed == 1) fprintf(stderr, "call %" PRIu64 ": %s\n", tag, json);
        mailru_string_free(json);
    }
}

int main(int argc, char **argv) {
    if (argc > 1) calls = strtoull(argv[1], NULL, 10);
    if (argc > 2) in_flight = (uint32_t)strtoul(argv[2], NULL, 10);
    char *error;
    mailru_session session = mailru_client_session_new(APP_ID, PRIVATE_KEY, ACCESS_TOKEN, USER_ID, OPTIONS, &error);
    mailru_queue queue = session != 0 ? mailru_queue_new(in_flight, 4 * in_flight, &error) : 0;
    if (queue == 0) {
        fprintf(stderr, "%s\n", error);
        mailru_string_free(error);
        mailru_session_free(session);
        return 1;
    }

    int completions = mailru_queue_fd(queue);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct itimerspec every = {{0, 10000000}, {0, 10000000}};
    struct epoll_event on_completion = {.events = EPOLLIN, .data = {.fd = completions}};
    struct epoll_event on_tick = {.events = EPOLLIN, .data = {.fd = timer}};
    uint64_t submitted = 0;
    unsigned taken = 0, failed = 0, ticks = 0;
    bool works = timerfd_settime(timer, 0, &every, NULL) == 0 &&
                 epoll_ctl(loop, EPOLL_CTL_ADD, completions, &on_completion) == 0 &&
                 epoll_ctl(loop, EPOLL_CTL_ADD, timer, &on_tick) == 0 && submit_more(queue, session, &submitted);

    while (works && taken < calls) {
        struct epoll_event event;
        if (epoll_wait(loop, &event, 1, 30000) != 1) {
            fprintf(stderr, "nothing happened for 30 s\n");
            works = false;
        } else if (event.data.fd == completions) {
            take_all(queue, &taken, &failed);
            works = submit_more(queue, session, &submitted);
        } else {
            uint64_t expirations;
            if (read(timer, &expirations, sizeof expirations) == sizeof expirations) ticks++;
        }
    }

    printf("%u calls, %u failed, in one thread that ticked %u times meanwhile\n", taken, failed, ticks);
    close(loop);
    close(timer);
    mailru_queue_free(queue);
    mailru_session_free(session);
    return works && failed == 0 ? 0 : 1;
}
