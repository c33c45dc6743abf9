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

/* Who has a tunnel made (client/tunnel.h). */
struct tunnel_owner {
    /* Its channel is open. May be NULL. */
    void (*opened)(struct tunnel_owner *o);
    /* It is over: WSP_OK when it had opened, else WSP_ERR_REFUSED or WSP_ERR_LOST and why not. */
    void (*ended)(struct tunnel_owner *o, enum wsp_err why, const char *text);
};

/* A listener of `dynamic` or `local`. */
struct proxy_listener {
    struct tunnel_owner owner; /* of the tunnels of its connections */
    struct list node;          /* on session->listeners; on none once it is closed */
    struct listener listener;
    struct session *session;
    struct wspc_listener config; /* owned */
    struct timer retry;          /* its address was not free: until the next try */
    size_t opened;               /* channels opened for its connections so far */
    bool closed;                 /* for good: freed with its last connection */
};

/* What a channel is opened to. Strings are borrowed for the call. */
struct session_target {
    const char *channel;  /* what somebody has registered; NULL: out of the server */
    const char *password; /* of the channel; NULL: none */
    const char *url;      /* of a local listener, as it goes on the wire; NULL: made of the rest */
    const char *scheme;   /* out of the server: "socks5" or "http", by what it was asked for */
    struct slice
        host; /* a name or address, IPv6 without brackets; empty, with a channel: that says it */
    unsigned port;
};

struct session {
    struct list node; /* on client->sessions */
    struct client *client;
    struct wspc_client *config;         /* owned; its listeners and remotes are taken from it */
    char name[LINK_NAME_MAX];           /* "link 1": the first that there was */
    uint8_t instance[MSG_INSTANCE_LEN]; /* random: who we are to the server */
    struct tls_context *tls;            /* a reference; NULL for a server at ws:// */
    uint64_t tls_stamp;                 /* of its files when it was made */
    struct list uplinks;                /* struct uplink */
    size_t uplink_number;               /* of the newest */
    bool warned;                        /* that the server speaks 0.10 */
    struct list registrations;          /* struct registration */
    struct outbound_owner targets;      /* connections to what is registered */
    struct outbound_owner exits;        /* connections that tunnels ask for */
    struct list users;                  /* struct session_user: connections of its listeners */
    struct list listeners;              /* struct proxy_listener */
    bool draining;                      /* nothing new is begun */
    struct timer drain;                 /* until all is ended all the same */
    struct task drained;                /* frees it */
    struct wspc_client *wanted;         /* during a reload: its entry in what is coming; borrowed */
};

static inline struct session *session_at(struct list *node)
{
    return container_of(node, struct session, node);
}

/* Who opens channels: a connection of a listener, a stream of the program. The session can end it
 * when it is freed, and waits for it when it drains. */
struct session_user {
    struct list node;
    struct session *session;
    void (*end)(struct session_user *u); /* must call session_leave */
    /* The session wants to end; a link has come up. NULL: takes no notice. Both may leave. */
    void (*drain)(struct session_user *u);
    void (*link_up)(struct session_user *u);
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

/* On client->sessions; nothing is open yet. All that `entry` has is taken, even on failure: NULL,
 * and a line in `error`. */
struct session *session_new(struct client *c, struct wspc_client *entry,
                            char error[CONFIG_ERROR_MAX]);

/* Opens the listeners and begins to connect; or the latter alone. WSP_ERR_NOMEM, or another error
 * with a line in `error`. */
enum wsp_err session_begin(struct session *s, char error[CONFIG_ERROR_MAX]);
enum wsp_err session_connect(struct session *s);

/* Stops listening and ends idle users; a link that is down is not sought again. Frees itself when
 * nothing is open any more, or after the configured time. */
void session_drain(struct session *s);

/* Ends everything at once. */
void session_free(struct session *s);

/*
 * Opens a channel (initialised, not live). WSP_OK; WSP_ERR_REFUSED while no link is up;
 * WSP_ERR_LIMIT; WSP_ERR_NOMEM.
 */
enum wsp_err session_open(struct session *s, struct chan *ch, const struct session_target *to);

#endif
