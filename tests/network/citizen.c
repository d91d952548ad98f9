/* What a host may do with a thread that is inside the library or in a callback. */

#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#ifdef __GLIBC__
#include <ucontext.h>
#endif
#include <unistd.h>

#include "mailru.h"

#define APP "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"

static const char *options;

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

static int32_t call(mailru_session session, const char *method)
{
    int32_t code = -1;
    mailru_string_free(mailru_call(session, method, NULL, &code));
    return code;
}

static void sleep_ms(long ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* Cancelled threads. The server answers friends.get, and requests for tokens, after 300 ms. */

static volatile int32_t outcome;

static void *caller(void *unused)
{
    mailru_session session = client();
    outcome = call(session, "friends.get");
    mailru_session_free(session);
    for (;;)
        pthread_testcancel();
    return unused;
}

static void *authorizer(void *unused)
{
    mailru_session session =
        mailru_password_client_session_new(APP, PRIVATE_KEY, "demo@mail.ru", "demo", NULL, options, NULL);
    int32_t code;
    mailru_string_free(mailru_authorize(session, &code));
    outcome = code;
    mailru_session_free(session);
    for (;;)
        pthread_testcancel();
    return unused;
}

static void *taker(void *unused)
{
    mailru_session session = client();
    mailru_queue queue = mailru_queue_new(1, 1, NULL);
    mailru_queue_submit(queue, session, "friends.get", NULL, 1, NULL);
    int32_t code;
    mailru_string_free(mailru_queue_next(queue, -1, NULL, &code));
    outcome = code;
    mailru_queue_free(queue);
    mailru_session_free(session);
    for (;;)
        pthread_testcancel();
    return unused;
}

static void allowing(void *unused, int32_t level, const char *message)
{
    (void)unused, (void)level, (void)message;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
}

static void sleeping(void *unused, int32_t level, const char *message)
{
    (void)unused, (void)level, (void)message;
    sleep_ms(100); /* a cancellation point */
}

static void cancelled(void *(*work)(void *), mailru_log_callback log)
{
    pthread_t thread;
    void *result;
    outcome = -1;
    mailru_set_log(log, NULL, NULL, 4);
    pthread_create(&thread, NULL, work, NULL);
    sleep_ms(100);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    mailru_set_log(NULL, NULL, NULL, 0);
    if (outcome != MAILRU_OK || result != PTHREAD_CANCELED)
        fail("the answer", mailru_code_name(outcome));
}

static void cancel(void)
{
    cancelled(caller, NULL);
    cancelled(authorizer, NULL);
    cancelled(taker, NULL);
    cancelled(caller, sleeping);
    cancelled(caller, allowing);
}

/* Ways out of a callback. */

static jmp_buf outside;
static unsigned lines;

static void jump(void *unused, int32_t level, const char *message)
{
    (void)unused, (void)level, (void)message;
    longjmp(outside, 1);
}

static void release_jump(void *unused)
{
    (void)unused;
    longjmp(outside, 1);
}

static void end_thread(void *unused, int32_t level, const char *message)
{
    (void)unused, (void)level, (void)message;
    pthread_exit(NULL);
}

static void jump_within(void *unused, int32_t level, const char *message)
{
    (void)unused, (void)level, (void)message;
    jmp_buf inside;
    lines++;
    if (setjmp(inside) == 0)
        longjmp(inside, 1);
}

static void nested(void *unused, int32_t level, const char *message)
{
    (void)unused, (void)level, (void)message;
    lines++;
    if (call(client(), "sandbox.echo") != MAILRU_OK)
        fail("a call in the callback", NULL);
}

static void with_log(mailru_log_callback log)
{
    mailru_session session = client();
    mailru_set_log(log, NULL, NULL, 4);
    if (setjmp(outside) == 0)
        call(session, "sandbox.echo");
    call(session, "sandbox.echo");
}

static void jump_out_of_release(void)
{
    mailru_set_log(jump_within, NULL, release_jump, 4);
    if (setjmp(outside) == 0)
        mailru_set_log(NULL, NULL, NULL, 0);
}

#ifdef __GLIBC__
static ucontext_t context;

static void switch_context(void *unused, int32_t level, const char *message)
{
    (void)unused, (void)level, (void)message;
    if (lines++ == 0)
        setcontext(&context);
}

/* The library does not learn that its stack frames are gone; the log still continues. */
static void abandoned(void)
{
    mailru_session session = client();
    volatile int left = 0;
    mailru_set_log(switch_context, NULL, NULL, 4);
    getcontext(&context);
    if (!left) {
        left = 1;
        call(session, "sandbox.echo");
    }
    unsigned before = lines;
    for (int i = 0; i < 5; i++)
        if (call(session, "sandbox.echo") != MAILRU_OK)
            fail("a later call", NULL);
    if (lines - before != 5)
        fail("lines of later calls are missing", NULL);
}
#endif

static void counted(mailru_log_callback log)
{
    mailru_session session = client();
    mailru_set_log(log, NULL, NULL, 4);
    for (int i = 0; i < 5; i++)
        call(session, "sandbox.echo");
    if (lines != 5)
        fail("not a line for each call", NULL);
}

/* Failed allocations, by a limit of the address space. */

enum { TEXT = 256 << 10 };

/* A JSON object of about this size, made of a repeated part. */
static char *object(const char *before, const char *part, const char *after)
{
    char *text = malloc(TEXT + 64);
    size_t length = (size_t)sprintf(text, "%s", before), size = strlen(part);
    while (length + size < TEXT) {
        memcpy(text + length, part, size + 1);
        length += size;
    }
    strcpy(text + length, after);
    return text;
}

/* As many parameters as fit, each with another name. */
static char *many_members(void)
{
    char *text = malloc(TEXT + 64);
    size_t length = (size_t)sprintf(text, "{");
    for (unsigned i = 0; length < TEXT; i++)
        length += (size_t)sprintf(text + length, "\"p%x\":1,", i);
    strcpy(text + length, "\"last\":1}");
    return text;
}

static size_t address_space(void)
{
    size_t pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%zu", &pages) != 1)
        fail("statm", NULL);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static int32_t use(int how, const char *text)
{
    int32_t code = -1;
    mailru_session session = client();
    size_t size = strlen(text);
    if (how == 0)
        mailru_string_free(mailru_call(session, "friends.get", text, &code));
    else if (how == 1)
        mailru_string_free(mailru_sign(session, "friends.get", text, &code));
    else if (how == 2)
        mailru_string_free(mailru_verify("key", text, &code));
    else if (how == 3)
        mailru_string_free(mailru_upload(session, "photos.upload", text, "file", "name", (const uint8_t *)text, size, &code));
    else if (how == 4)
        mailru_string_free(mailru_public(session, "mail/nick", text, &code));
    else {
        mailru_queue queue = mailru_queue_new(1, 1, NULL);
        code = mailru_queue_submit(queue, session, "friends.get", text, 0, NULL);
        mailru_queue_free(queue);
    }
    mailru_session_free(session);
    return code;
}

/* The code of a call with this much additional memory, from a child process, which must not crash. */
static int32_t limited(int how, const char *text, size_t room)
{
    pid_t child = fork();
    if (child == 0) {
        /* Perform the first-use initialisation before the limit. */
        use(how, "{}");
        struct rlimit limit = {address_space() + room, RLIM_INFINITY};
        setrlimit(RLIMIT_AS, &limit);
        _exit(use(how, text));
    }
    int status;
    waitpid(child, &status, 0);
    if (!WIFEXITED(status)) {
        printf("way %d, %zu bytes of room: signal %d\n", how, room, WTERMSIG(status));
        exit(1);
    }
    return WEXITSTATUS(status);
}

/* Nothing listens at the address of the options: this tests the memory needed before a call is sent. */
static void memory(void)
{
    char *texts[] = {object("{\"a\":\"", "text", "\"}"),  object("{\"a\":\"", "\xd1\x8f", "\"}"),
                     object("{\"a\":[", "1,", "1]}"),     object("{\"a\":[", "[],", "1]}"),
                     object("{\"a\":[", "\"\\n\",", "1]}"), object("{\"a\":{", "\"a\":1,", "\"b\":1}}"),
                     many_members()};
    unsigned refused = 0, served = 0;
    for (size_t kind = 0; kind < sizeof texts / sizeof *texts; kind++)
        for (int how = 0; how < 6; how++)
            for (size_t room = 1 << 20; room < (size_t)1 << 28; room *= 2) {
                int32_t code = limited(how, texts[kind], room);
                refused += code == MAILRU_OUT_OF_MEMORY;
                served += code != MAILRU_OUT_OF_MEMORY;
                if (code != MAILRU_OUT_OF_MEMORY)
                    break;
            }
    printf("measured: %u refusals\n", refused);
    if (refused < 50 || served != 42)
        fail("the limits hit nothing", NULL);
}

/* The environment: this function replaces the C library's. */

extern char **environ;
static const char *names_read[256];
static unsigned reads;

char *getenv(const char *name)
{
    size_t length = strlen(name);
    if (reads < 256)
        names_read[reads++] = strdup(name);
    for (char **entry = environ; *entry; entry++)
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=')
            return *entry + length + 1;
    return NULL;
}

/* Prints each name that was read since the last call. */
static void print_reads(const char *in)
{
    for (unsigned i = 0; i < reads; i++)
        printf("%s: %s\n", in, names_read[i]);
    reads = 0;
}

static void environment(void)
{
    mailru_session session = client();
    mailru_session granted =
        mailru_password_client_session_new(APP, PRIVATE_KEY, "demo@mail.ru", "demo", NULL, options, NULL);
    print_reads("constructor");
    if (call(session, "sandbox.echo") != MAILRU_OK || call(granted, "sandbox.echo") != MAILRU_OK)
        fail("call", NULL);
    mailru_session_free(session);
    mailru_session_free(granted);
    print_reads("call");
    exit(0);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *what = argv[1];
    struct rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    options = argv[2];
    alarm(300);
    if (strcmp(what, "cancel") == 0)
        cancel();
    else if (strcmp(what, "longjmp") == 0)
        with_log(jump);
    else if (strcmp(what, "pthread_exit") == 0)
        with_log(end_thread);
    else if (strcmp(what, "release") == 0)
        jump_out_of_release();
#ifdef __GLIBC__
    else if (strcmp(what, "setcontext") == 0)
        abandoned();
#endif
    else if (strcmp(what, "jump within") == 0)
        counted(jump_within);
    else if (strcmp(what, "nested") == 0)
        counted(nested);
    else if (strcmp(what, "environment") == 0)
        environment();
    else if (strcmp(what, "memory") == 0)
        memory();
    else
        return 2;
    puts(what);
    return 0;
}
