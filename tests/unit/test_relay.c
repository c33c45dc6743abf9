/* A stream behind a channel of 0.10 (net/relay.c). */
#include "relay_help.h"

/* While the reader keeps up nothing is held. */
static void test_deliver_direct(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    for (int i = 0; i < 100; i++) {
        assert_true(deliver(f, 1000));
        assert_int_equal(held(f), 0);
        receive_all(f);
    }
}

static void test_slow_reader(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    deliver_until_full(f);
    assert_int_equal(held(f), HELD_MAX);
    assert_false(deliver(f, 1));
    receive_all(f);
    assert_int_equal(held(f), 0);
    assert_int_equal(pool_used(&f->rig.pool), 0); /* an idle relay holds no buffer */
    assert_true(deliver(f, 1000));
    receive_all(f);
    assert_int_equal(f->done, 0);
}

/* Slow readers cost more than one round: full and drained in turns, in pieces of any size. */
static void test_slow_reader_again(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    srand(5);
    for (int i = 0; i < 400; i++) {
        if (link_wants_input(&f->rig.link))
            deliver(f, 1 + (size_t)rand() % 32768);
        assert_in_range(held(f), 0, HELD_MAX);
        receive_some(f->far, &f->got, f->got.len + (size_t)rand() % 20000);
        turn_until_idle(f->loop);
        pump(f);
    }
    receive_all(f);
}

static void test_ended_by_peer(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    deliver_until_held(f);
    interrupt(f, "");
    flushed(f, CHAN_END_PEER);
}

static void test_ended_by_us(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    deliver_until_held(f);
    end_far(f);
    link_fill(&f->rig.link);
    assert_int_equal(f->relay.chan.state, CHAN_DRAINING);
    rig_take(&f->rig);
    rig_advance(&f->rig, 20 * MS);
    flushed(f, CHAN_END_SENT);
}

static void test_ended_with_nothing_held(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    assert_true(deliver(f, 100));
    interrupt(f, "");
    assert_int_equal(f->done, 1);
    receive_end(f);
    assert_true(f->got.eof);
    assert_int_equal(f->got.len, 100);
}

/* As before, though the client has sent what nobody will read any more. */
static void test_ended_over_unread_input(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    assert_true(send_pattern(f->far, 0, 50000) > 0);
    deliver_until_held(f);
    interrupt(f, "");
    flushed(f, CHAN_END_PEER);
}

/* Nothing is pretended to be delivered. */
static void test_aborted(void **state)
{
    static const enum chan_end ends[] = {CHAN_END_LINK_LOST, CHAN_END_STALLED, CHAN_END_PEER_RESET};
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(ends); i++) {
        start(f, "");
        if (ends[i] == CHAN_END_PEER_RESET)
            deliver_until_held(f);
        else
            deliver_until_full(f);
        if (ends[i] == CHAN_END_LINK_LOST)
            link_lost(&f->rig.link);
        else if (ends[i] == CHAN_END_STALLED)
            rig_advance(&f->rig, 31 * SECOND);
        else
            interrupt(f, "reset");
        assert_int_equal(f->end, ends[i]);
        assert_int_equal(f->done, 1);
        receive_end(f);
        assert_true(f->got.reset);
        assert_true(f->got.len < f->delivered);
        teardown(state);
        setup(state);
        f = *state;
    }
}

/* A reader that does not read is waited for only so long. */
static void test_flush_gives_up(void **state)
{
    struct fixture *f = *state;
    uint64_t before_us;

    start(f, "");
    deliver_until_held(f);
    before_us = loop_now(f->loop);
    interrupt(f, "");
    assert_in_range(f->relay.idle.due_us, before_us + 60000000, loop_now(f->loop) + 60000000);
    timer_clear(f->loop, &f->relay.idle);
    f->relay.idle.fire(&f->relay.idle);
    assert_int_equal(f->done, 1);
    receive_end(f);
    assert_true(f->got.reset);
}

/* What the reader takes buys more time. */
static void test_flush_goes_on(void **state)
{
    struct fixture *f = *state;
    uint64_t due_us;

    start(f, "");
    deliver_until_held(f);
    interrupt(f, "");
    due_us = f->relay.idle.due_us;
    wait_for(f->loop, f->far,
             (receive_some(f->far, &f->got, f->got.len + 4096), f->relay.idle.due_us > due_us));
    flushed(f, CHAN_END_PEER);
}

static void test_reader_breaks(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    deliver_until_full(f);
    reset_far(f);
    wait_for(f->loop, -1, (link_fill(&f->rig.link), f->done == 1));
    assert_int_equal(f->end, CHAN_END_RESET);
    rig_expect(&f->rig, id_of(f), MSG_INTERRUPT, slice_str("reset"));
}

/* Our side has ended, and the stream breaks: the end goes its way, nothing may overtake it. */
static void test_reader_breaks_while_draining(void **state)
{
    struct fixture *f = *state;

    for (int full = 0; full < 2; full++) {
        start(f, "");
        if (full)
            deliver_until_held(f);
        assert_int_equal(send(f->far, "answer", 6, 0), 6);
        end_far(f);
        rig_expect(&f->rig, id_of(f), MSG_TRANSFER, slice_str("answer"));
        link_fill(&f->rig.link);
        assert_int_equal(f->relay.chan.state, CHAN_DRAINING);
        reset_far(f);
        turn_until_idle(f->loop);
        assert_true(deliver(f, 10000));
        assert_int_equal(held(f), 0);
        rig_expect_nothing(&f->rig);
        assert_int_equal(f->done, 0);
        rig_advance(&f->rig, 20 * MS);
        rig_expect(&f->rig, id_of(f), MSG_INTERRUPT, slice_str(""));
        assert_int_equal(f->end, CHAN_END_SENT);
        assert_int_equal(f->done, 1);
        teardown(state);
        setup(state);
        f = *state;
    }
}

static void test_reader_breaks_while_flushing(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    deliver_until_held(f);
    interrupt(f, "");
    rig_expect(&f->rig, id_of(f), MSG_INTERRUPT, slice_str(""));
    reset_far(f);
    wait_for(f->loop, -1, f->done == 1);
    relay_fini(&f->relay);
    turn_until_idle(f->loop);
    assert_int_equal(f->done, 1);
    rig_expect_nothing(&f->rig);
}

/* The break shows in a delivery: the bytes count as taken, there is nobody to wait for. */
static void test_deliver_to_broken(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    reset_far(f);
    assert_true(deliver(f, 1000));
    assert_int_equal(held(f), 0);
    link_fill(&f->rig.link);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->end, CHAN_END_RESET);
}

/* Pulls until the relay has no more for now; returns how the last pull ended. */
static enum chan_then pull_all(struct fixture *f, size_t cap, struct buf *out)
{
    struct chan_pull p;

    do {
        uint8_t *piece = malloc(cap);

        assert_non_null(piece);
        p = relay_pull(&f->relay.chan, piece, cap);
        assert_in_range(p.len, 0, cap);
        assert_int_equal(buf_append(out, piece, p.len), WSP_OK);
        free(piece);
    } while (p.then == CHAN_THEN_MORE);
    return p.then;
}

static void test_pull(void **state)
{
    static const size_t caps[] = {1, 3, 4, 100};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++) {
        struct buf out;

        buf_init(&out);
        start(f, "early ");
        assert_true(f->relay.chan.ready);
        assert_int_equal(pull_all(f, caps[i], &out), CHAN_THEN_IDLE);
        assert_true(slice_eq_str(buf_slice(&out), "early "));
        f->relay.chan.ready = false;
        assert_int_equal(send(f->far, "data", 4, 0), 4);
        wait_for(f->loop, -1, f->relay.chan.ready);
        assert_int_equal(pull_all(f, caps[i], &out), CHAN_THEN_IDLE);
        assert_int_equal(send(f->far, "last", 4, 0), 4);
        shutdown(f->far, SHUT_WR);
        wait_for(f->loop, -1, f->relay.stream.hangup);
        assert_int_equal(pull_all(f, caps[i], &out), CHAN_THEN_END);
        assert_true(slice_eq_str(buf_slice(&out), "early datalast"));
        assert_true(f->relay.ended);
        buf_fini(&out);
        teardown(state);
        setup(state);
        f = *state;
    }
}

static void test_pull_reset(void **state)
{
    struct fixture *f = *state;
    struct buf out;

    buf_init(&out);
    start(f, "");
    reset_far(f);
    assert_true(f->relay.chan.ready);
    assert_int_equal(pull_all(f, 100, &out), CHAN_THEN_RESET);
    assert_int_equal(out.len, 0);
    buf_fini(&out);
}

/* Our side has ended, the other goes on: the half-closed stream still takes everything. */
static void test_half_close(void **state)
{
    struct fixture *f = *state;

    f->relay.chan.patient = true;
    start(f, "");
    end_far(f);
    link_fill(&f->rig.link);
    assert_int_equal(f->relay.chan.state, CHAN_DRAINING);
    deliver_until_held(f);
    receive_all(f);
    deliver_until_held(f);
    interrupt(f, "");
    flushed(f, CHAN_END_PEER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deliver_direct, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_by_peer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_by_us, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_with_nothing_held, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_over_unread_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aborted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush_gives_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_breaks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_breaks_while_draining, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_breaks_while_flushing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deliver_to_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pull, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pull_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_close, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deliver_direct, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_pull, setup_1, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
