#include "net/carrier.h"

#include <stdio.h>

enum {
    LINK_LOWAT = 128 * 1024,    /* bytes of a link kept unsent in the kernel */
    INPUT_BUDGET = 256 * 1024,  /* bytes taken in before others get their turn */
    OUTPUT_BUDGET = 256 * 1024, /* bytes sent before others get their turn */
    RX_ROOM_MIN = 32 * 1024, /* with less room behind it, what is left in rx moves to the front */
    FLUSH_US = 2000000,      /* for the last bytes of a failed link */
    QUICKACK_MAX = 4096,     /* after shorter reads the peer gets its acknowledgement at once */
    VECTORS = 8,
};

static struct carrier *carrier_of(struct link *l)
{
    return container_of(l, struct carrier, link);
}

static void on_wake(struct link *l)
{
    struct carrier *c = carrier_of(l);

    task_post(c->stream.loop, &c->pump);
}

static uint64_t on_acked(struct link *l)
{
    size_t unacked = stream_unacked(&carrier_of(l)->stream);

    return l->out_sent > unacked ? l->out_sent - unacked : 0;
}

static uint64_t on_now(const struct link *l)
{
    return loop_now(container_of(l, struct carrier, link)->stream.loop);
}

static void on_event(struct stream *s)
{
    struct carrier *c = container_of(s, struct carrier, stream);

    task_post(s->loop, &c->pump);
}

static void on_timer(struct timer *t)
{
    struct carrier *c = container_of(t, struct carrier, timer);

    task_post(c->stream.loop, &c->pump);
}

static void feed(struct carrier *c)
{
    struct block *b = c->rx;
    size_t used;

    link_input(&c->link, b->data + b->off, b->len, &used, loop_now(c->stream.loop));
    b->off += used;
    b->len -= used;
    if (b->len == 0)
        b->off = 0;
    c->paused = !link_wants_input(&c->link);
}

/* What broke the stream; only TLS has more to say than that. */
static const char *why_broken(const struct carrier *c)
{
    return c->stream.tls ? stream_why(&c->stream) : "connection broken";
}

/* Reads once into rx. False when there is nothing more to read now. */
static bool receive(struct carrier *c, size_t *budget)
{
    struct block *b = c->rx;
    ssize_t n;

    if (!b)
        b = c->rx = pool_get(loop_pool(c->stream.loop));
    if (!b) {
        c->lost = "out of memory";
        return false;
    }
    if (block_room(b) < RX_ROOM_MIN) {
        memmove(b->data, b->data + b->off, b->len);
        b->off = 0;
    }
    n = stream_recv(&c->stream, block_end(b), block_room(b));
    if (n == STREAM_EOF)
        c->lost = "closed by the peer";
    else if (n == STREAM_ERROR)
        c->lost = why_broken(c);
    if (n <= 0)
        return false;
    if (n < QUICKACK_MAX) /* the peer's next message may have to wait for this (core/hazard.c) */
        stream_quickack(&c->stream);
    b->len += (size_t)n;
    *budget -= (size_t)n < *budget ? (size_t)n : *budget;
    return true;
}

static void take_input(struct carrier *c)
{
    size_t budget = INPUT_BUDGET;

    while (!c->lost && link_wants_input(&c->link)) {
        if (c->paused) {
            feed(c);
            continue;
        }
        if (!c->stream.readable || budget == 0 || !receive(c, &budget))
            break;
        feed(c);
    }
    /* A paused link goes on from rx, be it empty: the link may hold a collected message. */
    if (c->rx && c->rx->len == 0 && !c->paused) {
        pool_put(loop_pool(c->stream.loop), c->rx);
        c->rx = NULL;
    }
    if (budget == 0)
        task_post(c->stream.loop, &c->pump);
}

static void give_output(struct carrier *c)
{
    size_t budget = OUTPUT_BUDGET;

    while (!c->lost && c->stream.writable && budget > 0) {
        struct iovec iov[VECTORS];
        int count;
        ssize_t n;

        link_fill(&c->link);
        count = link_iov(&c->link, iov, VECTORS);
        if (count == 0)
            return;
        n = stream_send(&c->stream, iov, count);
        if (n == STREAM_ERROR)
            c->lost = why_broken(c);
        if (n <= 0)
            return;
        link_sent(&c->link, (size_t)n);
        budget -= (size_t)n < budget ? (size_t)n : budget;
    }
    if (budget == 0)
        task_post(c->stream.loop, &c->pump);
}

static void end(struct carrier *c)
{
    char why[sizeof(c->link.error)];
    const char *text = c->link.error[0] ? c->link.error : c->lost;

    if (!text)
        text = "closed by the peer";
    snprintf(why, sizeof(why), "%s", text);
    if (c->lost)
        stream_close(&c->stream);
    else
        stream_linger(&c->stream);
    carrier_fini(c);
    c->on_end(c, why);
}

/* A failed link still gets a moment for its close frame. True when it is over. */
static bool is_over(struct carrier *c, uint64_t now)
{
    if (c->lost)
        return true;
    if (!c->link.failed)
        return false;
    if (!c->flushing) {
        c->flushing = true;
        c->flush_until_us = now + FLUSH_US;
    }
    return c->link.out.bytes == 0 || now >= c->flush_until_us;
}

/* The peer has ended, but what it sent last waits for a slow reader: not for ever. */
static void watch_hangup(struct carrier *c, uint64_t now)
{
    if (!c->paused || !c->stream.hangup) {
        c->gone_us = 0;
        return;
    }
    if (!c->gone_us)
        c->gone_us = now;
    if (c->stream.broken || now - c->gone_us >= c->link.opt.stall_us)
        c->lost = "closed by the peer while a slow reader held it up";
}

static void set_timer(struct carrier *c)
{
    uint64_t due = c->flushing ? c->flush_until_us : link_deadline(&c->link);

    if (c->gone_us && c->gone_us + c->link.opt.stall_us < due)
        due = c->gone_us + c->link.opt.stall_us;

    /* Deadlines move on with every byte: the timer is left to fire early and is set again then. */
    if (due == UINT64_MAX || (timer_is_set(&c->timer) && c->timer.due_us <= due))
        return;
    if (timer_set(c->stream.loop, &c->timer, due) == WSP_OK)
        return;
    c->lost = "out of memory";
    task_post(c->stream.loop, &c->pump);
}

static void pump(struct task *t)
{
    struct carrier *c = container_of(t, struct carrier, pump);
    uint64_t now;

    take_input(c);
    give_output(c);
    now = loop_catch_up(c->stream.loop); /* the hazards' 5 ms count from here, not from before */
    if (!c->lost && link_deadline(&c->link) <= now) {
        link_tick(&c->link, now);
        give_output(c);
    }
    watch_hangup(c, now);
    if (is_over(c, now)) {
        end(c);
        return;
    }
    set_timer(c);
}

static enum wsp_err keep_early(struct carrier *c, struct slice early)
{
    if (!early.len)
        return WSP_OK;
    if (early.len > BLOCK_BYTES)
        return WSP_ERR_LIMIT;
    c->rx = pool_get(loop_pool(c->stream.loop));
    if (!c->rx)
        return WSP_ERR_NOMEM;
    memcpy(c->rx->data, early.p, early.len);
    c->rx->len = early.len;
    c->paused = true;
    return WSP_OK;
}

enum wsp_err carrier_start(struct carrier *c, const struct carrier_start *start)
{
    struct link_options opt = start->opt;
    enum wsp_err err;

    *c = (struct carrier){.on_end = start->on_end};
    c->ops = (struct link_ops){
        .connect = start->connect,
        .wake = on_wake,
        .acked = on_acked,
        .random = loop_random,
        .now = on_now,
        .settled = start->settled,
        .goaway = start->goaway,
    };
    opt.ops = &c->ops;
    opt.pool = loop_pool(start->loop);
    opt.log = loop_log(start->loop);
    task_init(&c->pump, pump);
    c->timer.fire = on_timer;
    err = stream_move(&c->stream, start->stream, on_event);
    if (err != WSP_OK) {
        stream_close(start->stream);
        return err;
    }
    stream_set_lowat(&c->stream, LINK_LOWAT);
    link_init(&c->link, &opt, loop_now(start->loop));
    err = keep_early(c, start->early);
    if (err != WSP_OK) {
        carrier_fini(c);
        return err;
    }
    task_post(start->loop, &c->pump);
    return WSP_OK;
}

void carrier_fini(struct carrier *c)
{
    link_fini(&c->link);
    task_cancel(&c->pump);
    timer_clear(c->stream.loop, &c->timer);
    pool_put(loop_pool(c->stream.loop), c->rx);
    c->rx = NULL;
    stream_close(&c->stream);
}
