/* LOCAL opens: from one client through the server to the client that has registered the name. */
#ifndef SERVER_CROSSING_H
#define SERVER_CROSSING_H

#include "core/bridge.h"
#include "server/service.h"

struct crossing {
    struct bridge bridge;
    struct list node; /* on server->crossings */
    struct server *server;
    struct service_user user; /* on service->users, while that is registered */
    struct peer *opener;      /* borrowed; only while the open is not answered */
    struct timer timer;       /* for the answer */
};

static inline struct crossing *crossing_of(struct list *node)
{
    return container_of(node, struct crossing, node);
}

/* Answers the CONNECT `id` of the opener's link, at once or once the other client has. */
void crossing_open(struct peer *opener, struct link *l, struct slice id,
                   const struct msg_request *request);

/* Ends it at once. */
void crossing_free(struct crossing *x);

#endif
