/* One client's link, seen from the server. */
#ifndef SERVER_PEER_H
#define SERVER_PEER_H

#include "net/carrier.h"
#include "server/server.h"

struct peer {
    struct carrier carrier;
    struct list node; /* on server->peers */
    struct server *server;
    struct address address;
    struct instance *instance; /* whose link it is */
    struct list instance_node; /* on instance->peers */
    struct log_limit noise;    /* for log lines about its registrations */
    unsigned wrong_passwords;  /* in the minute that began at wrong_since_us */
    uint64_t wrong_since_us;
};

static inline struct peer *peer_of(struct list *node)
{
    return container_of(node, struct peer, node);
}

/* What was agreed on in the handshake. */
struct peer_start {
    struct stream *stream;     /* taken, and its place in the server's listener */
    struct slice early;        /* read behind the request */
    enum link_dialect dialect; /* LINK_0_10, LINK_EITHER or LINK_WSP_1_AWAITED */
    const struct address *address;
};

/* WSP_OK, or as carrier_start: then it is closed, and its place given back. */
enum wsp_err peer_start(struct server *s, const struct peer_start *with);

/* No opens from any client from now on. */
void peers_drain(struct server *s);

/* Ends it at once. */
void peer_free(struct peer *p);

#endif
