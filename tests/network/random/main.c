/*
 *     random SEED SECONDS THREADS TOKEN_FILE OPTIONS REFRESH_TOKEN OPTIONS REFRESH_TOKEN [PLANT]
 *
 * for two platforms. PLANT is a fault of the host's own, which shows that a sanitizer is awake: overread, leak or race.
 */
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "random.h"

#define GET(counter) atomic_load_explicit(counter, memory_order_relaxed)

static atomic_bool is_over;
static double ends;

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + time.tv_nsec / 1e9;
}

static void pause_ms(long ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void *work(void *seed) {
    randomness = (uint64_t)(uintptr_t)seed;
    while (now() < ends) action();
    return NULL;
}

/* Waits without a limit, which the queue's end must end. */
static void *wait_for_all(void *unused) {
    while (!GET(&is_over)) take(0, -1);
    return unused;
}

static int entries(const char *path) {
    int found = 0;
    DIR *folder = opendir(path);
    while (folder && readdir(folder)) found++;
    if (folder) closedir(folder);
    return found;
}

struct left {
    int threads, descriptors;
    long kib;
};

static struct left left(void) {
    struct left now = {entries("/proc/self/task"), entries("/proc/self/fd"), 0};
    struct mallinfo2 memory = mallinfo2();
    now.kib = (long)(memory.uordblks / 1024);
    return now;
}

/* Runs threads for some seconds, then ends everything; returns what is left. */
static struct left round_(uint64_t seed, double seconds, unsigned threads, struct left before) {
    pthread_t all[100], waiting;
    atomic_store_explicit(&is_over, false, memory_order_relaxed);
    randomness = seed;
    for (unsigned i = 0; i < SESSIONS; i++) session_replace(i);
    for (unsigned i = 0; i < CANCELS; i++) atomic_store_explicit(&cancels[i], M(cancel_new), memory_order_relaxed);
    for (unsigned i = 0; i < QUEUES; i++) queue_replace(i);
    ends = now() + seconds;
    pthread_create(&waiting, NULL, wait_for_all, NULL);
    for (unsigned i = 0; i < threads; i++)
        pthread_create(&all[i], NULL, work, (void *)(uintptr_t)((seed + i + 1) * UINT64_C(0x9e3779b97f4a7c15)));
    for (unsigned i = 0; i < threads; i++) pthread_join(all[i], NULL);
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    queues_end();
    pthread_join(waiting, NULL);
    M(set_log, NULL, NULL, NULL, 0);
    for (unsigned i = 0; i < SESSIONS; i++) M(session_free, atomic_exchange_explicit(&sessions[i], 0, memory_order_relaxed));
    for (unsigned i = 0; i < CANCELS; i++) M(cancel_free, GET(&cancels[i]));
    /* A token request that was sent has 30 s, though its session is gone. */
    struct left after = left();
    for (double until = now() + 60; now() < until; after = left()) {
        if (listeners_alive() == 0 && after.threads <= before.threads && after.descriptors <= before.descriptors) break;
        pause_ms(20);
    }
    if (listeners_alive() != 0) violated("%ld callbacks were not released", listeners_alive());
    return after;
}

/* Faults of the host's own, in memory that the library reads. */
static char shared[1000];

static void *write_it(void *unused) {
    for (int i = 0; i < 200; i++, pause_ms(1)) shared[20] = (char)('a' + i % 20);
    return unused;
}

static void plant(const char *what) {
    int32_t code;
    if (strcmp(what, "overread") == 0) {
        uint8_t *data = malloc(1000);
        memset(data, 'x', 1000);
        SETTLED(upload, M(upload, GET(&sessions[0]), "sandbox.echo", "{}", "f", "n", data, 1001, &code), ~UINT64_C(0));
        free(data);
    } else if (strcmp(what, "leak") == 0) {
        for (int i = 0; i < 10; i++) M(errors, &code);
    } else if (strcmp(what, "race") == 0) {
        pthread_t thread;
        snprintf(shared, sizeof shared, "{\"text\":\"%0500d\"}", 1);
        pthread_create(&thread, NULL, write_it, NULL);
        for (int i = 0; i < 200; i++, pause_ms(1)) SETTLED(verify, M(verify, "key", shared, &code), ~UINT64_C(0));
        pthread_join(thread, NULL);
    }
}

int main(int argc, char **argv) {
    if (argc < 9) return 2;
    uint64_t seed = strtoull(argv[1], NULL, 10);
    double seconds = atof(argv[2]), begun = now();
    unsigned threads = (unsigned)atoi(argv[3]);
    if (threads < 1 || threads > 100) return 2;
    token_file = argv[4];
    options[0] = argv[5];
    refresh_tokens[0] = argv[6];
    options[1] = argv[7];
    refresh_tokens[1] = argv[8];

    /* What the library makes on first use, and keeps, is there after the first round. */
    struct left nothing = {1 << 20, 1 << 20, 0};
    struct left first = round_(seed, seconds / 4, threads, nothing);
    if (argc > 9) plant(argv[9]);
    /* Some threads and descriptors of the first round may still be about to end. */
    struct left last = round_(seed + 1000, seconds * 3 / 4, threads, (struct left){first.threads, first.descriptors, 0});

    long sum = 0;
    for (int i = 0; i < FUNCTIONS; i++) sum += GET(&counts[i]);
    printf("seed %llu: %ld calls of functions by %u threads in %.0f s;", (unsigned long long)seed, sum, threads, now() - begun);
    for (int code = 0; code < 100; code++)
        if (GET(&outcomes[code])) printf(" %ld %s", GET(&outcomes[code]), mailru_code_name(code));
    printf("; %ld submissions accepted, %ld handed out, %ld freed with their queues; %ld callbacks, each released once; "
           "%ld echoes of their callers; %ld forks; left: %d threads, %d descriptors, %ld KiB more than after the first round\n",
           GET(&accepted_sum), GET(&handed_sum), GET(&discarded_sum), GET(&listeners_sum), GET(&echoes_sum), GET(&forks_sum),
           last.threads - first.threads, last.descriptors - first.descriptors, last.kib - first.kib);
    if (last.threads > first.threads || last.descriptors > first.descriptors) violated("something is left over");
    if (last.kib > first.kib + 2000) violated("memory is left over");
    /* Short runs and slow tools may miss some. */
    for (int i = 0; i < FUNCTIONS; i++)
        if (sum > 20000 && GET(&counts[i]) == 0) violated("%s was not called", function_names[i]);
    fflush(stdout);
    return GET(&violations) != 0;
}
