/* What a channel of 0.10 holds for its endpoint, and when the link has to wait
 * (core/channel_input.c). */
#include "fake_link.h"

enum {
    HELD_MAX = 256 * 1024,  /* bytes that are held */
    HELD_SHORT = 32 * 1024, /* while memory is short */
    PART = 30000,
};

static uint8_t pattern[512 * 1024];

static int fill_pattern(void **state)
{
    (void)state;
    rig_seed = 3;
    rig_random(pattern, sizeof(pattern));
    return 0;
}

/* A link whose memory is that of a process. */
struct world {
    struct rig r;
    struct credit_cap process;
    struct end *e;
    size_t sent; /* by the peer, to `e` */
};

static void world_start(struct world *w, size_t process_max, size_t link_max)
{
    struct link_options opt = rig_options(true, LINK_0_10);

    *w = (struct world){.process = {.max = process_max}};
    opt.memory = &w->process;
    opt.memory_max = link_max;
    rig_begin(&w->r, opt);
    w->e = rig_accepted(&w->r, "x");
    w->e->room = 0;
}

static void world_stop(struct world *w)
{
    rig_stop(&w->r);
    assert_int_equal(w->process.used, 0);
}

static size_t held(const struct world *w)
{
    size_t n = w->e->ch.held.bytes;

    assert_int_equal(w->e->ch.window.size, n); /* all of it is set aside */
    if (w->e->ch.state != CHAN_FLUSHING)
        assert_int_equal(w->r.link.cap.used, n);
    assert_int_equal(w->process.used, n);
    return n;
}

static void peer_sends(struct world *w, size_t n)
{
    assert_true(w->sent + n <= sizeof(pattern));
    rig_send(&w->r, slice_str("x"), MSG_TRANSFER, slice_of(pattern + w->sent, n));
    w->sent += n;
}

static void send_until_blocked(struct world *w)
{
    while (link_wants_input(&w->r.link))
        peer_sends(w, PART);
}

static void take(struct world *w, size_t n)
{
    w->e->room = n;
    chan_resume(&w->e->ch);
    w->e->room = 0;
}

static void assert_got(const struct world *w, size_t n)
{
    assert_slice(buf_slice(&w->e->got), slice_of(pattern, n));
}

static void test_holds_so_much(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, SIZE_MAX, 0);
    send_until_blocked(&w);
    assert_int_equal(held(&w), HELD_MAX);
    assert_ptr_equal(w.r.link.blocked, &w.e->ch);
    take(&w, HELD_MAX / 2);
    assert_false(link_wants_input(&w.r.link)); /* goes on once half of it is gone */
    take(&w, 1);
    assert_true(link_wants_input(&w.r.link));
    assert_int_equal(held(&w), HELD_MAX / 2 - 1);
    rig_pump(&w.r);
    assert_int_equal(held(&w), w.sent - HELD_MAX / 2 - 1);
    while (held(&w)) {
        take(&w, 9999);
        rig_pump(&w.r);
    }
    assert_got(&w, w.sent);
    assert_true(link_wants_input(&w.r.link));
    w.e->room = SIZE_MAX;
    peer_sends(&w, 100); /* and again at once */
    assert_int_equal(held(&w), 0);
    assert_got(&w, w.sent);
    world_stop(&w);
}

/* Less while memory is short; nothing when it is used up. */
static void test_short_of_memory(void **state)
{
    static const struct {
        size_t process_max, others, link_max, want;
    } rows[] = {
        {100 << 20, 76 << 20, 0, HELD_SHORT},
        {100 << 20, (100 << 20) - 12345, 0, 12345},
        {100 << 20, 100 << 20, 0, 0},
        {SIZE_MAX, 0, 12345, 12345},
        {SIZE_MAX, 0, 100000, 100000 - 25000 + PART - (100000 - 25000) % PART},
    };
    struct world w;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        world_start(&w, rows[i].process_max, rows[i].link_max);
        assert_true(credit_reserve(&w.process, rows[i].others));
        send_until_blocked(&w);
        assert_int_equal(w.e->ch.held.bytes, rows[i].want);
        take(&w, SIZE_MAX);
        credit_release(&w.process, rows[i].others);
        while (rig_pump(&w.r), w.e->ch.held.bytes || w.r.rx.len)
            take(&w, SIZE_MAX);
        assert_got(&w, w.sent);
        assert_int_equal(held(&w), 0);
        world_stop(&w);
    }
}

/* The link waits for a channel that holds nothing itself: what another one gives back is what it
 * waits for. */
static void test_memory_that_another_gives_back(void **state)
{
    enum { LEFT = 12345 };
    const size_t max = 100 << 20;
    struct world w;
    struct end *other;

    (void)state;
    world_start(&w, max, 0);
    other = rig_accepted(&w.r, "y");
    other->room = 0;
    assert_true(credit_reserve(&w.process, max - LEFT));
    peer_sends(&w, LEFT);
    assert_true(link_wants_input(&w.r.link));
    rig_send(&w.r, slice_str("y"), MSG_TRANSFER, slice_of(pattern, 100));
    assert_ptr_equal(w.r.link.blocked, &other->ch);
    assert_int_equal(other->ch.held.bytes, 0);
    take(&w, LEFT);
    assert_true(link_wants_input(&w.r.link));
    rig_pump(&w.r);
    assert_int_equal(other->ch.held.bytes, 100);
    credit_release(&w.process, max - LEFT);
    world_stop(&w);
}

/* One that only holds keeps nobody waiting. */
static void test_others_go_on(void **state)
{
    struct world w;
    struct end *other;

    (void)state;
    world_start(&w, SIZE_MAX, 0);
    other = rig_opened(&w.r);
    peer_sends(&w, HELD_MAX);
    rig_send(&w.r, end_id(other), MSG_TRANSFER, slice_str("goes on"));
    assert_slice(buf_slice(&other->got), slice_str("goes on"));
    rig_send_frame(&w.r, true, WS_PONG, slice_str(""));
    rig_advance(&w.r, 70 * SECOND); /* that is no stall */
    assert_int_equal(w.e->ch.state, CHAN_OPEN);
    peer_sends(&w, 1);
    rig_send(&w.r, end_id(other), MSG_TRANSFER, slice_str(", later"));
    assert_slice(buf_slice(&other->got), slice_str("goes on"));
    rig_advance(&w.r, 30 * SECOND);
    assert_int_equal(w.e->how, CHAN_END_STALLED);
    rig_pump(&w.r);
    assert_slice(buf_slice(&other->got), slice_str("goes on, later"));
    assert_int_equal(w.process.used, 0);
    world_stop(&w);
}

/* While something is held the endpoint is not asked; what comes goes behind. */
static void test_order(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, SIZE_MAX, 0);
    peer_sends(&w, 100);
    w.e->room = 1000;
    peer_sends(&w, 100);
    assert_int_equal(w.e->delivered, 1);
    assert_got(&w, 0);
    chan_resume(&w.e->ch);
    assert_got(&w, 200);
    peer_sends(&w, 100);
    assert_got(&w, 300);
    world_stop(&w);
}

/* INTERRUPT: what is held is still delivered, and only then the channel is closed. */
static void test_ended_by_peer(void **state)
{
    struct world w;

    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        world_start(&w, SIZE_MAX, 0);
        peer_sends(&w, 100000);
        rig_send(&w.r, slice_str("x"), MSG_INTERRUPT, slice_str(""));
        rig_expect(&w.r, slice_str("x"), MSG_INTERRUPT, slice_str(""));
        assert_int_equal(w.e->ch.state, CHAN_FLUSHING);
        assert_int_equal(w.e->flushing, 1);
        assert_int_equal(w.r.link.channels.count, 0);
        assert_int_equal(w.r.link.cap.used, 0);
        if (lost)
            link_lost(&w.r.link);
        else
            rig_send(&w.r, slice_str("x"), MSG_TRANSFER, slice_str("late"));
        take(&w, 99999);
        assert_int_equal(held(&w), 1);
        assert_int_equal(w.e->closed, 0);
        take(&w, 1);
        assert_got(&w, 100000);
        assert_int_equal(w.e->how, CHAN_END_PEER);
        world_stop(&w);
    }
}

static void test_ended_by_us(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, SIZE_MAX, 0);
    peer_sends(&w, 1000);
    chan_finish(&w.e->ch);
    peer_sends(&w, 1000);
    rig_advance(&w.r, 20 * MS);
    rig_expect(&w.r, slice_str("x"), MSG_INTERRUPT, slice_str(""));
    assert_int_equal(w.e->ch.state, CHAN_FLUSHING);
    take(&w, SIZE_MAX);
    assert_got(&w, 2000);
    assert_int_equal(w.e->how, CHAN_END_SENT);
    world_stop(&w);
}

/* What is broken is dropped, with what is held. */
static void test_broken(void **state)
{
    enum { RESET, ABORTED, LOST, WAYS };
    struct world w;

    (void)state;
    for (int way = 0; way < WAYS; way++)
        for (int full = 0; full < 2; full++) {
            world_start(&w, SIZE_MAX, 0);
            if (full)
                send_until_blocked(&w);
            else
                peer_sends(&w, 1000);
            if (way == RESET)
                rig_send(&w.r, slice_str("x"), MSG_INTERRUPT, slice_str("reset"));
            else if (way == ABORTED)
                chan_abort(&w.e->ch);
            else
                link_lost(&w.r.link);
            if (way == RESET && full) { /* stands behind what waits */
                assert_int_equal(w.e->ch.state, CHAN_OPEN);
                take(&w, SIZE_MAX);
                rig_pump(&w.r);
            }
            assert_int_equal(w.e->ch.state, CHAN_CLOSED);
            assert_int_equal(w.process.used, 0);
            assert_int_equal(w.e->closed, way != ABORTED);
            world_stop(&w);
        }
}

static size_t take_and_abort(struct chan *ch, uint8_t *data, size_t len)
{
    size_t n = end_deliver(ch, data, len);

    chan_abort(ch);
    return n;
}

static size_t take_and_resume(struct chan *ch, uint8_t *data, size_t len)
{
    size_t n = end_deliver(ch, data, len);

    chan_resume(ch);
    return n;
}

/* From inside a delivery of what is held, the endpoint may end the channel, or resume it. */
static void test_inside_deliver(void **state)
{
    struct chan_ops ops = end_ops;
    struct world w;

    (void)state;
    world_start(&w, SIZE_MAX, 0);
    w.e->ch.ops = &ops;
    peer_sends(&w, 100000);
    ops.deliver = take_and_resume;
    take(&w, SIZE_MAX);
    assert_got(&w, 100000);
    peer_sends(&w, 100000);
    ops.deliver = take_and_abort;
    take(&w, SIZE_MAX);
    assert_int_equal(w.e->ch.state, CHAN_CLOSED);
    assert_true(w.e->got.len > 100000 && w.e->got.len < 200000);
    assert_int_equal(w.process.used, 0);
    world_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_holds_so_much),
        cmocka_unit_test(test_short_of_memory),
        cmocka_unit_test(test_memory_that_another_gives_back),
        cmocka_unit_test(test_others_go_on),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ended_by_peer),
        cmocka_unit_test(test_ended_by_us),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_inside_deliver),
    };

    return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
