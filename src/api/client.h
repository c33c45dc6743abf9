/* The client of wsp/client.h: a struct client with the configuration it goes by. */
#ifndef API_CLIENT_H
#define API_CLIENT_H

#include "api/events.h"
#include "client/client.h"
#include "wsp/client.h"

struct wsp_client {
    struct wsp_loop *loop; /* a reference */
    bool dying;            /* freed within a turn: nothing is called back any more */
    bool links_only;
    struct task end; /* frees it when the turn is over */
    struct events events;
    struct wspc_config config;
    struct client client;
    struct list streams;  /* struct wsp_stream: borrowed, those that the program has */
    struct list relays;   /* struct relayed: owned, until they are over */
    struct list servings; /* struct serving: owned */
    void (*drained)(void *ctx);
    void *drained_ctx; /* borrowed until `drained` was called */
};

/* It can be used: neither NULL nor freed within this turn. */
static inline bool client_is_usable(const struct wsp_client *c)
{
    return c && !c->dying;
}

#endif
