/* A host process for one of the cases of `host.rs` and `fork.rs`. */

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mailru.h"

#define APP "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"
#define SESSION_KEY "be6ef89965d58e56dec21acb9b62bdaa"
#define UID "1324730981306483817"

static const char *options;
static mailru_session shared;

static void die(const char *why, const char *text)
{
    printf("%s: %s\n", why, text ? text : "");
    fflush(stdout);
    _exit(1);
}

static mailru_session session_new(void)
{
    char *error = NULL;
    mailru_session session = mailru_client_session_new(APP, PRIVATE_KEY, SESSION_KEY, UID, options, &error);
    if (!session)
        die("no session", error);
    return session;
}

/* A call whose answer must contain the text that only this caller sent. Returns the code. */
static int32_t echo(mailru_session session, const char *who, int number)
{
    char params[160], wanted[128];
    int32_t code;
    snprintf(wanted, sizeof wanted, "\"%s-%d-%d\"", who, (int)getpid(), number);
    snprintf(params, sizeof params, "{\"id\":%s}", wanted);
    char *json = mailru_call(session, "sandbox.echo", params, &code);
    if (code == MAILRU_OK && !strstr(json, wanted))
        die("another caller's answer", json);
    if (code != MAILRU_OK && code != MAILRU_CANCELLED)
        die(mailru_code_name(code), json);
    mailru_string_free(json);
    return code;
}

static int finished(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            die("waitpid", strerror(errno));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* calls N: one after the other on one connection. */
static int calls(int count)
{
    shared = session_new();
    for (int i = 0; i < count; i++)
        echo(shared, "calls", i);
    return 0;
}

static void *eight_calls(void *number)
{
    for (int i = 0; i < 8; i++)
        echo(shared, "thread", (int)(long)number * 8 + i);
    return NULL;
}

/* 8 threads with 8 calls each, at once. */
static void crowd(void)
{
    pthread_t threads[8];
    for (long i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, eight_calls, (void *)i);
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
}

/* share N: N children and the parent use the parent's session, whose connections are open, at once. */
static int share(int children)
{
    shared = session_new();
    crowd();
    for (int round = 0; round < 5; round++) {
        pid_t pids[64];
        for (int i = 0; i < children; i++) {
            pids[i] = fork();
            if (pids[i] == 0) {
                crowd();
                _exit(0);
            }
        }
        crowd();
        for (int i = 0; i < children; i++)
            if (!finished(pids[i]))
                die("a child failed", NULL);
    }
    /* crowds: the first, then one of the parent and one of each child in each round */
    printf("%d calls\n", 64 * (1 + 5 * (1 + children)));
    return 0;
}

static int descriptors(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* inherit: a child closes the parent's idle connections, and the parent keeps them. */
static int inherit(int unused)
{
    (void)unused;
    int before = descriptors();
    shared = session_new();
    crowd();
    int open = descriptors();
    pid_t child = fork();
    if (child == 0) {
        echo(shared, "child", 0);
        if (descriptors() != before + 1)
            die("descriptors are left over", NULL);
        _exit(0);
    }
    if (!finished(child))
        die("the child failed", NULL);
    echo(shared, "parent", 0);
    if (descriptors() != open)
        die("the parent's connections are gone", NULL);
    puts(open > before ? "inherited" : "nothing to inherit");
    return 0;
}

static volatile int stop;

static void *caller(void *unused)
{
    for (int i = 0; !stop; i++)
        echo(shared, "caller", i);
    return unused;
}

static void *authorizer(void *password_options)
{
    mailru_session session = mailru_password_client_session_new(APP, PRIVATE_KEY, "demo@mail.ru", "demo", NULL,
                                                                password_options, NULL);
    while (!stop) {
        int32_t code;
        char *json = mailru_authorize(session, &code);
        if (code != MAILRU_OK)
            die("authorize", json);
        mailru_string_free(json);
    }
    mailru_session_free(session);
    return NULL;
}

static void on_log(void *unused, int32_t level, const char *message)
{
    (void)unused, (void)level, (void)message;
}

/* Other operations that take locks: handles, cancellation, the log, name look-ups. */
static void *tinkerer(void *unused)
{
    while (!stop) {
        mailru_cancel cancel = mailru_cancel_new();
        mailru_session session = session_new();
        int32_t code;
        mailru_string_free(mailru_call_within(session, "sandbox.echo", "{}", 1000, cancel, &code));
        mailru_cancel_fire(cancel);
        mailru_cancel_free(cancel);
        mailru_session_cancel(shared);
        mailru_session_free(session);
        mailru_set_log(on_log, NULL, NULL, 4);
        mailru_set_log(NULL, NULL, NULL, 0);
    }
    return unused;
}

/* storm N: N forks during all kinds of operations of other threads; each child makes calls. */
static int storm(int forks)
{
    pthread_t threads[8];
    shared = session_new();
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, caller, NULL);
    pthread_create(&threads[4], NULL, authorizer, (void *)options);
    pthread_create(&threads[5], NULL, authorizer, (void *)options);
    pthread_create(&threads[6], NULL, tinkerer, NULL);
    pthread_create(&threads[7], NULL, tinkerer, NULL);
    for (int i = 0; i < forks; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            if (echo(shared, "inherited", i) != MAILRU_OK)
                die("the inherited session", "cancelled");
            mailru_session own = session_new();
            echo(own, "own", i);
            mailru_session_free(own);
            /* A grandchild, forked from a child that has used the library. */
            if (i % 10 == 0) {
                pid_t grandchild = fork();
                if (grandchild == 0) {
                    alarm(20);
                    echo(shared, "grandchild", i);
                    _exit(0);
                }
                if (!finished(grandchild))
                    die("a grandchild failed", NULL);
            }
            _exit(0);
        }
        if (!finished(child))
            die("a child failed or hung", NULL);
    }
    stop = 1;
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    printf("%d forks\n", forks);
    return 0;
}

/* first N: forks while other threads use the library for the first time. */
static int first(int unused)
{
    pthread_t threads[4];
    (void)unused;
    shared = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, tinkerer, NULL);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            mailru_session own = session_new();
            echo(own, "first", i);
            _exit(0);
        }
        if (!finished(child))
            die("a child failed or hung", NULL);
    }
    stop = 1;
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return 0;
}

static void *endless(void *session)
{
    int32_t code;
    mailru_string_free(mailru_call((mailru_session)session, "friends.get", NULL, &code));
    return NULL;
}

/* leave: ends the process with calls in flight; the server never answers. */
static int leave(int how)
{
    pthread_t thread;
    shared = session_new();
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, endless, (void *)shared);
    struct timespec while_they_wait = {0, 200 * 1000 * 1000};
    nanosleep(&while_they_wait, NULL);
    if (how == 1)
        mailru_session_free(shared);
    if (how == 2)
        quick_exit(0);
    return 0;
}

/* late: calls from a thread that is ending, after its thread-local data was destroyed, and at exit. */
static pthread_key_t key;
static int rounds;

static void at_the_end(void *value)
{
    echo(shared, "late", rounds);
    /* Again, to run after every destructor that was added meanwhile. */
    if (++rounds < 3)
        pthread_setspecific(key, value);
}

static void at_exit(void)
{
    echo(shared, "exit", 0);
}

static void *ending(void *value)
{
    echo(shared, "early", 0);
    pthread_setspecific(key, value);
    return NULL;
}

static int late(int unused)
{
    pthread_t thread;
    (void)unused;
    shared = session_new();
    pthread_key_create(&key, at_the_end);
    pthread_create(&thread, NULL, ending, &shared);
    pthread_join(thread, NULL);
    atexit(at_exit);
    printf("%d late calls\n", rounds);
    return rounds == 3 ? 0 : 1;
}

static void on_alarm(int unused)
{
    (void)unused;
}

/* signals N: calls, and one that reaches its time limit, with a timer signal every half millisecond. */
static int signals(int count)
{
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 500}, {0, 500}};
    setitimer(ITIMER_REAL, &often, NULL);
    shared = session_new();
    for (int i = 0; i < count; i++)
        echo(shared, "signals", i);
    struct timespec begun, ended;
    int32_t code;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    mailru_string_free(mailru_call_within(shared, "friends.get", NULL, 500, 0, &code));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    long took = (ended.tv_sec - begun.tv_sec) * 1000 + (ended.tv_nsec - begun.tv_nsec) / 1000000;
    puts(code == MAILRU_TIMEOUT && took >= 500 && took < 2000 ? "in time" : "not in time");
    return 0;
}

/* pipes N: uploads to a server that closes at once. SIGPIPE would end the process. */
static int pipes(int count)
{
    size_t size = 8 << 20;
    unsigned char *data = calloc(1, size);
    shared = session_new();
    for (int i = 0; i < count; i++) {
        int32_t code;
        char *json = mailru_upload(shared, "photos.upload", "{\"aid\":\"1\"}", "img_file", "a.jpg", data, size, &code);
        if (code != MAILRU_NETWORK_ERROR && code != MAILRU_MALFORMED_RESPONSE)
            die(mailru_code_name(code), json);
        mailru_string_free(json);
    }
    free(data);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    options = argv[2];
    int number = atoi(argv[3]);
    const char *names[] = {"calls", "share", "inherit", "storm", "first", "leave", "late", "pipes", "signals"};
    int (*const situations[])(int) = {calls, share, inherit, storm, first, leave, late, pipes, signals};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(argv[1], names[i]))
            return situations[i](number);
    return 2;
}
