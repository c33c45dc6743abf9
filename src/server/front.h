/* A connection on the public port: its requests become a link, a WebSocket in front of a TCP
 * service, or are exchanged with an HTTP service. */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include "http/conn.h"
#include "server/service.h"

struct front {
    struct http_conn conn;
    struct list node; /* on server->fronts */
    struct server *server;
    struct address peer;      /* whose connection it is */
    bool secure;              /* he has come through TLS */
    bool by_proxy;            /* that is a proxy which is trusted */
    struct address visitor;   /* of the current request: the same, or whom such a proxy names */
    struct address local;     /* where that went; empty: to our end of it, which nobody has asked */
    struct service *service;  /* of the current or last request; NULL when none or gone */
    struct service_user user; /* on service->users */
};

static inline struct front *front_of(struct list *node)
{
    return container_of(node, struct front, node);
}

/* `fd` is taken. `local` as above. */
void front_accept(struct server *s, int fd, const struct address *peer,
                  const struct address *local);

/* A connection that somebody else has accepted. */
struct front_start {
    struct stream *stream; /* open; taken, even on failure */
    struct slice early;    /* read from it before */
    struct address peer;   /* empty: not known */
    bool secure;           /* TLS was taken off it */
};

/* Takes it, but on failure not its place in the server's listener. WSP_OK, WSP_ERR_NOMEM or
 * WSP_ERR_SYSTEM. */
enum wsp_err front_start(struct server *s, const struct front_start *with);

/* Idle ones end, the others after their current request. */
void fronts_drain(struct server *s);

/* The header that a connection to a service begins with for the current request; returns its
 * bytes, 0 for PROXY_NONE. */
size_t front_proxy_header(struct front *f, enum proxy_version version,
                          uint8_t out[PROXY_WRITE_MAX]);

/* Ends it at once. */
void front_free(struct front *f);

/* Its stream and its place in the listener are somebody else's now: frees the rest. */
void front_left(struct front *f);

/* The service whose upstreams the current request uses, or NULL. */
void front_use(struct front *f, struct service *service);

#endif
