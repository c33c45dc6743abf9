/* A request that the program takes with its connection: the descriptor, or where there is TLS on it
 * or it is none, one end of a socket pair, behind which the bytes are carried over. */
#ifndef SERVER_DETACHED_H
#define SERVER_DETACHED_H

#include "net/pump.h"
#include "server/front.h"

struct detached {
    struct list node; /* on server->detached */
    struct server *server;
    struct pump pump;
};

static inline struct detached *detached_of(struct list *node)
{
    return container_of(node, struct detached, node);
}

/* From on_request: the connection's descriptor, the caller's. *fd is set with WSP_OK: then all that
 * is left of `f` is freed with front_left. WSP_ERR_SYSTEM or WSP_ERR_NOMEM: it can be answered. */
enum wsp_err detached_start(struct front *f, int *fd);

/* Ends it at once. */
void detached_free(struct detached *d);

#endif
