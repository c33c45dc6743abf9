/*
 * The far end of a channel that a peer opens: dials a target, answers the CONNECT with what came of
 * it, and relays.
 */
#ifndef NET_OUTBOUND_H
#define NET_OUTBOUND_H

#include "core/link.h"
#include "net/dialer.h"
#include "net/relay.h"

struct outbound;

/* Who opens them: the server for DYNAMIC, a client for what it has registered. Embedded. */
struct outbound_owner {
    struct wsp_loop *loop;     /* borrowed */
    struct resolver *resolver; /* borrowed */
    uint64_t dial_us;
    /* Asked for each address before it is dialled; NULL allows all. */
    bool (*allowed)(struct outbound_owner *owner, const char *host, const struct address *address);
    void (*on_ended)(struct outbound_owner *owner); /* one of them has ended; may be NULL */
    struct list all;                                /* struct outbound.node */
};

void outbound_owner_init(struct outbound_owner *owner, struct wsp_loop *loop,
                         struct resolver *resolver, uint64_t dial_us);

/* Ends all of them at once. */
void outbound_owner_fini(struct outbound_owner *owner);

/* Answers the CONNECT `id` of link `l`, at once or once the target is dialled. `host` holds a name
 * or an address, IPv6 without brackets. */
void outbound_open(struct outbound_owner *owner, struct link *l, struct slice id, struct slice host,
                   unsigned port);

/* The same for a unix socket: `path` is absolute. */
void outbound_open_unix(struct outbound_owner *owner, struct link *l, struct slice id,
                        struct slice path);

#endif
