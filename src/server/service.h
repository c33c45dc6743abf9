/*
 * What clients have registered, by name: a local HTTP, HTTPS or TCP service behind a link. The name
 * is that of docs/protocol.md: "http:path:VALUE" or "http:domain:VALUE".
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include "proto/forward.h"
#include "proto/proxy_header.h"
#include "server/instance.h"
#include "server/peer.h"

#define SERVICE_NAME_MAX 512  /* bytes of the longest name */
#define SERVICE_VALUE_MAX 256 /* bytes of the longest path or domain */

enum service_kind {
    SERVICE_HTTP,
    SERVICE_HTTPS,
    SERVICE_TCP,     /* wrapped as a WebSocket */
    SERVICE_CHANNEL, /* reached by other clients, by name */
};

struct tls_context;

struct service {
    struct map_node node;      /* in server->services, by name */
    struct list instance_node; /* on instance->services */
    struct server *server;     /* borrowed */
    struct instance *instance; /* borrowed: its client; NULL once that is gone */
    struct claim *claim;       /* wsp.1: its registration's open channel, or NULL */
    enum service_kind kind;
    struct slice name;  /* owned memory, as all slices here */
    struct slice url;   /* as registered: what an open carries */
    struct slice value; /* path without slashes at its ends, or domain in lower case */
    struct slice base;  /* path before every request's rest; "" or "/…" without a last '/' */
    bool base_slash;    /* the base was written with a last '/' */
    struct slice host;  /* of the service, for TLS: IPv6 without brackets */
    struct slice query; /* of the url: options such as origin, insecure, pin, ca */
    enum proxy_version proxy; /* the header that connections to it begin with */
    struct tls_context *tls;  /* a reference; NULL until needed */
    struct timer expiry;      /* when it is forgotten, once its client is gone */
    struct list pool;         /* idle upstreams */
    struct list users;        /* struct service_user: connections to it */
    char link[LINK_NAME_MAX]; /* on which it was registered last; "" before that */
    char memory[];
};

/* A visitor's connection that uses the service, so that it ends when the registration does. */
struct service_user {
    struct list node;
    /* Must take it off the list; `gently`: what is open may go on. */
    void (*end)(struct service_user *u, bool gently);
};

/* What a registration asks for, checked. */
struct service_wanted {
    struct forward f;
    enum service_kind kind;
    bool domain;
    enum proxy_version proxy;
    char value[SERVICE_VALUE_MAX + 1]; /* without slashes at its ends; a domain in lower case */
    char name[SERVICE_NAME_MAX];
};

/* Enters it for a client, its name being free. NULL without memory. */
struct service *service_new(struct peer *p, const struct service_wanted *w, struct slice url);

/* It is registered, on this peer's link: notes that, and tells of it. */
void service_registered(struct service *s, const struct peer *p);

/* Ends its users and frees it. */
void service_free(struct service *s);

/* Its client does not offer it any more: the same, but what is open may go on. */
void service_withdraw(struct service *s);

/* Its client has gone, or takes no opens any more (`gently`): ends its users. The name of one that
 * visitors ask for is remembered for some minutes, so that they get 503 and not 404, but is free
 * for others. */
void service_offline(struct service *s, bool gently);

/* A link of its client takes no opens any more: what is idle on it ends. */
void service_leave_link(struct service *s, const struct link *l);

/*
 * The service for a request: a domain that is the Host (without port, in any case) wins over a
 * path; the longest path wins. `path` is the raw target without query. *rest gets what is behind
 * the service's part of the path: "" or "/…"; for a domain the whole path. NULL when none is.
 */
struct service *service_find(struct server *s, struct slice host, struct slice path,
                             struct slice *rest);

/* What is registered under a name, or NULL. */
struct service *service_named(struct server *s, struct slice name);

/* Opens a channel (initialised, not live) to the service: CONNECT REMOTE on one of its client's
 * links. WSP_OK, WSP_ERR_LIMIT, WSP_ERR_NOMEM or WSP_ERR_REFUSED (no link takes it). */
enum wsp_err service_open(struct service *s, struct chan *ch);

/* The first value of an option in its URL's query, decoded into `out` and NUL-terminated; false
 * when absent or too long. */
bool service_option(const struct service *s, const char *key, char *out, size_t cap);

#endif
