/* One connection on the public port, from accept to where its request is sent. */
#ifndef SERVER_FRONT_H
#define SERVER_FRONT_H

#include "http/head_reader.h"
#include "server/server.h"

struct front {
    struct list node; /* on server->fronts */
    struct server *server;
    struct stream stream;
    struct timer timer; /* for the whole head */
    struct head_reader reader;
    struct address peer;
    bool no_body; /* the request is HEAD: an answer has none */
};

static inline struct front *front_of(struct list *node)
{
    return container_of(node, struct front, node);
}

/* `fd` is taken. */
void front_accept(struct server *s, int fd, const struct address *peer);

/* Ends it at once. */
void front_free(struct front *f);

#endif
