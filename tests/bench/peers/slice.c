/*
 * slice THREADS seconds SECONDS WARM_UP   performs calls for so long and prints one JSON object
 * slice THREADS calls COUNT               performs so many calls on each thread: for callgrind, or to be timed whole
 */
#include "slice.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

/* One per thread, each on a cache line of its own. */
struct counter {
    _Alignas(128) atomic_ulong calls;
    atomic_size_t size;
};

struct thread {
    pthread_t id;
    struct counter *counter;
    unsigned long most;
};

static struct work work;
static atomic_int over;

void fail(const char *message, const char *detail) {
    fprintf(stderr, "%s%s%s\n", message, detail ? ": " : "", detail ? detail : "");
    exit(1);
}

static void *perform(void *argument) {
    struct thread *thread = argument;
    void *state = peer.enter(&work);
    if (!state)
        fail("the peer could not begin on a thread", NULL);
    for (unsigned long done = 0; done < thread->most && !atomic_load_explicit(&over, memory_order_relaxed); done++) {
        size_t size = peer.call(state);
        if (size == 0)
            fail("a call failed", NULL);
        atomic_store_explicit(&thread->counter->size, size, memory_order_relaxed);
        atomic_fetch_add_explicit(&thread->counter->calls, 1, memory_order_relaxed);
    }
    peer.leave(state);
    return NULL;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void sleep_for(double seconds) {
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* A number of the kernel's own record of this process: ru_maxrss would count the parent before exec. */
static long recorded(const char *format) {
    char line[256];
    long number = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, format, &number) == 1)
            break;
    if (status)
        fclose(status);
    return number;
}

static const char *given(const char *name) {
    const char *value = getenv(name);
    if (!value)
        fail("not set in the environment", name);
    return value;
}

static unsigned long sum(struct counter *counters, int threads) {
    unsigned long calls = 0;
    for (int i = 0; i < threads; i++)
        calls += atomic_load(&counters[i].calls);
    return calls;
}

int main(int count, char **arguments) {
    if (count < 4)
        fail("usage: slice THREADS seconds SECONDS WARM_UP | slice THREADS calls COUNT", NULL);
    work = (struct work){given("BENCH_URL"),         given("BENCH_QUERY"),  given("BENCH_METHOD"),
                         given("BENCH_PARAMS"),      given("BENCH_APP_ID"), given("BENCH_PRIVATE_KEY"),
                         given("BENCH_ACCESS_TOKEN"), given("BENCH_UID"),    getenv("BENCH_CA_FILE"),
                         atoi(arguments[1])};
    int timed = strcmp(arguments[2], "seconds") == 0;
    int threads = peer.has_threads ? 1 : work.threads;
    if (peer.begin(&work) != 0)
        fail("the peer could not begin", NULL);
    long running = 0;
    struct counter *counters = aligned_alloc(128, (size_t)threads * sizeof *counters);
    struct thread *all = calloc((size_t)threads, sizeof *all);
    if (!counters || !all)
        fail("out of memory", NULL);
    for (int i = 0; i < threads; i++) {
        atomic_init(&counters[i].calls, 0);
        atomic_init(&counters[i].size, 0);
        all[i].counter = &counters[i];
        all[i].most = timed ? (unsigned long)-1 : strtoul(arguments[3], NULL, 10);
        if (pthread_create(&all[i].id, NULL, perform, &all[i]) != 0)
            fail("no thread could be started", NULL);
    }
    double seconds = 0;
    unsigned long calls = 0;
    struct rusage before = {0}, after = {0};
    double begun_whole = now();
    if (timed) {
        sleep_for(count > 4 ? atof(arguments[4]) : 0.1);
        /* Every thread has connected before the clock starts. */
        for (int i = 0; i < threads; i++)
            while (atomic_load(&counters[i].calls) == 0)
                sleep_for(0.001);
        unsigned long calls_before = sum(counters, threads);
        getrusage(RUSAGE_SELF, &before);
        double begun = now();
        sleep_for(atof(arguments[3]));
        calls = sum(counters, threads) - calls_before;
        seconds = now() - begun;
        getrusage(RUSAGE_SELF, &after);
        running = recorded("Threads: %ld");
        atomic_store(&over, 1);
    }
    if (!timed) {
        while (sum(counters, threads) == 0)
            sleep_for(0.001);
        running = recorded("Threads: %ld");
    }
    for (int i = 0; i < threads; i++)
        pthread_join(all[i].id, NULL);
    if (!timed) {
        seconds = now() - begun_whole;
        getrusage(RUSAGE_SELF, &after);
    }
    printf("{\"calls\":%lu,\"seconds\":%.6f,\"user\":%.6f,\"system\":%.6f,\"size\":%zu,\"peak_kb\":%ld,\"threads\":%ld}\n",
           timed ? calls : sum(counters, threads), seconds, seconds_of(after.ru_utime) - seconds_of(before.ru_utime),
           seconds_of(after.ru_stime) - seconds_of(before.ru_stime), atomic_load(&counters[0].size),
           recorded("VmHWM: %ld"), running);
    free(all);
    free(counters);
    return 0;
}
