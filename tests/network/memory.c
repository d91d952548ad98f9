/*
 * A host that uses every kind of secret, frees everything, and then searches its own memory for them.
 *
 * Each line of the input is a secret's name and the secret. The program itself keeps them masked, and wipes its
 * plain-text copies.
 */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mailru.h"

#define MASK 0x5a
enum { MOST = 400, LONGEST = 80 };

static struct {
    char name[32];
    unsigned char masked[LONGEST];
    size_t length;
} secrets[MOST];
static size_t known;

static char plain[4096], piece[1 << 20];

static void keep(const char *name, const char *text, size_t length)
{
    if (known == MOST || length < 8 || length > LONGEST)
        return;
    snprintf(secrets[known].name, sizeof secrets[known].name, "%s", name);
    for (size_t at = 0; at < length; at++)
        secrets[known].masked[at] = (unsigned char)text[at] ^ MASK;
    secrets[known++].length = length;
}

/* The secret of this name in plain text, until `wipe`. */
static const char *reveal(const char *name, size_t place)
{
    static char slots[4][LONGEST + 1];
    for (size_t row = 0; row < known; row++) {
        if (strcmp(secrets[row].name, name) != 0)
            continue;
        for (size_t at = 0; at < secrets[row].length; at++)
            slots[place][at] = (char)(secrets[row].masked[at] ^ MASK);
        slots[place][secrets[row].length] = '\0';
        return slots[place];
    }
    return "";
}

static void wipe(void)
{
    for (size_t place = 0; place < 4; place++)
        explicit_bzero((char *)reveal("password", place), LONGEST + 1);
    explicit_bzero(plain, sizeof plain);
}

static void read_secrets(void)
{
    ssize_t size = 0, got;
    while ((got = read(0, plain + size, sizeof plain - 1 - (size_t)size)) > 0)
        size += got;
    for (char *line = plain; *line;) {
        char *space = strchr(line, ' '), *end = strchr(line, '\n');
        *space = *end = '\0';
        keep(line, space + 1, (size_t)(end - space - 1));
        line = end + 1;
    }
    wipe();
}

/* Keeps the tokens in a JSON text. */
static void keep_tokens(const char *json)
{
    static const char *const names[] = {"access_token", "refresh_token"};
    for (size_t row = 0; row < 2; row++) {
        char wanted[32];
        snprintf(wanted, sizeof wanted, "\"%s\":\"", names[row]);
        const char *at = strstr(json, wanted);
        if (at)
            keep(names[row], at + strlen(wanted), strcspn(at + strlen(wanted), "\""));
    }
}

static void on_tokens(void *user_data, const char *tokens_json)
{
    (void)user_data;
    keep_tokens(tokens_json);
}

static void use(mailru_session session, const char *kind)
{
    static const char *const methods[] = {"friends.get", "stream.post"};
    int32_t code;
    if (!session) {
        printf("no %s session\n", kind);
        exit(1);
    }
    mailru_session_on_token(session, on_tokens, NULL, NULL);
    for (int turn = 0; turn < 4; turn++) {
        mailru_string_free(mailru_call(session, methods[turn % 2], "{\"text\":\"x\"}", &code));
        mailru_string_free(mailru_authorize(session, &code));
        char *tokens = mailru_tokens(session, NULL);
        keep_tokens(tokens);
        mailru_string_free(tokens);
    }
    mailru_session_free(session);
}

static void use_all(const char *options)
{
    char with_secret[4096];
    snprintf(with_secret, sizeof with_secret, "{\"client_secret\":\"%s\",\"refresh_token\":\"%s\",\"expires_in\":0,%s",
             reveal("client_secret", 0), reveal("refresh_given", 1), options + 1);
    use(mailru_token_session_new("777", reveal("private_key", 2), NULL, "none", "1324730981306483817", with_secret, NULL),
        "token");
    explicit_bzero(with_secret, sizeof with_secret);
    use(mailru_password_client_session_new("777", reveal("private_key", 0), "demo@mail.ru", reveal("password", 1), NULL,
                                           options, NULL), "password");
    use(mailru_password_server_session_new("777", reveal("secret_key", 0), "demo@mail.ru", reveal("wrong_password", 1),
                                           NULL, options, NULL), "wrong password");
    use(mailru_code_session_new("777", reveal("private_key", 0), reveal("secret_key", 1), reveal("code", 2),
                                "http://localhost/", options, NULL), "code");
    use(mailru_refresh_session_new("777", reveal("private_key", 0), NULL, reveal("refresh_used", 1), options, NULL),
        "refresh");
    snprintf(with_secret, sizeof with_secret, "{\"refresh_token\":\"%s\"}", reveal("refresh_stored", 0));
    use(mailru_stored_session_new("777", NULL, reveal("secret_key", 1), with_secret, options, NULL), "stored");
    explicit_bzero(with_secret, sizeof with_secret);
    wipe();
}

/* Waits until the library's threads have ended. */
static void wait_for_threads(void)
{
    for (int turn = 0; turn < 200; turn++) {
        int threads = 0;
        DIR *tasks = opendir("/proc/self/task");
        for (struct dirent *task; (task = readdir(tasks));)
            threads += task->d_name[0] != '.';
        closedir(tasks);
        if (threads == 1)
            return;
        usleep(50000);
    }
}

static int found;

static void look(const char *region, unsigned long base, size_t size)
{
    for (size_t row = 0; row < known; row++) {
        size_t length = secrets[row].length, at = 0;
        while (at + length <= size) {
            size_t same = 0;
            while (same < length && ((unsigned char)piece[at + same] ^ MASK) == secrets[row].masked[same])
                same++;
            if (same == length) {
                printf("%s at %lx in %s:", secrets[row].name, base + at, region);
                for (size_t near = at > 48 ? at - 48 : 0; near < at + length + 48 && near < size; near++)
                    putchar(near == at ? '[' : piece[near] >= ' ' && piece[near] <= '~' ? piece[near] : '.');
                putchar('\n');
                found++;
            }
            at++;
        }
    }
}

static void scan(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    int memory = open("/proc/self/mem", O_RDONLY);
    char line[512];
    while (fgets(line, sizeof line, maps)) {
        unsigned long begin, end;
        char access[8], name[256] = "anonymous memory";
        sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &begin, &end, access, name);
        if (access[0] != 'r' || access[1] != 'w')
            continue;
        for (unsigned long at = begin; at < end; at += sizeof piece - LONGEST) {
            size_t wanted = end - at < sizeof piece ? end - at : sizeof piece;
            /* Skip the search buffer itself. */
            if (at < (unsigned long)(piece + sizeof piece) && at + wanted > (unsigned long)piece) {
                if (at >= (unsigned long)piece)
                    continue;
                wanted = (unsigned long)piece - at;
            }
            ssize_t got = pread(memory, piece, wanted, (off_t)at);
            if (got > 0)
                look(name, at, (size_t)got);
        }
    }
    close(memory);
    fclose(maps);
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    setvbuf(stdout, NULL, _IONBF, 0);
    read_secrets();
    size_t given = known;
    use_all(argv[1]);
    wait_for_threads();
    /* Checks that the search finds a secret that the host keeps. */
    char *kept = strdup(reveal("password", 0));
    wipe();
    scan();
    if (found != 1) {
        printf("%d places of %zu secrets, %zu of them received\n", found - 1, known, known - given);
        return 1;
    }
    free(kept);
    printf("nothing of %zu secrets\n", known);
    return 0;
}
