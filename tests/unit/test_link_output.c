/* What a link writes: the layout of frames, their turns, and how much may be queued
 * (core/link_output.c). */
#include "fake_link.h"

static uint8_t pattern[2 * MSG_DATA_MAX];

static int fill_pattern(void **state)
{
    (void)state;
    rig_seed = 3;
    rig_random(pattern, sizeof(pattern));
    return 0;
}

static void send_data(struct end *e, size_t len)
{
    e->out = slice_of(pattern, len);
    chan_ready(&e->ch);
}

/* The next frame is one TRANSFER of those bytes, written as short as can be. */
static void expect_data(struct rig *r, struct end *e, struct slice data)
{
    struct sent s;

    assert_true(rig_next(r, &s));
    assert_slice(s.msg.id, end_id(e));
    assert_int_equal(s.msg.cmd, MSG_TRANSFER);
    assert_slice(s.msg.data, data);
    assert_int_equal(s.frame.len, msg_head_len(s.msg.id.len, MSG_TRANSFER, data.len) + data.len);
}

static void check_size(struct rig *r, struct end *e, size_t len)
{
    size_t frame = msg_head_len(27, MSG_TRANSFER, len) + len;
    size_t wire = frame + ws_frame_header_len(frame, !r->link.opt.server);

    send_data(e, len);
    link_fill(&r->link);
    assert_int_equal(r->link.out.bytes, wire);
    expect_data(r, e, slice_of(pattern, len));
    assert_int_equal(pool_used(&r->pool), 0);
}

static void check_sizes(bool server, size_t from, size_t to)
{
    struct rig r;
    struct end *e;

    rig_start(&r, server);
    e = rig_opened(&r);
    for (size_t len = from; len <= to; len++)
        check_size(&r, e, len);
    rig_stop(&r);
}

static void test_sizes(void **state)
{
    static const size_t ranges[][2] = {
        {1, 2}, {85, 140}, {2040, 2060}, {16340, 16390}, {32760, MSG_DATA_MAX}};

    (void)state;
    for (int server = 0; server < 2; server++)
        for (size_t i = 0; i < COUNT(ranges); i++)
            check_sizes(server, ranges[i][0], ranges[i][1]);
}

/* The same sizes one behind the other, without the output being taken in between. */
static void test_sizes_behind_each_other(void **state)
{
    static const size_t sizes[] = {1,    2,     MSG_DATA_MAX, 124,  130, 2048, 16383,
                                   2041, 16384, MSG_DATA_MAX, 8000, 1,   90};
    struct rig r;
    struct end *e;

    (void)state;
    for (int server = 0; server < 2; server++) {
        rig_start(&r, server);
        e = rig_opened(&r);
        for (size_t i = 0; i < COUNT(sizes); i++) {
            send_data(e, sizes[i]);
            link_fill(&r.link);
            if (i % 3 == 0)
                rig_send_frame(&r, true, WS_PING, slice_str("x"));
        }
        for (size_t i = 0; i < COUNT(sizes); i++) {
            size_t left = sizes[i];

            while (left) { /* a pull into the rest of a block may have been short */
                struct slice rest = slice_of(pattern + sizes[i] - left, left);
                struct sent s;

                assert_true(rig_next(&r, &s));
                assert_int_equal(s.msg.cmd, MSG_TRANSFER);
                assert_true(s.msg.data.len > 0 && s.msg.data.len <= left);
                rest.len = s.msg.data.len;
                assert_slice(s.msg.data, rest);
                left -= rest.len;
            }
            if (i % 3 == 0)
                rig_expect_frame(&r, WS_PONG, slice_str("x"));
        }
        assert_int_equal(pool_used(&r.pool), 0);
        rig_stop(&r);
    }
}

/* More than one message's worth goes out in messages of at most 32 KiB. */
static void test_large_data_is_cut(void **state)
{
    struct rig r;
    struct end *e;
    struct buf all = {0};
    struct sent s;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    send_data(e, sizeof(pattern));
    while (rig_next(&r, &s)) {
        assert_true(s.msg.data.len > 0 && s.msg.data.len <= MSG_DATA_MAX);
        buf_append(&all, s.msg.data.p, s.msg.data.len);
    }
    assert_slice(buf_slice(&all), slice_of(pattern, sizeof(pattern)));
    buf_fini(&all);
    rig_stop(&r);
}

static void test_small_frames_share_blocks(void **state)
{
    struct iovec iov[4];
    struct rig r;
    struct end *e;

    (void)state;
    for (int server = 0; server < 2; server++) {
        rig_start(&r, server);
        e = rig_opened(&r);
        e->out_repeat = 399;
        send_data(e, 50);
        for (int i = 0; i < 100; i++)
            rig_send_frame(&r, true, WS_PING, slice_str("between"));
        link_fill(&r.link);
        assert_int_equal(pool_used(&r.pool), 1);
        assert_int_equal(link_iov(&r.link, iov, 4), 1);
        for (int i = 0; i < 100; i++)
            rig_expect_frame(&r, WS_PONG, slice_str("between"));
        for (int i = 0; i < 400; i++)
            expect_data(&r, e, slice_of(pattern, 50));
        assert_int_equal(pool_used(&r.pool), 0);
        rig_stop(&r);
    }
}

/* Two full messages fit one block. */
static void test_full_frames_share_a_block(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    e->out_repeat = 3;
    send_data(e, MSG_DATA_MAX);
    link_fill(&r.link);
    assert_int_equal(pool_used(&r.pool), 2);
    for (int i = 0; i < 4; i++)
        expect_data(&r, e, slice_of(pattern, MSG_DATA_MAX));
    rig_stop(&r);
}

/* Output taken in odd pieces is the same. */
static void test_partial_takes(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    e->out_repeat = 30;
    send_data(e, 5000);
    for (size_t n = 1; !list_empty(&r.link.ready) || r.link.out.bytes; n = n * 2 % 7919) {
        struct iovec iov;

        link_fill(&r.link);
        assert_int_equal(link_iov(&r.link, &iov, 1), 1);
        if (n < iov.iov_len)
            iov.iov_len = n;
        buf_append(&r.tx, iov.iov_base, iov.iov_len);
        link_sent(&r.link, iov.iov_len);
    }
    for (int i = 0; i < 31; i++)
        expect_data(&r, e, slice_of(pattern, 5000));
    assert_int_equal(pool_used(&r.pool), 0);
    rig_stop(&r);
}

/* end_pull checks that nothing is pulled above LINK_OUTPUT_TARGET. */
static void test_output_target(void **state)
{
    struct rig r;
    struct end *e;
    size_t bytes;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    e->out_repeat = SIZE_MAX;
    send_data(e, MSG_DATA_MAX);
    link_fill(&r.link);
    bytes = r.link.out.bytes;
    assert_true(bytes >= LINK_OUTPUT_TARGET && bytes < LINK_OUTPUT_TARGET + MSG_DATA_MAX + 100);
    link_fill(&r.link);
    assert_int_equal(r.link.out.bytes, bytes);
    link_sent(&r.link, bytes - LINK_OUTPUT_TARGET);
    link_fill(&r.link);
    assert_int_equal(r.link.out.bytes, LINK_OUTPUT_TARGET);
    link_sent(&r.link, 1);
    link_fill(&r.link);
    assert_true(r.link.out.bytes > LINK_OUTPUT_TARGET);
    rig_stop(&r);
}

static void test_output_max_stops_input(void **state)
{
    struct rig r;
    size_t pings = 0;

    (void)state;
    rig_start(&r, true);
    for (int i = 0; i < 10000; i++)
        wire_frame(&r.rx, true, true, WS_PING, slice_of(pattern, 125));
    rig_pump(&r);
    assert_false(link_wants_input(&r.link));
    assert_int_not_equal(r.rx.len, 0);
    assert_true(r.link.out.bytes >= LINK_OUTPUT_MAX && r.link.out.bytes < LINK_OUTPUT_MAX + 200);
    rig_advance(&r, 55 * SECOND); /* not listening: no sign of life is missed */
    assert_false(r.link.failed);
    while (r.link.out.bytes) {
        struct sent s;

        rig_take(&r);
        assert_true(link_wants_input(&r.link));
        while (r.tx.len && rig_next(&r, &s))
            pings++;
        rig_pump(&r);
    }
    assert_int_equal(pings, 10000);
    rig_stop(&r);
}

/* With its output full and nothing taken, a peer is given up after dead_us; opens are refused. */
static void test_peer_takes_nothing(void **state)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("tcp://a:1")};
    struct end *e;
    struct rig r;

    (void)state;
    rig_start(&r, true);
    e = rig_end(&r);
    for (int i = 0; i < 10000; i++)
        wire_frame(&r.rx, true, true, WS_PING, slice_of(pattern, 125));
    rig_pump(&r);
    assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_ERR_LIMIT);
    rig_advance(&r, 70 * SECOND);
    assert_true(r.link.failed);
    rig_stop(&r);
}

/* Ready channels take turns: 32 KiB each. */
static void test_turns(void **state)
{
    enum { PER_TURN = 8, SIZE = MSG_DATA_MAX / PER_TURN };
    struct rig r;
    struct end *e[3];

    (void)state;
    rig_start(&r, true);
    for (size_t i = 0; i < COUNT(e); i++)
        e[i] = rig_opened(&r);
    for (size_t i = 0; i < COUNT(e); i++) {
        e[i]->out_repeat = 20 * PER_TURN;
        send_data(e[i], SIZE);
    }
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < COUNT(e); i++)
            for (int n = 0; n < PER_TURN; n++)
                expect_data(&r, e[i], slice_of(pattern, SIZE));
    rig_stop(&r);
}

/* Whatever the size of their messages, they get the same number of bytes. */
static void test_fair_by_bytes(void **state)
{
    static const size_t sizes[] = {50, 5000, MSG_DATA_MAX};
    size_t sent[COUNT(sizes)] = {0};
    struct rig r;
    struct sent s;

    (void)state;
    rig_start(&r, true);
    for (size_t i = 0; i < COUNT(sizes); i++)
        rig_opened(&r);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        r.end[i].out_repeat = SIZE_MAX;
        send_data(&r.end[i], sizes[i]);
    }
    for (int n = 0; n < 20000; n++) {
        assert_true(rig_next(&r, &s));
        for (size_t i = 0; i < COUNT(sizes); i++) {
            if (slice_eq(s.msg.id, end_id(&r.end[i])))
                sent[i] += s.msg.data.len;
            assert_true(sent[i] + 2 * MSG_DATA_MAX >= sent[0]);
            assert_true(sent[0] + 2 * MSG_DATA_MAX >= sent[i]);
        }
    }
    assert_true(sent[0] > 10 * MSG_DATA_MAX);
    rig_stop(&r);
}

/* Who comes with a little waits for no more than the rest of one turn. */
static void test_little_goes_first(void **state)
{
    struct rig r;
    struct end *bulk[2], *little;
    struct sent s;

    (void)state;
    rig_start(&r, false);
    for (size_t i = 0; i < COUNT(bulk); i++)
        bulk[i] = rig_opened(&r);
    little = rig_opened(&r);
    for (size_t i = 0; i < COUNT(bulk); i++) {
        bulk[i]->out_repeat = SIZE_MAX;
        send_data(bulk[i], MSG_DATA_MAX);
    }
    for (int i = 0; i < 50; i++) {
        size_t before = 0;

        link_fill(&r.link);
        rig_take(&r);
        buf_consume(&r.tx, r.tx.len);
        send_data(little, 10);
        while (rig_next(&r, &s) && !slice_eq(s.msg.id, end_id(little)))
            before += s.msg.data.len;
        assert_true(before <= MSG_DATA_MAX);
    }
    rig_stop(&r);
}

/* Every frame of a client has a mask of its own. */
static void test_masks_differ(void **state)
{
    uint8_t seen[300][4];
    struct rig r;
    struct sent s;

    (void)state;
    rig_start(&r, false);
    for (size_t i = 0; i < COUNT(seen); i++) {
        rig_send_frame(&r, true, WS_PING, slice_str(""));
        assert_true(rig_next(&r, &s));
        memcpy(seen[i], s.frame.mask, 4);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(seen[i], seen[k], 4);
    }
    rig_stop(&r);
}

/* Of an orderly end: what was pulled with it goes out in front. */
static void test_reset_behind_data(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    e->then = CHAN_THEN_RESET;
    send_data(e, 10);
    expect_data(&r, e, slice_of(pattern, 10));
    rig_expect(&r, end_id(e), MSG_INTERRUPT, slice_str("reset"));
    assert_int_equal(e->how, CHAN_END_RESET);
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_sizes_behind_each_other),
        cmocka_unit_test(test_large_data_is_cut),
        cmocka_unit_test(test_small_frames_share_blocks),
        cmocka_unit_test(test_full_frames_share_a_block),
        cmocka_unit_test(test_partial_takes),
        cmocka_unit_test(test_output_target),
        cmocka_unit_test(test_output_max_stops_input),
        cmocka_unit_test(test_peer_takes_nothing),
        cmocka_unit_test(test_turns),
        cmocka_unit_test(test_fair_by_bytes),
        cmocka_unit_test(test_little_goes_first),
        cmocka_unit_test(test_masks_differ),
        cmocka_unit_test(test_reset_behind_data),
    };

    return cmocka_run_group_tests(tests, fill_pattern, NULL);
}
