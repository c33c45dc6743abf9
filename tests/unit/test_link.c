/* A link's life: opening, limits, signs of life, stalls, its end (core/link.c). */
#include "fake_link.h"

static void test_open_writes_connect(void **state)
{
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    struct msg_request request = {.type = MSG_DYNAMIC,
                                  .url = slice_str("socks5://127.0.0.1:28020")},
                       got;
    struct rig r;
    struct end *e;
    struct sent s;

    (void)state;
    for (int server = 0; server < 2; server++) {
        rig_start(&r, server);
        e = rig_end(&r);
        assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_OK);
        assert_true(rig_next(&r, &s));
        assert_int_equal(s.msg.cmd, MSG_CONNECT);
        assert_slice(s.msg.id, end_id(e));
        assert_int_equal(s.msg.id.len, 27);
        for (size_t i = 0; i < s.msg.id.len; i++)
            assert_true(s.msg.id.p[i] && strchr(alphabet, s.msg.id.p[i]));
        assert_int_equal(msg_request_parse(s.msg.data, &got), WSP_OK);
        assert_int_equal(got.type, MSG_DYNAMIC);
        assert_slice(got.url, request.url);
        rig_stop(&r);
    }
}

static void test_open_failures(void **state)
{
    static const char long_url[5000] = {'x'};
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_of(long_url, sizeof(long_url))};
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = rig_end(&r);
    assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_ERR_LIMIT);
    request.url = slice_str("tcp://a");
    link_close(&r.link, WS_CLOSE_GOING_AWAY, "");
    assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_ERR_REFUSED);
    assert_int_equal(link_adopt(&r.link, &e->ch, slice_str("id")), WSP_ERR_REFUSED);
    assert_false(chan_live(&e->ch));
    rig_stop(&r);
}

static void test_max_channels(void **state)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("tcp://a")};
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, true);
    rig_opened(&r);
    rig_asked(&r, "a");
    rig_asked(&r, "b");
    rig_opening(&r);
    e = rig_end(&r);
    assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_ERR_LIMIT);
    assert_int_equal(link_adopt(&r.link, &e->ch, slice_str("own")), WSP_ERR_LIMIT);
    rig_expect_nothing(&r);
    rig_send_request(&r, slice_str("c"), "tcp://a");
    rig_expect_response(&r, slice_str("c"), false, "too many channels");
    assert_int_equal(r.connects, 2);
    chan_abort(&r.end[0].ch);
    assert_int_equal(link_open(&r.link, &e->ch, &request), WSP_OK);
    rig_stop(&r);
}

static void test_answers_to_connect(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, true);
    r.answer = RIG_RESPOND;
    rig_send_request(&r, slice_str("a"), "socks5://b.example:443");
    assert_string_equal(r.asked_url, "socks5://b.example:443");
    assert_int_equal(r.asked_type, MSG_DYNAMIC);
    rig_expect_response(&r, slice_str("a"), false, "not here");
    r.answer = RIG_REFUSE;
    rig_send_request(&r, slice_str("a"), "tcp://x");
    rig_expect_response(&r, slice_str("a"), false, "not here");
    r.answer = RIG_ACCEPT;
    rig_send_request(&r, slice_str("a"), "tcp://x");
    rig_expect_response(&r, slice_str("a"), true, "");
    assert_int_equal(r.link.channels.count, 1);
    rig_send(&r, slice_str("b"), MSG_CONNECT, slice_str("\x0a\x05"));
    rig_expect_response(&r, slice_str("b"), false, "proto: cannot parse invalid wire-format data");
    assert_int_equal(r.connects, 3);
    rig_stop(&r);
}

/* An error text is cut to 1024 bytes, and where its UTF-8 is whole. */
static void test_long_error_text(void **state)
{
    char text[1200] = {0};
    struct msg_response response = {.error = slice_of(text, sizeof(text))}, got;
    struct rig r;
    struct sent s;

    (void)state;
    rig_start(&r, true);
    memset(text, 'e', sizeof(text));
    memcpy(text + 1022, "\xe2\x82\xac", 3);
    link_respond(&r.link, slice_str("a"), &response);
    assert_true(rig_next(&r, &s));
    assert_int_equal(msg_response_parse(s.msg.data, &got), WSP_OK);
    assert_slice(got.error, slice_of(text, 1022));
    rig_stop(&r);
}

static void test_client_pings_and_dies(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, false);
    rig_advance(&r, 25 * SECOND - 1);
    rig_expect_nothing(&r);
    rig_advance(&r, 1);
    rig_expect_frame(&r, WS_PING, slice_str(""));
    rig_advance(&r, 25 * SECOND);
    rig_expect_frame(&r, WS_PING, slice_str(""));
    rig_advance(&r, 10 * SECOND - 1);
    assert_false(r.link.failed);
    rig_advance(&r, 1);
    assert_true(r.link.failed);
    assert_string_equal(r.link.error, "silent for 60 s");
    assert_int_equal(link_deadline(&r.link), UINT64_MAX);
    rig_expect_nothing(&r);
    rig_stop(&r);
}

static void test_server_probes_and_dies(void **state)
{
    struct rig r;
    struct sent s;
    uint8_t first[64];

    (void)state;
    rig_start(&r, true);
    for (int round = 0; round < 2; round++) {
        rig_advance(&r, 75 * SECOND - 1);
        rig_expect_nothing(&r);
        rig_advance(&r, 1);
        assert_true(rig_next(&r, &s));
        assert_int_equal(s.msg.cmd, MSG_TRANSFER);
        assert_true(s.msg.data.len > 0 && s.msg.id.len >= 20 && s.msg.id.len <= sizeof(first));
        if (round == 0) {
            memcpy(first, s.msg.id.p, s.msg.id.len);
            rig_send(&r, s.msg.id, MSG_INTERRUPT, slice_str(UNKNOWN_ID));
        } else {
            assert_memory_not_equal(first, s.msg.id.p, s.msg.id.len);
        }
        rig_expect_nothing(&r);
    }
    rig_advance(&r, 10 * SECOND - 1);
    assert_false(r.link.failed);
    rig_advance(&r, 1);
    assert_true(r.link.failed);
    assert_string_equal(r.link.error, "no sign of life for 85 s");
    rig_stop(&r);
}

/* Any byte counts as life: half a frame header too. */
static void test_any_input_is_life(void **state)
{
    struct rig r;

    (void)state;
    for (int server = 0; server < 2; server++) {
        rig_start(&r, server);
        rig_advance(&r, 24 * SECOND);
        rig_feed(&r, slice_str("\x82"));
        rig_advance(&r, server ? 74 * SECOND : 24 * SECOND);
        rig_expect_nothing(&r);
        rig_advance(&r, 2 * SECOND);
        assert_int_not_equal(r.link.out.bytes, 0);
        rig_feed(&r, server ? slice_str("\x80") : slice_str("\x7e"));
        rig_take(&r);
        rig_advance(&r, 24 * SECOND);
        assert_false(r.link.failed);
        assert_int_equal(r.link.out.bytes, 0);
        rig_stop(&r);
    }
}

/* Nobody takes more than one byte, and there is no memory to hold the rest. */
static struct end *block(struct rig *r, struct end *e)
{
    r->link.cap.max = 0;
    e->room = 1;
    rig_send(r, end_id(e), MSG_TRANSFER, slice_str("too much"));
    assert_false(link_wants_input(&r->link));
    return e;
}

/* While a full endpoint holds up the input, silence is our own doing; a pong every ping_us tells
 * the peer that we live. */
static void test_silence_while_blocked(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    for (int server = 0; server < 2; server++) {
        rig_start(&r, server);
        r.link.opt.stall_us = 1000 * SECOND;
        e = block(&r, rig_opened(&r));
        rig_advance(&r, 500 * SECOND);
        assert_false(r.link.failed);
        for (int i = 0; i < 500 / 25; i++)
            rig_expect_frame(&r, WS_PONG, slice_str(""));
        rig_expect_nothing(&r);
        chan_resume(&e->ch);
        e->room = SIZE_MAX;
        rig_pump(&r);
        assert_slice(buf_slice(&e->got), slice_str("too much"));
        rig_advance(&r, 24 * SECOND);
        rig_expect_nothing(&r);
        rig_advance(&r, 500 * SECOND);
        assert_true(r.link.failed);
        rig_stop(&r);
    }
}

/* A full channel that others wait for is interrupted after stall_us, and they go on. */
static void test_stall(void **state)
{
    struct rig r;
    struct end *e, *other;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    other = rig_opened(&r);
    block(&r, e);
    rig_send(&r, end_id(other), MSG_TRANSFER, slice_str("waits"));
    rig_advance(&r, 30 * SECOND - 1);
    assert_true(chan_live(&e->ch));
    rig_advance(&r, 1);
    rig_expect_frame(&r, WS_PONG, slice_str(""));
    rig_expect(&r, end_id(e), MSG_INTERRUPT, slice_str("reset"));
    assert_int_equal(e->how, CHAN_END_STALLED);
    assert_true(link_wants_input(&r.link));
    rig_pump(&r);
    assert_slice(buf_slice(&other->got), slice_str("waits"));
    assert_slice(buf_slice(&e->got), slice_str("t"));
    rig_expect_nothing(&r);
    rig_stop(&r);
}

/* It may be as slow as it likes while it moves. */
static void test_slow_is_no_stall(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = block(&r, rig_opened(&r));
    for (int i = 0; i < 5; i++) {
        e->room = 1;
        chan_resume(&e->ch);
        rig_pump(&r);
        rig_advance(&r, 29 * SECOND);
        assert_true(chan_live(&e->ch));
    }
    assert_slice(buf_slice(&e->got), slice_str("too mu"));
    rig_stop(&r);
}

static void test_close_from_our_side(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, false);
    rig_opened(&r);
    link_close(&r.link, WS_CLOSE_GOING_AWAY, "bye");
    assert_true(r.link.failed);
    assert_int_equal(r.link.close_code, WS_CLOSE_GOING_AWAY);
    chan_abort(&r.end[0].ch);
    link_close(&r.link, WS_CLOSE_NORMAL, "");
    rig_expect_close(&r, WS_CLOSE_GOING_AWAY);
    rig_expect_nothing(&r);
    assert_false(link_wants_input(&r.link));
    assert_int_equal(rig_send_frame(&r, true, WS_PING, slice_str("")), WSP_ERR_MALFORMED);
    rig_expect_nothing(&r);
    rig_stop(&r);
}

/* At the end everything goes back to the pool, whatever was going on. */
static void test_fini_returns_all(void **state)
{
    static uint8_t data[40000];
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, true);
    rig_asked(&r, "asked");
    rig_opening(&r);
    e = rig_opened(&r);
    e->out = slice_of(data, sizeof(data));
    chan_ready(&e->ch);
    link_fill(&r.link);
    assert_int_not_equal(pool_used(&r.pool), 0);
    block(&r, e);
    wire_frame(&r.rx, true, false, WS_BINARY, slice_str("half a message"));
    link_fini(&r.link);
    for (size_t i = 0; i < r.ends; i++)
        assert_int_equal(r.end[i].how, CHAN_END_LINK_LOST);
    assert_int_equal(pool_used(&r.pool), 0);
    rig_stop(&r);
}

/* A block taken for a pull that gave nothing is not kept by an idle link. */
static void test_idle_link_holds_no_block(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, false);
    e = rig_opened(&r);
    chan_ready(&e->ch);
    link_fill(&r.link);
    assert_int_equal(pool_used(&r.pool), 0);
    rig_send_frame(&r, true, WS_PING, slice_str("x"));
    rig_take(&r);
    assert_int_equal(pool_used(&r.pool), 0);
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_writes_connect),
        cmocka_unit_test(test_open_failures),
        cmocka_unit_test(test_max_channels),
        cmocka_unit_test(test_answers_to_connect),
        cmocka_unit_test(test_long_error_text),
        cmocka_unit_test(test_client_pings_and_dies),
        cmocka_unit_test(test_server_probes_and_dies),
        cmocka_unit_test(test_any_input_is_life),
        cmocka_unit_test(test_silence_while_blocked),
        cmocka_unit_test(test_stall),
        cmocka_unit_test(test_slow_is_no_stall),
        cmocka_unit_test(test_close_from_our_side),
        cmocka_unit_test(test_fini_returns_all),
        cmocka_unit_test(test_idle_link_holds_no_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
