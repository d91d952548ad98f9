/* Commands about signatures: sign, verify, verify-launch. */
#include "command.h"

#include <stdlib.h>
#include <string.h>

/* The names in the sum of a signature, one a line, as they are hashed one after the other. */
static void explain(const char *json) {
    struct text circuit = {0}, base = {0}, name = {0}, value = {0};
    member(json, "circuit", &circuit);
    member(json, "base", &base);
    bool is_client = strcmp(circuit.bytes, "client-server") == 0;
    printf("circuit  %s: the MD5 of %s\n\n", circuit.bytes,
           is_client ? "the user's id, the parameters, and the private key" : "the parameters and the secret key");
    if (is_client) printf("  %.*s\n", (int)strspn(base.bytes, "0123456789"), base.bytes);
    const char *at = strstr(json, "\"params\":{");
    for (at = at != NULL ? at + strlen("\"params\":{") : ""; read_string(&at, &name) && *at++ == ':';) {
        if (!read_string(&at, &value)) break;
        if (strcmp(name.bytes, "sig") != 0) printf("  %s=%s\n", name.bytes, value.bytes);
        if (*at++ != ',') break;
    }
    printf("  %s\n\nThe parameters are sorted by name; values are hashed as UTF-8, before they are percent-encoded.\n\n",
           is_client ? "<private_key>" : "<secret_key>");
    printf("hashed   %s\n", base.bytes);
    /* Behind the parameters, one of which may have the same name. */
    if (member(at, "sig", &value)) printf("sig      %s\n", value.bytes);
    if (member(at, "url", &value)) printf("url      %s\n", value.bytes);
    forget(&circuit);
    forget(&base);
    forget(&name);
    forget(&value);
}

static void exchange(enum key one, enum key other) {
    char *kept = settings.keys[one];
    settings.keys[one] = settings.keys[other];
    settings.keys[other] = kept;
}

/* The parameters as somebody may hash them by mistake: percent-encoded. */
static void encode(char **arguments, struct text *json) {
    add(json, "{");
    for (; *arguments != NULL; arguments++) {
        struct text value = {0}, name = {0};
        const char *mark = strchr(*arguments, '=');
        add_bytes(&name, *arguments, (size_t)(mark - *arguments));
        add(&value, "");
        for (const unsigned char *byte = (const unsigned char *)mark + 1; *byte != '\0'; byte++) {
            static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
            char encoded[4];
            snprintf(encoded, sizeof encoded, strchr(plain, *byte) != NULL ? "%c" : "%%%02X", *byte);
            add(&value, encoded);
        }
        add_member(json, name.bytes, value.bytes);
        forget(&value);
        forget(&name);
    }
    add(json, "}");
}

/* Whether a call signed with the settings as they are now has the signature that another program made. */
static bool gives(const char *method, const char *params) {
    int status = DONE;
    mailru_session session = open_session(FOR_CALLS, &status);
    if (session == 0) return false;
    int32_t code;
    struct text sig = {0};
    char *json = mailru_sign(session, method, params, &code);
    bool same = code == MAILRU_OK && member(json, "sig", &sig) && strcmp(sig.bytes, settings.signature) == 0;
    mailru_string_free(json);
    mailru_session_free(session);
    forget(&sig);
    return same;
}

/* Tries the usual mistakes until one makes the signature that another program made. */
static int compare(char **arguments, const char *params) {
    const char *method = *arguments;
    if (gives(method, params)) {
        puts("\nYour signature is this one.");
        return DONE;
    }
    const char *mistake = NULL;
    const char *circuit = settings.circuit;
    char *token = settings.keys[ACCESS_TOKEN];
    static const char *const circuits[] = {"client", "server"};
    for (int i = 0; i < 2 && mistake == NULL; i++) {
        settings.circuit = circuits[i];
        if (gives(method, params)) mistake = i == 0 ? "the client-server circuit's" : "the server-server circuit's";
    }
    settings.circuit = circuit;
    exchange(PRIVATE_KEY, SECRET_KEY);
    for (int i = 0; i < 2 && mistake == NULL; i++) {
        settings.circuit = circuits[i];
        if (gives(method, params)) mistake = i == 0 ? "made with the secret key in place of the private key"
                                                    : "made with the private key in place of the secret key";
    }
    settings.circuit = circuit;
    exchange(PRIVATE_KEY, SECRET_KEY);
    struct text other = {0};
    if (mistake == NULL && arguments[1] != NULL && *arguments[1] != '{' && strcmp(arguments[1], "-") != 0) {
        encode(arguments + 1, &other);
        if (gives(method, other.bytes)) mistake = "made of values that were percent-encoded before they were hashed";
        forget(&other);
    }
    if (mistake == NULL) {
        add_bytes(&other, params, strlen(params) - 1);
        add_member(&other, "format", "json");
        add(&other, "}");
        if (gives(method, other.bytes)) mistake = "made with format=json, which was not sent, or not shown here";
        forget(&other);
    }
    if (mistake == NULL && token != NULL) {
        settings.keys[ACCESS_TOKEN] = "";
        if (gives(method, params)) mistake = "made without session_key";
        settings.keys[ACCESS_TOKEN] = token;
    }
    printf("\nYour signature is %s.\n", mistake != NULL ? mistake : "made of another text, or with another key");
    return WRONG_SIGNATURE;
}

int sign(char **arguments) {
    if (*arguments == NULL) return complain("sign needs a method, such as friends.get");
    struct text params = {0};
    int status = read_params(arguments + 1, &params);
    mailru_session session = status == DONE ? open_session(FOR_CALLS, &status) : 0;
    if (session != 0) {
        int32_t code;
        char *json = mailru_sign(session, *arguments, params.bytes, &code);
        if (code != MAILRU_OK || settings.json) {
            status = finish(json, code, NULL);
        } else {
            explain(json);
            mailru_string_free(json);
            if (settings.signature != NULL) status = compare(arguments, params.bytes);
        }
        mailru_session_free(session);
    }
    forget(&params);
    return status;
}

/* Checks the query of an address, or a query alone, or the one that stands in the input. */
static int verify_kind(const char *kind, const char *query) {
    if (query == NULL) return complain("what is checked is missing: the query string as it came, or - for the input");
    if (settings.keys[SECRET_KEY] == NULL) return missing(SECRET_KEY);
    struct text line = {0};
    if (strcmp(query, "-") == 0) {
        int byte;
        add(&line, "");
        while ((byte = getchar()) != EOF && byte != '\n') add_bytes(&line, (const char[]){(char)byte}, 1);
        query = line.bytes;
    }
    const char *mark = strchr(query, '?');
    struct text given = {0};
    add(&given, mark != NULL ? mark + 1 : query);
    given.bytes[strcspn(given.bytes, "#\r\n")] = '\0';
    int32_t code;
    char *json = mailru_verify_query(kind, settings.keys[SECRET_KEY], given.bytes, &code);
    int status = finish(json, code, NULL);
    forget(&given);
    forget(&line);
    return status;
}

int verify(char **arguments) { return verify_kind(settings.kind != NULL ? settings.kind : "payment", *arguments); }

int verify_launch(char **arguments) { return verify_kind("launch", *arguments); }
