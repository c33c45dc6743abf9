/* Carries a link over a stream: bytes in, bytes out, deadlines. Its owner embeds it. */
#ifndef NET_CARRIER_H
#define NET_CARRIER_H

#include "core/link.h"
#include "net/stream.h"

struct carrier {
    struct link link;
    struct stream stream;
    struct link_ops ops;
    struct block *rx; /* owned: received, not yet consumed; NULL when empty and not paused */
    bool paused;      /* the link stopped and goes on from rx */
    uint64_t gone_us; /* since when the peer's end is seen but cannot be read up to; 0: not */
    bool flushing;    /* the link has failed: only its last bytes are sent */
    const char *lost; /* why the stream ended; NULL while it lives */
    struct task pump;
    struct timer timer;
    uint64_t flush_until_us;
    /* The link has ended and all its channels too: free it. `why` is for the log. */
    void (*on_end)(struct carrier *c, const char *why);
};

/*
 * Starts a link on `stream` (taken, even on failure) with bytes already read behind the handshake.
 * `opt` is complete but for ops, pool and log; `connect` is the link's. The stream is read from the
 * next round of the loop on. WSP_OK, WSP_ERR_NOMEM, WSP_ERR_SYSTEM, or WSP_ERR_LIMIT when `early`
 * is over BLOCK_BYTES (with an error, carrier_fini is not needed).
 */
struct carrier_start {
    struct wsp_loop *loop;
    struct stream *stream; /* closed afterwards */
    struct slice early;
    struct link_options opt;
    void (*connect)(struct link *l, struct slice id, const struct msg_request *request);
    void (*settled)(struct link *l); /* may be NULL, as the next */
    void (*goaway)(struct link *l);
    void (*on_end)(struct carrier *c, const char *why);
};
enum wsp_err carrier_start(struct carrier *c, const struct carrier_start *start);

/* Ends it at once, without on_end: channels get CHAN_END_LINK_LOST. Not from a link's callback. */
void carrier_fini(struct carrier *c);

#endif
