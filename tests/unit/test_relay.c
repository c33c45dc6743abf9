#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/relay.h"
#include "unit/net_help.h"

/* The relay alone: its channel is on no link, and the test calls what a link would call. */
struct fixture {
    struct wsp_loop *loop;
    struct relay relay;
    int far; /* the reader and writer on the other end of the stream */
    struct received got;
    size_t delivered; /* bytes of the sequence that the relay took */
    unsigned done;
};

static const struct chan_ops ops = {
    .deliver = relay_deliver, .pull = relay_pull, .closed = relay_closed};

static void on_done(struct relay *r)
{
    assert_false(stream_is_open(&r->stream));
    container_of(r, struct fixture, relay)->done++;
}

static void on_stream(struct stream *s)
{
    (void)s;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    tcp_pair(fds, 64 * 1024);
    relay_init(&f->relay, f->loop, &ops, on_done);
    assert_int_equal(stream_init(&f->relay.stream, f->loop, fds[0], on_stream), WSP_OK);
    f->far = fds[1];
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    relay_fini(&f->relay);
    relay_fini(&f->relay);
    assert_int_equal(pool_used(loop_pool(f->loop)), 0);
    if (f->far >= 0)
        close(f->far);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

static void start(struct fixture *f, const char *early)
{
    assert_int_equal(relay_start(&f->relay, slice_str(early)), WSP_OK);
    turn_until_idle(f->loop);
}

static struct slice closed_text(void)
{
    return slice_of(NULL, 0);
}

/* Delivers `n` more bytes of the sequence; false when not all were taken. */
static bool deliver(struct fixture *f, size_t n)
{
    uint8_t *data = malloc(n);
    size_t taken;

    assert_non_null(data);
    pattern_fill(data, f->delivered, n);
    taken = relay_deliver(&f->relay.chan, data, n);
    free(data);
    assert_in_range(taken, 0, n);
    f->delivered += taken;
    return taken == n;
}

static void deliver_until_full(struct fixture *f)
{
    while (deliver(f, 10000))
        assert_in_range(f->delivered, 0, 64 * 1024 * 1024);
}

static void receive_all(struct fixture *f)
{
    wait_for(f->loop, f->far,
             receive_some(f->far, &f->got, f->delivered) || f->got.len == f->delivered);
    assert_int_equal(f->got.len, f->delivered);
    assert_false(f->got.mismatch);
}

static void receive_end(struct fixture *f)
{
    wait_for(f->loop, f->far, receive_some(f->far, &f->got, SIZE_MAX));
    assert_false(f->got.mismatch);
}

static void reset_far(struct fixture *f)
{
    struct linger hard = {1, 0};

    setsockopt(f->far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(f->far);
    f->far = -1;
    wait_for(f->loop, -1, f->relay.stream.hangup || f->done);
}

/* While the reader keeps up nothing is queued. */
static void test_deliver_direct(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    for (int i = 0; i < 100; i++) {
        assert_true(deliver(f, 1000));
        assert_int_equal(f->relay.out.bytes, 0);
        receive_all(f);
    }
}

static void test_slow_reader(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    deliver_until_full(f);
    assert_int_equal(f->relay.out.bytes, RELAY_QUEUE_MAX);
    assert_false(deliver(f, 1));
    receive_all(f);
    assert_int_equal(f->relay.out.bytes, 0);
    assert_int_equal(pool_used(loop_pool(f->loop)), 0); /* an idle relay holds no buffer */
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
        deliver(f, 1 + (size_t)rand() % 32768);
        assert_in_range(f->relay.out.bytes, 0, RELAY_QUEUE_MAX);
        receive_some(f->far, &f->got, f->got.len + (size_t)rand() % 20000);
        turn_until_idle(f->loop);
    }
    receive_all(f);
}

/* The peer has ended the channel: all that was queued, then a proper end. */
static void end_of_channel(struct fixture *f, enum chan_end end)
{
    start(f, "");
    deliver_until_full(f);
    relay_closed(&f->relay.chan, end, closed_text());
    assert_int_equal(f->done, 0);
    assert_true(timer_is_set(&f->relay.idle));
    receive_end(f);
    assert_true(f->got.eof);
    assert_int_equal(f->got.len, f->delivered);
    assert_int_equal(f->done, 1);
    assert_false(timer_is_set(&f->relay.idle));
}

static void test_ended_by_peer(void **state)
{
    end_of_channel(*state, CHAN_END_PEER);
}

static void test_ended_by_us(void **state)
{
    end_of_channel(*state, CHAN_END_SENT);
}

static void test_ended_with_nothing_queued(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    assert_true(deliver(f, 100));
    relay_closed(&f->relay.chan, CHAN_END_PEER, closed_text());
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
    deliver_until_full(f);
    relay_closed(&f->relay.chan, CHAN_END_PEER, closed_text());
    receive_end(f);
    assert_true(f->got.eof);
    assert_int_equal(f->got.len, f->delivered);
}

/* Nothing is pretended to be delivered. */
static void test_aborted(void **state)
{
    static const enum chan_end ends[] = {CHAN_END_LINK_LOST, CHAN_END_STALLED, CHAN_END_RESET};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        start(f, "");
        deliver_until_full(f);
        relay_closed(&f->relay.chan, ends[i], closed_text());
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

    start(f, "");
    deliver_until_full(f);
    relay_closed(&f->relay.chan, CHAN_END_PEER, closed_text());
    assert_true(f->relay.idle.due_us == loop_now(f->loop) + 60000000);
    timer_clear(f->loop, &f->relay.idle);
    f->relay.idle.fire(&f->relay.idle);
    assert_int_equal(f->done, 1);
    receive_end(f);
    assert_true(f->got.reset);
}

static void test_reader_breaks(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    deliver_until_full(f);
    reset_far(f);
    wait_for(f->loop, -1, f->done == 1);
}

static void test_reader_breaks_while_finishing(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    deliver_until_full(f);
    relay_closed(&f->relay.chan, CHAN_END_PEER, closed_text());
    reset_far(f);
    wait_for(f->loop, -1, f->done == 1);
    relay_fini(&f->relay);
    turn_until_idle(f->loop);
    assert_int_equal(f->done, 1);
}

/* The break shows in a delivery: the bytes count as taken, there is nobody to wait for. */
static void test_deliver_to_broken(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    reset_far(f);
    assert_true(deliver(f, 1000));
    assert_int_equal(f->done, 1);
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
    struct buf out;

    buf_init(&out);
    start(f, "");
    shutdown(f->far, SHUT_WR);
    wait_for(f->loop, -1, f->relay.stream.hangup);
    assert_int_equal(pull_all(f, 100, &out), CHAN_THEN_END);
    deliver_until_full(f);
    receive_all(f);
    deliver(f, 100000);
    relay_closed(&f->relay.chan, CHAN_END_SENT, closed_text());
    receive_end(f);
    assert_true(f->got.eof);
    assert_int_equal(f->got.len, f->delivered);
    buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_deliver_direct, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slow_reader_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_by_peer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_by_us, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_with_nothing_queued, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ended_over_unread_input, setup, teardown),
        cmocka_unit_test_setup_teardown(test_aborted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush_gives_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_breaks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reader_breaks_while_finishing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deliver_to_broken, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pull, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pull_reset, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_close, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
