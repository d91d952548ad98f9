/*
 * Not an example of the library: plays the browser, so that `make run-all` needs nobody at the keyboard.
 *
 *     browser ADDRESS          prints where the server sends the browser
 *     browser ADDRESS BODY     posts a body
 *
 * Plain http only, for the sandbox on this machine.
 */
#define _POSIX_C_SOURCE 200112L
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static FILE *connected(const char *host, const char *port) {
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, port, &hints, &found) != 0) return NULL;
    int descriptor = socket(found->ai_family, found->ai_socktype, found->ai_protocol);
    int failed = descriptor < 0 || connect(descriptor, found->ai_addr, found->ai_addrlen) != 0;
    freeaddrinfo(found);
    return failed ? NULL : fdopen(descriptor, "r+");
}

int main(int count, char **arguments) {
    char host[256], port[6], path[4096] = "";
    if (count < 2 || sscanf(arguments[1], "http://%255[^:]:%5[0-9]/%4095s", host, port, path) < 2) {
        fprintf(stderr, "usage: browser http://HOST:PORT/PATH [BODY]\n");
        return EXIT_FAILURE;
    }
    FILE *server = connected(host, port);
    if (server == NULL) {
        perror(arguments[1]);
        return EXIT_FAILURE;
    }
    const char *body = count > 2 ? arguments[2] : "";
    fprintf(server, "%s /%s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
            count > 2 ? "POST" : "GET", path, host, port, strlen(body), body);
    fflush(server);

    static const char LOCATION[] = "location: ";
    char line[8192];
    int status = 0;
    if (fgets(line, sizeof line, server) != NULL) sscanf(line, "HTTP/1.1 %d", &status);
    while (fgets(line, sizeof line, server) != NULL && *line != '\r') {
        line[strcspn(line, "\r\n")] = '\0';
        if (strncasecmp(line, LOCATION, sizeof LOCATION - 1) == 0) puts(line + sizeof LOCATION - 1);
    }
    fclose(server);
    return status >= 200 && status < 400 ? EXIT_SUCCESS : EXIT_FAILURE;
}
