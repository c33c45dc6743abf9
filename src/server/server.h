/* wsps: the public port, the links of its clients, what they opened and what they registered. */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include "base/map.h"
#include "config/wsps_config.h"
#include "core/credit.h"
#include "core/status.h"
#include "net/egress.h"
#include "net/listener.h"
#include "net/outbound.h"
#include "net/rate.h"
#include "server/certificates.h"
#include "wsp/event.h"

struct front;
struct http1_head;

struct server {
    struct wsp_loop *loop;      /* borrowed */
    struct wsps_config *config; /* borrowed; server_reload exchanges what is in it */
    struct listener listener;
    struct certificates certificates; /* of the public port */
    struct resolver *resolver;        /* owned */
    struct egress egress;
    struct list proxied;         /* connections on it that have to say for whom they are */
    struct list fronts;          /* connections on the public port that speak HTTP */
    struct list detached;        /* those that the program has, but for what moves their bytes */
    struct list wraps;           /* those that are WebSockets in front of a TCP service */
    struct list peers;           /* links */
    struct outbound_owner exits; /* connections to targets of DYNAMIC */
    struct list crossings;       /* opens of one client that go to another */
    struct map services;         /* what is registered, by name */
    struct map instances;        /* clients that said who they are, by id */
    struct credit_cap memory;    /* for what clients and services send */
    size_t offline_count;        /* services whose client has gone */
    struct tls_context *tls;     /* a reference: trust in the system's roots; NULL until needed */
    size_t peer_count;
    struct link_totals ended; /* what the links that are gone have done */
    uint64_t links_refused;   /* requests for a link that got another answer than 101 */
    unsigned last_peer;       /* number of the newest link, for its name */
    bool draining;            /* nothing new is begun */
    struct timer drain;       /* until all is ended all the same */
    struct task drained;      /* calls on_drained */
    void (*on_drained)(struct server *s);
    /* From on_request of a front, for a request that is neither for a link nor for a service;
     * `behind` was read behind it. NULL: it gets 404. */
    void (*fallback)(struct front *f, const struct http1_head *head, struct slice behind);
    /* Links and names; must not end anything. NULL: nobody wants to know. */
    void (*on_event)(struct server *s, const struct wsp_event *e);
    struct rate_table rate;       /* of connections from one address */
    uint64_t connections_refused; /* by that */
    struct log_limit flood;       /* for log lines about those */
    struct log_limit noise;       /* for log lines about strangers' faults */
};

/* Where its connections come from; zeroed: the public port. */
struct server_sources {
    const struct listener_sockets *passed; /* taken, even on failure; NULL or empty: none */
    bool no_listener;                      /* they are handed over only */
};

/* Opens the public port, or accepts on the sockets that were passed. `error` gets one line on
 * failure; then nothing is left open. WSP_OK, WSP_ERR_CONFIG, WSP_ERR_SYSTEM or WSP_ERR_NOMEM. */
enum wsp_err server_start(struct server *s, struct wsp_loop *loop, struct wsps_config *config,
                          const struct server_sources *sources, char error[CONFIG_ERROR_MAX]);

/*
 * Goes on with another configuration, which counts for all that begins from now on; what is open is
 * not touched. On WSP_OK, `with` and the server's configuration have been exchanged. On failure
 * nothing has changed; errors as for server_start.
 */
enum wsp_err server_reload(struct server *s, struct wsps_config *with,
                           char error[CONFIG_ERROR_MAX]);

/* Stops listening and opening; on_drained is called when what was open has ended, or after the
 * configured time. */
void server_drain(struct server *s, void (*on_drained)(struct server *s));

/* Tells of a link or a name. */
void server_tell(struct server *s, const struct wsp_event *e);

/* To be called when something that a drain waits for has ended. */
void server_use_ended(struct server *s);

/* Ends everything at once. */
void server_stop(struct server *s);

#endif
