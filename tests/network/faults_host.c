/*
 * Makes each call of a kind fail in turn, with faults.c loaded before the C library. Each failure has a process of its
 * own, forked before the library is used, so that the end of one is noticed. For a lack of memory, SPARE bytes are left.
 *
 *     faults_host KIND OPTIONS REFRESH_TOKEN STEP SPARE [FIRST]
 */
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mailru.h"

#define APP "423004"
#define PRIVATE_KEY "7815696ecbf1c96e6894b779456d330e"
#define SESSION_KEY "be6ef89965d58e56dec21acb9b62bdaa"
#define UID "1324730981306483817"

static void (*arm)(int, int, long);
static int (*fired)(const char **, size_t *);
static long (*in_use)(void);

static const char *options, *refresh_token;
static int kind, number, step, outcomes[100];
static long spare;
static uint8_t file[100000];

static void disarm(void) { arm(-1, 0, 0); }

static void die(const char *what, const char *text) {
    disarm();
    printf("%d: %s: %s\n", number, what, text ? text : "NULL");
    fflush(stdout);
    _exit(1);
}

/* Which failures the contract has for a lack of memory, threads or sockets. */
static void judge(const char *what, char *json, int32_t code) {
    static const int32_t allowed[] = {MAILRU_OK, MAILRU_NETWORK_ERROR, MAILRU_TIMEOUT, MAILRU_TLS_ERROR,
                                      MAILRU_OUT_OF_MEMORY, MAILRU_MALFORMED_RESPONSE};
    int fits = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) fits |= code == allowed[i];
    if (!json || !fits) die(what, json);
    if (code == MAILRU_OK && strstr(json, "\"error\"")) die(what, json);
    if (code != MAILRU_OK) {
        char wanted[40];
        snprintf(wanted, sizeof wanted, "\"error_code\":-%d", (int)code);
        if (!strstr(json, wanted) || !strstr(json, "\"error_msg\":\"")) die(what, json);
    }
    outcomes[code]++;
}

static void settled(const char *what, char *json, int32_t code) {
    judge(what, json, code);
    mailru_string_free(json);
}

/* Whether each of these must succeed. */
static void write_once(mailru_session session, const char *phase) {
    char params[64];
    int32_t code = -1;
    snprintf(params, sizeof params, "{\"tag\":\"%s-%d-%d\"}", phase, kind, number);
    char *json = mailru_call(session, "sandbox.echoWrite", params, &code);
    /* The test compares this with what the platform did. */
    printf("write %s-%d-%d %s\n", phase, kind, number,
           code == MAILRU_OK ? "done" : strstr(json ? json : "", "\"sent\":false") ? "unsent" : "unknown");
    settled("a write", json, code);
}

/* Uses the library in every way that needs memory, threads or sockets. */
static void use(const char *phase) {
    int32_t code = -1;
    char *error = NULL, *json;
    static char large[60000];
    mailru_session session = mailru_client_session_new(APP, PRIVATE_KEY, SESSION_KEY, UID, options, &error);
    if (!session) {
        settled("a session", error, MAILRU_OUT_OF_MEMORY);
        return;
    }
    json = mailru_call(session, "friends.get", NULL, &code);
    settled("a call", json, code);
    write_once(session, phase);
    int length = snprintf(large, sizeof large, "{\"text\":\"");
    memset(large + length, 'a', 50000);
    strcpy(large + length + 50000, "\"}");
    json = mailru_call(session, "sandbox.echo", large, &code);
    settled("a large call", json, code);
    json = mailru_upload(session, "sandbox.echo", "{}", "img_file", "a.jpg", file, sizeof file, &code);
    settled("an upload", json, code);

    mailru_queue queue = mailru_queue_new(2, 8, &error);
    if (!queue) settled("a queue", error, MAILRU_OUT_OF_MEMORY);
    int accepted = 0;
    for (uint64_t tag = 0; queue && tag < 3; tag++) {
        code = mailru_queue_submit(queue, session, "sandbox.echo", "{\"a\":1}", tag, &error);
        if (code == MAILRU_OK) accepted++;
        else settled("a submission", error, code);
    }
    for (; accepted > 0; accepted--) {
        json = mailru_queue_next(queue, 20000, NULL, &code);
        settled("a completion", json, code);
    }
    if (queue && mailru_queue_fd(queue) < 0 && strcmp(phase, "fault")) die("no descriptor", phase);
    mailru_queue_free(queue);

    mailru_session renewing = mailru_refresh_client_session_new(APP, PRIVATE_KEY, refresh_token, options, &error);
    if (!renewing) settled("a session", error, MAILRU_OUT_OF_MEMORY);
    else {
        json = mailru_authorize(renewing, &code);
        settled("tokens", json, code);
        mailru_session_free(renewing);
    }
    mailru_session_free(session);
}

static void pause_ms(long ms) {
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static int count(const char *path) {
    int found = 0;
    DIR *folder = opendir(path);
    while (readdir(folder)) found++;
    closedir(folder);
    return found;
}

struct state {
    int descriptors, threads;
    long bytes;
};

/* What is in use when threads that are about to end have ended. */
static struct state settle(const struct state *expected) {
    struct state now = {0, 0, 0};
    for (int i = 0; i < 400; i++) {
        now = (struct state){count("/proc/self/fd"), count("/proc/self/task"), in_use()};
        if (expected && now.descriptors <= expected->descriptors && now.threads <= expected->threads) break;
        if (!expected && i == 8) break;
        pause_ms(10);
    }
    return now;
}

/* In a process of its own. Returns whether there was such a call. */
static int one(void) {
    const char *name;
    size_t size;
    use("before");
    use("again");
    memset(outcomes, 0, sizeof outcomes);
    struct state before = settle(NULL);
    arm(kind, number, spare);
    use("fault");
    disarm();
    if (!fired(&name, &size)) return 3;
    /* The test sums them up. */
    for (int code = 0; code < 100; code++)
        if (outcomes[code]) printf("outcome %s %d\n", mailru_code_name(code), outcomes[code]);
    if (!name) name = "nothing";
    printf("%d: %s failed\n", number, name);
    memset(outcomes, 0, sizeof outcomes);
    use("after");
    for (int code = 1; code < 100; code++)
        if (outcomes[code]) die(name, "not everything works afterwards");
    struct state after = settle(&before);
    if (after.descriptors > before.descriptors || after.threads > before.threads || after.bytes > before.bytes + 20000) {
        char text[200];
        snprintf(text, sizeof text, "left over: %d descriptors, %d threads, %ld bytes", after.descriptors -
                 before.descriptors, after.threads - before.threads, after.bytes - before.bytes);
        die(name, text);
    }
    return 0;
}

static void on_abort(int signal) {
    /* Rust's std has told the size on stderr. */
    const char *name;
    size_t size;
    fired(&name, &size);
    if (!name) name = "nothing";
    printf("%d: ended by signal %d after %s of %zu\n", number, signal, name, size);
    fflush(stdout);
    _exit(4);
}

int main(int argc, char **argv) {
    if (argc < 6) return 2;
    *(void **)&arm = dlsym(RTLD_DEFAULT, "faults_arm");
    *(void **)&fired = dlsym(RTLD_DEFAULT, "faults_fired");
    *(void **)&in_use = dlsym(RTLD_DEFAULT, "faults_in_use");
    if (!arm || !fired || !in_use) return 2;
    kind = atoi(argv[1]);
    options = argv[2];
    refresh_token = argv[3];
    step = atoi(argv[4]);
    spare = atol(argv[5]);
    setvbuf(stdout, NULL, _IOLBF, 1 << 12);
    int points = 0, failed = 0, ended = 0;
    for (number = argc > 6 ? atoi(argv[6]) : 1;; number += step) {
        int status;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            signal(SIGABRT, on_abort);
            alarm(60);
            _exit((fflush(stdout), one()));
        }
        waitpid(child, &status, 0);
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 5;
        if (code == 3) break;
        points++;
        if (code == 4) ended++;
        else if (code != 0) {
            failed++;
            printf("%d failed: %d\n", number, status);
        }
    }
    printf("points %d failed %d ended %d\n", points, failed, ended);
    return failed != 0;
}
