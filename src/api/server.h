/* The server of wsp/server.h: a struct server with the configuration it goes by. */
#ifndef API_SERVER_H
#define API_SERVER_H

#include "api/events.h"
#include "server/server.h"
#include "wsp/server.h"

struct wsp_server {
    struct wsp_loop *loop; /* a reference */
    bool dying;            /* freed within a turn: nothing is called back any more */
    bool no_listener;
    bool drains;     /* it was asked to */
    struct task end; /* frees it when the turn is over */
    struct task begin_drain;
    struct list guests; /* connections lent by the program */
    struct events events;
    void (*fallback)(void *ctx, struct wsp_request *request); /* NULL: none */
    void *ctx;                                                /* borrowed; of it */
    struct wsps_config config;
    struct server server;
    void (*drained)(void *ctx);
    void *drained_ctx; /* borrowed until `drained` was called */
};

static inline struct wsp_server *server_owner(struct server *s)
{
    return container_of(s, struct wsp_server, server);
}

/* It can be used: neither NULL nor freed within this turn. */
static inline bool server_is_usable(const struct wsp_server *s)
{
    return s && !s->dying;
}

#endif
