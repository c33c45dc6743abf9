/* wspc: its links to servers and the listeners that use them. */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include "config/wspc_config.h"
#include "core/credit.h"
#include "core/status.h"
#include "net/egress.h"
#include "net/resolver.h"

struct session;

struct client {
    struct wsp_loop *loop;            /* borrowed */
    const struct wspc_config *config; /* borrowed */
    struct resolver *resolver;        /* owned */
    struct credit_cap memory;         /* for what servers send */
    struct egress egress;             /* what tunnels may reach */
    struct session **session;         /* owned; one for each config->client */
    size_t session_count;
    struct link_totals ended; /* what the links that are gone have done */
    bool draining;            /* nothing new is begun */
    struct timer drain;       /* until all is ended all the same */
    struct task drained;      /* calls on_drained */
    void (*on_drained)(struct client *c);
    void (*on_links)(struct client *c); /* a link came or went; NULL: nobody wants to know */
};

/* Opens the listeners and begins to connect. `error` gets one line on failure; then nothing is left
 * open. WSP_OK, WSP_ERR_SYSTEM or WSP_ERR_NOMEM. */
enum wsp_err client_start(struct client *c, struct wsp_loop *loop, const struct wspc_config *config,
                          char error[CONFIG_ERROR_MAX]);

/* Stops listening and reconnecting; on_drained is called when the listeners' connections have
 * ended, or after the configured time. */
void client_drain(struct client *c, void (*on_drained)(struct client *c));

/* Entries of `client` that have a link for new channels. */
size_t client_servers_up(const struct client *c);

/* To be called when a link came or went. */
void client_links_changed(struct client *c);

/* To be called when such a connection has ended. */
void client_user_ended(struct client *c);

/* Ends everything at once. */
void client_stop(struct client *c);

#endif
