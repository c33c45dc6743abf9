/*
 * Names to addresses without blocking: c-ares on the loop. Two tries, the first of 2 s, A and AAAA
 * as separate queries, so that the faster one can be used at once; a new channel when resolv.conf
 * changed. Literal addresses, localhost (RFC 6761) and what stands in the hosts file (read at each
 * query) are answered without a question to DNS, for both families.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "net/address.h"
#include "net/loop.h"

struct resolver;

/* NULL when c-ares cannot start; owned by the caller. */
struct resolver *resolver_new(struct wsp_loop *loop);

/* What resolver_new takes for granted; zero stands for its default. For tests. */
struct resolver_options {
    const char *servers;     /* "127.0.0.1:5353,…" instead of those in resolv.conf; borrowed */
    const char *resolv_conf; /* path; borrowed for the resolver's life */
    const char *hosts;       /* path; borrowed for the resolver's life */
    unsigned timeout_ms;     /* of the first try */
    unsigned recheck_us;     /* resolv.conf is looked at no more often than this */
};

/* `servers` stays in force when resolv.conf changes. NULL when c-ares cannot start. */
struct resolver *resolver_new_with(struct wsp_loop *loop, const struct resolver_options *options);

/* Every query must have been cancelled or answered. Accepts NULL. */
void resolver_free(struct resolver *r);

/* In ascending order of how much is left in doubt. */
enum resolve_status {
    RESOLVE_OK,
    RESOLVE_NO_SUCH_HOST, /* also: it has no address */
    RESOLVE_FAILED,       /* the servers' answers were unusable, or none could be asked */
    RESOLVE_TIMEOUT,
};

/* One query for both families; embedded in its owner. */
struct resolve {
    /* Addresses of one family came (count may be 0), ports zero; `last` when no more will come. The
     * callback may cancel or free the query; `list` is borrowed until it does so or returns. Never
     * called from inside resolve_start. */
    void (*on_addresses)(struct resolve *q, const struct address *list, size_t count, bool last);
    enum resolve_status status;  /* at the last call: OK if any address came, else why none did */
    struct resolve_state *state; /* owned by the resolver; NULL when not running */
};

/* Starts it: `name` is NUL-terminated. WSP_OK, or WSP_ERR_NOMEM. */
enum wsp_err resolve_start(struct resolver *r, struct resolve *q, const char *name);

/* Its callback is not called any more. Safe when not running. */
void resolve_cancel(struct resolve *q);

#endif
