/* Windows on the wire in dialect wsp.1: what is granted, what is held, and whose fault more is
 * (core/dialect_wsp_1.c, core/channel_input.c). */
#include "credit_help.h"

/* ---- what the peer grants */

/* Takes all TRANSFERs that come; returns their bytes. */
static size_t sent_bytes(struct rig *r, struct slice id, size_t largest)
{
    size_t n = 0;
    struct sent s;

    while (rig_next(r, &s)) {
        assert_int_equal(s.msg.cmd, MSG_TRANSFER);
        assert_slice(s.msg.id, id);
        assert_in_range(s.msg.data.len, 1, largest);
        assert_memory_equal(s.msg.data.p, pattern + n, s.msg.data.len);
        n += s.msg.data.len;
    }
    return n;
}

static struct end *sender(struct rig *r, uint64_t window, bool ours)
{
    struct end *e = ours ? rig_opened_1(r, window) : rig_accepted_1(r, "1", window);

    e->out = slice_of(pattern, sizeof(pattern));
    chan_ready(&e->ch);
    return e;
}

static void test_credit_is_never_exceeded(void **state)
{
    static const uint64_t windows[] = {1, 100, 32768, 32769, 500000, 0};
    struct rig r;
    struct end *e;

    (void)state;
    for (size_t i = 0; i < COUNT(windows); i++)
        for (int ours = 0; ours < 2; ours++) {
            size_t want = windows[i] ? (size_t)windows[i] : PEER_WINDOW;

            rig_start_1(&r, true);
            e = sender(&r, windows[i], ours);
            assert_int_equal(sent_bytes(&r, end_id(e), MSG_DATA_MAX), want);
            assert_int_equal(e->ch.credit, 0);
            chan_ready(&e->ch);
            rig_expect_nothing(&r);
            rig_stop(&r);
        }
}

static void test_window_lets_it_go_on(void **state)
{
    static const uint64_t grants[] = {1, 2, 50000, 1000000};
    struct rig r;
    struct end *e;
    size_t total;

    (void)state;
    rig_start_1(&r, true);
    e = sender(&r, 10, false);
    total = sent_bytes(&r, end_id(e), MSG_DATA_MAX);
    for (size_t i = 0; i < COUNT(grants); i++) {
        size_t n = 0;
        struct sent s;

        peer_window(&r, end_id(e), grants[i]);
        while (rig_next(&r, &s)) {
            assert_memory_equal(s.msg.data.p, pattern + total + n, s.msg.data.len);
            n += s.msg.data.len;
        }
        assert_int_equal(n, grants[i]);
        total += n;
    }
    rig_stop(&r);
}

/* Without credit nothing goes, by the other way neither. */
static void test_chan_send(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start_1(&r, true);
    e = rig_accepted_1(&r, "1", 40000);
    assert_int_equal(chan_send(&e->ch, slice_of(pattern, 50000)), 40000);
    assert_int_equal(chan_send(&e->ch, slice_of(pattern + 40000, 10000)), 0);
    assert_int_equal(sent_bytes(&r, end_id(e), MSG_DATA_MAX), 40000);
    peer_window(&r, end_id(e), 7);
    assert_int_equal(chan_send(&e->ch, slice_of(pattern, 10)), 7);
    assert_int_equal(sent_bytes(&r, end_id(e), MSG_DATA_MAX), 7);
    rig_stop(&r);
}

static void test_largest_transfer_of_the_peer(void **state)
{
    static const uint64_t sizes[] = {1024, 5000, 32768, 1000000};
    struct rig r;
    struct end *e;

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t largest = sizes[i] < MSG_DATA_MAX ? (size_t)sizes[i] : (size_t)MSG_DATA_MAX;

        rig_begin(&r, rig_options(true, LINK_WSP_1));
        expect_greeting(&r);
        peer_settings(&r, 0, sizes[i]);
        e = rig_accepted_1(&r, "1", 100000);
        assert_int_equal(chan_send(&e->ch, slice_of(pattern, 50000)), 50000);
        e->out = slice_of(pattern + 50000, 100000);
        chan_ready(&e->ch);
        assert_int_equal(sent_bytes(&r, end_id(e), largest), 100000);
        rig_stop(&r);
    }
}

/* One without credit does not keep others from sending. */
static void test_no_credit_is_no_turn(void **state)
{
    struct rig r;
    struct end *a, *b;

    (void)state;
    rig_start_1(&r, true);
    a = sender(&r, 5, true);
    assert_int_equal(sent_bytes(&r, end_id(a), MSG_DATA_MAX), 5);
    b = rig_accepted_1(&r, "1", 0);
    assert_int_equal(chan_send(&b->ch, slice_of(pattern, 100)), 100);
    assert_int_equal(sent_bytes(&r, end_id(b), MSG_DATA_MAX), 100);
    rig_stop(&r);
}

static void test_bad_window(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        bool good;
    } rows[] = {
        {"\xff\xff\xff\xff\x07", 5, true},  /* 2^31-1 */
        {"\x80\x80\x80\x80\x08", 5, false}, /* 2^31 */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10, false},
        {"\x01", 1, true},
        {"\x00", 1, false},
        {"", 0, false},
        {"\x80", 1, false},
        {"\x01\x01", 2, false},
        {"\x81\x00", 2, true}, /* 1 */
    };
    struct rig r;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig_start_1(&r, true);
        rig_accepted_1(&r, "1", 0);
        rig_send(&r, slice_str("1"), MSG_WINDOW, slice_of(rows[i].data, rows[i].len));
        assert_true(r.link.failed == !rows[i].good);
        if (!rows[i].good)
            rig_expect_close(&r, WS_CLOSE_PROTOCOL);
        rig_expect_nothing(&r);
        rig_stop(&r);
    }
}

static void test_too_much_credit(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    for (int over = 0; over < 2; over++) {
        rig_start_1(&r, true);
        e = rig_accepted_1(&r, "1", CREDIT_MAX - 10);
        peer_window(&r, end_id(e), 10 + (uint64_t)over);
        assert_true(r.link.failed == over);
        rig_stop(&r);

        rig_start_1(&r, true);
        peer_connect(&r, "1", CREDIT_MAX + (uint64_t)over);
        assert_true(r.link.failed == over);
        assert_int_equal(r.connects, !over);
        rig_stop(&r);

        rig_start_1(&r, true);
        e = rig_opening(&r);
        peer_respond(&r, end_id(e), CREDIT_MAX + (uint64_t)over);
        assert_true(r.link.failed == over);
        assert_int_equal(e->opened, !over);
        rig_stop(&r);
    }
}

/* ---- what we grant */

static void test_window_is_announced(void **state)
{
    struct msg_request request = {.type = MSG_REMOTE, .url = slice_str("tcp://x")}, got;
    struct rig r;
    struct end *e;
    struct sent s;

    (void)state;
    for (int mute = 0; mute < 2; mute++) {
        rig_start_1(&r, false);
        e = rig_end(&r);
        e->ch.mute = mute;
        assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_OK);
        assert_true(rig_next(&r, &s));
        assert_int_equal(msg_request_parse(s.msg.data, &got), WSP_OK);
        assert_int_equal(got.window, mute ? 0 : WINDOW);
        assert_int_equal(r.link.cap.used, mute ? 0 : WINDOW);
        rig_stop(&r);
    }
    rig_start(&r, false); /* not to peers that know none */
    e = rig_end(&r);
    assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_OK);
    assert_true(rig_next(&r, &s));
    assert_int_equal(msg_request_parse(s.msg.data, &got), WSP_OK);
    assert_int_equal(got.window, 0);
    rig_stop(&r);
}

/* Exactly what was granted is taken, one byte more is the peer's fault. */
static void test_more_than_granted(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    for (int ours = 0; ours < 2; ours++)
        for (int over = 0; over < 2; over++) {
            rig_start_1(&r, true);
            e = ours ? rig_opened_1(&r, 0) : rig_accepted_1(&r, "1", 0);
            e->room = 1000;
            peer_sends(&r, e, 0, WINDOW);
            assert_false(r.link.failed);
            assert_int_equal(e->ch.held.bytes, WINDOW - 1000);
            if (over) {
                peer_transfer(&r, end_id(e), 1);
                rig_expect_close(&r, WS_CLOSE_PROTOCOL);
                assert_true(r.link.failed);
            }
            rig_expect_nothing(&r);
            assert_got(e, 1000);
            rig_stop(&r);
        }
}

/* In other forms than ours as well; over 32 KiB it is 1009. */
static void test_forms(void **state)
{
    static const size_t sizes[] = {100, MSG_DATA_MAX, MSG_DATA_MAX + 1, 300000};
    struct rig r;
    struct end *e;

    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int fragmented = 0; fragmented < 2; fragmented++) {
            struct buf m = {0};

            rig_start_1(&r, true);
            e = rig_accepted_1(&r, "1", 0);
            wire_message(&m, end_id(e), MSG_TRANSFER, slice_of(pattern, sizes[i]));
            if (fragmented) {
                rig_send_frame(&r, false, WS_BINARY, slice_of(m.mem, 50));
                rig_send_frame(&r, true, WS_CONT, slice_of(m.mem + 50, m.len - 50));
            } else {
                rig_send_frame(&r, true, WS_BINARY, buf_slice(&m));
            }
            if (sizes[i] > MSG_DATA_MAX) {
                rig_expect_close(&r, WS_CLOSE_TOO_BIG);
                assert_got(e, 0);
            } else {
                assert_got(e, sizes[i]);
                assert_int_equal(e->ch.window.left, WINDOW - sizes[i]);
            }
            rig_expect_nothing(&r);
            buf_fini(&m);
            rig_stop(&r);
        }
}

/* The credit that WINDOW messages have brought. */
static size_t granted(struct rig *r, const struct end *e)
{
    size_t n = 0;

    while (link_fill(&r->link), r->link.out.bytes || r->tx.len)
        n += (size_t)expect_window(r, end_id(e));
    return n;
}

/* A reader that keeps up: credit comes in large parts, and the stream flows without end. */
static void test_flow(void **state)
{
    struct rig r;
    struct end *e;
    size_t credit = WINDOW;
    unsigned grants = 0;

    (void)state;
    rig_start_1(&r, true);
    e = rig_accepted_1(&r, "1", 0);
    for (size_t pos = 0; pos < sizeof(pattern); pos += KIB) {
        size_t more;

        r.now += SECOND / 10;
        peer_sends(&r, e, pos, KIB);
        more = granted(&r, e);
        credit = credit - KIB + more;
        grants += more > 0;
        assert_int_equal(credit, e->ch.window.left);
        assert_true(credit > WINDOW / 2);
    }
    assert_got(e, sizeof(pattern));
    assert_int_equal(e->ch.window.size, WINDOW);
    assert_in_range(grants, sizeof(pattern) / WINDOW, 8 * sizeof(pattern) / WINDOW);
    rig_stop(&r);
}

/* What is not taken is held, and no credit comes for it; then all of it, in order. */
static void test_slow_reader(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start_1(&r, true);
    e = rig_accepted_1(&r, "1", 0);
    e->room = 5000;
    peer_sends(&r, e, 0, 200000);
    assert_got(e, 5000);
    assert_int_equal(e->ch.held.bytes, 195000);
    assert_int_equal(e->delivered, 1); /* not asked again before it says so */
    chan_resume(&e->ch);
    assert_got(e, 5000);
    e->room = 15000;
    chan_resume(&e->ch);
    assert_got(e, 20000);
    rig_expect_nothing(&r);
    e->room = WINDOW / 2;
    chan_resume(&e->ch);
    assert_int_equal(granted(&r, e) + e->ch.window.owed, 20000 + WINDOW / 2);
    assert_true(e->ch.window.left >= 100000);
    peer_sends(&r, e, 200000, 100000);
    e->room = SIZE_MAX;
    chan_resume(&e->ch);
    assert_got(e, 300000);
    assert_int_equal(e->ch.held.bytes, 0);
    rig_stop(&r);
}

/* A reader that never reads holds up its own channel only, for ever. */
static void test_stalled_reader(void **state)
{
    struct rig r;
    struct end *stalled, *e;
    struct sent s;

    (void)state;
    rig_start_1(&r, true);
    stalled = rig_accepted_1(&r, "1", 0);
    e = rig_accepted_1(&r, "3", 0);
    stalled->room = 0;
    peer_sends(&r, stalled, 0, WINDOW);
    for (size_t i = 0; i < 100; i++) {
        peer_sends(&r, e, i * 1000, 1000);
        rig_send_frame(&r, true, WS_PING, slice_str("p"));
        assert_true(next_but_window(&r, &s));
        assert_int_equal(s.frame.op, WS_PONG);
        rig_advance(&r, 20 * SECOND);
    }
    assert_got(e, 100000);
    assert_int_equal(stalled->ch.state, CHAN_OPEN);
    assert_int_equal(stalled->ch.window.left, 0);
    stalled->room = SIZE_MAX;
    chan_resume(&stalled->ch);
    assert_got(stalled, WINDOW);
    rig_stop(&r);
}

/* An endpoint that looks at what is held itself. */
static void test_held_and_took(void **state)
{
    struct iovec iov[64];
    struct rig r;
    struct end *e;
    size_t n = 0;
    int count;

    (void)state;
    rig_start_1(&r, true);
    e = rig_accepted_1(&r, "1", 0);
    e->room = 0;
    peer_sends(&r, e, 0, 150000);
    count = chan_held(&e->ch, iov, 64);
    for (int i = 0; i < count; i++) {
        assert_memory_equal(iov[i].iov_base, pattern + n, iov[i].iov_len);
        n += iov[i].iov_len;
    }
    assert_int_equal(n, 150000);
    peer_finish(&r, e);
    chan_took(&e->ch, 149999);
    chan_settle(&e->ch);
    assert_int_equal(e->finished, 0);
    chan_took(&e->ch, 1);
    assert_int_equal(e->finished, 0);
    chan_settle(&e->ch);
    chan_settle(&e->ch);
    assert_int_equal(e->finished, 1);
    rig_expect_nothing(&r); /* who has finished is granted nothing */
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credit_is_never_exceeded),
        cmocka_unit_test(test_window_lets_it_go_on),
        cmocka_unit_test(test_chan_send),
        cmocka_unit_test(test_largest_transfer_of_the_peer),
        cmocka_unit_test(test_no_credit_is_no_turn),
        cmocka_unit_test(test_bad_window),
        cmocka_unit_test(test_too_much_credit),
        cmocka_unit_test(test_window_is_announced),
        cmocka_unit_test(test_more_than_granted),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_flow),
        cmocka_unit_test(test_slow_reader),
        cmocka_unit_test(test_stalled_reader),
        cmocka_unit_test(test_held_and_took),
    };

    return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
