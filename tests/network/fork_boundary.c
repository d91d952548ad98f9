/* Uploads of a process and of its child after a fork: the child's random boundaries differ from the parent's. */
#include <mailru.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static mailru_session session;

/* The name identifies one of the three uploads. */
static int upload(const char *name)
{
    int32_t code;
    char *json = mailru_upload(session, "sandbox.echo", NULL, "img_file", name, (const uint8_t *)"x", 1, &code);
    if (code != MAILRU_OK) fprintf(stderr, "%s: %s\n", name, json);
    mailru_string_free(json);
    return code;
}

int main(int count, char **arguments)
{
    if (count != 2) return 1;
    session = mailru_client_session_new("423004", "7815696ecbf1c96e6894b779456d330e",
                                        "be6ef89965d58e56dec21acb9b62bdaa", "1324730981306483817", arguments[1], NULL);
    /* Perform the first-use initialisation before the fork. */
    if (upload("before") != MAILRU_OK) return 1;
    pid_t child = fork();
    if (child == 0) _exit(upload("child"));
    int status = 1;
    waitpid(child, &status, 0);
    return upload("parent") != MAILRU_OK || status != 0;
}
