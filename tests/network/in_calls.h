/* What the cases of in_calls.c share: callbacks that check where they run, and visits of the library. */

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mailru.h"

#define APP "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"
#define SECRET_KEY "3dad9cbf9baaa0360c0f2ba372d25716"

static const char *options;
/* The calls of the library that this thread is in. */
static _Thread_local int inside;
#define IN(call) (inside++, (call)); inside--

struct events {
    pthread_t thread;
    mailru_session session, other;
    volatile int set;
    int tokens, lines, begun, ended, released, dropped, in_order, last_of_call;
    char told[64];
};

static void die(const char *why, const char *text)
{
    printf("%s: %s\n", why, text ? text : "");
    fflush(stdout);
    _exit(1);
}

static void is(int so, const char *what)
{
    if (!so)
        die("not so", what);
}

static void pause_ms(int ms)
{
    usleep((useconds_t)ms * 1000);
}

static struct events *entered(void *user_data, const char *what)
{
    struct events *events = user_data;
    if (!pthread_equal(events->thread, pthread_self()))
        die("on another thread", what);
    if (inside == 0)
        die("outside of the library", what);
    return events;
}

static void expect_code(const char *what, char *json, int32_t code, int32_t expected)
{
    if (code != expected)
        die(what, json ? json : mailru_code_name(code));
    mailru_string_free(json);
}

static void on_line(void *user_data, int32_t level, const char *line)
{
    struct events *events = entered(user_data, line);
    int number;
    const char *at = strstr(line, " call=");
    is(level >= 1 && level <= 4, "a level");
    events->lines++;
    if (sscanf(line, "event=dropped_lines lines=%d", &number) == 1)
        events->dropped += number;
    if (strstr(line, "event=new_tokens"))
        is(events->tokens == 0, "the line comes before the tokens are told");
    if (events->in_order && at && sscanf(at, " call=%d", &number) == 1) {
        is(number > events->last_of_call, "lines are in order");
        events->last_of_call = number;
    }
}

static void on_token(void *user_data, const char *json)
{
    struct events *events = entered(user_data, "tokens");
    int32_t code;
    char *shown;
    events->tokens++;
    snprintf(events->told, sizeof events->told, "%.60s", json);
    if (!events->session)
        return;
    shown = mailru_tokens(events->session, &code);
    is(!strcmp(shown, json), "mailru_tokens shows what is told");
    mailru_string_free(shown);
    shown = mailru_call(events->session, "friends.get", NULL, &code);
    expect_code("a call inside", shown, code, MAILRU_REENTERED);
    if (events->other) {
        /* Another session may even get its own tokens, and tell of them, here. */
        shown = mailru_call(events->other, "friends.get", NULL, &code);
        expect_code("another session's call inside", shown, code, MAILRU_OK);
    }
}

static void on_renewal(void *user_data, int32_t phase)
{
    struct events *events = entered(user_data, "renewal");
    if (phase == 1)
        is(events->begun++ == events->ended, "phase 1 comes first");
    else
        is(++events->ended == events->begun, "phase 0 comes afterwards");
}

static void on_release(void *user_data)
{
    entered(user_data, "release")->released++;
}

static void on_last_release(void *user_data)
{
    ((struct events *)user_data)->released++;
}

static mailru_session password_session(void)
{
    char *error = NULL;
    mailru_session session =
        mailru_password_session_new(APP, PRIVATE_KEY, SECRET_KEY, "demo@mail.ru", "demo", NULL, options, &error);
    if (!session)
        die("no session", error);
    return session;
}

static mailru_session told_session(struct events *events)
{
    mailru_session session = password_session();
    *events = (struct events){.thread = pthread_self(), .session = session};
    is(mailru_session_on_token(session, on_token, events, on_release) == MAILRU_OK, "on_token");
    is(mailru_session_on_renewal(session, on_renewal, events, on_release) == MAILRU_OK, "on_renewal");
    return session;
}

/* Lets waiting callbacks run. */
static void visit(void)
{
    int32_t code;
    char *json;
    IN(json = mailru_tokens(0, &code));
    mailru_string_free(json);
}

static void free_session(mailru_session session)
{
    IN(mailru_session_free(session));
}

/* Visits until both callbacks of a session that was freed are released: after its last call. */
static void await_releases(struct events *events)
{
    for (int waited = 0; events->released < 2; waited++) {
        is(waited < 5000, "both callbacks are released");
        visit();
        pause_ms(1);
    }
}
