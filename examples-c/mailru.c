/*
 * mailru: the library as a command, to try things with. `make install` puts it into bin.
 *
 *     mailru [OPTION...] COMMAND [ARGUMENT...]
 *
 * This file reads the command line; the commands stand in the folder `command`.
 */
#include "command/command.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const char HELP[] =
    "usage: mailru [OPTION...] COMMAND [ARGUMENT...]\n"
    "  call METHOD [NAME=VALUE...|JSON|-]  calls a method of the platform\n"
    "  upload FILE [NAME=VALUE...]  sends a file; --method, --field\n"
    "  public PATH [NAME=VALUE...]  reads a public page, such as mail/nick\n"
    "  sign METHOD [NAME=VALUE...]  shows what is hashed; --sig SIG compares\n"
    "  verify QUERY         checks a payment; --kind launch|cookie|launch_by_key\n"
    "  verify-launch QUERY  checks a player's launch\n"
    "  login                fills the token file; --scope, --redirect ADDRESS,\n"
    "                       --response-type code|token, --force replaces a login\n"
    "  tokens               says what they are good for; --renew\n"
    "  methods [NAME], errors [NUMBER], version\n"
    "Who calls: flags, variables (MAILRU_APP_ID, MAILRU_PRIVATE_KEY, ...), or lines\n"
    "(app_id=..., private_key=...) of --keys FILE, which must have mode 0600:\n"
    "  --app-id ID --private-key KEY --secret-key KEY --access-token TOKEN --uid UID\n"
    "  --refresh-token TOKEN --email EMAIL --password PASSWORD --token-file FILE\n"
    "How:\n"
    "  --sandbox[=ADDRESS]  a platform on this machine, with keys of its own\n"
    "  --circuit client|server  sign with the private key, or with the secret key\n"
    "  --options JSON       the session's options; --timeout MS; --debug\n"
    "  --json               failures as JSON on the output; shows tokens\n"
    "Exit status: 0 done, 1 the platform refused, 2 wrong use or keys, 3 not the\n"
    "platform's signature, 4 log in again, 5 no answer, 70 a bug. Manual: mailru(1)\n";

static const struct {
    const char *name;
    int (*run)(char **arguments);
} commands[] = {
    {"call", call},       {"public", public_page}, {"upload", upload},   {"tokens", tokens},
    {"login", login},     {"sign", sign},          {"verify", verify},   {"verify-launch", verify_launch},
    {"methods", methods}, {"errors", errors},      {"version", version},
};

enum { SANDBOX = KEYS, KEYS_FILE, OPTIONS, TIMEOUT, CIRCUIT, KIND, METHOD, FIELD, TYPE, REDIRECT, SCOPE, SIG, SWITCH };

static const struct option options[] = {
    {"app-id", required_argument, NULL, APP_ID},
    {"private-key", required_argument, NULL, PRIVATE_KEY},
    {"secret-key", required_argument, NULL, SECRET_KEY},
    {"access-token", required_argument, NULL, ACCESS_TOKEN},
    {"refresh-token", required_argument, NULL, REFRESH_TOKEN},
    {"uid", required_argument, NULL, USER_ID},
    {"email", required_argument, NULL, EMAIL},
    {"password", required_argument, NULL, PASSWORD},
    {"token-file", required_argument, NULL, TOKEN_FILE},
    {"sandbox", optional_argument, NULL, SANDBOX},
    {"keys", required_argument, NULL, KEYS_FILE},
    {"options", required_argument, NULL, OPTIONS},
    {"timeout", required_argument, NULL, TIMEOUT},
    {"circuit", required_argument, NULL, CIRCUIT},
    {"kind", required_argument, NULL, KIND},
    {"method", required_argument, NULL, METHOD},
    {"field", required_argument, NULL, FIELD},
    {"response-type", required_argument, NULL, TYPE},
    {"redirect", required_argument, NULL, REDIRECT},
    {"scope", required_argument, NULL, SCOPE},
    {"sig", required_argument, NULL, SIG},
    {"json", no_argument, NULL, SWITCH},
    {"debug", no_argument, NULL, SWITCH + 1},
    {"force", no_argument, NULL, SWITCH + 2},
    {"renew", no_argument, NULL, SWITCH + 3},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* Takes a key out of the command line, where other users of the machine see it. */
static char *taken(char *argument) {
    char *copy = copy_of(argument);
    for (volatile char *byte = argument; *byte != '\0'; byte++) *byte = 'x';
    return copy;
}

static void take_sandbox(const char *address) {
    if (address == NULL) address = getenv("MAILRU_SANDBOX");
    settings.starts_sandbox = address == NULL || *address == '\0';
    settings.sandbox = settings.starts_sandbox ? NULL : copy_of(address);
    size_t size = settings.sandbox != NULL ? strlen(settings.sandbox) : 0;
    if (size > 0 && settings.sandbox[size - 1] == '/') settings.sandbox[size - 1] = '\0';
}

static int take(int option) {
    if (option >= 0 && option < KEYS) {
        /* What is no secret stays readable in the list of processes. */
        bool is_secret = option != APP_ID && option != USER_ID && option != EMAIL && option != TOKEN_FILE;
        settings.keys[option] = is_secret ? taken(optarg) : copy_of(optarg);
        return DONE;
    }
    switch (option) {
    case SANDBOX: take_sandbox(optarg); break;
    case KEYS_FILE: settings.keys_file = optarg; break;
    case OPTIONS: settings.options = optarg; break;
    case TIMEOUT:
        settings.timeout_ms = optarg;
        if (*optarg == '\0' || optarg[strspn(optarg, "0123456789")] != '\0') {
            return complain("--timeout is a number of milliseconds");
        }
        break;
    case CIRCUIT:
        settings.circuit = optarg;
        if (strcmp(optarg, "client") != 0 && strcmp(optarg, "server") != 0) {
            return complain("--circuit is client or server");
        }
        break;
    case KIND: settings.kind = optarg; break;
    case METHOD: settings.method = optarg; break;
    case FIELD: settings.field = optarg; break;
    case TYPE: settings.response_type = optarg; break;
    case REDIRECT: settings.redirect = optarg; break;
    case SCOPE: settings.scope = optarg; break;
    case SIG: settings.signature = optarg; break;
    case SWITCH: settings.json = true; break;
    case SWITCH + 1: settings.debug = true; break;
    case SWITCH + 2: settings.force = true; break;
    case SWITCH + 3: settings.renew = true; break;
    default: return complain("mailru --help tells the options");
    }
    return DONE;
}

static void tell(void *user_data, int32_t level, const char *message) {
    (void)level;
    fprintf(user_data, "%s\n", message);
}

int main(int count, char **arguments) {
    int option, status = DONE;
    while ((option = getopt_long(count, arguments, "hV", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(HELP, stdout);
            return DONE;
        }
        if (option == 'V') return version(arguments + count);
        if (take(option) != DONE) status = WRONG_USE;
    }
    if (status != DONE) return status;
    if (optind == count) {
        fputs(HELP, stderr);
        return WRONG_USE;
    }
    const char *name = arguments[optind];
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) != 0) continue;
        status = complete_settings(*arguments);
        if (status != DONE) return status;
        if (settings.debug) mailru_set_log(tell, stderr, NULL, 4);
        status = commands[i].run(arguments + optind + 1);
        mailru_set_log(NULL, NULL, NULL, 0);
        for (int key = 0; key < KEYS; key++) {
            struct text wiped = {settings.keys[key], 0, settings.keys[key] != NULL ? strlen(settings.keys[key]) : 0};
            forget(&wiped);
        }
        return fflush(stdout) == 0 ? status : NO_ANSWER;
    }
    return complain("%s is no command; mailru --help lists them", name);
}
