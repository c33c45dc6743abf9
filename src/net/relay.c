#include "net/relay.h"

#include <errno.h>

enum {
    RELAY_LOWAT = 128 * 1024, /* unsent in the kernel: progress is seen while the reader is slow */
    VECTORS = 16,
    FLUSH_IDLE_US = 60000000, /* a reader that takes nothing of the last bytes so long is reset */
};

static struct relay *relay_of(struct chan *ch)
{
    return container_of(ch, struct relay, chan);
}

static void on_idle(struct timer *t)
{
    struct relay *r = container_of(t, struct relay, idle);

    stream_reset(&r->stream);
    r->on_done(r);
}

void relay_init(struct relay *r, struct wsp_loop *loop, const struct chan_ops *ops,
                void (*on_done)(struct relay *r))
{
    *r = (struct relay){.on_done = on_done};
    chan_init(&r->chan, ops);
    r->chan.peeks = true;
    r->stream.loop = loop;
    r->stream.watch.fd = -1;
    r->idle.fire = on_idle;
}

void relay_fini(struct relay *r)
{
    chan_abort(&r->chan);
    timer_clear(r->stream.loop, &r->idle);
    buf_fini(&r->early);
    stream_reset(&r->stream);
}

/* The stream is broken behind its end: all it sent is on its way to the far side, which is told to
 * send no more. */
static void broken(struct relay *r)
{
    chan_abort(&r->chan);
    stream_reset(&r->stream);
    r->on_done(r);
}

/* Sending failed: what came before the reset is still to be read, an early answer to an upload. The
 * error is spent and an end will be read; EPIPE tells that there was one before the reset. */
static void go_deaf(struct relay *r)
{
    r->deaf = true;
    r->torn = errno != EPIPE;
    chan_took(&r->chan, r->chan.held.bytes);
    r->stream.readable = true;
    chan_ready(&r->chan);
}

static void set_idle(struct relay *r)
{
    struct wsp_loop *loop = r->stream.loop;

    if (timer_set(loop, &r->idle, loop_now(loop) + FLUSH_IDLE_US) != WSP_OK)
        log_error(loop_log(loop), "relay: out of memory for a deadline");
}

/* What the stream sent, or its end, is still on its way to the peer. */
static bool speaks(const struct chan *ch)
{
    return chan_can_send(ch) || ch->state == CHAN_DRAINING;
}

/* Sends what is held. False when the stream is broken and nobody is to hear of it. */
static bool flush(struct relay *r)
{
    while (r->chan.held.bytes && r->stream.writable) {
        struct iovec iov[VECTORS];
        ssize_t n = stream_send(&r->stream, iov, chan_held(&r->chan, iov, VECTORS));

        if (n == STREAM_ERROR && !speaks(&r->chan))
            return false;
        if (n == STREAM_ERROR)
            go_deaf(r);
        if (n > 0) {
            chan_took(&r->chan, (size_t)n);
            if (timer_is_set(&r->idle)) /* only what the reader takes buys more time */
                set_idle(r);
        }
    }
    return true;
}

static void on_event(struct stream *s)
{
    struct relay *r = container_of(s, struct relay, stream);

    /* Nothing is sent or read any more in SENT: only this tells that the peer has gone. */
    if (!flush(r) || (s->broken && r->chan.state == CHAN_SENT)) {
        broken(r);
        return;
    }
    if (s->readable)
        chan_ready(&r->chan);
    chan_settle(&r->chan);
}

enum wsp_err relay_start(struct relay *r, struct slice early)
{
    if (early.len && buf_append(&r->early, early.p, early.len) != WSP_OK)
        return WSP_ERR_NOMEM;
    r->stream.on_event = on_event;
    stream_set_lowat(&r->stream, RELAY_LOWAT);
    stream_set_hard_end(&r->stream, true);
    r->started = true;
    if (early.len || r->stream.readable)
        chan_ready(&r->chan);
    return WSP_OK;
}

static size_t total(const struct iovec *iov, int count)
{
    size_t n = 0;

    for (int i = 0; i < count; i++)
        n += iov[i].iov_len;
    return n;
}

size_t relay_deliver_iov(struct chan *ch, const struct iovec *iov, int count)
{
    struct relay *r = relay_of(ch);
    ssize_t n;

    if (r->deaf)
        return total(iov, count);
    if (!r->stream.writable)
        return 0;
    n = stream_send(&r->stream, iov, count);
    if (n != STREAM_ERROR)
        return n > 0 ? (size_t)n : 0;
    if (!speaks(ch)) {
        broken(r);
        return 0;
    }
    go_deaf(r);
    return total(iov, count);
}

size_t relay_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct iovec iov = {data, len};

    return relay_deliver_iov(ch, &iov, 1);
}

static struct chan_pull pull_early(struct relay *r, uint8_t *out, size_t cap)
{
    size_t n = r->early.len < cap ? r->early.len : cap;

    memcpy(out, buf_slice(&r->early).p, n);
    buf_consume(&r->early, n);
    if (r->early.len == 0)
        buf_fini(&r->early);
    return (struct chan_pull){n, CHAN_THEN_MORE};
}

static enum chan_then end_of_stream(struct relay *r)
{
    if (r->torn)
        return CHAN_THEN_RESET;
    r->ended = true;
    return r->deaf ? CHAN_THEN_CLOSE : CHAN_THEN_END;
}

/* A stream that has ended, with nothing before that, can say so without room. */
static enum chan_then peek_end(struct relay *r)
{
    ssize_t n;

    if (!r->stream.hangup || r->early.len)
        return CHAN_THEN_MORE;
    if (r->stream.broken && !r->chan.told)
        return CHAN_THEN_RESET; /* what came before it is not worth waiting for room */
    n = stream_peek(&r->stream);
    if (n == STREAM_EOF)
        return end_of_stream(r);
    return n == STREAM_ERROR ? CHAN_THEN_RESET : CHAN_THEN_MORE;
}

struct chan_pull relay_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct relay *r = relay_of(ch);
    ssize_t n;

    if (cap == 0)
        return (struct chan_pull){0, peek_end(r)};
    if (r->early.len)
        return pull_early(r, out, cap);
    if (!r->stream.readable)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    n = stream_recv(&r->stream, out, cap);
    if (n > 0)
        return (struct chan_pull){(size_t)n, r->stream.readable ? CHAN_THEN_MORE : CHAN_THEN_IDLE};
    if (n == STREAM_EOF)
        return (struct chan_pull){0, end_of_stream(r)};
    return (struct chan_pull){0, n == STREAM_AGAIN ? CHAN_THEN_IDLE : CHAN_THEN_RESET};
}

void relay_finished(struct chan *ch)
{
    stream_finish(&relay_of(ch)->stream);
}

void relay_flushing(struct chan *ch)
{
    set_idle(relay_of(ch));
}

void relay_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct relay *r = relay_of(ch);

    (void)text;
    timer_clear(r->stream.loop, &r->idle);
    if (end == CHAN_END_PEER || end == CHAN_END_SENT) {
        stream_set_hard_end(&r->stream, false);
        if (r->ended)
            stream_close(&r->stream);
        else
            stream_linger(&r->stream);
    } else {
        stream_reset(&r->stream);
    }
    r->on_done(r);
}
