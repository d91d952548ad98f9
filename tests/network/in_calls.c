/* A host that no other thread may enter: its callbacks run only on the thread that sets them, inside its calls. */

#include "in_calls.h"

struct calling {
    mailru_session session;
    int64_t limit;
    int32_t code;
    char *json;
    int authorizes;
};

static void *call_elsewhere(void *data)
{
    struct calling *calling = data;
    calling->json = calling->authorizes
        ? mailru_authorize(calling->session, &calling->code)
        : mailru_call_within(calling->session, "friends.get", NULL, calling->limit, 0, &calling->code);
    return NULL;
}

static pthread_t start(struct calling *calling)
{
    pthread_t thread;
    is(pthread_create(&thread, NULL, call_elsewhere, calling) == 0, "a thread");
    return thread;
}

/* A queued call: nothing is called while the host is elsewhere; the host waits for a descriptor, or in the library. */
static void queued(int by_descriptor)
{
    struct events events, log = {.thread = pthread_self()};
    mailru_session session = told_session(&events);
    char *error = NULL, *json = NULL;
    int32_t code;
    uint64_t tag;
    struct pollfd ready = {.events = POLLIN};
    mailru_queue queue = mailru_queue_new(0, 0, &error);
    ready.fd = mailru_queue_fd(queue);
    is(mailru_set_log(on_line, &log, on_release, 4 + MAILRU_LOG_IN_CALLS) == MAILRU_OK, "set_log");
    IN(code = mailru_queue_submit(queue, session, "friends.get", NULL, 7, &error));
    is(code == MAILRU_OK, "submitted");
    is(poll(&ready, 1, 20000) == 1 && !events.tokens, "nothing is told outside of the library");
    if (by_descriptor) {
        do {
            is(poll(&ready, 1, 20000) == 1, "the descriptor tells of callbacks and of the completion");
            IN(json = mailru_queue_next(queue, 0, &tag, &code));
        } while (code == MAILRU_QUEUE_EMPTY);
    } else {
        IN(json = mailru_queue_next(queue, -1, &tag, &code));
    }
    expect_code("the queued call", json, code, MAILRU_OK);
    is(events.tokens == 1 && log.lines >= 3, "tokens and lines are told");
    IN(mailru_set_log(NULL, NULL, NULL, 0));
    is(log.released == 1, "the log is released");
    visit();
    is(poll(&ready, 1, 0) == 0, "the descriptor is readable only while there is something");
    IN(json = mailru_authorize(session, &code));
    expect_code("a renewal", json, code, MAILRU_OK);
    is(events.tokens == 2 && events.begun == 1 && events.ended == 1, "the renewal is told");
    IN(mailru_queue_free(queue));
    free_session(session);
    await_releases(&events);
}

/* Calls of other threads wait for the thread, or give up; the tokens are used afterwards. */
static void elsewhere(void)
{
    struct events events;
    mailru_session session = told_session(&events);
    struct calling late = {.session = session, .limit = 2000}, patient = {.session = session};
    pthread_t thread = start(&late);
    pthread_join(thread, NULL);
    is(late.code == MAILRU_TIMEOUT && strstr(late.json, "the thread that set this session's callbacks"), late.json);
    mailru_string_free(late.json);
    thread = start(&patient);
    pause_ms(100);
    is(!events.tokens, "nothing is told yet");
    visit();
    is(events.tokens == 1, "the tokens are told");
    pthread_join(thread, NULL);
    expect_code("the call of another thread", patient.json, patient.code, MAILRU_OK);
    /* A renewal that another thread begins. */
    patient.authorizes = 1;
    thread = start(&patient);
    while (events.ended == 0)
        visit();
    pthread_join(thread, NULL);
    expect_code("a renewal", patient.json, patient.code, MAILRU_OK);
    is(events.tokens == 2 && events.begun == 1, "the renewal is told");
    free_session(session);
    visit();
}

static void *set_here(void *data)
{
    struct events *events = data;
    int tokens;
    events->thread = pthread_self();
    is(mailru_session_on_token(events->session, on_token, events, on_last_release) == MAILRU_OK, "on_token");
    tokens = events->tokens;
    for (events->set = 1; events->tokens == tokens; pause_ms(1))
        visit();
    return NULL;
}

/* Replaced by another thread's under way, removed, and left behind by a thread that has ended. */
static void replaced(void)
{
    struct events events, theirs = {0};
    mailru_session session = told_session(&events);
    struct calling calling = {.session = session};
    mailru_queue queue = mailru_queue_new(0, 0, NULL);
    struct pollfd ready = {.fd = mailru_queue_fd(queue), .events = POLLIN};
    pthread_t caller = start(&calling), setter;
    int32_t code;
    char *json;
    is(poll(&ready, 1, 20000) == 1, "the tokens wait for this thread");
    theirs.session = session;
    is(pthread_create(&setter, NULL, set_here, &theirs) == 0, "a thread");
    while (!theirs.set)
        pause_ms(1);
    visit();
    pthread_join(setter, NULL);
    pthread_join(caller, NULL);
    expect_code("the call", calling.json, calling.code, MAILRU_OK);
    is(events.tokens == 0 && theirs.tokens == 1, "the one that is set at the time is told");
    IN(json = mailru_authorize(session, &code));
    expect_code("tokens without the thread that was told", json, code, MAILRU_OK);
    is(events.tokens == 0 && theirs.tokens == 1 && events.begun == 1, "a thread that has ended is not told");
    IN(code = mailru_session_on_token(session, on_token, &events, NULL));
    is(theirs.released == 1 && events.released == 1, "each is released once");
    IN(code = mailru_session_on_token(session, NULL, NULL, NULL));
    IN(json = mailru_authorize(session, &code));
    expect_code("tokens that nobody is told of", json, code, MAILRU_OK);
    is(events.tokens == 0, "a removed callback is not called");
    IN(mailru_queue_free(queue));
    free_session(session);
    visit();
}

/* A grant that outlives its session is told all the same. */
static void freed(void)
{
    struct events events;
    mailru_session session = told_session(&events);
    struct calling calling = {.session = session};
    pthread_t caller = start(&calling);
    events.session = 0;
    pause_ms(500);
    free_session(session);
    pthread_join(caller, NULL);
    expect_code("the call", calling.json, calling.code, MAILRU_CANCELLED);
    await_releases(&events);
    is(events.tokens == 1 && strstr(events.told, "access_token"), "the tokens are told");
}

/* Inside a callback: the session's own calls are refused, others work and tell of their own tokens. */
static void nested(void)
{
    struct events events, others;
    mailru_session session = told_session(&events), other = told_session(&others);
    int32_t code;
    char *json;
    others.session = 0;
    events.other = other;
    IN(json = mailru_call(session, "friends.get", NULL, &code));
    expect_code("the call", json, code, MAILRU_OK);
    is(events.tokens == 1 && others.tokens == 1, "both are told");
    free_session(session);
    free_session(other);
    visit();
}

static void *read_pages(void *data)
{
    (void)data;
    mailru_session session = mailru_public_session_new(options, NULL);
    for (int page = 0; page < 1100; page++) {
        int32_t code;
        char *json = mailru_public(session, "mail/demo", NULL, &code);
        expect_code("a page", json, code, MAILRU_OK);
    }
    mailru_session_free(session);
    return NULL;
}

/* The oldest lines are dropped and counted, the others keep their order; a child of a fork begins anew. */
static void bounded(void)
{
    struct events log = {.thread = pthread_self(), .in_order = 1};
    pthread_t thread;
    pid_t child;
    int status;
    is(mailru_set_log(on_line, &log, on_release, 4 + MAILRU_LOG_IN_CALLS) == MAILRU_OK, "set_log");
    is(pthread_create(&thread, NULL, read_pages, NULL) == 0, "a thread");
    pthread_join(thread, NULL);
    is(log.lines == 0, "nothing is told outside of the library");
    child = fork();
    if (child == 0) {
        mailru_session session = mailru_public_session_new(options, NULL);
        int32_t code;
        char *json;
        visit();
        log.last_of_call = 0;
        IN(json = mailru_public(session, "mail/demo", NULL, &code));
        expect_code("a page in the child", json, code, MAILRU_OK);
        _exit(log.lines == 1 ? 0 : 1);
    }
    is(waitpid(child, &status, 0) == child && status == 0, "the child tells its own lines");
    visit();
    is(log.lines == 1001 && log.dropped == 100, "1000 lines, and how many were dropped");
    IN(mailru_set_log(NULL, NULL, NULL, 0));
    is(log.released == 1, "the log is released");
}

static void *read_some_pages(void *data)
{
    mailru_session session = mailru_public_session_new(options, NULL);
    while (!*(volatile int *)data) {
        int32_t code;
        mailru_string_free(mailru_public(session, "mail/demo", NULL, &code));
    }
    mailru_session_free(session);
    return NULL;
}

static void *log_here(void *data)
{
    int *over = data;
    struct events log;
    for (int time = 0; time < 200; time++) {
        log = (struct events){.thread = pthread_self()};
        IN(mailru_set_log(on_line, &log, NULL, 4 + MAILRU_LOG_IN_CALLS));
        visit();
        pause_ms(1);
        visit();
        /* Nothing is called after this: the next events are others, at the same place. */
        IN(mailru_set_log(NULL, NULL, NULL, 0));
    }
    return over;
}

static volatile int log_is_removed;

static void *log_and_end(void *data)
{
    IN(mailru_set_log(on_line, data, on_last_release, 4 + MAILRU_LOG_IN_CALLS));
    *(volatile int *)&((struct events *)data)->lines = 1;
    while (!log_is_removed)
        pause_ms(1);
    return NULL;
}

/* A release that waits for a thread which never enters the library again. */
static void ended(void)
{
    struct events log = {0};
    pthread_t thread;
    is(pthread_create(&thread, NULL, log_and_end, &log) == 0, "a thread");
    while (*(volatile int *)&log.lines == 0)
        pause_ms(1);
    IN(mailru_set_log(NULL, NULL, NULL, 0));
    is(log.released == 0, "it waits for its thread");
    log_is_removed = 1;
    pthread_join(thread, NULL);
    is(log.released == 1, "the thread's end releases it");
}

/* Two threads set the log in turn while others produce lines. */
static void contended(void)
{
    int over = 0;
    pthread_t threads[4];
    for (int each = 0; each < 4; each++)
        is(pthread_create(&threads[each], NULL, each < 2 ? read_some_pages : log_here, &over) == 0, "a thread");
    pthread_join(threads[2], NULL);
    pthread_join(threads[3], NULL);
    *(volatile int *)&over = 1;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    options = argv[2];
    if (!strcmp(argv[1], "queued")) {
        queued(0);
        queued(1);
    } else if (!strcmp(argv[1], "elsewhere")) {
        elsewhere();
    } else if (!strcmp(argv[1], "replaced")) {
        replaced();
    } else if (!strcmp(argv[1], "freed")) {
        freed();
    } else if (!strcmp(argv[1], "nested")) {
        nested();
    } else if (!strcmp(argv[1], "bounded")) {
        bounded();
    } else if (!strcmp(argv[1], "contended")) {
        contended();
    } else if (!strcmp(argv[1], "ended")) {
        ended();
    } else {
        return 2;
    }
    puts("as promised");
    return 0;
}
