/* wspc: its links to servers and the listeners that use them. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "config/wspc_config.h"
#include "core/credit.h"
#include "core/status.h"
#include "net/egress.h"
#include "net/resolver.h"
#include "wsp/event.h"

struct session;

struct client {
    struct wsp_loop *loop;      /* borrowed */
    struct wspc_config *config; /* borrowed, its entries taken; client_reload exchanges the rest */
    struct resolver *resolver;  /* owned */
    struct credit_cap memory;   /* for what servers send */
    struct egress egress;       /* what tunnels may reach */
    struct list sessions;       /* owned: one for each entry, and those that drain */
    size_t session_count;       /* without the latter */
    unsigned last_session;      /* number of the newest, for its name */
    struct link_totals ended;   /* what the links that are gone have done */
    bool draining;              /* nothing new is begun */
    struct task drained;        /* calls on_drained */
    void (*on_drained)(struct client *c);
    /* What the program may want to know; strings are borrowed. NULL: nobody does. */
    void (*on_event)(struct client *c, const struct wsp_event *e);
};

/* Opens the listeners and begins to connect; the entries of `client` are taken from `config`.
 * `error` gets one line on failure; then nothing is left open. WSP_OK,
 * WSP_ERR_CONFIG, WSP_ERR_SYSTEM or WSP_ERR_NOMEM. */
enum wsp_err client_start(struct client *c, struct wsp_loop *loop, struct wspc_config *config,
                          char error[CONFIG_ERROR_MAX]);

/*
 * Goes on with another configuration (client/reload.c). What is the same in both is left alone, and
 * so is all that is open. On WSP_OK `with` holds what is left of the old configuration; a listener
 * that could not be opened is logged, and tried again. On WSP_ERR_CONFIG, the only error, nothing
 * has changed, and `error` has a line.
 */
enum wsp_err client_reload(struct client *c, struct wspc_config *with,
                           char error[CONFIG_ERROR_MAX]);

/* Stops listening and reconnecting; on_drained is called when the listeners' connections have
 * ended, or after the configured time. */
void client_drain(struct client *c, void (*on_drained)(struct client *c));

/* A session that drains has freed itself. */
void client_session_drained(struct client *c);

/* The session of an entry of `client`, by its place in the configuration, or NULL. */
struct session *client_session(const struct client *c, size_t index);

/* Entries of `client` that have a link for new channels. */
size_t client_servers_up(const struct client *c);

/* To be called for what the program may want to know. */
void client_tell(struct client *c, const struct wsp_event *e);

/* Ends everything at once. */
void client_stop(struct client *c);

#endif
