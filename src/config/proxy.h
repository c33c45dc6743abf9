/* Through which proxy a link goes: key `proxy`, or what the environment says. */
#ifndef CONFIG_PROXY_H
#define CONFIG_PROXY_H

#include "config/json.h"
#include "proto/proxy_client.h"

/* Strings are owned but for `origin`. All are NULL when there is no proxy. */
struct config_proxy {
    enum proxy_kind kind;
    char *host; /* without brackets; NULL: none, connect directly */
    unsigned port;
    char *user;         /* "" when there are no credentials */
    char *password;     /* a secret */
    char *shown;        /* "http://host:port": without credentials, for logs */
    const char *origin; /* where it was set, for logs: "\"proxy\"" or "http_proxy" */
};

void config_proxy_fini(struct config_proxy *p);

/* What a link connects to. */
struct config_proxy_target {
    const char *host; /* without brackets */
    unsigned port;
    bool secure; /* wss:// */
};

/*
 * Reads the key `proxy` of an entry of `client`: a URL or "none". When it is absent the environment
 * is asked: http_proxy, or https_proxy for a secure target, then all_proxy, unless no_proxy lists
 * the target or it is this machine. False with the document's error set.
 */
bool config_proxy_read(const struct json_at *object, const struct config_proxy_target *target,
                       struct config_proxy *out);

#endif
