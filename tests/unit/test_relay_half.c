/* A stream behind a channel of wsp.1: each side ends by itself (net/relay.c). */
#include "relay_help.h"

/* Until nothing more is granted: the stream takes no more, and much is held. */
static void fill_window(struct fixture *f)
{
    const size_t *left = &f->relay.chan.window.left;

    while (*left) {
        assert_true(deliver(f, *left < 10000 ? *left : 10000));
        turn_until_idle(f->loop);
    }
}

static void expect_message(struct fixture *f, enum msg_cmd cmd, struct slice data)
{
    struct sent s;

    assert_true(next_but_window(&f->rig, &s));
    assert_int_equal(s.msg.cmd, cmd);
    assert_slice(s.msg.id, id_of(f));
    assert_slice(s.msg.data, data);
}

static void expect_finish(struct fixture *f)
{
    expect_message(f, MSG_FINISH, NOTHING);
}

static void expect_silence(struct fixture *f)
{
    struct sent s;

    assert_false(next_but_window(&f->rig, &s));
}

static void far_answers(struct fixture *f)
{
    assert_int_equal(send(f->far, "answer", 6, 0), 6);
    wait_for(f->loop, -1, f->relay.stream.readable);
}

static void finish(struct fixture *f)
{
    rig_send(&f->rig, id_of(f), MSG_FINISH, slice_of(NULL, 0));
}

/* The stream ends first: it still takes everything, far more than a window. */
static void test_stream_ends_first(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    end_far(f);
    expect_finish(f);
    assert_int_equal(f->relay.chan.state, CHAN_SENT);
    for (int i = 0; i < 5; i++) {
        fill_window(f);
        receive_all(f);
    }
    fill_window(f);
    assert_true(held(f) > 0);
    finish(f);
    flushed(f, CHAN_END_PEER);
    expect_silence(f);
}

/* The peer ends first: the reader sees that behind everything, and may still speak. */
static void test_peer_ends_first(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    fill_window(f);
    assert_true(held(f) > 0);
    finish(f);
    assert_int_equal(f->relay.chan.state, CHAN_HEARD);
    receive_end(f);
    assert_true(f->got.eof);
    assert_int_equal(f->got.len, f->delivered);
    assert_int_equal(f->done, 0);
    far_answers(f);
    expect_message(f, MSG_TRANSFER, slice_str("answer"));
    end_far(f);
    expect_finish(f);
    assert_int_equal(f->end, CHAN_END_SENT);
    assert_int_equal(f->done, 1);
}

/* Both have ended, with bytes on the way to a slow reader. */
static void test_both_end(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    fill_window(f);
    finish(f);
    end_far(f);
    expect_finish(f);
    flushed(f, CHAN_END_SENT);
}

/* INTERRUPT CLOSED: what is held is still delivered. */
static void test_closed_by_peer(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    fill_window(f);
    interrupt(f, "");
    flushed(f, CHAN_END_PEER);
    expect_silence(f);
}

/* Any other reason resets the stream, half-closed or not. */
static void test_reset_by_peer(void **state)
{
    struct fixture *f = *state;

    for (int half = 0; half < 3; half++) {
        start(f, "");
        fill_window(f);
        if (half == 1) {
            end_far(f);
            expect_finish(f);
        } else if (half == 2) {
            finish(f);
        }
        interrupt(f, "\x01");
        assert_int_equal(f->end, CHAN_END_PEER_RESET);
        assert_int_equal(f->done, 1);
        receive_end(f);
        assert_true(f->got.reset);
        teardown(state);
        setup_1(state);
        f = *state;
    }
}

/* The stream breaks after our FINISH: the peer need not send the rest, and loses nothing. */
static void test_breaks_after_finish(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    end_far(f);
    expect_finish(f);
    fill_window(f);
    reset_far(f);
    wait_for(f->loop, -1, f->done == 1);
    expect_message(f, MSG_INTERRUPT, slice_of("", 1));
    expect_silence(f);
}

/* The stream breaks after the peer's FINISH: what it sent before goes first. */
static void test_breaks_after_their_finish(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    finish(f);
    far_answers(f);
    reset_far(f);
    link_fill(&f->rig.link);
    rig_expect(&f->rig, id_of(f), MSG_TRANSFER, slice_str("answer"));
    expect_interrupt(&f->rig, id_of(f), MSG_RESET);
    assert_int_equal(f->done, 1);
}

/* ---- ends of the stream while the peer grants nothing */

/* The far side writes so many bytes, of which the peer takes as many as it grants. */
static void use_up_credit(struct fixture *f, size_t n)
{
    uint64_t credit = f->relay.chan.credit;
    struct sent s;
    size_t sent = 0;

    wait_for(f->loop, -1, (sent += send_pattern(f->far, sent, n - sent)) == n);
    while (f->relay.chan.credit) {
        turn_until_idle(f->loop);
        while (next_but_window(&f->rig, &s))
            credit -= s.msg.data.len;
    }
    assert_int_equal(credit, 0);
}

static void start_with_credit(struct fixture *f, uint64_t credit)
{
    f->relay.chan.credit = credit;
    start(f, "");
}

static void test_ends_without_credit(void **state)
{
    struct fixture *f = *state;

    start_with_credit(f, 100);
    use_up_credit(f, 100);
    expect_silence(f);
    end_far(f);
    expect_finish(f);
    finish(f);
    assert_int_equal(f->end, CHAN_END_PEER);
}

/* Bytes that wait for credit come before the end. */
static void test_end_waits_for_bytes(void **state)
{
    struct fixture *f = *state;
    struct sent s;

    for (int half = 0; half < 2; half++) {
        start_with_credit(f, 100);
        use_up_credit(f, 150);
        if (half)
            finish(f);
        end_far(f);
        expect_silence(f);
        peer_window(&f->rig, id_of(f), 50);
        assert_true(next_but_window(&f->rig, &s));
        assert_int_equal(s.msg.data.len, 50);
        expect_finish(f);
        if (!half)
            interrupt(f, "");
        assert_int_equal(f->end, half ? CHAN_END_SENT : CHAN_END_PEER);
        teardown(state);
        setup_1(state);
        f = *state;
    }
}

/* A reset without an end is one, also when a failed delivery has shown it first. */
static void test_breaks_without_credit(void **state)
{
    struct fixture *f = *state;

    for (int shown = 0; shown < 2; shown++) {
        start_with_credit(f, 100);
        use_up_credit(f, 100);
        reset_far(f);
        if (shown)
            assert_true(deliver(f, 1000));
        expect_message(f, MSG_INTERRUPT, slice_str("\x01"));
        assert_int_equal(f->end, CHAN_END_RESET);
        assert_int_equal(f->done, 1);
        teardown(state);
        setup_1(state);
        f = *state;
    }
}

/* The stream ends and then takes nothing more: an early answer to an upload. */
static void test_early_answer(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    assert_int_equal(send(f->far, "answer", 6, 0), 6);
    end_far(f);
    reset_far(f);
    assert_true(deliver(f, 1000));
    expect_message(f, MSG_TRANSFER, slice_str("answer"));
    expect_message(f, MSG_INTERRUPT, slice_of("", 1));
    assert_int_equal(f->end, CHAN_END_SENT);
    assert_int_equal(f->done, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stream_ends_first, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_peer_ends_first, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_both_end, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_closed_by_peer, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_reset_by_peer, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_breaks_after_finish, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_breaks_after_their_finish, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_ends_without_credit, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_end_waits_for_bytes, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_breaks_without_credit, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_early_answer, setup_1, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
