/* Starts a sandbox platform for this one command. */
#include "command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The program beside this one, or else the one in PATH. */
static void become_sandbox(const char *program) {
    const char *slash = strrchr(program, '/');
    if (slash != NULL) {
        struct text beside = {0};
        add_bytes(&beside, program, (size_t)(slash - program) + 1);
        add(&beside, "mailru-sandbox");
        execl(beside.bytes, "mailru-sandbox", "--exit-with-stdin", (char *)NULL);
    }
    execlp("mailru-sandbox", "mailru-sandbox", "--exit-with-stdin", (char *)NULL);
    _exit(127);
}

int start_sandbox(const char *program) {
    int input[2], output[2];
    if (pipe(input) != 0 || pipe(output) != 0) return complain("the sandbox cannot be started: no pipe");
    pid_t process = fork();
    if (process < 0) return complain("the sandbox cannot be started: no process");
    if (process == 0) {
        dup2(input[0], STDIN_FILENO);
        dup2(output[1], STDOUT_FILENO);
        close(input[1]);
        close(output[0]);
        become_sandbox(program);
    }
    /* It ends with its input, which stays open as long as this process lives. */
    close(input[0]);
    close(output[1]);
    FILE *lines = fdopen(output[0], "r");
    size_t room = 0;
    if (lines == NULL || getline(&settings.sandbox, &room, lines) < 0) {
        settings.sandbox = NULL;
        return complain("mailru-sandbox did not start; it must lie beside this program or in PATH. Or start it "
                        "yourself: mailru-sandbox --port 8080, and give --sandbox=http://127.0.0.1:8080");
    }
    settings.sandbox[strcspn(settings.sandbox, "\r\n")] = '\0';
    return DONE;
}
