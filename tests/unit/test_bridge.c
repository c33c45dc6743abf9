/* Two channels joined, in any two dialects: opening, bytes and credit (core/bridge.c). */
#include "bridge_help.h"

/* ---- opening */

static void check_open(struct world *w)
{
    struct msg_response response = {.success = true, .bound = slice_str("10.0.0.1:5")}, got;
    struct msg_request r;
    uint8_t data[64];
    struct sent s;
    size_t len;

    ask(w, &r);
    assert_slice(r.url, slice_str("tcp://x"));
    assert_int_equal(r.type, MSG_DYNAMIC);
    assert_int_equal(r.window, speaks_1(w, SERVICE) ? WINDOW : 0); /* each link's own */
    assert_int_equal(msg_response_write(&response, data, sizeof(data), &len), WSP_OK);
    rig_send(&w->rig[SERVICE], id_of(w, SERVICE), MSG_RESPOND, slice_of(data, len));
    assert_int_equal(w->answers, 1);
    assert_true(rig_next(&w->rig[OPENER], &s));
    assert_int_equal(msg_response_parse(s.msg.data, &got), WSP_OK);
    assert_true(got.success);
    assert_slice(got.bound, response.bound);
    assert_int_equal(got.window, speaks_1(w, OPENER) ? WINDOW : 0);
    assert_int_equal(w->ends, 0);
}

static void test_open(void **state)
{
    (void)state;
    for_all(check_open);
}

static void check_failed(struct world *w)
{
    struct msg_request r;

    ask(w, &r);
    rig_send_response(&w->rig[SERVICE], id_of(w, SERVICE), false, "dial tcp: no");
    rig_expect_response(&w->rig[OPENER], id_of(w, OPENER), false, "dial tcp: no");
    assert_string_equal(w->why, "dial tcp: no");
    assert_int_equal(w->ends, 1);
    assert_int_equal(w->answers, 1);
    assert_int_equal(hear_soon(w, SERVICE), NO_WORD);
}

static void test_failed(void **state)
{
    (void)state;
    for_all(check_failed);
}

/* The opener is told something else than the service's reason, which the owner gets to know. */
static void check_failed_otherwise(struct world *w)
{
    struct msg_request r;

    w->refusal = "no word of it";
    ask(w, &r);
    rig_send_response(&w->rig[SERVICE], id_of(w, SERVICE), false, "dial tcp: no");
    rig_expect_response(&w->rig[OPENER], id_of(w, OPENER), false, "no word of it");
    assert_string_equal(w->why, "dial tcp: no");
    assert_int_equal(w->ends, 1);
}

static void test_failed_otherwise(void **state)
{
    (void)state;
    for_all(check_failed_otherwise);
}

/* The service has accepted, and is refused all the same. */
static void check_refused(struct world *w)
{
    struct msg_request r;

    w->refusal = "not any more";
    ask(w, &r);
    rig_send_response(&w->rig[SERVICE], id_of(w, SERVICE), true, "");
    rig_expect_response(&w->rig[OPENER], id_of(w, OPENER), false, "not any more");
    assert_int_equal(hear_soon(w, SERVICE), CLOSED);
    assert_int_equal(w->ends, 1);
    assert_string_equal(w->why, "");
}

static void test_refused(void **state)
{
    (void)state;
    for_all(check_refused);
}

static void check_canceled(struct world *w)
{
    struct msg_request r;

    ask(w, &r);
    say(w, OPENER, CLOSED);
    assert_int_equal(hear_soon(w, SERVICE), CLOSED);
    assert_int_equal(hear_soon(w, OPENER), NO_WORD);
    assert_int_equal(w->ends, 1);
}

static void test_canceled(void **state)
{
    (void)state;
    for_all(check_canceled);
}

static void check_interrupted_instead(struct world *w)
{
    struct msg_request r;

    ask(w, &r);
    say(w, SERVICE, RESET);
    rig_expect_response(&w->rig[OPENER], id_of(w, OPENER), false, "interrupted");
    assert_int_equal(hear_soon(w, SERVICE), NO_WORD);
    assert_int_equal(w->ends, 1);
}

static void test_interrupted_instead(void **state)
{
    (void)state;
    for_all(check_interrupted_instead);
}

static void check_lost_while_opening(struct world *w)
{
    struct msg_request r;

    ask(w, &r);
    link_lost(&w->rig[SERVICE].link);
    rig_expect_response(&w->rig[OPENER], id_of(w, OPENER), false, "interrupted");
    assert_int_equal(w->ends, 1);
}

static void test_lost_while_opening(void **state)
{
    (void)state;
    for_all(check_lost_while_opening);
}

/* No second channel, no first one either: nothing is live and nothing was said. */
static void check_cannot_open(struct world *w)
{
    link_lost(&w->rig[SERVICE].link);
    peer_connect(&w->rig[OPENER], speaks_1(w, OPENER) ? "1" : "x", 0);
    assert_int_equal(w->err, WSP_ERR_REFUSED);
    assert_false(chan_live(chan_of(w, OPENER)) || chan_live(chan_of(w, SERVICE)));
    rig_expect_nothing(&w->rig[OPENER]);
    assert_int_equal(w->ends, 0);
}

static void test_cannot_open(void **state)
{
    (void)state;
    for_all(check_cannot_open);
}

/* ---- bytes and credit */

static void check_bytes(struct world *w, int near)
{
    for (int i = 0; i < 20; i++) {
        say_data(w, near, 5000);
        assert_int_equal(hear(w, !near), NO_WORD);
        assert_int_equal(w->heard[!near], w->said[near]);
        say_data(w, !near, 100);
        assert_int_equal(hear(w, near), NO_WORD);
        assert_int_equal(w->heard[near], w->said[!near]);
    }
    assert_int_equal(w->ends, 0);
}

static void test_bytes(void **state)
{
    (void)state;
    for_all_open(check_bytes);
}

static void check_held(struct world *w, int near)
{
    load(w, near);
    assert_int_equal(hear(w, !near), NO_WORD);
    assert_int_equal(w->heard[!near], 250000);
    assert_int_equal(chan_of(w, near)->held.bytes, 0);
}

static void test_held(void **state)
{
    (void)state;
    for_all_open(check_held);
}

/* The credit of the second link is what the first one is granted anew. */
static void test_credit_goes_through(void **state)
{
    struct rig *near, *far;
    size_t granted = 0;
    struct world w;
    struct sent s;

    (void)state;
    world_start(&w, LINK_WSP_1, LINK_WSP_1);
    near = &w.rig[OPENER];
    far = &w.rig[SERVICE];
    open_bridge(&w, 50000);
    say_data(&w, OPENER, WINDOW);
    assert_int_equal(hear(&w, SERVICE), NO_WORD);
    assert_int_equal(w.heard[SERVICE], 50000);
    rig_expect_nothing(near);
    assert_int_equal(chan_of(&w, OPENER)->held.bytes, WINDOW - 50000);
    for (size_t sent = 50000; sent < WINDOW; sent += 50000) {
        peer_window(far, id_of(&w, SERVICE), 50000);
        assert_int_equal(hear(&w, SERVICE), NO_WORD);
        while (rig_next(near, &s)) {
            uint64_t credit;

            assert_int_equal(s.msg.cmd, MSG_WINDOW);
            assert_int_equal(msg_credit_parse(s.msg.data, &credit), WSP_OK);
            granted += (size_t)credit;
        }
        assert_true(granted <= w.heard[SERVICE]);
    }
    assert_int_equal(w.heard[SERVICE], WINDOW);
    assert_true(granted > WINDOW / 2);
    world_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open),
        cmocka_unit_test(test_failed),
        cmocka_unit_test(test_failed_otherwise),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_canceled),
        cmocka_unit_test(test_interrupted_instead),
        cmocka_unit_test(test_lost_while_opening),
        cmocka_unit_test(test_cannot_open),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_held),
        cmocka_unit_test(test_credit_goes_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
