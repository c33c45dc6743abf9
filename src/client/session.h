/*
 * One entry of `client`: its links to the server, kept up by reconnecting, its registrations and
 * its listeners. With wsp.1 it may have several links, all of one instance.
 */
#ifndef CLIENT_SESSION_H
#define CLIENT_SESSION_H

#include "client/client.h"
#include "core/link.h"
#include "net/listener.h"
#include "net/outbound.h"

/* A listener of `dynamic` or `local`. */
struct proxy_listener {
    struct listener listener;
    struct session *session;
    const struct wspc_listener *config;
    size_t opened; /* channels opened for its connections so far */
};

struct registration;

struct uplink;

struct session {
    struct client *client;
    const struct wspc_client *config;
    char name[LINK_NAME_MAX];           /* "link 1": place in the configuration */
    uint8_t instance[MSG_INSTANCE_LEN]; /* random: who we are to the server */
    struct tls_context *tls;            /* a reference; NULL for a server at ws:// */
    uint64_t tls_stamp;                 /* of its files when it was made */
    struct list uplinks;                /* struct uplink */
    size_t uplink_number;               /* of the newest */
    bool warned;                        /* that the server speaks 0.10 */
    struct registration *registration;  /* owned array; as many as config->remote_count */
    struct outbound_owner targets;      /* connections to what is registered */
    struct outbound_owner exits;        /* connections that tunnels ask for */
    struct list users;                  /* struct session_user: connections of its listeners */
    struct proxy_listener *proxy;       /* owned array; as many as config->listener_count */
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

/* The link to open a channel on: of those that take opens, that with the fewest. NULL: none does.
 */
struct link *session_link(struct session *s);

/* For its uplinks: one is up; its server speaks wsp.1; takes nothing new; has ended. */
void session_link_up(struct session *s);
void session_link_settled(struct session *s);
void session_link_leaving(struct session *s);
void session_link_down(struct session *s);

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
