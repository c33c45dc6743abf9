/* A link in dialect wsp.1: GOAWAY, signs of life and the round trip (core/dialect_wsp_1.c). */
#include "fake_wsp_1.h"

/* ---- GOAWAY */

static void test_our_goaway(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    for (int served = 0; served < 2; served++) {
        rig_start_1(&r, true);
        e = served ? rig_accepted_1(&r, "15", 0) : NULL;
        link_goaway(&r.link);
        link_goaway(&r.link);
        rig_expect(&r, NOTHING, MSG_GOAWAY, slice_str(served ? "15" : ""));
        peer_connect(&r, "17", 0);
        rig_expect_response(&r, slice_str("17"), false, "goaway");
        assert_int_equal(r.connects, served);
        if (served) { /* goes on */
            peer_transfer(&r, end_id(e), 10);
            assert_int_equal(e->got.len, 10);
        }
        peer_transfer(&r, slice_str("17"), 10);
        rig_expect_nothing(&r);
        rig_stop(&r);
    }
}

static void test_goaway_of_the_peer(void **state)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("tcp://x")};
    struct rig r;
    struct end *e;

    (void)state;
    rig_start_1(&r, false);
    e = rig_opening(&r);
    assert_true(link_takes_opens(&r.link));
    rig_send(&r, NOTHING, MSG_GOAWAY, slice_str("1"));
    rig_send(&r, NOTHING, MSG_GOAWAY, slice_str("1"));
    assert_int_equal(r.goaways, 1);
    assert_false(link_takes_opens(&r.link));
    assert_int_equal(link_open(&r.link, &rig_end(&r)->ch, &request), WSP_ERR_REFUSED);
    peer_respond(&r, end_id(e), 0);
    assert_int_equal(e->opened, 1);
    rig_accepted_1(&r, "2", 0); /* the peer itself may still open */
    rig_expect_nothing(&r);
    rig_stop(&r);
}

/* Decided before it was clear that the peer knows the word. */
static void test_goaway_before_settings(void **state)
{
    struct rig r;

    (void)state;
    rig_begin(&r, rig_options(true, LINK_EITHER));
    link_goaway(&r.link);
    rig_expect_nothing(&r);
    peer_settings(&r, 0, 0);
    expect_greeting(&r);
    rig_expect(&r, NOTHING, MSG_GOAWAY, NOTHING);
    peer_connect(&r, "1", 0);
    rig_expect_response(&r, slice_str("1"), false, "goaway");
    rig_stop(&r);
}

static void test_no_goaway_in_0_10(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, true);
    link_goaway(&r.link);
    rig_expect_nothing(&r);
    rig_send(&r, NOTHING, MSG_GOAWAY, NOTHING);
    assert_int_equal(r.goaways, 0);
    assert_true(link_takes_opens(&r.link));
    rig_stop(&r);
}

/* ---- signs of life, and the round trip */

/* The next frame is a ping; returns its payload. */
static struct slice expect_ping(struct rig *r)
{
    struct sent s;

    assert_true(rig_next(r, &s));
    assert_int_equal(s.frame.op, WS_PING);
    assert_int_equal(s.payload.len, 8);
    return s.payload;
}

static void test_both_ping_and_die(void **state)
{
    struct rig r;

    (void)state;
    for (int server = 0; server < 2; server++) {
        rig_start_1(&r, server);
        rig_advance(&r, 25 * SECOND - 1);
        rig_expect_nothing(&r);
        rig_advance(&r, 1);
        expect_ping(&r);
        rig_advance(&r, 25 * SECOND);
        expect_ping(&r);
        rig_advance(&r, 10 * SECOND - 1);
        assert_false(r.link.failed);
        rig_advance(&r, 1);
        assert_true(r.link.failed);
        assert_string_equal(r.link.error, "silent for 60 s");
        rig_expect_nothing(&r);
        rig_stop(&r);
    }
}

static void test_input_is_life(void **state)
{
    struct rig r;

    (void)state;
    rig_start_1(&r, true);
    for (int i = 0; i < 20; i++) {
        rig_advance(&r, 24 * SECOND);
        rig_send_frame(&r, true, WS_PONG, slice_str("of nobody"));
        rig_expect_nothing(&r);
    }
    link_ask_life(&r.link, r.now);
    expect_ping(&r);
    assert_false(r.link.failed);
    rig_stop(&r);
}

/* A ping is answered after `us`: with its payload, or not. */
static void answer_ping(struct rig *r, uint64_t us, bool well)
{
    uint8_t payload[8];

    link_ask_life(&r->link, r->now);
    memcpy(payload, expect_ping(r).p, sizeof(payload));
    r->now += us;
    payload[0] ^= (uint8_t)!well;
    rig_send_frame(r, true, WS_PONG, slice_of(payload, sizeof(payload)));
}

static void test_round_trip(void **state)
{
    struct rig r;

    (void)state;
    rig_start_1(&r, false);
    assert_int_equal(link_rtt_us(&r.link), 0);
    rig_send_frame(&r, true, WS_PONG, NOTHING);
    answer_ping(&r, 1000, false);
    assert_int_equal(link_rtt_us(&r.link), 0);
    answer_ping(&r, 70000, true);
    assert_int_equal(link_rtt_us(&r.link), 70000);
    answer_ping(&r, 50000, true);
    assert_int_equal(link_rtt_us(&r.link), 50000);
    answer_ping(&r, 90000, true); /* the smallest counts */
    assert_int_equal(link_rtt_us(&r.link), 50000);
    r.now += 300 * SECOND;
    answer_ping(&r, 80000, true); /* for this period and the next */
    assert_int_equal(link_rtt_us(&r.link), 50000);
    r.now += 300 * SECOND;
    answer_ping(&r, 95000, true);
    assert_int_equal(link_rtt_us(&r.link), 80000);
    answer_ping(&r, 0, true); /* nearer than the clock can tell is still known */
    assert_int_equal(link_rtt_us(&r.link), 1);
    rig_stop(&r);
}

/* A pong that comes twice is one sample. */
static void test_pong_twice(void **state)
{
    struct rig r;

    (void)state;
    rig_start_1(&r, false);
    answer_ping(&r, 50000, true);
    r.link.rtt_us = r.link.rtt_old_us = 0;
    rig_send_frame(&r, true, WS_PONG, slice_of(&r.link.ping_seq, 8));
    assert_int_equal(link_rtt_us(&r.link), 0);
    rig_stop(&r);
}

/* ---- no waiting between messages */

static void test_no_hazards(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start_1(&r, true);
    e = rig_accepted_1(&r, "1", 0);
    e->out = slice_str("data");
    e->then = CHAN_THEN_END;
    chan_ready(&e->ch);
    rig_expect(&r, end_id(e), MSG_TRANSFER, slice_str("data"));
    rig_expect(&r, end_id(e), MSG_FINISH, NOTHING);
    e = rig_accepted_1(&r, "3", 0);
    e->out = slice_str("data");
    e->then = CHAN_THEN_CLOSE;
    chan_ready(&e->ch);
    rig_expect(&r, slice_str("3"), MSG_TRANSFER, slice_str("data"));
    expect_interrupt(&r, slice_str("3"), MSG_CLOSED);
    assert_int_equal(e->how, CHAN_END_SENT);
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_goaway),
        cmocka_unit_test(test_goaway_of_the_peer),
        cmocka_unit_test(test_goaway_before_settings),
        cmocka_unit_test(test_no_goaway_in_0_10),
        cmocka_unit_test(test_both_ping_and_die),
        cmocka_unit_test(test_input_is_life),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_pong_twice),
        cmocka_unit_test(test_no_hazards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
