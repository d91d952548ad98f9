/* What the probes share: the environment's variables, and the process as the kernel sees it. */
#ifndef PROBE_H
#define PROBE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <mailru.h>

static inline const char *given(const char *name) {
    const char *value = getenv(name);
    if (!value) {
        fprintf(stderr, "not set in the environment: %s\n", name);
        exit(1);
    }
    return value;
}

static inline void quit(const char *what, const char *json) {
    fprintf(stderr, "%s: %s\n", what, json ? json : "no answer");
    exit(1);
}

static inline double milliseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

/* The session's options; the caller's buffer is large enough for any path. */
static inline const char *options(char *buffer, size_t room, int connections) {
    const char *ca_file = getenv("BENCH_CA_FILE");
    snprintf(buffer, room, "{\"api_url\":\"%s\",\"max_idle_connections\":%d%s%s%s}", given("BENCH_URL"), connections,
             ca_file ? ",\"ca_file\":\"" : "", ca_file ? ca_file : "", ca_file ? "\"" : "");
    return buffer;
}

#endif
