/* Measures how much stack a thread of the host needs for each kind of call: stack OPTIONS [SIZE]. */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mailru.h"

enum { PAINT = 0xA5, LARGE = 1 << 20 };

static const char *options;
static char deep[1024], large[40000];
static mailru_session session;

static mailru_session client(void)
{
    return mailru_client_session_new("423004", "7815696ecbf1c96e6894b779456d330e", "be6ef89965d58e56dec21acb9b62bdaa",
                                     "1324730981306483817", options, NULL);
}

static void check(char *json, int32_t code, const char *what)
{
    if (code != MAILRU_OK) {
        printf("%s: %s: %s\n", what, mailru_code_name(code), json);
        exit(1);
    }
    mailru_string_free(json);
}

static void *make_session(void *unused)
{
    session = client();
    return unused;
}

static void *first_call(void *unused)
{
    int32_t code;
    char *json = mailru_call(session, "friends.get", NULL, &code);
    check(json, code, "call");
    return unused;
}

static void *nested_parameters(void *unused)
{
    int32_t code;
    char *json = mailru_call(session, "sandbox.echo", deep, &code);
    check(json, code, "nested");
    return unused;
}

static void *posted(void *unused)
{
    int32_t code;
    char *json = mailru_call(session, "sandbox.echo", large, &code);
    check(json, code, "post");
    return unused;
}

static void *upload(void *unused)
{
    int32_t code;
    char *json = mailru_upload(session, "photos.upload", "{\"aid\":\"1\"}", "img_file", "a.jpg", (uint8_t *)large,
                               sizeof large, &code);
    check(json, code, "upload");
    return unused;
}

static void *sign(void *unused)
{
    int32_t code;
    char *json = mailru_sign(session, "sandbox.echo", deep, &code);
    check(json, code, "sign");
    return unused;
}

static void *platform_error(void *unused)
{
    int32_t code;
    mailru_string_free(mailru_call(session, "no.such.method", NULL, &code));
    return unused;
}

static void *cancelled(void *unused)
{
    int32_t code;
    mailru_cancel cancel = mailru_cancel_new();
    mailru_cancel_fire(cancel);
    mailru_string_free(mailru_call_within(session, "friends.get", NULL, 0, cancel, &code));
    mailru_cancel_free(cancel);
    return unused;
}

static void *grant(void *unused)
{
    int32_t code;
    mailru_session granted = mailru_password_client_session_new("423004", "7815696ecbf1c96e6894b779456d330e",
                                                                "demo@mail.ru", "demo", NULL, options, NULL);
    char *json = mailru_call(granted, "friends.get", NULL, &code);
    check(json, code, "grant");
    mailru_session_free(granted);
    return unused;
}

static void *queued(void *unused)
{
    int32_t code;
    mailru_queue queue = mailru_queue_new(1, 2, NULL);
    mailru_queue_submit(queue, session, "sandbox.echo", deep, 1, NULL);
    char *json = mailru_queue_next(queue, -1, NULL, &code);
    check(json, code, "queue");
    mailru_queue_free(queue);
    return unused;
}

static void *helpers(void *unused)
{
    mailru_string_free(mailru_methods(NULL));
    mailru_string_free(mailru_verify("key", deep, NULL));
    mailru_string_free(mailru_authorize_url("1", "http://localhost/", NULL, NULL, "s", NULL));
    mailru_string_free(mailru_parse_redirect("http://localhost/?code=c&state=s", "s", NULL));
    mailru_session_free(session);
    return unused;
}

/* The number of stack bytes that a thread with this work has used. */
static size_t touched(void *(*work)(void *), size_t size)
{
    pthread_attr_t attributes;
    pthread_t thread;
    unsigned char *stack =
        mmap(NULL, size + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    /* Memory beyond the stack must not be used. */
    mprotect(stack, 4096, PROT_NONE);
    stack += 4096;
    memset(stack, PAINT, size);
    pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, stack, size) != 0 || pthread_create(&thread, &attributes, work, NULL) != 0)
        exit(2);
    pthread_join(thread, NULL);
    size_t untouched = 0;
    while (untouched < size && stack[untouched] == PAINT)
        untouched++;
    return size - untouched;
}

int main(int count, char **arguments)
{
    if (count < 2)
        return 2;
    options = arguments[1];
    size_t size = count > 2 ? (size_t)atol(arguments[2]) : LARGE;
    size_t length = (size_t)sprintf(deep, "{\"a\":");
    for (int level = 0; level < 120; level++)
        length += (size_t)sprintf(deep + length, "[");
    length += (size_t)sprintf(deep + length, "1");
    for (int level = 0; level < 120; level++)
        length += (size_t)sprintf(deep + length, "]");
    sprintf(deep + length, "}");
    memset(large, 'x', sizeof large);
    memcpy(large, "{\"text\":\"", 9);
    memcpy(large + sizeof large - 3, "\"}", 3);
    static const struct {
        const char *name;
        void *(*work)(void *);
    } kinds[] = {{"session", make_session}, {"call", first_call},     {"again", first_call}, {"nested", nested_parameters},
                 {"post", posted},          {"upload", upload},       {"sign", sign},        {"error", platform_error},
                 {"cancel", cancelled},     {"grant", grant},         {"queue", queued},     {"helpers", helpers}};
    size_t most = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t bytes = touched(kinds[i].work, size);
        fprintf(stderr, "%s %zu\n", kinds[i].name, bytes);
        most = bytes > most ? bytes : most;
    }
    printf("%zu\n", most);
    return 0;
}
