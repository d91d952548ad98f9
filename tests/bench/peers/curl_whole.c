/*
 * The whole job by hand, as a C program does it without this library: libcurl for HTTP, OpenSSL for
 * MD5, jansson for JSON. Reads the parameters, signs, encodes, sends, checks the answer, hands it on.
 */
#include "transfer.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>

struct client {
    struct transfer transfer;
    const struct work *work;
    EVP_MD_CTX *digest;
};

struct parameter {
    const char *name;
    const char *value;
};

enum { MOST = 32 };

/* The parameters of one call, with room for the signature, and the texts of its numbers. */
struct call {
    struct parameter all[MOST + 1];
    size_t count;
    char numbers[MOST][24];
};

static int begin(const struct work *work) {
    (void)work;
    return curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK;
}

static void *enter(const struct work *work) {
    struct client *client = calloc(1, sizeof *client);
    if (!client || transfer_begin(&client->transfer, work) != 0)
        return NULL;
    client->work = work;
    client->digest = EVP_MD_CTX_new();
    return client;
}

static int by_name(const void *one, const void *other) {
    return strcmp(((const struct parameter *)one)->name, ((const struct parameter *)other)->name);
}

/* The caller's parameters and the client's own; 0 if it went well. */
static int collect(const struct work *work, json_t *object, struct call *call) {
    const struct parameter own[] = {
        {"method", work->method}, {"app_id", work->app_id}, {"session_key", work->access_token}};
    call->count = sizeof own / sizeof *own;
    memcpy(call->all, own, sizeof own);
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        if (call->count == MOST)
            return -1;
        char *number = call->numbers[call->count];
        struct parameter *parameter = &call->all[call->count++];
        parameter->name = name;
        if (json_is_string(value)) {
            parameter->value = json_string_value(value);
        } else if (json_is_integer(value)) {
            snprintf(number, sizeof call->numbers[0], "%" JSON_INTEGER_FORMAT, json_integer_value(value));
            parameter->value = number;
        } else {
            return -1;
        }
    }
    return object ? 0 : -1;
}

static void sign(struct client *client, const struct call *call, char signature[33]) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size;
    EVP_DigestInit_ex(client->digest, EVP_md5(), NULL);
    EVP_DigestUpdate(client->digest, client->work->uid, strlen(client->work->uid));
    for (const struct parameter *it = call->all; it < call->all + call->count; it++) {
        EVP_DigestUpdate(client->digest, it->name, strlen(it->name));
        EVP_DigestUpdate(client->digest, "=", 1);
        EVP_DigestUpdate(client->digest, it->value, strlen(it->value));
    }
    EVP_DigestUpdate(client->digest, client->work->private_key, strlen(client->work->private_key));
    EVP_DigestFinal_ex(client->digest, digest, &size);
    for (unsigned int i = 0; i < 16; i++)
        sprintf(signature + 2 * i, "%02x", digest[i]);
}

/* The address with its query; 0 if it went well. */
static int address(struct client *client, struct call *call, char *url, size_t room) {
    char signature[33];
    sign(client, call, signature);
    call->all[call->count++] = (struct parameter){"sig", signature};
    size_t size = (size_t)snprintf(url, room, "%s", client->work->url);
    for (size_t i = 0; i < call->count && size < room; i++) {
        char *name = curl_easy_escape(client->transfer.curl, call->all[i].name, 0);
        char *value = curl_easy_escape(client->transfer.curl, call->all[i].value, 0);
        size += (size_t)snprintf(url + size, room - size, "%c%s=%s", i ? '&' : '?', name, value);
        curl_free(name);
        curl_free(value);
    }
    return size < room ? 0 : -1;
}

/* The answer as a string of its own, if it is JSON and no error. */
static char *checked(const struct transfer *transfer) {
    json_t *answer = json_loadb(transfer->answer, transfer->size, JSON_DECODE_ANY, NULL);
    int good = answer && !json_object_get(answer, "error");
    json_decref(answer);
    return good ? strdup(transfer->answer) : NULL;
}

static size_t perform(void *state) {
    struct client *client = state;
    struct call call;
    char url[4096];
    size_t size = 0;
    json_t *object = json_loads(client->work->params, 0, NULL);
    int good = collect(client->work, object, &call) == 0;
    qsort(call.all, call.count, sizeof *call.all, by_name);
    if (good && address(client, &call, url, sizeof url) == 0) {
        curl_easy_setopt(client->transfer.curl, CURLOPT_URL, url);
        char *json = transfer_run(&client->transfer) == 0 ? checked(&client->transfer) : NULL;
        if (json)
            size = strlen(json);
        free(json);
    }
    json_decref(object);
    return size;
}

static void leave(void *state) {
    struct client *client = state;
    transfer_end(&client->transfer);
    EVP_MD_CTX_free(client->digest);
    free(client);
}

const struct peer peer = {begin, enter, perform, leave, 0};
