#include "fake_wsp_1.h"

#include "net/relay.h"
#include "unit/net_help.h"

enum { HELD_MAX = 256 * 1024 }; /* bytes a channel of 0.10 holds before its link has to wait */

/* A relay on a link whose peer is the test, as is the reader and writer behind the stream. */
struct fixture {
    struct wsp_loop *loop;
    struct rig rig;
    struct relay relay;
    int far;
    struct received got;
    size_t delivered; /* bytes of the sequence that the peer has written */
    unsigned done, closed;
    enum chan_end end;
};

static struct fixture *fixture_of(struct relay *r)
{
    return container_of(r, struct fixture, relay);
}

static void on_opened(struct chan *ch, struct slice bound)
{
    (void)ch;
    (void)bound;
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct fixture *f = fixture_of(container_of(ch, struct relay, chan));

    f->closed++;
    f->end = end;
    relay_closed(ch, end, text);
}

static const struct chan_ops ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = relay_deliver,
    .pull = relay_pull,
    .finished = relay_finished,
    .flushing = relay_flushing,
};

static void on_done(struct relay *r)
{
    assert_false(stream_is_open(&r->stream));
    fixture_of(r)->done++;
}

static void on_stream(struct stream *s)
{
    (void)s;
}

static struct slice id_of(const struct fixture *f)
{
    return f->relay.chan.node.key;
}

static void open_channel(struct fixture *f, uint64_t window)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("tcp://x")};
    struct sent s;

    assert_int_equal(link_open(&f->rig.link, &f->relay.chan, &request), WSP_OK);
    assert_true(rig_next(&f->rig, &s));
    peer_respond(&f->rig, id_of(f), window);
    assert_int_equal(f->relay.chan.state, CHAN_OPEN);
}

static int start_fixture(void **state, enum link_dialect dialect)
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
    if (dialect == LINK_WSP_1)
        rig_start_1(&f->rig, true);
    else
        rig_start(&f->rig, true);
    open_channel(f, 1000000);
    *state = f;
    return 0;
}

static int setup(void **state)
{
    return start_fixture(state, LINK_0_10);
}

static int setup_1(void **state)
{
    return start_fixture(state, LINK_WSP_1);
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    relay_fini(&f->relay);
    relay_fini(&f->relay);
    rig_stop(&f->rig);
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

/* What waited in front of the link goes in, as the carrier would see to it. */
static void pump(struct fixture *f)
{
    if (f->rig.rx.len && !f->rig.link.failed)
        rig_pump(&f->rig);
}

/* The peer sends `n` more bytes of the sequence; false when not all were taken. */
static bool deliver(struct fixture *f, size_t n)
{
    uint8_t *data = malloc(n);

    assert_non_null(data);
    pattern_fill(data, f->delivered, n);
    rig_send(&f->rig, id_of(f), MSG_TRANSFER, slice_of(data, n));
    free(data);
    f->delivered += n;
    return f->rig.rx.len == 0;
}

static size_t held(const struct fixture *f)
{
    return f->relay.chan.held.bytes;
}

static void deliver_until_full(struct fixture *f)
{
    while (deliver(f, 10000))
        assert_in_range(f->delivered, 0, 64 * 1024 * 1024);
}

/* The stream takes no more, and a part waits in the channel. */
static void deliver_until_held(struct fixture *f)
{
    while (held(f) < 100000)
        assert_true(deliver(f, 10000));
}

static void receive_all(struct fixture *f)
{
    wait_for(f->loop, f->far,
             (pump(f), receive_some(f->far, &f->got, f->delivered) || f->got.len == f->delivered));
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

static void end_far(struct fixture *f)
{
    shutdown(f->far, SHUT_WR);
    wait_for(f->loop, -1, f->relay.stream.hangup);
}

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

/* The channel has ended: all that was held, then a proper end. */
static void flushed(struct fixture *f, enum chan_end end)
{
    assert_int_equal(f->relay.chan.state, CHAN_FLUSHING);
    assert_int_equal(f->closed, 0);
    assert_int_equal(f->done, 0);
    assert_true(timer_is_set(&f->relay.idle));
    receive_end(f);
    assert_true(f->got.eof);
    assert_int_equal(f->got.len, f->delivered);
    assert_int_equal(f->done, 1);
    assert_int_equal(f->closed, 1);
    assert_int_equal(f->end, end);
    assert_false(timer_is_set(&f->relay.idle));
}

static void interrupt(struct fixture *f, const char *data)
{
    rig_send(&f->rig, id_of(f), MSG_INTERRUPT, slice_str(data));
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
    rig_take(&f->rig);
    link_fill(&f->rig.link);
    assert_int_equal(f->relay.chan.state, CHAN_DRAINING);
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

    start(f, "");
    deliver_until_held(f);
    interrupt(f, "");
    assert_true(f->relay.idle.due_us == loop_now(f->loop) + 60000000);
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

    start(f, "");
    deliver_until_held(f);
    assert_int_equal(send(f->far, "answer", 6, 0), 6);
    end_far(f);
    rig_expect(&f->rig, id_of(f), MSG_TRANSFER, slice_str("answer"));
    link_fill(&f->rig.link);
    assert_int_equal(f->relay.chan.state, CHAN_DRAINING);
    reset_far(f);
    turn_until_idle(f->loop);
    assert_true(deliver(f, 10000));
    rig_expect_nothing(&f->rig);
    assert_int_equal(f->done, 0);
    rig_advance(&f->rig, 20 * MS);
    rig_expect(&f->rig, id_of(f), MSG_INTERRUPT, slice_str(""));
    assert_int_equal(f->end, CHAN_END_SENT);
    assert_int_equal(f->done, 1);
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

/* ---- half-close in wsp.1 */

static void fill_window(struct fixture *f)
{
    while (f->relay.chan.window.left)
        assert_true(deliver(f, f->relay.chan.window.left < 10000 ? f->relay.chan.window.left
                                                                 : (size_t)10000));
}

/* Takes what the link says apart from WINDOW; true when that is FINISH. */
static bool heard_finish(struct fixture *f)
{
    struct sent s;

    while (rig_next(&f->rig, &s))
        if (s.frame.op == WS_BINARY && s.msg.cmd != MSG_WINDOW) {
            assert_int_equal(s.msg.cmd, MSG_FINISH);
            return true;
        }
    return false;
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
    assert_true(heard_finish(f));
    assert_int_equal(f->relay.chan.state, CHAN_SENT);
    for (int i = 0; i < 5; i++) {
        fill_window(f);
        receive_all(f);
    }
    fill_window(f);
    assert_true(held(f) > 0);
    finish(f);
    flushed(f, CHAN_END_PEER);
    assert_false(heard_finish(f));
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
    assert_int_equal(send(f->far, "answer", 6, 0), 6);
    wait_for(f->loop, -1, f->relay.stream.readable);
    rig_expect(&f->rig, id_of(f), MSG_TRANSFER, slice_str("answer"));
    end_far(f);
    assert_true(heard_finish(f));
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
    assert_true(heard_finish(f));
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
    assert_false(heard_finish(f));
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
            assert_true(heard_finish(f));
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

/* The stream breaks after our FINISH: only INTERRUPT can say so. */
static void test_breaks_after_finish(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    end_far(f);
    assert_true(heard_finish(f));
    fill_window(f);
    reset_far(f);
    wait_for(f->loop, -1, f->done == 1);
    expect_interrupt(&f->rig, id_of(f), MSG_RESET);
    rig_expect_nothing(&f->rig);
}

/* The stream breaks after the peer's FINISH: what it sent before goes first. */
static void test_breaks_after_their_finish(void **state)
{
    struct fixture *f = *state;

    start(f, "");
    finish(f);
    assert_int_equal(send(f->far, "answer", 6, 0), 6);
    wait_for(f->loop, -1, f->relay.stream.readable);
    reset_far(f);
    link_fill(&f->rig.link);
    rig_expect(&f->rig, id_of(f), MSG_TRANSFER, slice_str("answer"));
    expect_interrupt(&f->rig, id_of(f), MSG_RESET);
    assert_int_equal(f->done, 1);
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
        cmocka_unit_test_setup_teardown(test_stream_ends_first, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_peer_ends_first, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_both_end, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_closed_by_peer, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_reset_by_peer, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_breaks_after_finish, setup_1, teardown),
        cmocka_unit_test_setup_teardown(test_breaks_after_their_finish, setup_1, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
