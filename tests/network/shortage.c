/* Calls of many threads, under way when the memory runs out.
 *
 *     shortage OPTIONS THREADS
 *
 * Three times, each thread makes a call on a connection of its own. The second time, no block of more than 4 KB can be had
 * shortly after they began. Each call must end with MAILRU_OK or MAILRU_OUT_OF_MEMORY, and all of the third with the former. */

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "mailru.h"

void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);

static atomic_int is_short;
static atomic_uint refused, outcomes[100];
static mailru_session session;

static int lacks(size_t size)
{
    if (!atomic_load(&is_short) || size <= 4096)
        return 0;
    atomic_fetch_add(&refused, 1);
    errno = ENOMEM;
    return 1;
}

void *malloc(size_t size)
{
    return lacks(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return lacks(count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return lacks(size) ? NULL : __libc_realloc(old, size);
}

static void *call(void *unused)
{
    int32_t code = -1;
    char *json = mailru_call(session, "friends.get", NULL, &code);
    if (code != MAILRU_OK && code != MAILRU_OUT_OF_MEMORY) {
        printf("%s: %s\n", mailru_code_name(code), json);
        fflush(stdout);
        _exit(1);
    }
    atomic_fetch_add(&outcomes[code], 1);
    mailru_string_free(json);
    return unused;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    char *error = NULL;
    int count = atoi(argv[2]);
    pthread_t threads[256];
    session = mailru_client_session_new("423004", "7815696ecbf1c96e6894b779456d330e", "be6ef89965d58e56dec21acb9b62bdaa",
                                        "1324730981306483817", argv[1], &error);
    if (!session || count > 256) {
        puts(error ? error : "too many threads");
        return 1;
    }
    alarm(120);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            atomic_store(&outcomes[i], 0);
        for (int i = 0; i < count; i++)
            pthread_create(&threads[i], NULL, call, NULL);
        if (round == 1) {
            nanosleep(&(struct timespec){0, 100000000}, NULL);
            atomic_store(&is_short, 1);
        }
        for (int i = 0; i < count; i++)
            pthread_join(threads[i], NULL);
        atomic_store(&is_short, 0);
        printf("round %d: %u ok, %u without memory\n", round, outcomes[MAILRU_OK], outcomes[MAILRU_OUT_OF_MEMORY]);
        if (round != 1 && outcomes[MAILRU_OK] != (unsigned)count)
            return 1;
    }
    mailru_session_free(session);
    printf("%s blocks were refused\n", atomic_load(&refused) ? "some" : "no");
    return 0;
}
