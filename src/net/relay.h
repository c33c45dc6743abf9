/*
 * A stream as the endpoint of a channel: what the channel delivers is sent, what arrives is pulled.
 * Its owner embeds it, puts the relay_… functions at the end (or functions that call them)
 * into the channel's ops, and starts it once stream and channel are open.
 */
#ifndef NET_RELAY_H
#define NET_RELAY_H

#include "base/buf.h"
#include "core/channel.h"
#include "net/stream.h"

struct relay {
    struct chan chan;
    struct stream stream;
    struct buf early;  /* read from the stream before the relay started; pulled first */
    struct timer idle; /* runs while flushing the last bytes to a reader that does not read */
    bool started;
    bool deaf;  /* the stream takes nothing any more; what it sent before is still read */
    bool torn;  /* and it broke without an end */
    bool ended; /* the stream's end was read */
    void (*on_done)(struct relay *r); /* the stream is gone and the channel too: free it */
};

void relay_init(struct relay *r, struct wsp_loop *loop, const struct chan_ops *ops,
                void (*on_done)(struct relay *r));

/* Frees everything it holds; a live channel is aborted, an open stream reset. */
void relay_fini(struct relay *r);

/*
 * Begins to relay r->stream, which the owner has opened; `early` are bytes already read from it.
 * The channel is OPEN, or ASKED and about to be accepted. WSP_OK or WSP_ERR_NOMEM.
 */
enum wsp_err relay_start(struct relay *r, struct slice early);

/* For struct chan_ops. */
size_t relay_deliver(struct chan *ch, uint8_t *data, size_t len);
size_t relay_deliver_iov(struct chan *ch, const struct iovec *iov, int count);
struct chan_pull relay_pull(struct chan *ch, uint8_t *out, size_t cap);
void relay_finished(struct chan *ch);
void relay_flushing(struct chan *ch);
void relay_closed(struct chan *ch, enum chan_end end, struct slice text);

#endif
