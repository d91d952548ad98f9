/*
 * footprint sessions COUNT     heap and resident memory of sessions that have not called yet
 * footprint connections COUNT  the same of one session's idle connections; sockets; threads left
 *
 * Prints one JSON object, in bytes per piece. The library allocates with the process's malloc, so
 * mallinfo2 sees all of it.
 */
#include "probe.h"

#include <malloc.h>
#include <pthread.h>
#include <unistd.h>

static mailru_session session;

static size_t heap(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static size_t resident(void) {
    size_t all = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%zu %zu", &all, &pages) != 2)
        pages = 0;
    if (file)
        fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* How many entries a folder of /proc/self has whose links begin with a text; NULL: all. */
static int entries(const char *folder, const char *beginning) {
    int count = 0;
    DIR *directory = opendir(folder);
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char path[512], target[512] = "";
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (beginning && readlink(path, target, sizeof target - 1) < 0)
            continue;
        count += !beginning || strncmp(target, beginning, strlen(beginning)) == 0;
    }
    if (directory)
        closedir(directory);
    return count;
}

static mailru_session open_session(int connections) {
    char buffer[4096], *error;
    mailru_session opened =
        mailru_client_session_new(given("BENCH_APP_ID"), given("BENCH_PRIVATE_KEY"), given("BENCH_ACCESS_TOKEN"),
                                  given("BENCH_UID"), options(buffer, sizeof buffer, connections), &error);
    if (!opened)
        quit("no session", error);
    return opened;
}

static void *call(void *unused) {
    (void)unused;
    int32_t code;
    char *json = mailru_call(session, given("BENCH_METHOD"), given("BENCH_PARAMS"), &code);
    if (code != MAILRU_OK)
        quit("mailru_call", json);
    mailru_string_free(json);
    return NULL;
}

/* The server takes its time, so that no call can use another's connection. */
static void call_at_once(int count) {
    pthread_t *threads = calloc((size_t)count, sizeof *threads);
    for (int i = 0; threads && i < count; i++)
        if (pthread_create(&threads[i], NULL, call, NULL) != 0)
            quit("no thread could be started", NULL);
    for (int i = 0; threads && i < count; i++)
        pthread_join(threads[i], NULL);
    free(threads);
}

int main(int arguments, char **argument) {
    int count = arguments > 2 ? atoi(argument[2]) : 0;
    if (count < 1)
        quit("usage: footprint sessions|connections COUNT", "");
    /* The first session pays what a process pays once. */
    session = open_session(count + 1);
    int of_connections = strcmp(argument[1], "connections") == 0;
    if (of_connections)
        call(NULL);
    size_t heap_before = heap(), resident_before = resident();
    int pieces = count;
    if (of_connections) {
        int sockets = entries("/proc/self/fd", "socket:");
        call_at_once(count);
        pieces = entries("/proc/self/fd", "socket:") - sockets;
    } else {
        for (int i = 0; i < count; i++)
            open_session(16);
    }
    /* A thread is gone for the kernel a moment after it was joined. */
    for (int tries = 0; tries < 100 && entries("/proc/self/task", NULL) > 1; tries++)
        usleep(10000);
    size_t grown = heap() > heap_before ? heap() - heap_before : 0;
    size_t grown_resident = resident() > resident_before ? resident() - resident_before : 0;
    printf("{\"pieces\":%d,\"heap\":%zu,\"resident\":%zu,\"threads\":%d}\n", pieces, grown / (size_t)(pieces > 0 ? pieces : 1),
           grown_resident / (size_t)(pieces > 0 ? pieces : 1), entries("/proc/self/task", NULL));
    return 0;
}
