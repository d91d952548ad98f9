/*
 * What event_loop.c shows, where a queue has no descriptor: many calls at once from one thread that never blocks.
 *
 * The program's loop waits at an I/O completion port, as servers on Windows do. A second thread does nothing but take
 * completions from the queue and post them to the port. A window's loop would have them posted as messages; on any
 * system this is also the way for a loop that can only be woken, not wait for descriptors. Windows only.
 */
#include "demo.h"

#include <inttypes.h>
#include <process.h>
#include <stdbool.h>
#include <stdio.h>
#include <windows.h>

#define CALLS 1000
#define IN_FLIGHT 64
#define CAPACITY 256
#define TICK_MS 10

static mailru_queue queue;
static HANDLE port;

/* Submits until the queue is full or everything is submitted; false if a call is refused for good. */
static bool submit_more(mailru_session session, uint64_t *submitted) {
    while (*submitted < CALLS) {
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

/* Hands each completion to the loop: its code as the number of bytes, its tag as the key, its JSON as the address.
   Ends when the queue is freed. */
static unsigned __stdcall take_completions(void *unused) {
    (void)unused;
    for (;;) {
        uint64_t tag;
        int32_t code;
        char *json = mailru_queue_next(queue, -1, &tag, &code);
        if (code == MAILRU_INVALID_HANDLE) {
            mailru_string_free(json);
            return 0;
        }
        PostQueuedCompletionStatus(port, (DWORD)code, (ULONG_PTR)tag, (OVERLAPPED *)(void *)json);
    }
}

int main(void) {
    char *error;
    mailru_session session = mailru_client_session_new(APP_ID, PRIVATE_KEY, ACCESS_TOKEN, USER_ID, OPTIONS, &error);
    queue = session != 0 ? mailru_queue_new(IN_FLIGHT, CAPACITY, &error) : 0;
    if (queue == 0) {
        fprintf(stderr, "%s\n", error);
        mailru_string_free(error);
        mailru_session_free(session);
        return 1;
    }
    port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    HANDLE taker = (HANDLE)_beginthreadex(NULL, 0, take_completions, NULL, 0, NULL);
    uint64_t submitted = 0;
    unsigned taken = 0, failed = 0, ticks = 0;
    bool works = port != NULL && taker != NULL && submit_more(session, &submitted);

    ULONGLONG next_tick = GetTickCount64() + TICK_MS;
    while (works && taken < CALLS) {
        ULONGLONG now = GetTickCount64();
        DWORD code;
        ULONG_PTR tag;
        OVERLAPPED *json;
        if (GetQueuedCompletionStatus(port, &code, &tag, &json, now < next_tick ? (DWORD)(next_tick - now) : 0)) {
            taken++;
            if (code != MAILRU_OK && ++failed == 1) {
                fprintf(stderr, "call %" PRIu64 ": %s\n", (uint64_t)tag, (char *)json);
            }
            mailru_string_free((char *)json);
            works = submit_more(session, &submitted);
        }
        if (GetTickCount64() >= next_tick) {
            ticks++;
            next_tick += TICK_MS;
        }
    }

    printf("%u calls, %u failed, in one thread that ticked %u times meanwhile\n", taken, failed, ticks);
    mailru_queue_free(queue); /* wakes the thread that waits for completions */
    WaitForSingleObject(taker, INFINITE);
    mailru_session_free(session);
    return works && failed == 0 ? 0 : 1;
}
