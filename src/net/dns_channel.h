/*
 * One c-ares channel driven by the loop: its sockets are watched, its time-outs are a timer. What
 * c-ares calls back may happen inside dns_channel_ask and dns_channel_free.
 */
#ifndef NET_DNS_CHANNEL_H
#define NET_DNS_CHANNEL_H

#include <ares.h>

#include "net/loop.h"

struct dns_channel {
    struct list node; /* for its owner */
    struct wsp_loop *loop;
    ares_channel ares; /* owned */
    struct timer timer;
    struct list sockets; /* struct dns_socket, owned */
    uint64_t timeout_us; /* of a first try: no query is due sooner */
    size_t pending;      /* questions without an answer */
    bool retired;
};

struct dns_channel_options {
    const char *servers;     /* csv; NULL for those of the file */
    const char *resolv_conf; /* path */
    unsigned timeout_ms;     /* of the first try; c-ares doubles it for the second */
    bool search;             /* tries names in the file's search domains */
};

/* NULL when c-ares cannot start. */
struct dns_channel *dns_channel_new(struct wsp_loop *loop, const struct dns_channel_options *opt);

/* Asks for the addresses of one family, AF_INET or AF_INET6. `callback` is called exactly once and
 * must call dns_channel_answered. WSP_OK, or WSP_ERR_NOMEM: then it is not called; never after
 * another question still without an answer. */
enum wsp_err dns_channel_ask(struct dns_channel *c, const char *name, int family,
                             ares_addrinfo_callback callback, void *arg);
void dns_channel_answered(struct dns_channel *c);

/* No more questions; it frees itself when the last answer is there, which may be now. */
void dns_channel_retire(struct dns_channel *c);

/* Open questions are called back with ARES_EDESTRUCTION. Accepts NULL. */
void dns_channel_free(struct dns_channel *c);

#endif
