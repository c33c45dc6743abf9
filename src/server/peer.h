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
    struct list services; /* what it has registered: struct service.peer_node */
    size_t service_count;
    unsigned wrong_passwords; /* in the minute that began at wrong_since_us */
    uint64_t wrong_since_us;
};

static inline struct peer *peer_of(struct list *node)
{
    return container_of(node, struct peer, node);
}

/* `fd` is taken, and its place in the server's listener; `early` was read behind the request. */
void peer_start(struct server *s, int fd, struct slice early, const struct address *address);

/* Ends it at once. */
void peer_free(struct peer *p);

#endif
