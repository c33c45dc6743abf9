/*
 * Connects to a host: resolves its name, checks each address, races the families (RFC 8305) and
 * hands over a connected non-blocking descriptor with TCP_NODELAY and CLOEXEC set.
 */
#ifndef NET_DIALER_H
#define NET_DIALER_H

#include "net/resolver.h"

enum dial_status {
    DIAL_OK,
    DIAL_NO_SUCH_HOST,
    DIAL_REFUSED,
    DIAL_NETWORK_UNREACHABLE,
    DIAL_HOST_UNREACHABLE,
    DIAL_TIMEOUT,
    DIAL_DENIED, /* every address was refused by `allowed` */
    DIAL_FAILED, /* anything else, our own shortages included */
};

#define DIAL_TEXT_MAX 384

struct dial_options {
    const char *host;    /* NUL-terminated name or literal address without brackets; borrowed for
                            the call */
    unsigned port;       /* 1..65535 */
    uint64_t timeout_us; /* for all of it, resolution included */
    /* Asked for each address before it is tried, an IPv4-mapped one as IPv4; NULL allows all. `ctx`
     * is handed through. It must not cancel the dial. */
    bool (*allowed)(void *ctx, const struct address *address);
    void *ctx;
};

/* One attempt; embedded in its owner, which sets on_done before dial_start. */
struct dial {
    /*
     * Called once, never from inside dial_start: DIAL_OK with the descriptor (taken by the callee),
     * else -1. `text` says what happened in the words of docs/protocol.md:
     * "dial tcp 127.0.0.1:1: connect: connection refused", "dial tcp: lookup no.such.invalid: no
     * such host", "dial tcp 192.0.2.1:80: i/o timeout"; with DIAL_OK it is the address connected
     * to. When addresses failed differently, the most telling failure is reported: refused, then
     * unreachable, timeout, anything else, and denied only when all were. It may free the owner.
     */
    void (*on_done)(struct dial *d, enum dial_status status, int fd, const char *text);
    struct dial_state *state; /* owned; NULL when not running */
};

/* WSP_OK, or WSP_ERR_NOMEM (then on_done is not called). */
enum wsp_err dial_start(struct wsp_loop *loop, struct resolver *r, struct dial *d,
                        const struct dial_options *options);

/* on_done is not called any more; descriptors are closed. Safe when not running. */
void dial_cancel(struct dial *d);

#endif
