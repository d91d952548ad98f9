/* The session that the programs of libmailru share. */
#ifndef SESSION_H
#define SESSION_H

#include "slice.h"

#include <mailru.h>
#include <stdio.h>

static mailru_session open_session(const struct work *work, int connections) {
    char options[4096], *error;
    snprintf(options, sizeof options, "{\"api_url\":\"%s\",\"max_idle_connections\":%d%s%s%s}", work->url,
             connections > 16 ? connections : 16, work->ca_file ? ",\"ca_file\":\"" : "",
             work->ca_file ? work->ca_file : "", work->ca_file ? "\"" : "");
    mailru_session session = mailru_client_session_new(work->app_id, work->private_key, work->access_token, work->uid,
                                                       options, &error);
    if (!session)
        fail("no session", error);
    return session;
}

#endif
