/* A link in dialect wsp.1 against hand-made messages: SETTINGS and ids (core/dialect_wsp_1.c). */
#include "fake_wsp_1.h"

static void expect_down(struct rig *r, unsigned code, const char *what)
{
    if (!r->link.failed || r->link.close_code != code)
        fail_msg("%s: close code %u, not %u", what, r->link.close_code, code);
    rig_expect_close(r, code);
    rig_expect_nothing(r);
}

/* ---- SETTINGS */

static void test_settings_come_first(void **state)
{
    struct rig r;

    (void)state;
    for (int cmd = MSG_CONNECT; cmd <= MSG_SETTINGS + 1; cmd++)
        for (int server = 0; server < 2; server++)
            for (int empty = 0; empty < 2; empty++) {
                if (cmd == MSG_SETTINGS)
                    continue;
                rig_begin(&r, rig_options(server, LINK_WSP_1));
                expect_greeting(&r);
                rig_send(&r, slice_str("1"), cmd, slice_str(empty ? "" : "data"));
                expect_down(&r, WS_CLOSE_PROTOCOL, "no SETTINGS");
                assert_int_equal(r.connects, 0);
                rig_stop(&r);
            }
}

/* What cannot be decoded is no first message. */
static void test_garbage_in_front(void **state)
{
    struct rig r;

    (void)state;
    rig_begin(&r, rig_options(true, LINK_EITHER));
    rig_send_frame(&r, true, WS_BINARY, slice_str("\x0a\x05x"));
    rig_send_frame(&r, true, WS_TEXT, slice_str("hello"));
    rig_send_frame(&r, true, WS_PING, slice_str("p"));
    rig_expect_frame(&r, WS_PONG, slice_str("p"));
    peer_settings(&r, 0, 0);
    expect_greeting(&r);
    assert_int_equal(link_speaks(&r.link), LINK_WSP_1);
    rig_stop(&r);
}

static void test_second_settings(void **state)
{
    struct rig r;

    (void)state;
    for (int server = 0; server < 2; server++) {
        rig_start_1(&r, server);
        peer_settings(&r, PEER_WINDOW, MSG_DATA_MAX);
        expect_down(&r, WS_CLOSE_PROTOCOL, "second SETTINGS");
        assert_int_equal(r.settled, 1);
        rig_stop(&r);
    }
}

static void test_settings_values(void **state)
{
    static const struct {
        uint64_t window, transfer, want_window, want_transfer;
        bool bad;
    } rows[] = {
        {0, 0, CREDIT_WINDOW_MIN, MSG_DATA_MAX, false},
        {1, 1024, 1, 1024, false},
        {CREDIT_MAX, UINT64_MAX, CREDIT_MAX, UINT64_MAX, false},
        {CREDIT_MAX + 1, 0, 0, 0, true},
        {UINT64_MAX, 0, 0, 0, true},
        {0, 1023, 0, 0, true},
        {0, 1, 0, 0, true},
    };
    struct rig r;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig_begin(&r, rig_options(false, LINK_WSP_1));
        expect_greeting(&r);
        peer_settings(&r, rows[i].window, rows[i].transfer);
        if (rows[i].bad) {
            expect_down(&r, WS_CLOSE_PROTOCOL, "bad value");
            assert_int_equal(r.settled, 0);
        } else {
            assert_int_equal(r.settled, 1);
            assert_true(r.link.peer.window == rows[i].want_window);
            assert_true(r.link.peer.transfer == rows[i].want_transfer);
            assert_string_equal((char *)r.link.peer.instance, "sixteen bytes!!");
        }
        rig_stop(&r);
    }
    rig_begin(&r, rig_options(false, LINK_WSP_1));
    expect_greeting(&r);
    rig_send(&r, NOTHING, MSG_SETTINGS, slice_str("\x1a\x01x"));
    expect_down(&r, WS_CLOSE_PROTOCOL, "malformed SETTINGS");
    rig_stop(&r);
}

/* The client need not wait for the server's SETTINGS. */
static void test_connect_behind_settings(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    rig_begin(&r, rig_options(false, LINK_WSP_1));
    expect_greeting(&r);
    e = rig_opening(&r);
    peer_settings(&r, PEER_WINDOW, MSG_DATA_MAX);
    peer_respond(&r, end_id(e), 0);
    assert_int_equal(e->opened, 1);
    assert_int_equal(e->ch.credit, PEER_WINDOW);
    rig_stop(&r);
}

/* ---- LINK_EITHER */

static void test_either_becomes_wsp_1(void **state)
{
    struct rig r;

    (void)state;
    rig_begin(&r, rig_options(true, LINK_EITHER));
    rig_expect_nothing(&r);
    assert_int_equal(link_speaks(&r.link), LINK_0_10);
    peer_settings(&r, PEER_WINDOW, MSG_DATA_MAX);
    expect_greeting(&r);
    rig_expect_nothing(&r);
    assert_int_equal(link_speaks(&r.link), LINK_WSP_1);
    assert_int_equal(r.settled, 1);
    rig_accepted_1(&r, "1", 0);
    peer_settings(&r, PEER_WINDOW, MSG_DATA_MAX);
    expect_down(&r, WS_CLOSE_PROTOCOL, "second SETTINGS");
    rig_stop(&r);
}

static void test_either_stays_0_10(void **state)
{
    struct slice id = slice_str("of 0.10");
    struct rig r;

    (void)state;
    for (int cmd = MSG_CONNECT; cmd <= MSG_GOAWAY; cmd++) {
        rig_begin(&r, rig_options(true, LINK_EITHER));
        rig_send(&r, id, cmd, slice_str(cmd == MSG_CONNECT ? "\x12\x01u" : "data"));
        if (cmd == MSG_RESPOND || cmd == MSG_TRANSFER)
            rig_expect(&r, id, MSG_INTERRUPT, slice_str(UNKNOWN_ID));
        assert_int_equal(r.connects, cmd == MSG_CONNECT);
        peer_settings(&r, 0, 0); /* too late: an unknown command */
        rig_expect_nothing(&r);
        assert_int_equal(link_speaks(&r.link), LINK_0_10);
        assert_int_equal(r.settled, 0);
        rig_accepted(&r, "x");
        rig_stop(&r);
    }
}

/* A server that speaks wsp.1 alone answers the client's SETTINGS, and nothing else. */
static void test_awaited(void **state)
{
    struct rig r;

    (void)state;
    rig_begin(&r, rig_options(true, LINK_WSP_1_AWAITED));
    rig_expect_nothing(&r);
    peer_settings(&r, PEER_WINDOW, MSG_DATA_MAX);
    expect_greeting(&r);
    rig_accepted_1(&r, "1", 0);
    rig_stop(&r);
    for (int cmd = MSG_CONNECT; cmd <= MSG_GOAWAY; cmd++)
        for (int empty = 0; empty < 2; empty++) {
            rig_begin(&r, rig_options(true, LINK_WSP_1_AWAITED));
            rig_send(&r, slice_str("1"), cmd, slice_str(empty ? "" : "\x12\x01u"));
            expect_down(&r, WS_CLOSE_PROTOCOL, "no SETTINGS");
            assert_int_equal(r.connects, 0);
            rig_stop(&r);
        }
}

static void test_only_0_10(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, true);
    peer_settings(&r, 0, 0);
    rig_expect_nothing(&r);
    assert_int_equal(link_speaks(&r.link), LINK_0_10);
    rig_accepted(&r, "x");
    rig_stop(&r);
}

/* ---- ids */

static void test_our_ids(void **state)
{
    static const char *const ids[2][3] = {{"1", "3", "5"}, {"2", "4", "6"}};
    struct rig r;

    (void)state;
    for (int server = 0; server < 2; server++) {
        rig_start_1(&r, server);
        for (size_t i = 0; i < 3; i++)
            assert_slice(end_id(rig_opening(&r)), slice_str(ids[server][i]));
        chan_abort(&r.end[0].ch); /* its id is not used again */
        expect_interrupt(&r, slice_str(ids[server][0]), MSG_CLOSED);
        assert_slice(end_id(rig_opening(&r)), slice_str(server ? "8" : "7"));
        rig_stop(&r);
    }
}

static void test_ids_of_the_peer(void **state)
{
    static const struct {
        const char *id;
        bool good;
    } rows[] = {
        {"7", true},
        {"999999999999999999", true},
        {"1000000000000000001", false}, /* 19 digits */
        {"5", false},                   /* was used */
        {"3", false},                   /* lower */
        {"6", false},                   /* ours */
        {"8", false},
        {"0", false},
        {"", false},
        {"07", false},
        {"+7", false},
        {" 7", false},
        {"7 ", false},
        {"7a", false},
        {"-7", false},
        {"0x7", false},
    };
    struct rig r;

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig_start_1(&r, true);
        rig_accepted_1(&r, "5", 0);
        peer_connect(&r, rows[i].id, 0);
        assert_int_equal(r.connects, rows[i].good ? 2 : 1);
        if (!rows[i].good)
            expect_down(&r, WS_CLOSE_PROTOCOL, rows[i].id);
        rig_stop(&r);
    }
    rig_start_1(&r, false); /* a server's are even */
    rig_accepted_1(&r, "2", 0);
    rig_accepted_1(&r, "40", 0);
    peer_connect(&r, "41", 0);
    expect_down(&r, WS_CLOSE_PROTOCOL, "41 from the server");
    rig_stop(&r);
}

/* A CONNECT that was refused has used its id all the same. */
static void test_refused_uses_id(void **state)
{
    struct rig r;

    (void)state;
    rig_start_1(&r, true);
    r.answer = RIG_RESPOND;
    peer_connect(&r, "5", 0);
    rig_expect_response(&r, slice_str("5"), false, "not here");
    rig_send(&r, slice_str("7"), MSG_CONNECT, slice_str("\x0a\x05"));
    rig_expect_response(&r, slice_str("7"), false, "proto: cannot parse invalid wire-format data");
    rig_send(&r, slice_str("7"), MSG_INTERRUPT, NOTHING);
    peer_transfer(&r, slice_str("3"), 10); /* passed over: as if it had ended */
    rig_expect_nothing(&r);
    peer_connect(&r, "7", 0);
    expect_down(&r, WS_CLOSE_PROTOCOL, "7 again");
    rig_stop(&r);
}

static void test_too_many_channels(void **state)
{
    struct rig r;

    (void)state;
    rig_start_1(&r, true);
    for (size_t i = 0; i < 4; i++)
        rig_opening(&r);
    peer_connect(&r, "1", 0);
    rig_expect_response(&r, slice_str("1"), false, "too many channels");
    rig_stop(&r);
}

/* ---- messages for channels that are none */

enum { LATE_CMDS = 7 };

/* Commands for a channel, each with data that is good. */
static const struct {
    int cmd;
    const char *data;
    size_t len;
} late[LATE_CMDS] = {
    {MSG_RESPOND, "\x08\x01", 2}, {MSG_RESPOND, "\x12\x01n", 3}, {MSG_TRANSFER, "data", 4},
    {MSG_TRANSFER, "", 0},        {MSG_INTERRUPT, "\0", 1},      {MSG_WINDOW, "\x05", 1},
    {MSG_FINISH, "", 0},
};

static void send_late(struct rig *r, const char *id, size_t i)
{
    rig_send(r, slice_str(id), late[i].cmd, slice_of(late[i].data, late[i].len));
}

static void test_never_opened(void **state)
{
    static const char *const ids[] = {"", "0", "4", "7", "05", "999999999999999999999", "abc"};
    struct rig r;

    (void)state;
    for (size_t i = 0; i < COUNT(ids); i++)
        for (size_t k = 0; k < LATE_CMDS; k++) {
            rig_start_1(&r, true);
            rig_accepted_1(&r, "5", 0);
            rig_opening(&r); /* 2 */
            send_late(&r, ids[i], k);
            expect_down(&r, WS_CLOSE_PROTOCOL, ids[i]);
            rig_stop(&r);
        }
}

static void test_closed_is_dropped(void **state)
{
    struct rig r;
    struct end *e;

    (void)state;
    for (int ours = 0; ours < 2; ours++) {
        rig_start_1(&r, true);
        e = ours ? rig_opened_1(&r, 0) : rig_accepted_1(&r, "5", 0);
        peer_interrupt(&r, e, MSG_CLOSED);
        for (size_t k = 0; k < LATE_CMDS; k++)
            send_late(&r, ours ? "2" : "5", k);
        rig_expect_nothing(&r);
        assert_false(r.link.failed);
        assert_int_equal(e->got.len, 0);
        assert_int_equal(e->closed, 1);
        rig_send(&r, slice_str(ours ? "2" : "5"), MSG_WINDOW, slice_str("\x05\x05"));
        expect_down(&r, WS_CLOSE_PROTOCOL, "bad WINDOW for a closed channel");
        rig_stop(&r);
    }
}

static void test_ignored(void **state)
{
    struct rig r;

    (void)state;
    rig_start_1(&r, true);
    rig_send(&r, slice_str("5"), 8, slice_str("data")); /* of a later dialect */
    rig_send(&r, NOTHING, 99, NOTHING);
    rig_send_frame(&r, true, WS_BINARY, slice_str("\x0a\x05x"));
    rig_send_frame(&r, true, WS_TEXT, slice_str("text"));
    rig_expect_nothing(&r);
    rig_accepted_1(&r, "1", 0);
    rig_stop(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_come_first),
        cmocka_unit_test(test_garbage_in_front),
        cmocka_unit_test(test_second_settings),
        cmocka_unit_test(test_settings_values),
        cmocka_unit_test(test_connect_behind_settings),
        cmocka_unit_test(test_either_becomes_wsp_1),
        cmocka_unit_test(test_either_stays_0_10),
        cmocka_unit_test(test_awaited),
        cmocka_unit_test(test_only_0_10),
        cmocka_unit_test(test_our_ids),
        cmocka_unit_test(test_ids_of_the_peer),
        cmocka_unit_test(test_refused_uses_id),
        cmocka_unit_test(test_too_many_channels),
        cmocka_unit_test(test_never_opened),
        cmocka_unit_test(test_closed_is_dropped),
        cmocka_unit_test(test_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
