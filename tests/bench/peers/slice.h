/* One slice: a client performs the same call over and over on some threads, and is measured. */
#ifndef SLICE_H
#define SLICE_H

#include <stddef.h>

/* The call to perform, from the BENCH_... variables of the environment. */
struct work {
    const char *url;   /* where signed calls go, without a query */
    const char *query; /* the query of the signed call, for peers that do not sign */
    const char *method;
    const char *params; /* a JSON object */
    const char *app_id;
    const char *private_key;
    const char *access_token;
    const char *uid;
    const char *ca_file; /* whom to trust; NULL: plain http */
    int threads;         /* how many calls are under way at once */
};

/* A client under measurement; each program of this folder defines one. */
struct peer {
    /* Once, before the threads; not 0 is a failure. */
    int (*begin)(const struct work *work);
    /* Once on each thread; NULL is a failure. */
    void *(*enter)(const struct work *work);
    /* One whole call; returns the size of the answer, 0 is a failure. */
    size_t (*call)(void *state);
    /* Once on each thread, at its end. */
    void (*leave)(void *state);
    /* The peer has threads of its own, and needs only one to hand it work. */
    int has_threads;
};

extern const struct peer peer;

/* Ends the program with a message. */
void fail(const char *message, const char *detail);

#endif
