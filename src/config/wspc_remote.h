/* An entry of `remote` in wspc.json: a local service that is offered through the server. */
#ifndef CONFIG_WSPC_REMOTE_H
#define CONFIG_WSPC_REMOTE_H

#include "config/json.h"
#include "proto/forward.h"

struct wspc_remote {
    char *url;        /* owned; as it goes on the wire, with its secrets: never log it */
    char *redacted;   /* owned; for logs */
    char *name;       /* owned; the name wsps files it under: "http:path:api", or the channel */
    char *password;   /* owned; of a channel; NULL: none */
    bool is_unix;     /* host is the path of a unix socket */
    bool is_overlaid; /* it came from the overlay */
    bool is_tunnel;   /* whoever opens it says where to: host and port are not used */
    char *host;       /* owned; where the service is, IPv6 without brackets */
    unsigned port;
};

/* From its URL. NULL, or what is wrong with it, in a text that holds no part of it;
 * wspc_remote_fini either way. */
const char *wspc_remote_parse(const char *url, struct wspc_remote *out);

/* Reads and checks one entry. False with the document's error set; wspc_remote_fini either way,
 * which leaves an empty one. */
bool wspc_remote_read(struct json_at *item, struct wspc_remote *out);
void wspc_remote_fini(struct wspc_remote *r);

/* What is wrong with unix://channel@/path, its channel aside, or NULL. */
const char *config_unix_fault(const struct forward *f);

#endif
