/* Many calls in flight at once, and what ends them. The server holds every answer to friends.get back.
 *
 *     flight CASE OPTIONS CALLS
 *
 * The program prints "submitted", and goes on with the case when it reads a line: its parent has then seen all calls at
 * the server. */

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include "mailru.h"

#define APP "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"

enum { TAG = 7 };

static const char *options;
static unsigned calls;

static void fail(const char *what, const char *detail)
{
    printf("%s: %s\n", what, detail ? detail : "");
    fflush(stdout);
    _exit(1);
}

static mailru_session client(void)
{
    char *error = NULL;
    mailru_session session = mailru_client_session_new(APP, PRIVATE_KEY, "be6ef89965d58e56dec21acb9b62bdaa",
                                                       "1324730981306483817", options, &error);
    if (!session)
        fail("session", error);
    return session;
}

static mailru_queue queue_of(unsigned in_flight)
{
    char *error = NULL;
    mailru_queue queue = mailru_queue_new(in_flight, 0, &error);
    if (!queue)
        fail("queue", error);
    return queue;
}

static int32_t echo(mailru_session session)
{
    int32_t code = -1;
    mailru_string_free(mailru_call(session, "sandbox.echo", NULL, &code));
    return code;
}

static void submit(mailru_queue queue, mailru_session session, const char *method, mailru_cancel cancel, uint64_t tag)
{
    char request[64], *error = NULL;
    snprintf(request, sizeof request, "{\"method\":\"%s\"}", method);
    if (mailru_queue_request(queue, session, request, NULL, 0, cancel, tag, &error) != MAILRU_OK)
        fail("submit", error);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Tells the parent that all is submitted, and waits for its line. */
static void go_on(const char *what)
{
    char line[16];
    puts(what);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        fail("no line from the parent", NULL);
}

static unsigned entries(const char *folder)
{
    unsigned count = 0;
    DIR *open = opendir(folder);
    if (!open)
        fail(folder, strerror(errno));
    while (readdir(open))
        count++;
    closedir(open);
    return count;
}

/* Waits until the process has as many descriptors and threads as before the first call. */
static void nothing_left(unsigned descriptors, unsigned threads)
{
    double until = now() + 20;
    while (entries("/proc/self/fd") != descriptors || entries("/proc/self/task") != threads) {
        if (now() > until) {
            printf("left: %d descriptors, %d threads\n", (int)(entries("/proc/self/fd") - descriptors),
                   (int)(entries("/proc/self/task") - threads));
            fail("something is left", NULL);
        }
        usleep(10000);
    }
}

/* Takes this many completions, each with this code. Returns when the last one came. */
static double take(mailru_queue queue, unsigned count, int32_t expected)
{
    for (unsigned i = 0; i < count; i++) {
        int32_t code = -1;
        char *json = mailru_queue_next(queue, 60000, NULL, &code);
        if (code != expected)
            fail(mailru_code_name(code), json);
        mailru_string_free(json);
    }
    int32_t code;
    double last = now();
    char *json = mailru_queue_next(queue, 0, NULL, &code);
    if (json || code != MAILRU_QUEUE_EMPTY)
        fail("a completion too many", json);
    return last;
}

static void measured(const char *what, double begun, double ended)
{
    printf("measured: %u calls in flight, %s: %.0f ms\n", calls, what, (ended - begun) * 1000);
}

/* Everything is cancelled at once, and later calls work. Before that, one call alone. */
static void cancelled(const char *how)
{
    mailru_session session = client(), other = client();
    mailru_queue queue = queue_of(calls + 1);
    mailru_cancel all = mailru_cancel_new(), one = mailru_cancel_new();
    for (unsigned i = 0; i < calls; i++)
        submit(queue, session, "friends.get", all, TAG);
    submit(queue, other, "friends.get", one, TAG + 1);
    go_on("submitted");

    double begun = now();
    mailru_cancel_fire(one);
    measured("one is cancelled", begun, take(queue, 1, MAILRU_CANCELLED));

    begun = now();
    if (strcmp(how, "session") == 0)
        mailru_session_cancel(session);
    else if (strcmp(how, "tag") == 0)
        mailru_queue_cancel(queue, TAG);
    else if (strcmp(how, "handle") == 0)
        mailru_cancel_fire(all);
    else
        mailru_session_free(session);
    measured(how, begun, take(queue, calls, MAILRU_CANCELLED));

    if (strcmp(how, "free session") != 0 && echo(session) != MAILRU_OK)
        fail("a later call", NULL);
    submit(queue, other, "sandbox.echo", 0, 1);
    take(queue, 1, MAILRU_OK);
    mailru_queue_free(queue);
    mailru_session_free(session);
    mailru_session_free(other);
    mailru_cancel_free(all);
    mailru_cancel_free(one);
}

/* Submits all calls, and waits until the parent has seen them at the server. */
static void submit_all(mailru_queue queue, mailru_session session)
{
    for (unsigned i = 0; i < calls; i++)
        submit(queue, session, "friends.get", 0, i);
    go_on("submitted");
}

static void freed_queue(void)
{
    mailru_session session = client();
    mailru_queue queue = queue_of(calls);
    size_t before = mallinfo2().uordblks;
    submit_all(queue, session);
    /* Those that wait for their answers have no buffers, the smallest of which has 8 KB. */
    size_t each = (mallinfo2().uordblks - before) / calls;
    printf("measured: %u calls in flight, heap of each: %zu bytes\n", calls, each);
    if (each > 8000)
        fail("a call that waits has too much memory", NULL);
    double begun = now();
    mailru_queue_free(queue);
    measured("the queue is freed", begun, now());
    if (echo(session) != MAILRU_OK)
        fail("a later call", NULL);
    mailru_session_free(session);
}

static void child(mailru_session session, mailru_queue parents)
{
    int32_t code;
    char *json = mailru_queue_next(parents, -1, NULL, &code);
    if (code != MAILRU_INVALID_HANDLE)
        fail("the parent's queue", json);
    mailru_string_free(json);
    if (echo(session) != MAILRU_OK)
        fail("a call in the child", NULL);
    mailru_queue own = queue_of(8);
    for (unsigned i = 0; i < 100; i++)
        submit(own, session, "sandbox.echo", 0, i);
    take(own, 100, MAILRU_OK);
    mailru_queue_free(own);
    mailru_queue_free(parents);
    mailru_session_free(session);
    exit(0);
}

static void forked(void)
{
    mailru_session session = client();
    mailru_queue queue = queue_of(calls);
    submit_all(queue, session);
    for (int i = 0; i < 3; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            child(session, queue);
        if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
            fail("the child", NULL);
    }
    go_on("forked");
    take(queue, calls, MAILRU_OK);
    if (echo(session) != MAILRU_OK)
        fail("a later call", NULL);
    mailru_queue_free(queue);
    mailru_session_free(session);
}

/* Half of the calls panic when their answers come, by a fault planted in the library of the tests. */
static void panicked(void)
{
    mailru_session session = client();
    mailru_queue queue = queue_of(calls);
    submit_all(queue, session);
    unsigned bugs = 0;
    for (unsigned i = 0; i < calls; i++) {
        int32_t code = -1;
        char *json = mailru_queue_next(queue, 60000, NULL, &code);
        if (code == MAILRU_INTERNAL_ERROR) {
            if (!strstr(json, "a bug in libmailru at ") || !strstr(json, "src/http/socket.rs:") || strstr(json, "hunter2"))
                fail("its text", json);
            bugs++;
        } else if (code != MAILRU_OK) {
            fail(mailru_code_name(code), json);
        }
        mailru_string_free(json);
    }
    if (bugs != calls / 2) {
        printf("%u of %u calls panicked\n", bugs, calls);
        fail("it must be half of them", NULL);
    }
    for (unsigned i = 0; i < calls; i++)
        submit(queue, session, "sandbox.echo", 0, i);
    take(queue, calls, MAILRU_OK);
    mailru_queue_free(queue);
    mailru_session_free(session);
}

/* Calls for whose connections there are no descriptors. */
static void few_descriptors(void)
{
    const unsigned room = calls / 10;
    struct rlimit before, low;
    getrlimit(RLIMIT_NOFILE, &before);
    low = before;
    mailru_session session = client();
    mailru_queue queue = queue_of(calls);
    /* Makes what is made on first use. */
    submit(queue, session, "sandbox.echo", 0, 0);
    take(queue, 1, MAILRU_OK);
    low.rlim_cur = entries("/proc/self/fd") + room;
    setrlimit(RLIMIT_NOFILE, &low);
    for (unsigned i = 0; i < calls; i++)
        submit(queue, session, "friends.get", 0, i);
    unsigned refused = 0;
    int32_t code;
    char *json;
    /* The others are held back by the server. */
    while ((json = mailru_queue_next(queue, refused < calls - room - 10 ? 60000 : 500, NULL, &code))) {
        if (code != MAILRU_NETWORK_ERROR || !strstr(json, "open files") || !strstr(json, "\"sent\":false"))
            fail(mailru_code_name(code), json);
        mailru_string_free(json);
        refused++;
    }
    if (refused < calls - room - 10 || refused >= calls)
        fail("the limit had no effect", NULL);
    printf("measured: %u calls with room for %u connections: %u refused\n", calls, room, refused);
    go_on("refused");
    take(queue, calls - refused, MAILRU_OK);
    setrlimit(RLIMIT_NOFILE, &before);
    for (unsigned i = 0; i < calls; i++)
        submit(queue, session, "sandbox.echo", 0, i);
    take(queue, calls, MAILRU_OK);
    mailru_queue_free(queue);
    mailru_session_free(session);
}

/* The process ends while the calls are in flight. */
static void leave(const char *how)
{
    mailru_session session = client();
    mailru_queue queue = queue_of(calls);
    submit_all(queue, session);
    if (strcmp(how, "quick exit") == 0)
        quick_exit(0);
    if (strcmp(how, "exit after free") == 0) {
        mailru_session_free(session);
        mailru_queue_free(queue);
    }
    exit(0);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    const char *what = argv[1];
    options = argv[2];
    calls = (unsigned)strtoul(argv[3], NULL, 10);
    alarm(300);
    if (strstr(what, "exit"))
        leave(what);

    unsigned descriptors = entries("/proc/self/fd"), threads = entries("/proc/self/task");
    if (strncmp(what, "free queue", 10) == 0)
        freed_queue();
    else if (strcmp(what, "fork") == 0)
        forked();
    else if (strcmp(what, "panics") == 0)
        panicked();
    else if (strcmp(what, "descriptors") == 0)
        few_descriptors();
    else
        cancelled(what);
    nothing_left(descriptors, threads);
    puts(what);
    return 0;
}
