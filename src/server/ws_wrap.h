/* A visitor's WebSocket in front of a registered TCP service: messages in, bytes out, and back. */
#ifndef SERVER_WS_WRAP_H
#define SERVER_WS_WRAP_H

#include "base/buf.h"
#include "proto/ws_stream.h"
#include "proto/ws_upgrade.h"
#include "server/front.h"
#include "server/ws_visitor.h"

struct ws_wrap {
    struct list node; /* on server->wraps */
    struct server *server;
    struct ws_visitor visitor;
    struct chan chan;
    struct service_user user; /* on service->users while the channel lives */
    struct ws_upgrade upgrade;
    struct ws_stream in;
    uint8_t lead[PROXY_WRITE_MAX]; /* the service gets it first */
    struct buf early;              /* read from the visitor before we had its stream */
    uint64_t heard_us;             /* when the visitor was last heard */
    size_t flush_bytes;            /* held when it last took some of the service's last bytes */
    uint64_t flush_us;             /* and when that was */
    unsigned pings;                /* sent since */
};

static inline struct ws_wrap *ws_wrap_of(struct list *node)
{
    return container_of(node, struct ws_wrap, node);
}

/*
 * From on_request, with f->service of kind TCP and its client connected. True: the stream, and its
 * place in the server's listener, have been taken: free `f`. False: it has been answered with
 * http_conn_refuse.
 */
bool ws_wrap_request(struct front *f, const struct http1_head *head, struct slice behind);

/* Ends it at once; the visitor gets a close frame if it can be sent now. */
void ws_wrap_free(struct ws_wrap *w);

#endif
