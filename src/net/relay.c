#include "net/relay.h"

#include <sys/socket.h>

enum {
    RELAY_LOWAT = 128 * 1024, /* unsent in the kernel: progress is seen while the reader is slow */
    POOL_BUSY_BLOCKS = 2048,  /* 132 MiB: with more in use, queues are kept short */
    RELAY_QUEUE_MIN = 32 * 1024, /* their length then */
};

enum { FLUSH_IDLE_US = 60000000 }; /* a reader that takes nothing for so long is reset */

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
    r->stream.loop = loop;
    r->stream.watch.fd = -1;
    r->idle.fire = on_idle;
}

void relay_fini(struct relay *r)
{
    chan_abort(&r->chan);
    timer_clear(r->stream.loop, &r->idle);
    queue_clear(&r->out, loop_pool(r->stream.loop));
    buf_fini(&r->early);
    stream_reset(&r->stream);
}

/* The stream is broken: the far side is told, and the owner. */
static void broken(struct relay *r)
{
    chan_reset(&r->chan);
    stream_reset(&r->stream);
    r->on_done(r);
}

/* Sending failed: what came before the reset is still to be read, an early answer to an upload. */
static void go_deaf(struct relay *r)
{
    r->deaf = true;
    queue_clear(&r->out, loop_pool(r->stream.loop));
    r->stream.readable = true;
    chan_ready(&r->chan);
}

/* Sends what is queued. False when the stream is broken and nobody is to hear of it. */
static bool flush(struct relay *r)
{
    struct pool *pool = loop_pool(r->stream.loop);

    while (r->out.bytes && r->stream.writable) {
        struct iovec iov[4];
        ssize_t n = stream_send(&r->stream, iov, queue_iov(&r->out, iov, 4));

        if (n == STREAM_ERROR && !chan_live(&r->chan))
            return false;
        if (n == STREAM_ERROR)
            go_deaf(r);
        if (n > 0)
            queue_consume(&r->out, pool, (size_t)n);
    }
    return true;
}

/* Goes on with the end: true when the relay is done (and on_done has been called). */
static bool try_finish(struct relay *r)
{
    if (!r->finishing)
        return false;
    if (r->out.bytes) {
        if (r->out.bytes != r->idle_bytes) /* only what the reader takes buys more time */
            timer_set(r->stream.loop, &r->idle, loop_now(r->stream.loop) + FLUSH_IDLE_US);
        r->idle_bytes = r->out.bytes;
        return false;
    }
    timer_clear(r->stream.loop, &r->idle);
    stream_set_hard_end(&r->stream, false);
    if (r->ended)
        stream_close(&r->stream);
    else
        stream_linger(&r->stream);
    r->on_done(r);
    return true;
}

static void on_event(struct stream *s)
{
    struct relay *r = container_of(s, struct relay, stream);

    if (!flush(r)) {
        broken(r);
        return;
    }
    if (try_finish(r))
        return;
    if (r->out.bytes < RELAY_QUEUE_MAX / 2)
        chan_resume(&r->chan);
    if (s->readable)
        chan_ready(&r->chan);
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

size_t relay_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct relay *r = relay_of(ch);
    size_t taken = 0, room, max;

    if (r->deaf)
        return len;
    if (r->out.bytes == 0 && r->stream.writable) {
        struct iovec iov = {data, len};
        ssize_t n = stream_send(&r->stream, &iov, 1);

        if (n == STREAM_ERROR) {
            if (chan_live(ch))
                go_deaf(r);
            else
                broken(r);
            return len;
        }
        taken = n > 0 ? (size_t)n : 0;
    }
    max = loop_pool(r->stream.loop)->used > POOL_BUSY_BLOCKS ? RELAY_QUEUE_MIN : RELAY_QUEUE_MAX;
    room = r->out.bytes < max ? max - r->out.bytes : 0;
    if (len - taken < room)
        room = len - taken;
    if (queue_append(&r->out, loop_pool(r->stream.loop), slice_of(data + taken, room)) != WSP_OK) {
        broken(r);
        return len;
    }
    return taken + room;
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

struct chan_pull relay_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct relay *r = relay_of(ch);
    ssize_t n;

    if (r->early.len)
        return pull_early(r, out, cap);
    if (!r->stream.readable)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    n = stream_recv(&r->stream, out, cap);
    if (n > 0)
        return (struct chan_pull){(size_t)n, r->stream.readable ? CHAN_THEN_MORE : CHAN_THEN_IDLE};
    r->ended = n == STREAM_EOF;
    if (r->ended)
        return (struct chan_pull){0, CHAN_THEN_END};
    return (struct chan_pull){0, n == STREAM_AGAIN ? CHAN_THEN_IDLE : CHAN_THEN_RESET};
}

void relay_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct relay *r = relay_of(ch);

    (void)text;
    if (end == CHAN_END_PEER || end == CHAN_END_SENT) {
        r->finishing = true;
        try_finish(r);
        return;
    }
    stream_reset(&r->stream);
    r->on_done(r);
}
