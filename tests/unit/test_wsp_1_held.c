/* What a channel of wsp.1 holds at its end, its memory, and what is delivered together
 * (core/channel_input.c, core/credit.c). */
#include "credit_help.h"

/* ---- ends behind what is held */

static void test_finish_behind_held(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start_1(&r, true);
    e = rig_accepted_1(&r, "1", 0);
    e->room = 0;
    peer_sends(&r, e, 0, 200000);
    peer_finish(&r, e);
    assert_int_equal(e->ch.state, CHAN_HEARD);
    assert_int_equal(e->finished, 0);
    e->room = 199999;
    chan_resume(&e->ch);
    assert_int_equal(e->finished, 0);
    e->room = 1;
    chan_resume(&e->ch);
    assert_int_equal(e->finished, 1);
    assert_got(e, 200000);
    rig_expect_nothing(&r);
    assert_int_equal(chan_send(&e->ch, slice_of(pattern, 100)), 100); /* our side goes on */
    chan_finish(&e->ch);
    assert_int_equal(e->how, CHAN_END_SENT);
    rig_stop(&r);
}

/* How a channel with held bytes comes to its end: by what is said last, and how it ends then. */
static void end_it(struct rig *r, struct end *e, enum chan_end how)
{
    if (how == CHAN_END_PEER) {
        peer_interrupt(r, e, MSG_CLOSED);
        return;
    }
    peer_finish(r, e);
    chan_finish(&e->ch);
    rig_expect(r, end_id(e), MSG_FINISH, NOTHING);
}

static void test_flushing(void **state)
{
    static const enum chan_end ends[] = {CHAN_END_PEER, CHAN_END_SENT};
    struct world w;
    struct end *e;

    (void)state;
    for (size_t i = 0; i < COUNT(ends); i++) {
        world_start(&w, 256 * MIB, 0);
        e = rig_accepted_1(&w.r, "1", 0);
        e->room = 100;
        peer_sends(&w.r, e, 0, 30000);
        end_it(&w.r, e, ends[i]);
        assert_int_equal(e->ch.state, CHAN_FLUSHING);
        assert_int_equal(e->flushing, 1);
        assert_int_equal(e->closed, 0);
        assert_int_equal(w.r.link.channels.count, 0);
        assert_int_equal(w.r.link.cap.used, 0); /* of the process only, and no more than is held */
        assert_int_equal(w.process.used, 30000 - 100);
        link_lost(&w.r.link); /* no longer its concern */
        e->room = 20000;
        chan_resume(&e->ch);
        assert_int_equal(w.process.used, 30000 - 20100);
        assert_int_equal(e->closed, 0);
        e->room = SIZE_MAX;
        chan_resume(&e->ch);
        assert_got(e, 30000);
        assert_int_equal(e->how, ends[i]);
        assert_int_equal(e->finished, 0);
        world_stop(&w);
    }
}

/* Channels whose readers are slow at the end count as open ones, until they have ended. */
static void test_flushing_counts(void **state)
{
    struct world w;
    struct end *e[4];
    static const char *const ids[] = {"1", "3", "5", "7"};

    (void)state;
    world_start(&w, 256 * MIB, 0);
    for (size_t i = 0; i < COUNT(ids); i++) {
        e[i] = rig_accepted_1(&w.r, ids[i], 0);
        e[i]->room = 0;
        peer_sends(&w.r, e[i], 0, 100);
        peer_interrupt(&w.r, e[i], MSG_CLOSED);
        assert_int_equal(w.r.link.flushing_count, i + 1);
    }
    peer_connect(&w.r, "9", 0);
    rig_expect_response(&w.r, slice_str("9"), false, "too many channels");
    e[0]->room = SIZE_MAX;
    chan_resume(&e[0]->ch);
    chan_abort(&e[1]->ch);
    assert_int_equal(w.r.link.flushing_count, 2);
    rig_accepted_1(&w.r, "11", 0);
    link_fini(&w.r.link); /* the rest goes on without it */
    assert_int_equal(e[2]->ch.state, CHAN_FLUSHING);
    e[2]->room = SIZE_MAX;
    chan_resume(&e[2]->ch);
    assert_int_equal(e[2]->how, CHAN_END_PEER);
    assert_got(e[2], 100);
    chan_abort(&e[3]->ch);
    world_stop(&w);
}

static void test_flushing_aborted(void **state)
{
    struct world w;
    struct end *e;

    (void)state;
    world_start(&w, 256 * MIB, 0);
    e = rig_accepted_1(&w.r, "1", 0);
    e->room = 0;
    peer_sends(&w.r, e, 0, 30000);
    peer_interrupt(&w.r, e, MSG_CLOSED);
    chan_abort(&e->ch);
    assert_int_equal(w.process.used, 0);
    assert_int_equal(e->closed, 0);
    rig_expect_nothing(&w.r);
    world_stop(&w);
}

static void test_broken_drops_held(void **state)
{
    struct world w;
    struct end *e;

    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        world_start(&w, 256 * MIB, 0);
        e = rig_accepted_1(&w.r, "1", 0);
        e->room = 0;
        peer_sends(&w.r, e, 0, 30000);
        if (lost)
            link_lost(&w.r.link);
        else
            peer_interrupt(&w.r, e, MSG_RESET);
        assert_int_equal(e->how, lost ? CHAN_END_LINK_LOST : CHAN_END_PEER_RESET);
        assert_int_equal(w.process.used, 0);
        assert_int_equal(pool_used(&w.r.pool) > 0, w.r.link.out.bytes > 0);
        world_stop(&w);
    }
}

/* ---- memory */

static void test_no_room(void **state)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("tcp://x")};
    struct world w;
    struct end *e;

    (void)state;
    world_start(&w, 33 * KIB, 0);
    rig_accepted_1(&w.r, "1", 0);
    rig_opened_1(&w.r, 0);
    assert_int_equal(w.process.used, 32 * KIB);
    peer_connect(&w.r, "3", 0);
    rig_expect_response(&w.r, slice_str("3"), false, "limit");
    e = rig_end(&w.r);
    assert_int_equal(link_open(&w.r.link, &e->ch, &request), WSP_ERR_LIMIT);
    assert_false(chan_live(&e->ch));
    rig_expect_nothing(&w.r);
    e->ch.mute = true; /* needs none */
    assert_int_equal(link_open(&w.r.link, &e->ch, &request), WSP_OK);
    chan_abort(&w.r.end[0].ch);
    assert_int_equal(w.process.used, 16 * KIB);
    assert_int_equal(link_open(&w.r.link, &rig_end(&w.r)->ch, &request), WSP_OK);
    world_stop(&w);
}

/* The round trip is `us`. */
static void measure(struct rig *r, uint64_t us)
{
    struct sent s;
    uint8_t payload[8];

    link_ask_life(&r->link, r->now);
    assert_true(rig_next(r, &s));
    memcpy(payload, s.payload.p, sizeof(payload));
    r->now += us;
    rig_send_frame(r, true, WS_PONG, slice_of(payload, sizeof(payload)));
    assert_int_equal(link_rtt_us(&r->link), us);
}

/* A peer that uses all it is granted, once a round trip; returns the window in the end. */
static size_t run(struct rig *r, struct end *e, int rounds, uint64_t rtt_us)
{
    for (int i = 0; i < rounds; i++) {
        uint64_t credit = e->ch.window.left;
        struct sent s;

        peer_sends(r, e, 0, e->ch.window.left);
        r->now += rtt_us;
        buf_consume(&e->got, e->got.len);
        while (rig_next(r, &s)) {
            uint64_t more;

            if (s.frame.op != WS_BINARY)
                continue;
            assert_int_equal(s.msg.cmd, MSG_WINDOW);
            assert_int_equal(msg_credit_parse(s.msg.data, &more), WSP_OK);
            credit += more;
        }
        assert_true(credit >= e->ch.window.left);
        assert_int_equal(r->link.cap.used, e->ch.window.size);
    }
    return e->ch.window.size;
}

static void test_window_grows(void **state)
{
    struct world w;
    struct end *e;

    (void)state;
    world_start(&w, 256 * MIB, MIB);
    measure(&w.r, 50 * MS);
    e = rig_accepted_1(&w.r, "1", 0);
    assert_int_equal(e->ch.window.size, 64 * KIB);
    assert_int_equal(run(&w.r, e, 1, 50 * MS), 128 * KIB);
    assert_int_equal(run(&w.r, e, 10, 50 * MS), MIB);
    assert_int_equal(run(&w.r, e, 10, 50 * MS), MIB); /* as far as the channel may */
    world_stop(&w);

    world_start(&w, 256 * MIB, MIB);
    measure(&w.r, 50 * MS);
    e = rig_accepted_1(&w.r, "1", 0);
    run(&w.r, e, 1, SECOND);
    assert_int_equal(run(&w.r, e, 10, SECOND), 128 * KIB); /* too slow to need it */
    world_stop(&w);
}

/* Others have used up the memory: windows get smaller, down to the smallest, and grow again. */
static void test_window_shrinks(void **state)
{
    struct world w;
    struct end *e;

    (void)state;
    world_start(&w, 256 * MIB, MIB);
    measure(&w.r, 50 * MS);
    e = rig_accepted_1(&w.r, "1", 0);
    run(&w.r, e, 10, 50 * MS);
    assert_true(credit_reserve(&w.process, 255 * MIB));
    assert_int_equal(run(&w.r, e, 20, 50 * MS), CREDIT_WINDOW_MIN);
    assert_int_equal(w.process.used, 255 * MIB + CREDIT_WINDOW_MIN);
    credit_release(&w.process, 255 * MIB);
    assert_int_equal(run(&w.r, e, 20, 50 * MS), MIB);
    world_stop(&w);
}

/* ---- pieces that are delivered together */

static int pieces_most;

static size_t deliver_iov(struct chan *ch, const struct iovec *iov, int count)
{
    size_t n = 0;

    assert_in_range(count, 1, LINK_GATHER_MAX);
    if (count > pieces_most)
        pieces_most = count;
    for (int i = 0; i < count; i++) {
        size_t part = end_deliver(ch, iov[i].iov_base, iov[i].iov_len);

        n += part;
        if (part < iov[i].iov_len)
            break;
    }
    return n;
}

/* Frames that come in one piece of input become few deliveries; whatever the endpoint takes. */
static void test_gathered(void **state)
{
    struct chan_ops ops = end_ops;
    struct rig r;
    struct end *a, *b;

    (void)state;
    ops.deliver_iov = deliver_iov;
    for (size_t room = 0; room <= 2400; room += 60) {
        rig_start_1(&r, true);
        a = rig_accepted_1(&r, "1", 0);
        b = rig_accepted_1(&r, "3", 0);
        a->ch.ops = b->ch.ops = &ops;
        a->room = room;
        for (size_t i = 0; i < 20; i++)
            wire_msg(&r.rx, true, end_id(a), MSG_TRANSFER, slice_of(pattern + 100 * i, 100));
        wire_msg(&r.rx, true, end_id(b), MSG_TRANSFER, slice_of(pattern, 100));
        for (size_t i = 20; i < 24; i++)
            wire_msg(&r.rx, true, end_id(a), MSG_TRANSFER, slice_of(pattern + 100 * i, 100));
        wire_msg(&r.rx, true, end_id(a), MSG_FINISH, NOTHING);
        rig_pump(&r);
        assert_got(a, room);
        assert_got(b, 100);
        assert_int_equal(a->finished, room == 2400);
        a->room = SIZE_MAX;
        chan_resume(&a->ch);
        assert_got(a, 2400);
        assert_int_equal(a->finished, 1);
        assert_int_equal(a->ch.window.left, WINDOW - 2400);
        rig_expect_nothing(&r);
        rig_stop(&r);
    }
    assert_int_equal(pieces_most, LINK_GATHER_MAX);
}

static size_t deliver_and_end(struct chan *ch, const struct iovec *iov, int count)
{
    (void)iov;
    (void)count;
    chan_abort(ch);
    return 0;
}

static void test_end_inside_gathered(void **state)
{
    struct chan_ops ops = end_ops;
    struct rig r;
    struct end *a, *b;

    (void)state;
    ops.deliver_iov = deliver_and_end;
    rig_start_1(&r, true);
    a = rig_accepted_1(&r, "1", 0);
    b = rig_accepted_1(&r, "3", 0);
    a->ch.ops = &ops;
    for (size_t i = 0; i < 20; i++)
        wire_msg(&r.rx, true, slice_str("1"), MSG_TRANSFER, slice_of(pattern, 100));
    wire_msg(&r.rx, true, end_id(b), MSG_TRANSFER, slice_of(pattern, 100));
    rig_pump(&r);
    assert_got(b, 100);
    expect_interrupt(&r, slice_str("1"), MSG_CLOSED);
    rig_expect_nothing(&r);
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finish_behind_held), cmocka_unit_test(test_flushing),
        cmocka_unit_test(test_flushing_counts),    cmocka_unit_test(test_flushing_aborted),
        cmocka_unit_test(test_broken_drops_held),  cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_window_grows),       cmocka_unit_test(test_window_shrinks),
        cmocka_unit_test(test_gathered),           cmocka_unit_test(test_end_inside_gathered),
    };

    return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
