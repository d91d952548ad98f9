/*
 * Loaded before the C library (LD_PRELOAD), it makes one call of a kind fail, or all allocations from one on: the host of
 * faults_host.c says which. It also counts the memory in use.
 */
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MEMORY, THREAD, SOCKET, SHORTAGE, KINDS };

static atomic_int armed_kind = -1, countdown, fired;
static atomic_long in_use, spare, left;
static char fired_name[64];
static size_t fired_size;

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

/*
 * Makes the number-th call of a kind fail, counted from now; -1 makes none fail. Of SHORTAGE, only so many bytes are left
 * from then on, and what is released meanwhile.
 */
void faults_arm(int kind, int number, long bytes) {
    if (kind >= 0) {
        atomic_store(&fired, 0);
        atomic_store(&spare, bytes);
        atomic_store(&countdown, number);
    }
    atomic_store(&armed_kind, kind);
}

/* Whether there was such a call, and what failed: NULL if nothing did. */
int faults_fired(const char **name, size_t *size) {
    *name = atomic_load(&fired) ? fired_name : NULL;
    *size = fired_size;
    return atomic_load(&countdown) <= 0;
}

long faults_in_use(void) { return atomic_load(&in_use); }

static int failed(const char *name, size_t size) {
    if (atomic_exchange(&fired, 1)) return 1;
    strncpy(fired_name, name, sizeof fired_name - 1);
    fired_size = size;
    return 1;
}

static int fails(int kind, const char *name, size_t size) {
    if (atomic_load(&armed_kind) != kind || atomic_fetch_sub(&countdown, 1) != 1) return 0;
    return failed(name, size);
}

static int lacks(const char *name, size_t size) {
    errno = ENOMEM;
    if (size > 4096 && fails(MEMORY, name, size)) return 1;
    if (atomic_load(&armed_kind) != SHORTAGE) return 0;
    int before = atomic_fetch_sub(&countdown, 1);
    if (before > 1) return 0;
    if (before == 1) atomic_store(&left, atomic_load(&spare));
    if (atomic_fetch_sub(&left, (long)size) >= (long)size) return 0;
    atomic_fetch_add(&left, (long)size);
    return failed(name, size);
}

static void *counted(void *memory) {
    if (memory) atomic_fetch_add(&in_use, (long)malloc_usable_size(memory));
    return memory;
}

void *malloc(size_t size) {
    if (lacks("malloc", size)) return NULL;
    return counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size) {
    if (lacks("calloc", count * size)) return NULL;
    return counted(__libc_calloc(count, size));
}

void *realloc(void *old, size_t size) {
    if (lacks("realloc", size)) return NULL;
    long before = old ? (long)malloc_usable_size(old) : 0;
    void *memory = __libc_realloc(old, size);
    if (memory || size == 0) {
        atomic_fetch_sub(&in_use, before);
        atomic_fetch_add(&left, before);
    }
    return counted(memory);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
    if (lacks("posix_memalign", size)) return ENOMEM;
    *memory = counted(__libc_memalign(alignment, size));
    return *memory ? 0 : ENOMEM;
}

void free(void *memory) {
    if (memory) {
        long size = (long)malloc_usable_size(memory);
        atomic_fetch_sub(&in_use, size);
        atomic_fetch_add(&left, size);
    }
    __libc_free(memory);
}

/* The C library's own function of a name. */
#define NEXT(type) ((type)dlsym(RTLD_NEXT, __func__))

#define FAILING(result, name, parameters, arguments, kind, error)        \
    result name parameters {                                             \
        static result(*next) parameters;                                 \
        if (!next) next = NEXT(result(*) parameters);                    \
        if (fails(kind, #name, 0)) {                                     \
            errno = error;                                               \
            return -1;                                                   \
        }                                                                \
        return next arguments;                                           \
    }

FAILING(int, socket, (int a, int b, int c), (a, b, c), SOCKET, EMFILE)
FAILING(int, socketpair, (int a, int b, int c, int d[2]), (a, b, c, d), SOCKET, EMFILE)
FAILING(int, connect, (int a, const struct sockaddr *b, socklen_t c), (a, b, c), SOCKET, ENETUNREACH)
FAILING(int, getsockopt, (int a, int b, int c, void *d, socklen_t *e), (a, b, c, d, e), SOCKET, ENOBUFS)
FAILING(int, setsockopt, (int a, int b, int c, const void *d, socklen_t e), (a, b, c, d, e), SOCKET, ENOBUFS)
FAILING(int, getpeername, (int a, struct sockaddr *b, socklen_t *c), (a, b, c), SOCKET, ENOTCONN)
FAILING(int, shutdown, (int a, int b), (a, b), SOCKET, ENOTCONN)
FAILING(int, poll, (struct pollfd *a, unsigned long b, int c), (a, b, c), SOCKET, ENOMEM)
FAILING(int, epoll_create1, (int a), (a), SOCKET, EMFILE)
FAILING(int, epoll_ctl, (int a, int b, int c, struct epoll_event *d), (a, b, c, d), SOCKET, ENOSPC)
FAILING(int, eventfd, (unsigned a, int b), (a, b), SOCKET, EMFILE)

/* A connection that was reset has ended: the library may look for an answer that came before. */
static int resets(int descriptor, const char *name) {
    if (!fails(SOCKET, name, 0)) return 0;
    shutdown(descriptor, SHUT_RDWR);
    errno = ECONNRESET;
    return 1;
}

ssize_t send(int a, const void *b, size_t c, int d) {
    static ssize_t (*next)(int, const void *, size_t, int);
    if (!next) next = NEXT(ssize_t(*)(int, const void *, size_t, int));
    return resets(a, "send") ? -1 : next(a, b, c, d);
}

ssize_t recv(int a, void *b, size_t c, int d) {
    static ssize_t (*next)(int, void *, size_t, int);
    if (!next) next = NEXT(ssize_t(*)(int, void *, size_t, int));
    return resets(a, "recv") ? -1 : next(a, b, c, d);
}

int getaddrinfo(const char *a, const char *b, const struct addrinfo *c, struct addrinfo **d) {
    static int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!next) next = NEXT(int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **));
    return fails(SOCKET, "getaddrinfo", 0) ? EAI_MEMORY : next(a, b, c, d);
}

int pthread_create(pthread_t *a, const pthread_attr_t *b, void *(*c)(void *), void *d) {
    static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!next) next = NEXT(int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *));
    return fails(THREAD, "pthread_create", 0) ? EAGAIN : next(a, b, c, d);
}
