/*
 * A host that uses secrets, frees what used them and searches its own memory for them.
 *
 * Each line of the input is a secret's name and the secret. The program itself keeps them masked, and wipes its
 * plain-text copies. Its arguments are a session's options and what to do: "grants" uses every kind of secret,
 * each other word sends an access token in one way.
 */

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
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

static char plain[4096], piece[1 << 20], slots[4][LONGEST + 1];

static void keep(const char *name, const char *text, size_t length)
{
    if (known == MOST || length < 8 || length > LONGEST)
        return;
    snprintf(secrets[known].name, sizeof secrets[known].name, "%s", name);
    for (size_t at = 0; at < length; at++)
        secrets[known].masked[at] = (unsigned char)text[at] ^ MASK;
    secrets[known++].length = length;
}

static atomic_int found;

static void look(const char *bytes, const char *region, unsigned long base, size_t size)
{
    for (size_t row = 0; row < known; row++) {
        size_t length = secrets[row].length, at = 0;
        while (at + length <= size) {
            size_t same = 0;
            while (same < length && ((unsigned char)bytes[at + same] ^ MASK) == secrets[row].masked[same])
                same++;
            if (same == length) {
                printf("%s at %lx in %s:", secrets[row].name, base + at, region);
                for (size_t near = at > 48 ? at - 48 : 0; near < at + length + 48 && near < size; near++)
                    putchar(near == at ? '[' : bytes[near] >= ' ' && bytes[near] <= '~' ? bytes[near] : '.');
                putchar('\n');
                found++;
            }
            at++;
        }
    }
}

/* Searches blocks when they are freed, and moves them when they grow; glibc's own functions do the rest. */
void __libc_free(void *block);
void *__libc_realloc(void *block, size_t size);

void free(void *block)
{
    if (block)
        look(block, "a freed block", (unsigned long)block, malloc_usable_size(block));
    __libc_free(block);
}

void *realloc(void *block, size_t size)
{
    size_t previous = block ? malloc_usable_size(block) : 0;
    if (size <= previous)
        return __libc_realloc(block, size);
    void *larger = malloc(size);
    if (larger && block) {
        memcpy(larger, block, previous);
        free(block);
    }
    return larger;
}

/* The secret of this name in plain text, until `wipe`. */
static const char *reveal(const char *name, size_t place)
{
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
    explicit_bzero(slots, sizeof slots);
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

/* Keeps the tokens that a JSON holds, wherever they stand in it. */
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

/* Parameters with a text of `count` letters; each takes two bytes, and six in an address. */
static const char *letters(size_t count)
{
    static char json[8 << 20];
    size_t size = (size_t)sprintf(json, "{\"aid\":\"1\",\"text\":\"");
    for (size_t letter = 0; letter < count; letter++)
        size += (size_t)sprintf(json + size, "я");
    sprintf(json + size, "\"}");
    return json;
}

static void expect_ok(const char *what, char *answer, int32_t code)
{
    if (code != MAILRU_OK) {
        printf("%s: %s\n", what, answer);
        exit(1);
    }
    mailru_string_free(answer);
}

static void call(mailru_session session, size_t count)
{
    int32_t code;
    char *answer = mailru_call(session, "stream.get", count ? letters(count) : NULL, &code);
    expect_ok("a call", answer, code);
}

static void queue(mailru_session session, size_t count)
{
    mailru_queue queue = mailru_queue_new(2, 0, NULL);
    int32_t code;
    for (uint64_t tag = 0; tag < 3; tag++)
        mailru_queue_submit(queue, session, "stream.get", count ? letters(count) : NULL, tag, NULL);
    for (uint64_t tag = 0; tag < 3; tag++) {
        char *answer = mailru_queue_next(queue, 20000, NULL, &code);
        expect_ok("a queued call", answer, code);
    }
    mailru_queue_free(queue);
}

static void upload(mailru_session session, size_t length_of_name)
{
    static char name[1 << 16];
    static const uint8_t file[100000] = {1};
    int32_t code;
    memset(name, '"', length_of_name);
    strcpy(name + length_of_name, ".jpg");
    char *answer = mailru_upload(session, "photos.upload", letters(100), "img_file", name, file, sizeof file, &code);
    expect_ok("an upload", answer, code);
}

static void sign(mailru_session session, size_t count)
{
    int32_t code;
    char *answer = mailru_sign(session, "stream.get", letters(count), &code);
    expect_ok("mailru_sign", answer, code);
}

/* Ends calls at many moments before their request is sent. */
static void end_early(mailru_session session)
{
    const char *large = letters(150000);
    bool was_sent = false;
    for (int64_t limit = 16; !was_sent; limit += limit / 6) {
        char *error = mailru_call_within(session, "stream.get", large, limit, 0, NULL);
        was_sent = !strstr(error, "\"sent\":false");
        mailru_string_free(error);
    }
}

/* The answers to a read's attempts and to a write are lost. */
static void lose(mailru_session session)
{
    int32_t code;
    mailru_string_free(mailru_call(session, "stream.get", NULL, &code));
    mailru_string_free(mailru_call(session, "stream.post", letters(10), &code));
}

static void give_others(mailru_session session)
{
    int32_t code;
    snprintf(plain, sizeof plain, "{\"access_token\":\"%s\",\"uid\":\"1324730981306483817\"}", reveal("access_later", 3));
    expect_ok("mailru_session_set_tokens", NULL, mailru_session_set_tokens(session, plain, NULL));
    wipe();
    call(session, 0);
    char *tokens = mailru_tokens(session, &code);
    expect_ok("mailru_tokens", tokens, code);
}

/* Sends the access token in one way. */
static void send_key(const char *how, const char *options)
{
    mailru_session session = mailru_token_session_new("777", reveal("private_key", 0), NULL, reveal("access_given", 1),
                                                      "1324730981306483817", options, NULL);
    wipe();
    if (!session)
        exit(1);
    if (strcmp(how, "get") == 0)
        call(session, 0);
    else if (strcmp(how, "letters") == 0)
        call(session, 200);
    else if (strcmp(how, "form") == 0)
        call(session, 3000);
    else if (strcmp(how, "large") == 0)
        call(session, 60000), call(session, 300000);
    else if (strcmp(how, "growing") == 0)
        call(session, 0), call(session, 300), call(session, 60000), call(session, 0);
    else if (strcmp(how, "queue") == 0)
        queue(session, 0);
    else if (strcmp(how, "large queue") == 0)
        queue(session, 60000);
    else if (strcmp(how, "upload") == 0)
        upload(session, 5);
    else if (strcmp(how, "named upload") == 0)
        upload(session, 30000);
    else if (strcmp(how, "sign") == 0)
        sign(session, 10), sign(session, 20000);
    else if (strcmp(how, "ended") == 0)
        end_early(session);
    else if (strcmp(how, "lost") == 0)
        lose(session);
    else if (strcmp(how, "given") == 0)
        give_others(session);
    else
        exit(2);
    mailru_session_free(session);
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
            /* The buffer itself is no find. */
            if (at < (unsigned long)(piece + sizeof piece) && at + wanted > (unsigned long)piece) {
                if (at >= (unsigned long)piece)
                    continue;
                wanted = (unsigned long)piece - at;
            }
            ssize_t got = pread(memory, piece, wanted, (off_t)at);
            if (got > 0)
                look(piece, name, at, (size_t)got);
        }
    }
    close(memory);
    fclose(maps);
}

/* Looks for the secrets; the check is checked: what the host itself keeps is found. */
static bool is_clean(const char *when)
{
    char *kept = strdup(reveal("private_key", 0));
    wipe();
    int before = found;
    scan();
    bool is_found = found > before;
    explicit_bzero(kept, strlen(kept));
    free(kept);
    printf("%d places, %s\n", found - 1, when);
    bool is_clean = is_found && found == 1;
    found = 0;
    return is_clean;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    setvbuf(stdout, NULL, _IONBF, 0);
    /* Freed blocks stay in the process. */
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    read_secrets();
    size_t given = known;
    /* As long as one session with these options lives, so do its kept connections. */
    mailru_session neighbour = mailru_public_session_new(argv[1], NULL);
    if (strcmp(argv[2], "grants") == 0)
        use_all(argv[1]);
    else
        send_key(argv[2], argv[1]);
    wait_for_threads();
    bool clean = is_clean("while another session lives");
    mailru_session_free(neighbour);
    clean &= is_clean("after everything was freed");
    if (!clean) {
        printf("%zu secrets, %zu of them received\n", known, known - given);
        return 1;
    }
    printf("nothing of %zu secrets\n", known);
    return 0;
}
