#include "sim/sim_wire.h"

#include "core/link_parts.h"
#include "sim/sim_random.h"

#include <stdlib.h>

void process_start(struct process *p, size_t memory_max)
{
    pool_init(&p->pool, 4);
    p->memory = (struct credit_cap){.max = memory_max};
}

void process_stop(struct process *p)
{
    check(p->memory.used == 0, "memory is still set aside");
    check(pool_used(&p->pool) == 0, "a block is missing");
    pool_fini(&p->pool);
}

/* ---- bytes on their way and behind it */

static void pipe_put(struct pipe *p, const void *in, size_t n)
{
    if (n > sizeof(p->mem) - p->off - p->len) {
        memmove(p->mem, p->mem + p->off, p->len);
        p->off = 0;
    }
    memcpy(p->mem + p->off + p->len, in, n);
    p->len += n;
}

static void pipe_take(struct pipe *p, size_t n)
{
    p->off += n;
    p->len -= n;
    if (p->len == 0)
        p->off = 0;
}

static uint8_t *tail_start(const struct tail *t)
{
    return t->mem + PIPE_MAX - t->len;
}

static void tail_put(struct tail *t, const uint8_t *in, size_t n)
{
    memmove(tail_start(t) - n, tail_start(t), t->len);
    t->len += n;
    memcpy(t->mem + PIPE_MAX - n, in, n);
}

/* ---- sides */

bool link_is_settled(const struct link *l)
{
    return l->opt.dialect == LINK_0_10 || l->opt.dialect == LINK_WSP_1 || l->heard;
}

struct side *side_of(struct link *l)
{
    return container_of(l, struct side, link);
}

struct side *side_other(struct side *s)
{
    return &s->wire->side[s == &s->wire->side[0]];
}

static void on_wake(struct link *l)
{
    (void)l;
}

static uint64_t on_acked(struct link *l)
{
    return side_of(l)->acked;
}

static uint64_t on_now(const struct link *l)
{
    const struct side *s = container_of(l, const struct side, link);

    return *s->wire->opt.now;
}

static void side_start(struct wire *w, unsigned i)
{
    struct side *s = &w->side[i];
    struct link_options opt = {.server = i,
                               .name = i ? "server" : "client",
                               .ops = &w->ops,
                               .pool = &w->opt.process[i]->pool,
                               .max_channels = w->opt.max_channels,
                               .dialect = w->opt.dialect[i],
                               .memory = &w->opt.process[i]->memory,
                               .memory_max = w->opt.memory_max,
                               .window_max = w->opt.window_max,
                               .ping_us = 25 * SECOND,
                               .dead_us = 60 * SECOND,
                               .probe_us = 75 * SECOND,
                               .probe_answer_us = 10 * SECOND,
                               .stall_us = w->opt.stall_us};

    s->wire = w;
    s->rx = (struct tail){.mem = sim_alloc(PIPE_MAX)};
    s->pipe.off = s->pipe.len = 0;
    s->acked = s->taken = s->freeze_end_us = 0;
    s->down = false;
    link_init(&s->link, &opt, *w->opt.now);
}

void wire_start(struct wire *w, const struct wire_options *opt)
{
    w->opt = *opt;
    w->ops = (struct link_ops){.connect = opt->connect,
                               .wake = on_wake,
                               .acked = on_acked,
                               .random = random_bytes,
                               .now = on_now};
    w->cut = w->mute = false;
    side_start(w, 0);
    side_start(w, 1);
}

void wire_stop(struct wire *w)
{
    for (unsigned i = 0; i < 2; i++) {
        link_fini(&w->side[i].link);
        free(w->side[i].rx.mem);
    }
}

size_t side_send(struct side *from, size_t n)
{
    size_t room = from->wire->opt.pipe_max - from->pipe.len;
    struct iovec iov;

    if (from->down || from->wire->cut || from->wire->mute)
        return 0;
    link_fill(&from->link);
    if (link_iov(&from->link, &iov, 1) == 0)
        return 0;
    n = n < iov.iov_len ? n : iov.iov_len;
    n = n < room ? n : room;
    pipe_put(&from->pipe, iov.iov_base, n);
    link_sent(&from->link, n);
    return n;
}

static void consume(struct side *to)
{
    size_t used;

    link_input(&to->link, tail_start(&to->rx), to->rx.len, &used, *to->wire->opt.now);
    check(used <= to->rx.len, "more was consumed than was there");
    to->rx.len -= used;
}

size_t side_receive(struct side *to, size_t n)
{
    struct side *from = side_other(to);
    size_t room = PIPE_MAX - to->rx.len;

    if (to->down || to->wire->mute || !link_wants_input(&to->link) ||
        *to->wire->opt.now < from->freeze_end_us)
        return 0;
    n = n < from->pipe.len ? n : from->pipe.len;
    n = n < room ? n : room;
    tail_put(&to->rx, from->pipe.mem + from->pipe.off, n);
    pipe_take(&from->pipe, n);
    from->taken += n;
    consume(to);
    return n;
}

/* ---- wires */

void side_down(struct side *s)
{
    if (s->down)
        return;
    s->down = true;
    link_lost(&s->link);
}

bool wire_is_down(const struct wire *w)
{
    return w->side[0].down && w->side[1].down;
}

void wire_tick(struct wire *w)
{
    uint64_t now = *w->opt.now;

    for (unsigned i = 0; i < 2; i++) {
        struct side *s = &w->side[i];

        if (link_deadline(&s->link) <= now)
            link_tick(&s->link, now);
        if (s->link.failed && w->mute)
            side_down(s);
    }
}

uint64_t wire_deadline(const struct wire *w)
{
    uint64_t client = link_deadline(&w->side[0].link);
    uint64_t server = link_deadline(&w->side[1].link);

    return client < server ? client : server;
}

size_t wire_flow(struct wire *w)
{
    size_t total = 0, moved;

    do {
        moved = side_send(&w->side[0], PIPE_MAX) + side_send(&w->side[1], PIPE_MAX);
        moved += side_receive(&w->side[0], PIPE_MAX) + side_receive(&w->side[1], PIPE_MAX);
        for (unsigned i = 0; i < 2; i++)
            w->side[i].acked = w->side[i].taken;
        total += moved;
    } while (moved);
    return total;
}

static bool is_quiet(const struct side *s)
{
    const struct link *l = &s->link;

    return l->out.bytes == 0 && s->pipe.len == 0 && s->rx.len == 0 && list_empty(&l->fresh) &&
           list_empty(&l->ready) && hazard_deadline(l) == NEVER;
}

bool wire_is_quiet(const struct wire *w)
{
    return is_quiet(&w->side[0]) && is_quiet(&w->side[1]);
}
