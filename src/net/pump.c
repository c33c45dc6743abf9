#include "net/pump.h"

enum { ROUNDS = 16 }; /* steps before others get their turn */

static struct wsp_loop *loop_of(const struct pump *p)
{
    return p->stream[0].loop;
}

static void on_event_0(struct stream *s)
{
    struct pump *p = container_of(s, struct pump, stream[0]);

    task_post(s->loop, &p->task);
}

static void on_event_1(struct stream *s)
{
    struct pump *p = container_of(s, struct pump, stream[1]);

    task_post(s->loop, &p->task);
}

void pump_fini(struct pump *p)
{
    task_cancel(&p->task);
    for (int i = 0; i < 2; i++) {
        buf_fini(&p->way[i].held);
        stream_reset(&p->stream[i]);
    }
}

/* Sends what is held. A sink that takes nothing any more may still have sent something. */
static void give(struct pump_way *way, struct stream *to)
{
    struct slice held = buf_slice(&way->held);
    struct iovec iov = {(void *)held.p, held.len};
    ssize_t n = stream_send(to, &iov, 1);

    if (n > 0)
        buf_consume(&way->held, (size_t)n);
    if (n == STREAM_ERROR)
        to->broken = true;
}

/* Reads once. False when the source is broken. */
static bool take(struct pump_way *way, struct stream *from)
{
    ssize_t n;

    if (buf_reserve(&way->held, PUMP_STEP) != WSP_OK)
        return false;
    n = stream_recv(from, buf_tail(&way->held), PUMP_STEP);
    if (n > 0)
        way->held.len += (size_t)n;
    way->ended = n == STREAM_EOF;
    return n != STREAM_ERROR;
}

/* As far as both ends let it, for a while: *more when it could go on. False when the source is
 * broken. */
static bool carry(struct pump *p, int i, bool *more)
{
    struct stream *from = &p->stream[i], *to = &p->stream[1 - i];
    struct pump_way *way = &p->way[i];

    for (int round = 0; round < ROUNDS && !to->broken; round++) {
        if (way->held.len && !to->writable)
            return true;
        if (way->held.len)
            give(way, to);
        else if (way->ended || !from->readable)
            break;
        else if (!take(way, from))
            return false;
    }
    *more = !to->broken && (way->held.len || (!way->ended && from->readable));
    if (way->ended && !way->held.len && !way->finished) {
        way->finished = true;
        stream_finish(to);
    }
    return true;
}

/* All that can be carried has been. */
static bool is_done(const struct pump *p, int i)
{
    const struct stream *to = &p->stream[1 - i];

    return to->broken || (p->way[i].finished && !stream_holds(to));
}

static void on_task(struct task *t)
{
    struct pump *p = container_of(t, struct pump, task);
    bool more[2] = {false, false};
    bool lives = carry(p, 0, &more[0]) && carry(p, 1, &more[1]);

    if (lives && !(is_done(p, 0) && is_done(p, 1))) {
        if (more[0] || more[1])
            task_post(loop_of(p), t);
        return;
    }
    for (int i = 0; lives && i < 2; i++)
        stream_linger(&p->stream[i]);
    pump_fini(p);
    p->on_end(p);
}

enum wsp_err pump_start(struct pump *p, struct stream *a, struct stream *b,
                        void (*on_end)(struct pump *p))
{
    *p = (struct pump){.on_end = on_end};
    task_init(&p->task, on_task);
    p->stream[0] = p->stream[1] = (struct stream){.loop = a->loop, .watch = {.fd = -1}};
    if (stream_move(&p->stream[0], a, on_event_0) == WSP_OK &&
        stream_move(&p->stream[1], b, on_event_1) == WSP_OK) {
        task_post(loop_of(p), &p->task);
        return WSP_OK;
    }
    stream_close(a);
    stream_close(b);
    pump_fini(p);
    return WSP_ERR_SYSTEM;
}
