/* A host that uses signals and forks. */

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t (*client_new)(const char *, const char *, const char *, const char *, const char *, char **);
typedef char *(*call_method)(uint64_t, const char *, const char *, int32_t *);
typedef uint64_t (*queue_new)(uint32_t, uint32_t, char **);
typedef int32_t (*queue_submit)(uint64_t, uint64_t, const char *, const char *, uint64_t, char **);
typedef char *(*queue_next)(uint64_t, int32_t, uint64_t *, int32_t *);
typedef void (*string_free)(char *);

static call_method mailru_call;
static string_free mailru_string_free;
static queue_new mailru_queue_new;
static queue_submit mailru_queue_submit;
static queue_next mailru_queue_next;
static uint64_t session;
static int handler_calls;

static void fail(const char *what, const char *detail)
{
    fprintf(stderr, "%s: %s\n", what, detail);
    exit(1);
}

static void load(const char *path, const char *options)
{
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail("dlopen", dlerror());
    client_new make;
    *(void **)&make = dlsym(library, "mailru_client_session_new");
    *(void **)&mailru_call = dlsym(library, "mailru_call");
    *(void **)&mailru_string_free = dlsym(library, "mailru_string_free");
    *(void **)&mailru_queue_new = dlsym(library, "mailru_queue_new");
    *(void **)&mailru_queue_submit = dlsym(library, "mailru_queue_submit");
    *(void **)&mailru_queue_next = dlsym(library, "mailru_queue_next");
    char *error = NULL;
    session = make("423004", "7815696ecbf1c96e6894b779456d330e", "be6ef89965d58e56dec21acb9b62bdaa",
                   "1324730981306483817", options, &error);
    if (!session)
        fail("session", error);
}

/* Calls a method that echoes a text; returns whether the answer belongs to this call. */
static int echo(const char *who, int number)
{
    char params[96], expected[64];
    snprintf(expected, sizeof expected, "%s-%d-%d", who, (int)getpid(), number);
    snprintf(params, sizeof params, "{\"text\":\"%s\"}", expected);
    int32_t code = -1;
    char *json = mailru_call(session, "sandbox.echo", params, &code);
    int own = code == 0 && json && strstr(json, expected) != NULL;
    if (!own)
        fprintf(stderr, "%s: code %d: %s\n", expected, code, json ? json : "NULL");
    mailru_string_free(json);
    return own;
}

static void calls(const char *who, int count)
{
    for (int number = 0; number < count; number++)
        if (!echo(who, number))
            exit(1);
}

static void reap(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            fail("waitpid", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail("child", WIFSIGNALED(status) ? "killed" : "failed");
}

/* A signal that the host receives by sigtimedwait is not delivered to a thread of the library. */
static void sigwait_host(void)
{
    uint64_t queue = mailru_queue_new(4, 16, NULL);
    int32_t code = -1;
    mailru_queue_submit(queue, session, "friends.get", NULL, 1, NULL);
    mailru_string_free(mailru_queue_next(queue, -1, NULL, &code));
    if (code != 0)
        fail("queue", "no answer");
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    for (int turn = 0; turn < 20; turn++) {
        kill(getpid(), SIGTERM);
        struct timespec limit = {5, 0};
        if (sigtimedwait(&set, NULL, &limit) != SIGTERM)
            fail("sigtimedwait", strerror(errno));
    }
}

static pid_t fork_without_hooks(int raw)
{
    if (!raw)
        return _Fork();
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

/* A fork without pthread_atfork hooks is noticed. */
static void without_hooks(int raw)
{
    calls("before", 3);
    pid_t child = fork_without_hooks(raw);
    calls(child ? "parent" : "child", 200);
    if (!child)
        _exit(0);
    reap(child);
}

static void handler_prepare(void)
{
    handler_calls += echo("prepare", handler_calls);
}

static void handler_parent(void)
{
    handler_calls += echo("parent handler", handler_calls);
}

static void handler_child(void)
{
    handler_calls += echo("child handler", handler_calls);
}

/* Atfork handlers registered before the library's run while the library's have closed the gate. */
static void older_handlers(void)
{
    for (int turn = 0; turn < 20; turn++) {
        pid_t child = fork();
        calls(child ? "parent" : "child", 5);
        if (!child)
            _exit(0);
        reap(child);
    }
    if (handler_calls != 40)
        fail("handlers", "calls in them failed");
}

static volatile sig_atomic_t forks, ended;

static void fork_in_handler(int signal)
{
    (void)signal;
    if (ended)
        return;
    int saved = errno;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    if (child > 0) {
        int status;
        while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
        }
        forks++;
    }
    errno = saved;
}

static void *load_thread(void *count)
{
    for (int number = 0; number < *(int *)count; number++)
        if (!echo("thread", number))
            exit(1);
    return NULL;
}

/* A fork in a signal handler does not wait for the library code that the signal interrupted. */
static void alarm_host(void)
{
    struct sigaction action = {0};
    action.sa_handler = fork_in_handler;
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, NULL);
    struct itimerval every = {{0, 5000}, {0, 5000}};
    setitimer(ITIMER_REAL, &every, NULL);
    pthread_t threads[4];
    int count = 400;
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, load_thread, &count);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    while (forks < 100)
        calls("more", 1);
    ended = 1;
    struct itimerval never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &never, NULL);
}

int main(int count, char **arguments)
{
    if (count != 4)
        return 2;
    const char *what = arguments[1];
    /* A deadlock must fail the test, not hang it. */
    if (strcmp(what, "alarm") != 0)
        alarm(60);
    if (strcmp(what, "handlers") == 0)
        pthread_atfork(handler_prepare, handler_parent, handler_child);
    load(arguments[2], arguments[3]);
    calls("first", 1);
    if (strcmp(what, "sigwait") == 0)
        sigwait_host();
    else if (strcmp(what, "_Fork") == 0)
        without_hooks(0);
    else if (strcmp(what, "clone") == 0)
        without_hooks(1);
    else if (strcmp(what, "handlers") == 0)
        older_handlers();
    else if (strcmp(what, "alarm") == 0)
        alarm_host();
    else if (strcmp(what, "queue") == 0) {
        uint64_t queue = mailru_queue_new(2, 16, NULL);
        int32_t code = -1;
        mailru_queue_submit(queue, session, "friends.get", NULL, 1, NULL);
        mailru_string_free(mailru_queue_next(queue, -1, NULL, &code));
        if (code != 0)
            fail("queue", "no answer");
    }
    puts(what);
    return 0;
}
