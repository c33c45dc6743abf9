/* One entry of `client`: its link to the server, kept up by reconnecting, and its listeners. */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/client.h"
#include "http/head_reader.h"
#include "net/carrier.h"
#include "net/dialer.h"
#include "net/listener.h"
#include "net/outbound.h"
#include "proto/ws.h"

enum session_state {
    SESSION_WAITING,   /* until the back-off has passed */
    SESSION_DIALING,   /* TCP */
    SESSION_UPGRADING, /* request sent, waiting for the 101 */
    SESSION_UP,
};

/* A listener of `dynamic` or `local`. */
struct proxy_listener {
    struct listener listener;
    struct session *session;
    const struct wspc_listener *config;
    size_t opened; /* channels opened for its connections so far */
};

struct registration;

struct session {
    struct client *client;
    const struct wspc_client *config;
    char name[LINK_NAME_MAX]; /* "link 1": place in the configuration */
    enum session_state state;
    struct carrier carrier; /* SESSION_UP */
    struct dial dial;       /* SESSION_DIALING */
    struct stream stream;   /* SESSION_UPGRADING */
    struct head_reader reader;
    char key[WS_KEY_LEN + 1];
    struct timer timer;                /* back-off or handshake */
    uint64_t backoff_us;               /* upper bound of the next wait */
    uint64_t up_us;                    /* since when it is up */
    struct registration *registration; /* owned array; as many as config->remote_count */
    struct outbound_owner targets;     /* connections to what is registered */
    struct outbound_owner exits;       /* connections that tunnels ask for */
    struct list users;                 /* struct session_user: connections of its listeners */
    struct proxy_listener *proxy;      /* owned array; as many as config->listener_count */
};

/* A connection of a listener, so that the session can end it when it is freed. */
struct session_user {
    struct list node;
    struct session *session;
    void (*end)(struct session_user *u);   /* must call session_leave */
    void (*drain)(struct session_user *u); /* the daemon wants to end; NULL: takes no notice */
};

void session_join(struct session *s, struct session_user *u, void (*end)(struct session_user *u));
void session_leave(struct session_user *u);

/* Stops listening and ends idle users; a link that is down is not sought again. */
void session_drain(struct session *s);

/* NULL on failure: `error` has a line, *err the reason. */
struct session *session_new(struct client *c, size_t index, char error[CONFIG_ERROR_MAX],
                            enum wsp_err *err);

/* Ends everything at once. Accepts NULL. */
void session_free(struct session *s);

/*
 * Opens a channel (initialised, not live) for a connection of a listener: through the listener's
 * channel when it has one, else out of the server. `scheme` is "socks5" or "http"; `host` a name or
 * address, IPv6 without brackets; both are not used for a local listener. WSP_OK; WSP_ERR_REFUSED
 * while no link is up; WSP_ERR_LIMIT; WSP_ERR_NOMEM.
 */
enum wsp_err session_open(struct proxy_listener *p, struct chan *ch, const char *scheme,
                          struct slice host, unsigned port);

#endif
