/*
 * A channel to an HTTP server that serves one request after the other: in use by one connection, or
 * idle in a pool.
 */
#ifndef HTTP_UPSTREAM_H
#define HTTP_UPSTREAM_H

#include "net/loop.h"
#include "net/tls_chan.h"
#include "proto/proxy_header.h"

struct upstream;

/* The connection that uses it. The callbacks are those of struct chan_ops. */
struct upstream_user {
    void (*opened)(struct upstream_user *user);
    /* The channel has ended: forget the upstream before returning; it frees itself then. */
    void (*closed)(struct upstream_user *user, enum chan_end end, struct slice text);
    size_t (*deliver)(struct upstream_user *user, uint8_t *data, size_t len);
    struct chan_pull (*pull)(struct upstream_user *user, uint8_t *out, size_t cap);
    /* The server sends no more. True: it can be sent to still; false: the channel is to end. */
    bool (*finished)(struct upstream_user *user);
};

struct upstream {
    struct tls_chan tls;        /* the channel, with TLS or plain */
    struct wsp_loop *loop;      /* borrowed */
    struct upstream_user *user; /* borrowed; NULL while idle */
    bool reused;                /* it has served a request before the current one */
    struct list node;           /* its pool, while idle */
    struct timer idle;  /* while idle; once the server has ended, for a user that takes nothing */
    uint64_t parked_us; /* since when it is idle */
    size_t flush_bytes; /* held when the timer was set for the user */
    size_t lead_len;
    uint8_t lead[PROXY_WRITE_MAX]; /* what it began with, ahead of TLS, too */
};

static inline struct chan *upstream_chan(struct upstream *u)
{
    return &u->tls.chan;
}

/* A request can be sent: the channel is open, with TLS the handshake complete. */
static inline bool upstream_is_open(const struct upstream *u)
{
    return tls_chan_is_open(&u->tls);
}

/* A new one, its channel not live yet; NULL without memory. `lead` is sent ahead of all else, and
 * may be empty. */
struct upstream *upstream_new(struct wsp_loop *loop, struct upstream_user *user, struct slice lead);

/* The same for an HTTPS server: see tls_chan_init. NULL without memory, or when `server_name` is
 * unusable. */
struct upstream *upstream_new_tls(struct wsp_loop *loop, struct upstream_user *user,
                                  struct slice lead, struct tls_context *context,
                                  const char *server_name);

/* Aborts the channel if it is live and frees it. Accepts NULL. */
void upstream_free(struct upstream *u);

/* Which of the parked ones may serve a request. */
enum upstream_choice {
    UPSTREAM_ANY,    /* the request can be sent again if it turns out dead */
    UPSTREAM_RECENT, /* it cannot: only one that was of use a moment ago */
    UPSTREAM_NEW,    /* none: one has turned out dead */
};

/* Puts it into a pool, where it ends itself after `idle_us`, with the channel, or with the first
 * byte that comes: nobody has asked for one. */
void upstream_park(struct upstream *u, struct list *pool, uint64_t idle_us);

/* Of those that began with `lead`, takes the one parked last that is still open out of a pool; NULL
 * when there is none of the choice. */
struct upstream *upstream_take(struct list *pool, enum upstream_choice choice, struct slice lead,
                               struct upstream_user *user);

/* Frees those in a pool that began with `lead`. */
void upstream_free_led(struct list *pool, struct slice lead);

#endif
