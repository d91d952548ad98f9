/* The laws, and the records by which they are checked. */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "random.h"

#define NAME(name) "mailru_" #name,
const char *const function_names[FUNCTIONS] = {LIST(NAME)};
char poison[] = "poison";
atomic_long violations, counts[FUNCTIONS], outcomes[100];
atomic_long accepted_sum, handed_sum, discarded_sum, listeners_sum, forks_sum, echoes_sum;

#define ADD(counter, number) atomic_fetch_add_explicit(counter, number, memory_order_relaxed)
#define GET(counter) atomic_load_explicit(counter, memory_order_relaxed)

void used(enum function function) { ADD(&counts[function], 1); }

/* Without a lock, because a child may print after a fork. */
void violated(const char *format, ...) {
    char text[2000];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text - 2, format, arguments);
    va_end(arguments);
    if (length > (int)sizeof text - 3) length = sizeof text - 3;
    text[length] = '\n';
    if (write(STDOUT_FILENO, text, (size_t)length + 1) < 0) _exit(3);
    ADD(&violations, 1);
}

static void check_failure(enum function function, const char *json, int32_t code) {
    const char *name = function_names[function];
    int64_t number = M(error_number, json);
    if (code == MAILRU_API_ERROR) {
        if (number == 0) violated("%s: no number: %.200s", name, json);
        return;
    }
    char wanted[40];
    snprintf(wanted, sizeof wanted, "\"error_code\":-%d", (int)code);
    bool is_shaped = strncmp(json, "{\"error\":{", 10) == 0 && strstr(json, wanted) && strstr(json, "\"error_msg\":\"");
    bool is_transient = strstr(json, "\"transient\":true") != NULL;
    if (!is_shaped || number != -code || is_transient == (strstr(json, "\"transient\":false") != NULL))
        violated("%s: %s is %.500s", name, M(code_name, code), json);
    if (M(error_transient, json) != is_transient) violated("%s: not transient: %.500s", name, json);
    if ((BIT(code) & SENT) && !strstr(json, "\"sent\":")) violated("%s: was it sent? %.500s", name, json);
    if (strstr(json, PRIVATE_KEY) || strstr(json, SECRET_KEY)) violated("%s: a secret: %.500s", name, json);
}

void fits(enum function function, int32_t code, uint64_t allowed) {
    if (callbacks_running > 0) allowed |= BIT(MAILRU_REENTERED);
    if (code < 0 || code > 99 || !(BIT(code) & allowed))
        violated("%s ended as %s (%d)", function_names[function], M(code_name, code), (int)code);
    else ADD(&outcomes[code], 1);
}

char *judged(enum function function, char *json, int32_t code, uint64_t allowed) {
    long before = GET(&violations);
    fits(function, code, allowed);
    if (json && GET(&violations) > before) violated("it is %.500s", json);
    if (!json) violated("%s: NULL with %d", function_names[function], (int)code);
    else if (code != MAILRU_OK) check_failure(function, json, code);
    return json;
}

void settled(enum function function, char *json, int32_t code, uint64_t allowed) {
    M(string_free, judged(function, json, code, allowed));
}

void settled_error(enum function function, char *error, bool failed, uint64_t allowed) {
    if (error == poison) return violated("%s wrote no error", function_names[function]);
    if (!failed && error) violated("%s succeeded with %.500s", function_names[function], error);
    if (!failed) return fits(function, MAILRU_OK, allowed);
    if (!error) return violated("%s failed without an error", function_names[function]);
    settled(function, error, (int32_t)-M(error_number, error), allowed);
}

/* Never reused, so that a late call is noticed; the block is released with the listener, for sanitizers. */
struct listener {
    atomic_int running, released;
    char *block;
};

enum { LISTENERS = 1 << 18, BLOCK = 64 };
static struct listener listeners[LISTENERS];

struct listener *listener_new(void) {
    long number = ADD(&listeners_sum, 1);
    if (number >= LISTENERS) {
        ADD(&listeners_sum, -1);
        return NULL;
    }
    listeners[number].block = malloc(BLOCK);
    memset(listeners[number].block, 7, BLOCK);
    return &listeners[number];
}

long listeners_alive(void) {
    long alive = 0;
    for (long i = 0; i < GET(&listeners_sum); i++) alive += GET(&listeners[i].released) == 0;
    return alive;
}

static void enter(struct listener *listener, const char *what) {
    callbacks_running++;
    ADD(&listener->running, 1);
    if (GET(&listener->released)) violated("%s after its release", what);
    else if (listener->block[BLOCK - 1] != 7) violated("%s: its data is damaged", what);
}

static void leave(struct listener *listener) {
    ADD(&listener->running, -1);
    callbacks_running--;
}

void on_token(void *data, const char *tokens_json) {
    enter(data, "the token callback");
    if (!strstr(tokens_json, "\"access_token\":")) violated("tokens: %s", tokens_json);
    /* Of this session, or of one whose callback does not run. */
    if (drawn(3) == 0) fits(F_session_hold, M(session_hold, any_session(), 1), LOCAL);
    if (drawn(3) == 0) helper();
    if (drawn(8) == 0) {
        /* The same session's is MAILRU_REENTERED, another's works. */
        int32_t code = POISONED;
        char *json = M(call_within, any_session(), "friends.get", NULL, 200, 0, &code);
        settled(F_call_within, json, code, REQUEST);
    }
    leave(data);
}

void on_renewal(void *data, int32_t phase) {
    enter(data, "the renewal callback");
    if (phase != 0 && phase != 1) violated("phase %d", (int)phase);
    if (drawn(3) == 0) helper();
    leave(data);
}

void on_log(void *data, int32_t level, const char *message) {
    enter(data, "the log callback");
    if (level < 1 || level > 4 || strncmp(message, "event=", 6) != 0) violated("level %d: %s", (int)level, message);
    if (strstr(message, PRIVATE_KEY) || strstr(message, SECRET_KEY)) violated("a secret: %s", message);
    if (drawn(20) == 0) helper();
    leave(data);
}

void on_release(void *data) {
    struct listener *listener = data;
    if (GET(&listener->running)) violated("released while it runs");
    if (ADD(&listener->released, 1) != 0) return violated("released twice");
    free(listener->block);
}

/* Each queue that was made. */
struct queue {
    _Atomic uint64_t handle;
    atomic_bool is_freed;
    /* Submissions accepted or about to be, and not handed out. */
    atomic_long pending;
};

enum { MADE = 1 << 16, SUBMISSIONS = 1 << 23, OFFERED = 1, ACCEPTED = 2, REFUSED = 3 };
static struct queue made[MADE];
static atomic_uint made_sum;
static atomic_uint current[QUEUES];
static atomic_uchar state[SUBMISSIONS], handed[SUBMISSIONS];
static atomic_uint submissions_sum = 1;

void queue_replace(unsigned slot) {
    unsigned index = ADD(&made_sum, 1);
    if (index >= MADE) {
        ADD(&made_sum, -1);
        return;
    }
    char *error = poison;
    uint32_t workers = drawn(3) == 0 ? 0 : 1 + drawn(16);
    mailru_queue queue = M(queue_new, workers, drawn(2) ? 0 : 1 + drawn(64), &error);
    settled_error(F_queue_new, error, queue == 0, BIT(MAILRU_OK));
    atomic_store_explicit(&made[index].handle, queue, memory_order_relaxed);
    /* The first queue of the program has the index 0, which no slot replaces. */
    unsigned old = atomic_exchange_explicit(&current[slot], index + 1, memory_order_relaxed);
    if (old == 0) return;
    atomic_store_explicit(&made[old - 1].is_freed, true, memory_order_relaxed);
    M(queue_free, GET(&made[old - 1].handle));
    if (drawn(4) == 0) M(queue_free, GET(&made[old - 1].handle));
}

mailru_queue queue_of(unsigned slot, uint32_t *index) {
    *index = GET(&current[slot]) - 1;
    return GET(&made[*index].handle);
}

uint64_t submission_new(uint32_t index) {
    uint64_t number = ADD(&submissions_sum, 1);
    if (number >= SUBMISSIONS) return 0;
    atomic_store_explicit(&state[number], OFFERED, memory_order_relaxed);
    ADD(&made[index].pending, 1);
    return (uint64_t)(index + 1) << 32 | number;
}

void submission_over(uint64_t tag, bool accepted) {
    uint32_t index = (uint32_t)(tag >> 32) - 1, number = (uint32_t)tag;
    atomic_store_explicit(&state[number], accepted ? ACCEPTED : REFUSED, memory_order_relaxed);
    if (accepted) ADD(&accepted_sum, 1);
    else ADD(&made[index].pending, -1);
}

void handed_out(uint32_t index, uint64_t tag) {
    uint32_t number = (uint32_t)tag;
    if ((uint32_t)(tag >> 32) - 1 != index || number >= GET(&submissions_sum))
        return violated("a tag that nobody gave: %llx", (unsigned long long)tag);
    if (ADD(&handed[number], 1) != 0) violated("%u was handed out twice", number);
    ADD(&made[index].pending, -1);
    ADD(&handed_sum, 1);
}

bool take(unsigned slot, int32_t timeout_ms) {
    uint32_t index;
    uint64_t tag = (uint64_t)POISONED;
    int32_t code = POISONED;
    mailru_queue queue = queue_of(slot, &index);
    char *json = M(queue_next, queue, timeout_ms, &tag, &code);
    if (tag == (uint64_t)POISONED) violated("no tag was written");
    if (tag != 0) {
        handed_out(index, tag);
        settled(F_queue_next, json, code, REQUEST);
        return true;
    }
    if (code == MAILRU_QUEUE_EMPTY) {
        fits(F_queue_next, code, BIT(MAILRU_QUEUE_EMPTY));
        if (json) violated("JSON of an empty queue");
    } else {
        settled(F_queue_next, json, code, BIT(MAILRU_INVALID_HANDLE));
        if (!GET(&made[index].is_freed)) violated("a living queue is unknown");
    }
    return false;
}

/* Takes what is pending, frees the queues, and compares what was accepted with what was handed out. */
void queues_end(void) {
    for (unsigned slot = 0; slot < QUEUES; slot++) {
        unsigned index = GET(&current[slot]) - 1;
        for (int tries = 0; tries < 3000 && GET(&made[index].pending) > 0; tries++) take(slot, 10);
        if (GET(&made[index].pending) != 0) violated("%ld submissions were not handed out", GET(&made[index].pending));
        if (take(slot, 0)) violated("more was handed out than was accepted");
        atomic_store_explicit(&made[index].is_freed, true, memory_order_relaxed);
        M(queue_free, GET(&made[index].handle));
        atomic_store_explicit(&current[slot], 0, memory_order_relaxed);
    }
    for (uint32_t number = 1; number < GET(&submissions_sum) && number < SUBMISSIONS; number++) {
        if (GET(&state[number]) == REFUSED && GET(&handed[number])) violated("%u was refused and handed out", number);
    }
    long discarded = GET(&accepted_sum) - GET(&handed_sum);
    if (discarded < 0) violated("%ld submissions too many", -discarded);
    atomic_store_explicit(&discarded_sum, discarded, memory_order_relaxed);
}
