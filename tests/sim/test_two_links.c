/*
 * A client's link and a server's, joined by pipes of bytes under a clock of the test. Both sides
 * open, send, stall, end and abort at random. SIM_SEED=n runs one seed alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/link.h"
#include "sim/sim_random.h"

#define SECOND ((uint64_t)1000000)

enum { SEEDS = 60, STEPS = 2500, SETTLE_STEPS = 200000, LIVE_MAX = 12, PIPE_MAX = 64 * 1024 };

/* One end of one channel. */
struct end {
    struct chan ch;
    struct end *peer; /* NULL until the other side has adopted it */
    struct sim *sim;
    uint64_t number;     /* of the channel, and 1 bit for the side: picks the bytes */
    uint64_t sent, got;  /* bytes */
    uint64_t to_send;    /* until our side ends by itself */
    size_t burst;        /* bytes that are there to be pulled now */
    size_t room;         /* bytes it takes now */
    enum chan_then then; /* behind to_send */
    uint64_t decide_us;  /* ASKED: when it answers */
    uint64_t last_us;    /* when it sent RESPOND or data */
    bool frozen;         /* once full, it stays full */
    bool over, aborted;
    enum chan_end how;
};

struct side {
    struct link link;
    struct sim *sim;
    struct buf pipe; /* on the way to the other side */
    struct buf rx;   /* here, not consumed yet */
    uint64_t acked;  /* of our output */
    uint64_t taken;  /* of our output, by the other side */
};

struct sim {
    struct side side[2]; /* client, server */
    struct pool pool;
    struct end **end; /* owned: every end there ever was; opened by side[0] or side[1] */
    size_t ends, ends_cap;
    size_t first; /* the ends before this one are over */
    uint64_t now;
    uint64_t opened, delivered, proper, stalled;
    bool settling;
};

/* ---- endpoints */

static struct end *end_of(struct chan *ch)
{
    return container_of(ch, struct end, ch);
}

static struct side *side_of(struct link *l)
{
    return container_of(l, struct side, link);
}

static void on_opened(struct chan *ch, struct slice bound)
{
    (void)bound;
    check(end_of(ch)->peer && end_of(ch)->peer->ch.state != CHAN_ASKED, "opened, but not accepted");
    chan_ready(ch);
}

static void on_closed(struct chan *ch, enum chan_end how, struct slice text)
{
    struct end *e = end_of(ch);
    const struct end *p = e->peer;

    (void)text;
    check(!e->over, "closed twice");
    e->over = true;
    e->how = how;
    e->sim->stalled += how == CHAN_END_STALLED;
    if (how == CHAN_END_SENT)
        check(e->sim->now - e->last_us >= 5000, "INTERRUPT too close to TRANSFER");
    if (how != CHAN_END_PEER || !p)
        return;
    check(p->over, "INTERRUPT from an end that is not over");
    if (p->aborted || p->how != CHAN_END_SENT)
        return;
    check(e->got == p->sent, "a proper end, but not everything has arrived");
    e->sim->proper++;
}

static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct end *e = end_of(ch);
    size_t n = len < e->room ? len : e->room;

    check(len > 0 && !e->over, "delivery of nothing, or to an end that is over");
    check(e->got + len <= e->peer->sent, "more has arrived than was sent");
    for (size_t i = 0; i < n; i++)
        if (data[i] != byte_at(e->number ^ 1, e->got + i))
            check(false, "wrong byte");
    if (any(3) == 0)
        memset(data, 0, n);
    e->got += n;
    e->room -= n;
    e->sim->delivered += n;
    return n;
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct end *e = end_of(ch);
    size_t n = cap < e->burst ? cap : e->burst;

    check(ch->link->out.bytes < LINK_OUTPUT_TARGET, "a pull above the target");
    check(cap > 0 && cap <= MSG_DATA_MAX, "a pull of an impossible size");
    check(ch->state == CHAN_OPEN, "a pull from a channel that is not open");
    if (e->sent == 0 && (e->number & 1))
        check(e->sim->now - e->last_us >= 5000, "TRANSFER too close to RESPOND");
    if (n > e->to_send)
        n = (size_t)e->to_send;
    if (n)
        e->last_us = e->sim->now;
    for (size_t i = 0; i < n; i++)
        out[i] = byte_at(e->number, e->sent + i);
    e->sent += n;
    e->to_send -= n;
    e->burst -= n;
    if (e->to_send == 0)
        return (struct chan_pull){n, e->then};
    return (struct chan_pull){n, e->burst ? CHAN_THEN_MORE : CHAN_THEN_IDLE};
}

static const struct chan_ops end_ops = {on_opened, on_closed, on_deliver, on_pull};

static struct end *end_new(struct sim *s, uint64_t number)
{
    struct end *e = calloc(1, sizeof(*e));

    if (s->ends == s->ends_cap) {
        s->ends_cap = s->ends_cap ? 2 * s->ends_cap : 64;
        s->end = realloc(s->end, s->ends_cap * sizeof(*s->end));
    }
    check(e && s->end, "out of memory");
    s->end[s->ends++] = e;
    *e = (struct end){.sim = s, .number = number, .then = CHAN_THEN_END};
    e->to_send = any(4) == 0 ? any(300000) : any(2000);
    if (any(8) == 0)
        e->then = CHAN_THEN_RESET;
    else if (any(4) == 0)
        e->to_send = UINT64_MAX; /* until the other side ends */
    e->frozen = any(40) == 0;
    e->room = any(4) && !e->frozen ? SIZE_MAX : any(5000);
    e->burst = any(2) ? SIZE_MAX : any(3000);
    chan_init(&e->ch, &end_ops);
    return e;
}

static void end_abort(struct end *e)
{
    e->aborted = e->over = true;
    chan_abort(&e->ch);
}

/* ---- links */

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    struct sim *s = side_of(l)->sim;
    unsigned long long index = strtoull((const char *)request->url.p, NULL, 10);
    struct end *opener, *e;

    check(index < s->ends, "CONNECT of nobody");
    opener = s->end[index];
    check(slice_eq(opener->ch.node.key, id) || opener->over, "CONNECT with another id");
    e = end_new(s, opener->number ^ 1);
    e->peer = opener;
    opener->peer = e;
    check(link_adopt(l, &e->ch, id) == WSP_OK, "not adopted");
    e->decide_us = s->now + any(3) * any(20000);
}

static void on_wake(struct link *l)
{
    (void)l;
}

static uint64_t on_acked(struct link *l)
{
    return side_of(l)->acked;
}

static void random_open(struct sim *s, struct link *l)
{
    struct end *e;
    char url[32];
    struct msg_request request = {.type = MSG_DYNAMIC};

    if (l->channels.count >= LIVE_MAX)
        return;
    e = end_new(s, 2 * s->ends);
    snprintf(url, sizeof(url), "%zu", s->ends - 1);
    request.url = slice_of(url, strlen(url) + 1);
    check(link_open(l, &e->ch, &request) == WSP_OK, "not opened");
    s->opened++;
}

/* Bytes leave one link's queue for the pipe. */
static void step_send(struct side *from)
{
    struct iovec iov;
    size_t room = PIPE_MAX - from->pipe.len;
    size_t n = 1 + (size_t)any(any(2) ? 100 : 40000);

    link_fill(&from->link);
    if (link_iov(&from->link, &iov, 1) == 0)
        return;
    n = n < iov.iov_len ? n : iov.iov_len;
    n = n < room ? n : room;
    buf_append(&from->pipe, iov.iov_base, n);
    link_sent(&from->link, n);
}

static void consume(struct side *to)
{
    size_t used;

    check(link_input(&to->link, to->rx.mem + to->rx.off, to->rx.len, &used, to->sim->now) == WSP_OK,
          "a link has failed");
    buf_consume(&to->rx, used);
}

/* And from the pipe they reach the other link. */
static void step_receive(struct side *from, struct side *to)
{
    size_t n = 1 + (size_t)any(any(2) ? 100 : 40000);

    if (!link_wants_input(&to->link))
        return;
    n = n < from->pipe.len ? n : from->pipe.len;
    buf_append(&to->rx, buf_slice(&from->pipe).p, n);
    buf_consume(&from->pipe, n);
    from->taken += n;
    if (any(3) == 0)
        from->acked = from->taken;
    if (buf_reserve(&to->rx, 1) == WSP_OK)
        consume(to);
}

static void step_clock(struct sim *s)
{
    s->now += any(20) ? any(1000) : any(30000);
    for (int i = 0; i < 2; i++) {
        if (link_deadline(&s->side[i].link) <= s->now)
            link_tick(&s->side[i].link, s->now);
        if (any(10) == 0)
            s->side[i].acked = s->side[i].taken;
    }
}

static void step_end(struct sim *s, struct end *e)
{
    if (!e)
        return;
    if (e->ch.state == CHAN_ASKED) {
        if (s->now < e->decide_us)
            return;
        if (any(5) == 0) {
            e->aborted = e->over = true;
            chan_refuse(&e->ch, slice_str("no"));
        } else {
            e->last_us = s->now;
            chan_accept(&e->ch, slice_of(NULL, 0));
            chan_ready(&e->ch);
        }
    } else if (any(200) == 0) {
        end_abort(e);
    } else if (any(100) == 0) {
        chan_finish(&e->ch);
    } else if (any(3) == 0 && !e->frozen) {
        e->room = any(3) ? SIZE_MAX : any(3000);
        chan_resume(&e->ch);
    } else {
        e->burst = any(3) ? SIZE_MAX : any(3000);
        chan_ready(&e->ch);
    }
}

/* A random end that is not over, or NULL. */
static struct end *any_end(struct sim *s)
{
    while (s->first < s->ends && s->end[s->first]->over)
        s->first++;
    for (int tries = 0; s->first < s->ends && tries < 8; tries++) {
        struct end *e = s->end[s->first + (size_t)any(s->ends - s->first)];

        if (!e->over)
            return e;
    }
    return NULL;
}

static void check_bounds(struct sim *s)
{
    for (int i = 0; i < 2; i++) {
        check(!s->side[i].link.failed, "a link has failed");
        check(s->side[i].link.out.bytes < LINK_OUTPUT_MAX + 4096, "the output queue is too long");
        check(s->side[i].link.channels.count <= 2 * LIVE_MAX, "too many channels");
        check(s->side[i].rx.len <= 2 * PIPE_MAX, "the input is not consumed");
    }
}

static void step(struct sim *s)
{
    struct side *one = &s->side[any(2)];
    struct side *other = &s->side[one == &s->side[0]];

    step_clock(s);
    step_send(one);
    step_receive(one, other);
    if (!s->settling && any(12) == 0)
        random_open(s, &one->link);
    step_end(s, any_end(s));
    check_bounds(s);
}

/* ---- runs */

static void sim_start(struct sim *s)
{
    static const struct link_ops ops = {on_connect, on_wake, on_acked, random_bytes};

    *s = (struct sim){.now = 100 * SECOND};
    pool_init(&s->pool, 4);
    for (int i = 0; i < 2; i++) {
        struct link_options opt = {.server = i,
                                   .name = i ? "server" : "client",
                                   .ops = &ops,
                                   .pool = &s->pool,
                                   .max_channels = (size_t)2 * LIVE_MAX,
                                   .ping_us = 25 * SECOND,
                                   .dead_us = 60 * SECOND,
                                   .probe_us = 75 * SECOND,
                                   .probe_answer_us = 10 * SECOND,
                                   .stall_us = SECOND / 5};

        s->side[i].sim = s;
        link_init(&s->side[i].link, &opt, s->now);
    }
}

static bool is_quiet(const struct sim *s)
{
    for (int i = 0; i < 2; i++)
        if (s->side[i].link.channels.count || s->side[i].link.out.bytes || s->side[i].rx.len ||
            s->side[i].pipe.len)
            return false;
    return true;
}

/* Nobody opens any more, and every end is told that it may take all, send all, and end. */
static void settle_ends(struct sim *s)
{
    for (size_t i = s->first; i < s->ends; i++) {
        struct end *e = s->end[i];

        if (e->over)
            continue;
        e->room = e->burst = SIZE_MAX;
        if (e->to_send > 1000)
            e->to_send = 1000;
        chan_resume(&e->ch);
        chan_ready(&e->ch);
    }
}

static void sim_settle(struct sim *s)
{
    s->settling = true;
    for (int i = 0; i < SETTLE_STEPS && !is_quiet(s); i++) {
        if (i % 20 == 0)
            settle_ends(s);
        step(s);
    }
    check(is_quiet(s), "something is stuck");
}

static void sim_stop(struct sim *s)
{
    for (size_t i = 0; i < s->ends; i++)
        check(s->end[i]->over && !chan_live(&s->end[i]->ch), "an end that has not ended");
    for (int i = 0; i < 2; i++) {
        link_fini(&s->side[i].link);
        buf_fini(&s->side[i].pipe);
        buf_fini(&s->side[i].rx);
    }
    check(s->pool.used == 0, "a block is missing");
    pool_fini(&s->pool);
    for (size_t i = 0; i < s->ends; i++)
        free(s->end[i]);
    free(s->end);
}

static void run_seed(uint64_t n, struct sim *s)
{
    seed = n;
    rng = (n + 1) * 0x9e3779b97f4a7c15u;
    sim_start(s);
    for (int i = 0; i < STEPS; i++)
        step(s);
    sim_settle(s);
    sim_stop(s);
}

static void test_two_links(void **state)
{
    const char *only = getenv("SIM_SEED");
    uint64_t opened = 0, delivered = 0, proper = 0, stalled = 0;
    struct sim s;

    (void)state;
    for (uint64_t n = 0; n < SEEDS; n++) {
        run_seed(only ? strtoull(only, NULL, 10) : n, &s);
        opened += s.opened;
        delivered += s.delivered;
        proper += s.proper;
        stalled += s.stalled;
        if (only)
            break;
    }
    print_message("%llu channels, %llu bytes, %llu proper ends, %llu stalled\n",
                  (unsigned long long)opened, (unsigned long long)delivered,
                  (unsigned long long)proper, (unsigned long long)stalled);
    if (!only) /* or the runs have become too tame to prove anything */
        assert_true(opened > 1000 && delivered > 1000000 && proper > 300 && stalled > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_links)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
