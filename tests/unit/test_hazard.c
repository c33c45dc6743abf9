/* What must not follow too closely on a 0.10 link (core/hazard.c; docs/protocol.md). */
#include "fake_link.h"

static struct slice peer_id;

/* A channel that the peer opened, with 4 bytes to send and then its end; `unacked` output bytes
 * are in the peer's way. Our RESPOND is out. */
static struct end *accept_loaded(struct rig *r, uint64_t unacked)
{
    struct end *e;

    rig_start(r, true);
    r->unacked = unacked;
    peer_id = slice_str("peer's");
    e = rig_asked(r, "peer's");
    e->out = slice_str("data");
    e->then = CHAN_THEN_END;
    chan_accept(&e->ch, slice_of(NULL, 0));
    chan_ready(&e->ch);
    return e;
}

/* Time until the next frame is there, at a resolution of 100 us. */
static uint64_t wait_frame(struct rig *r, uint64_t limit_us)
{
    for (uint64_t waited = 0; waited <= limit_us; waited += 100) {
        link_fill(&r->link);
        if (r->link.out.bytes)
            return waited;
        rig_advance(r, 100);
    }
    fail_msg("no frame within %u us", (unsigned)limit_us);
    return 0;
}

static void assert_between(uint64_t us, uint64_t low, uint64_t high)
{
    if (us < low || us > high)
        fail_msg("after %u us, not %u to %u", (unsigned)us, (unsigned)low, (unsigned)high);
}

static void test_gap_after_respond_and_transfer(void **state)
{
    struct rig r;
    struct end *e = accept_loaded(&r, 0);

    (void)state;
    rig_expect_response(&r, peer_id, true, "");
    assert_between(wait_frame(&r, SECOND), 5 * MS, 7 * MS);
    rig_expect(&r, peer_id, MSG_TRANSFER, slice_str("data"));
    assert_int_equal(e->ch.state, CHAN_DRAINING);
    assert_between(wait_frame(&r, SECOND), 5 * MS, 7 * MS);
    rig_expect(&r, peer_id, MSG_INTERRUPT, slice_str(""));
    assert_int_equal(e->how, CHAN_END_SENT);
    rig_stop(&r);
}

/* The 5 ms count from the acknowledgement by the peer's kernel. */
static void test_waits_for_ack(void **state)
{
    struct rig r;

    accept_loaded(&r, 1);
    (void)state;
    rig_expect_response(&r, peer_id, true, "");
    rig_advance(&r, 300 * MS);
    rig_expect_nothing(&r);
    r.unacked = 0;
    assert_between(wait_frame(&r, SECOND), 5 * MS, 5 * MS + 17 * MS);
    rig_expect(&r, peer_id, MSG_TRANSFER, slice_str("data"));
    r.unacked = 1;
    rig_advance(&r, 400 * MS);
    rig_expect_nothing(&r);
    r.unacked = 0;
    assert_between(wait_frame(&r, SECOND), 5 * MS, 5 * MS + 17 * MS);
    rig_expect(&r, peer_id, MSG_INTERRUPT, slice_str(""));
    rig_stop(&r);
}

/* A peer whose kernel never acknowledges is waited for a second, no longer. */
static void test_ack_limit(void **state)
{
    struct rig r;

    accept_loaded(&r, UINT64_MAX);
    (void)state;
    rig_expect_response(&r, peer_id, true, "");
    assert_between(wait_frame(&r, 2 * SECOND), SECOND, SECOND + 25 * MS);
    rig_expect(&r, peer_id, MSG_TRANSFER, slice_str("data"));
    assert_between(wait_frame(&r, 2 * SECOND), SECOND, SECOND + 25 * MS);
    rig_expect(&r, peer_id, MSG_INTERRUPT, slice_str(""));
    rig_stop(&r);
}

/* Nor does anything count while the message stands in our own queue, however long that takes. */
static void test_waits_for_own_queue(void **state)
{
    struct rig r;
    struct end *e = accept_loaded(&r, 0);

    (void)state;
    for (int second = 0; second < 5; second++) {
        rig_advance(&r, SECOND);
        link_fill(&r.link);
        assert_int_equal(e->ch.hazard, CHAN_GATE);
        assert_true(link_deadline(&r.link) <= r.now + 17 * MS);
    }
    rig_expect_response(&r, peer_id, true, "");
    assert_between(wait_frame(&r, SECOND), 5 * MS, 5 * MS + 17 * MS);
    rig_advance(&r, 3 * SECOND);
    assert_int_equal(e->ch.state, CHAN_DRAINING);
    rig_expect(&r, peer_id, MSG_TRANSFER, slice_str("data"));
    assert_between(wait_frame(&r, SECOND), 5 * MS, 5 * MS + 17 * MS);
    rig_stop(&r);
}

/* Only what stands up to the last TRANSFER counts: later output of others does not delay it. */
static void test_mark_is_own_message(void **state)
{
    struct rig r;
    struct end *e;
    uint64_t behind;

    (void)state;
    rig_start(&r, true);
    e = rig_accepted(&r, "a");
    e->out = slice_str("data");
    e->then = CHAN_THEN_END;
    chan_ready(&e->ch);
    rig_expect(&r, slice_str("a"), MSG_TRANSFER, slice_str("data"));
    behind = r.link.out_total;
    rig_send_frame(&r, true, WS_PING, slice_str("more output"));
    rig_expect_frame(&r, WS_PONG, slice_str("more output"));
    r.unacked = r.link.out_total - behind;
    assert_between(wait_frame(&r, SECOND), 5 * MS, 7 * MS);
    rig_expect(&r, slice_str("a"), MSG_INTERRUPT, slice_str(""));
    rig_stop(&r);
}

/* An end before the first TRANSFER was allowed: INTERRUPT still keeps away from RESPOND. */
static void test_finish_behind_gate(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, true);
    e = rig_asked(&r, "peer's");
    chan_accept(&e->ch, slice_of(NULL, 0));
    chan_finish(&e->ch);
    rig_expect_response(&r, slice_str("peer's"), true, "");
    assert_between(wait_frame(&r, SECOND), 5 * MS, 7 * MS);
    rig_expect(&r, slice_str("peer's"), MSG_INTERRUPT, slice_str(""));
    assert_int_equal(e->how, CHAN_END_SENT);
    rig_stop(&r);
}

/* The side that got RESPOND may send at once. */
static void test_opener_does_not_wait(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    e->out = slice_str("first");
    chan_ready(&e->ch);
    rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str("first"));
    rig_stop(&r);
}

/* Ends that come in the time of waiting leave nothing behind that fires later. */
static void test_end_while_waiting(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    for (int when = 0; when < 3; when++) {
        e = accept_loaded(&r, when == 0 ? 1 : 0);
        rig_expect_response(&r, peer_id, true, "");
        rig_advance(&r, when == 2 ? 10 * MS : 1 * MS);
        if (when == 2)
            rig_expect(&r, peer_id, MSG_TRANSFER, slice_str("data"));
        rig_send(&r, peer_id, MSG_INTERRUPT, slice_str(""));
        rig_expect(&r, peer_id, MSG_INTERRUPT, slice_str(""));
        assert_int_equal(e->how, CHAN_END_PEER);
        rig_advance(&r, 2 * SECOND);
        rig_expect_nothing(&r);
        assert_int_equal(e->closed, 1);
        assert_true(link_deadline(&r.link) > r.now + SECOND);
        rig_stop(&r);
    }
}

/* Many at once, at different times: each keeps its own distance. */
static void test_many(void **state)
{
    static const char *const ids[] = {"a", "b", "c", "d"};
    uint64_t finished[COUNT(ids)];
    struct rig r;
    struct end *e[COUNT(ids)];

    (void)state;
    rig_start(&r, true);
    for (size_t i = 0; i < COUNT(ids); i++)
        e[i] = rig_accepted(&r, ids[i]);
    for (size_t i = 0; i < COUNT(ids); i++) {
        chan_finish(&e[i]->ch);
        finished[i] = r.now;
        rig_advance(&r, 700);
    }
    for (size_t i = 0; i < COUNT(ids); i++) {
        wait_frame(&r, SECOND);
        assert_between(r.now - finished[i], 5 * MS, 8 * MS);
        rig_expect(&r, slice_str(ids[i]), MSG_INTERRUPT, slice_str(""));
    }
    rig_expect_nothing(&r);
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gap_after_respond_and_transfer),
        cmocka_unit_test(test_waits_for_ack),
        cmocka_unit_test(test_ack_limit),
        cmocka_unit_test(test_waits_for_own_queue),
        cmocka_unit_test(test_mark_is_own_message),
        cmocka_unit_test(test_finish_behind_gate),
        cmocka_unit_test(test_opener_does_not_wait),
        cmocka_unit_test(test_end_while_waiting),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
