/* What a link does with what the peer writes (core/link_input.c): the good in any pieces, and the
 * answer to everything bad. */
#include "fake_link.h"

/* ---- bad input, and the close code it gets */

struct bad {
    const char *name;
    const char *bytes; /* of an unmasked frame; for a server link the mask is put in */
    size_t len;
    unsigned code;
};

#define BAD(name, bytes, code)               \
    {                                        \
        name, bytes, sizeof(bytes) - 1, code \
    }

static const struct bad bad_frames[] = {
    BAD("RSV1", "\xc2\x00", WS_CLOSE_PROTOCOL),
    BAD("RSV2", "\xa2\x00", WS_CLOSE_PROTOCOL),
    BAD("RSV3", "\x92\x00", WS_CLOSE_PROTOCOL),
    BAD("opcode 3", "\x83\x00", WS_CLOSE_PROTOCOL),
    BAD("opcode 15", "\x8f\x00", WS_CLOSE_PROTOCOL),
    BAD("fragmented ping", "\x09\x00", WS_CLOSE_PROTOCOL),
    BAD("ping of 126 bytes", "\x89\x7e\x00\x7e", WS_CLOSE_PROTOCOL),
    BAD("length not minimal, 2 bytes", "\x82\x7e\x00\x7d", WS_CLOSE_PROTOCOL),
    BAD("length not minimal, 8 bytes", "\x82\x7f\0\0\0\0\0\0\xff\xff", WS_CLOSE_PROTOCOL),
    BAD("length over 2^63", "\x82\x7f\x80\0\0\0\0\0\0\0", WS_CLOSE_PROTOCOL),
    BAD("continuation of nothing", "\x80\x00", WS_CLOSE_PROTOCOL),
    BAD("message inside a message", "\x02\x00\x82\x00", WS_CLOSE_PROTOCOL),
    BAD("text inside a message", "\x02\x00\x81\x00", WS_CLOSE_PROTOCOL),
    BAD("close of 1 byte", "\x88\x01\x03", WS_CLOSE_PROTOCOL),
    BAD("close with 1005", "\x88\x02\x03\xed", WS_CLOSE_PROTOCOL),
    BAD("close with 999", "\x88\x02\x03\xe7", WS_CLOSE_PROTOCOL),
    BAD("close with bad text", "\x88\x03\x03\xe8\xff", WS_CLOSE_PROTOCOL),
    BAD("text that is not UTF-8", "\x81\x02\xc0\x80", WS_CLOSE_BAD_DATA),
    BAD("fragmented bad text", "\x01\x01\xc3\x80\x01x", WS_CLOSE_BAD_DATA),
    BAD("bad id, CONNECT", "\x82\x03\x0a\x01\xff", WS_CLOSE_BAD_DATA),
    BAD("bad id, RESPOND", "\x82\x05\x0a\x01\xff\x10\x01", WS_CLOSE_BAD_DATA),
    BAD("bad id, TRANSFER", "\x82\x08\x0a\x01\xff\x10\x02\x1a\x01x", WS_CLOSE_BAD_DATA),
    BAD("bad id, empty TRANSFER", "\x82\x05\x0a\x01\xff\x10\x02", WS_CLOSE_BAD_DATA),
    BAD("bad id, INTERRUPT", "\x82\x05\x0a\x01\xff\x10\x03", WS_CLOSE_BAD_DATA),
    BAD("1 MiB and 1 byte", "\x82\x7f\0\0\0\0\0\x10\0\x01", WS_CLOSE_TOO_BIG),
    BAD("2^62 bytes", "\x82\x7f\x40\0\0\0\0\0\0\0", WS_CLOSE_TOO_BIG),
    BAD("1 MiB behind 1 byte", "\x02\x01x\x80\x7f\0\0\0\0\0\x10\0\0", WS_CLOSE_TOO_BIG),
};

/* Rewrites frames (lengths under 126 or headers only) as a client would: a mask of zeros. */
static void masked(struct buf *w, struct slice in)
{
    static const uint8_t zeros[4];

    while (in.len) {
        size_t len7 = in.p[1] & 127u;
        size_t header = len7 == 127 ? 10 : len7 == 126 ? 4 : 2;
        size_t payload = len7 > 125 ? in.len - header : len7;
        uint8_t head[10];

        memcpy(head, in.p, header);
        head[1] |= 0x80;
        buf_append(w, head, header);
        buf_append(w, zeros, sizeof(zeros));
        if (payload > in.len - header)
            payload = in.len - header;
        buf_append(w, in.p + header, payload);
        slice_advance(&in, header + payload);
    }
}

static void check_bad(struct slice wire, bool server, unsigned code, const char *name)
{
    struct rig r;
    struct end *e;

    rig_start(&r, server);
    e = rig_opened(&r);
    if (rig_feed(&r, wire) != WSP_ERR_MALFORMED)
        fail_msg("%s: accepted", name);
    assert_int_equal(r.link.close_code, code);
    assert_int_not_equal(strlen(r.link.error), 0);
    assert_false(link_wants_input(&r.link));
    rig_send(&r, end_id(e), MSG_TRANSFER, slice_str("not read any more"));
    rig_expect_close(&r, code);
    rig_expect_nothing(&r);
    link_lost(&r.link);
    assert_int_equal(e->how, CHAN_END_LINK_LOST);
    assert_int_equal(e->got.len, 0);
    rig_stop(&r);
}

static void test_bad_frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_frames); i++) {
        struct slice bytes = slice_of(bad_frames[i].bytes, bad_frames[i].len);
        struct buf w = {0};

        check_bad(bytes, false, bad_frames[i].code, bad_frames[i].name);
        masked(&w, bytes);
        check_bad(buf_slice(&w), true, bad_frames[i].code, bad_frames[i].name);
        buf_fini(&w);
    }
}

static void test_wrong_masking(void **state)
{
    static const enum ws_opcode ops[] = {WS_BINARY, WS_TEXT, WS_PING, WS_CLOSE};

    (void)state;
    for (size_t i = 0; i < COUNT(ops); i++)
        for (int server = 0; server < 2; server++) {
            struct buf w = {0};

            wire_frame(&w, !server, true, ops[i], slice_str(""));
            check_bad(buf_slice(&w), server, WS_CLOSE_PROTOCOL, "wrong masking");
            buf_fini(&w);
        }
}

/* ---- ids */

static void test_id_lengths(void **state)
{
    static const size_t lengths[] = {0, 1, 26, 27, 28, 127, 128};
    char text[WIRE_ID_MAX];

    (void)state;
    memset(text, 'i', sizeof(text));
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct slice id = slice_of(lengths[i] ? text : NULL, lengths[i]);
        struct rig r;

        rig_start(&r, true);
        r.answer = RIG_ACCEPT;
        rig_send_request(&r, id, "tcp://x");
        rig_expect_response(&r, id, true, "");
        rig_send(&r, id, MSG_TRANSFER, slice_str("data"));
        assert_slice(buf_slice(&r.end[0].got), slice_str("data"));
        rig_advance(&r, 10 * MS);
        r.end[0].out = slice_str("back");
        chan_ready(&r.end[0].ch);
        rig_expect(&r, id, MSG_TRANSFER, slice_str("back"));
        rig_send(&r, id, MSG_INTERRUPT, slice_str(""));
        rig_expect(&r, id, MSG_INTERRUPT, slice_str(""));
        rig_send(&r, id, MSG_TRANSFER, slice_str("late"));
        rig_expect(&r, id, MSG_INTERRUPT, slice_str(UNKNOWN_ID));
        rig_stop(&r);
    }
}

static void test_id_too_long(void **state)
{
    char text[WIRE_ID_MAX];

    (void)state;
    memset(text, 'i', sizeof(text));
    for (int cmd = MSG_CONNECT; cmd <= MSG_INTERRUPT; cmd++)
        for (size_t len = 129; len <= 200; len += 71)
            for (int server = 0; server < 2; server++) {
                struct buf w = {0};

                wire_msg(&w, server, slice_of(text, len), cmd, slice_str("data"));
                check_bad(buf_slice(&w), server, WS_CLOSE_TOO_BIG, "id too long");
                buf_fini(&w);
            }
}

/* ---- what is answered or ignored while the link goes on */

static void test_unknown_ids(void **state)
{
    struct slice id = slice_str("nobody's");
    struct rig r;

    (void)state;
    rig_start(&r, true);
    rig_send(&r, id, MSG_TRANSFER, slice_str("data"));
    rig_expect(&r, id, MSG_INTERRUPT, slice_str(UNKNOWN_ID));
    rig_send(&r, id, MSG_TRANSFER, slice_str(""));
    rig_expect(&r, id, MSG_INTERRUPT, slice_str(UNKNOWN_ID));
    rig_send_response(&r, id, true, "");
    rig_expect(&r, id, MSG_INTERRUPT, slice_str(UNKNOWN_ID));
    rig_send(&r, id, MSG_INTERRUPT, slice_str(UNKNOWN_ID));
    rig_expect_nothing(&r);
    rig_stop(&r);
}

static void test_ignored(void **state)
{
    static const struct bad ignored[] = {
        BAD("command 4", "\x0a\x01x\x10\x04", 0),
        BAD("command -1", "\x0a\x01x\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0),
        BAD("cut off", "\x0a\x05x", 0),
        BAD("field number 0", "\x02\x01x", 0),
        BAD("a TRANSFER's start", "\x0a\x01x\x10\x02\x1a\x05xx", 0),
    };
    struct rig r;

    (void)state;
    rig_start(&r, false);
    for (size_t i = 0; i < COUNT(ignored); i++) {
        rig_send_frame(&r, true, WS_BINARY, slice_of(ignored[i].bytes, ignored[i].len));
        rig_expect_nothing(&r);
    }
    rig_send_frame(&r, true, WS_TEXT, slice_str("h\xc3\xa9llo"));
    rig_send_frame(&r, false, WS_TEXT, slice_str("h\xc3"));
    rig_send_frame(&r, true, WS_CONT, slice_str("\xa9llo"));
    rig_send_frame(&r, true, WS_TEXT, slice_str(""));
    rig_send_frame(&r, true, WS_PONG, slice_str("of nobody"));
    rig_expect_nothing(&r);
    assert_int_equal(r.connects, 0);
    rig_opened(&r);
    rig_stop(&r);
}

/* An empty message is a CONNECT with an empty id and an empty url. */
static void test_empty_message(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, true);
    r.answer = RIG_RESPOND;
    rig_send_frame(&r, true, WS_BINARY, slice_str(""));
    assert_int_equal(r.connects, 1);
    assert_string_equal(r.asked_url, "");
    rig_expect_response(&r, slice_str(""), false, "not here");
    rig_stop(&r);
}

static void test_control_frames(void **state)
{
    char payload[125];
    struct rig r;
    struct end *e;
    struct buf m = {0};

    (void)state;
    memset(payload, 'p', sizeof(payload));
    for (int server = 0; server < 2; server++) {
        rig_start(&r, server);
        e = rig_opened(&r);
        for (size_t len = 0; len <= sizeof(payload); len += 25) {
            rig_send_frame(&r, true, WS_PING, slice_of(payload, len));
            rig_expect_frame(&r, WS_PONG, slice_of(payload, len));
        }
        buf_consume(&m, m.len);
        wire_message(&m, end_id(e), MSG_TRANSFER, slice_str("fragments"));
        rig_send_frame(&r, false, WS_BINARY, slice_of(m.mem, 3));
        rig_send_frame(&r, true, WS_PING, slice_str("one"));
        rig_send_frame(&r, false, WS_CONT, slice_str(""));
        rig_send_frame(&r, true, WS_PONG, slice_str("two"));
        rig_send_frame(&r, true, WS_CONT, slice_of(m.mem + 3, m.len - 3));
        rig_expect_frame(&r, WS_PONG, slice_str("one"));
        rig_expect_nothing(&r);
        assert_slice(buf_slice(&e->got), slice_str("fragments"));
        rig_stop(&r);
    }
    buf_fini(&m);
}

static void test_close_is_answered(void **state)
{
    static const struct bad closes[] = {
        BAD("empty", "", WS_CLOSE_NO_STATUS),
        BAD("1000", "\x03\xe8", 1000),
        BAD("1001 and text", "\x03\xe9going", 1001),
        BAD("4999", "\x13\x87", 4999),
    };
    struct rig r;

    (void)state;
    for (size_t i = 0; i < COUNT(closes); i++) {
        rig_start(&r, i % 2);
        rig_send_frame(&r, true, WS_CLOSE, slice_of(closes[i].bytes, closes[i].len));
        assert_true(r.link.failed);
        assert_string_equal(r.link.error, "");
        assert_int_equal(r.link.close_code, closes[i].code);
        rig_expect_frame(&r, WS_CLOSE, slice_of(closes[i].bytes, closes[i].len ? 2 : 0));
        rig_expect_nothing(&r);
        rig_stop(&r);
    }
}

/* ---- TRANSFER in other forms than ours */

static void test_uncanonical_transfers(void **state)
{
    static const struct bad forms[] = {
        BAD("data first",
            "\x1a\x04"
            "data\x0a\x01x\x10\x02",
            0),
        BAD("cmd first",
            "\x10\x02\x0a\x01x\x1a\x04"
            "data",
            0),
        BAD("unknown field behind",
            "\x0a\x01x\x10\x02\x1a\x04"
            "data\x20\x07",
            0),
        BAD("unknown field between",
            "\x0a\x01x\x22\x01u\x10\x02\x1a\x04"
            "data",
            0),
        BAD("a group in front",
            "\x2b\x2c\x0a\x01x\x10\x02\x1a\x04"
            "data",
            0),
        BAD("long varints",
            "\x0a\x81\x00x\x10\x82\x00\x1a\x84\x80\x00"
            "data",
            0),
        BAD("last of duplicates",
            "\x0a\x01y\x0a\x01x\x10\x03\x10\x02\x1a\x01n\x1a\x04"
            "data",
            0),
        BAD("ours",
            "\x0a\x01x\x10\x02\x1a\x04"
            "data",
            0),
    };
    struct rig r;
    struct end *e;

    (void)state;
    rig_start(&r, true);
    e = rig_accepted(&r, "x");
    for (size_t i = 0; i < COUNT(forms); i++)
        for (size_t cut = 0; cut <= forms[i].len; cut++) {
            struct slice whole = slice_of(forms[i].bytes, forms[i].len), head = whole;

            head.len = cut;
            slice_advance(&whole, cut);
            buf_consume(&e->got, e->got.len);
            if (whole.len)
                rig_send_frame(&r, false, WS_BINARY, head);
            rig_send_frame(&r, true, whole.len ? WS_CONT : WS_BINARY, whole.len ? whole : head);
            if (!slice_eq_str(buf_slice(&e->got), "data"))
                fail_msg("%s, cut at %zu: not delivered", forms[i].name, cut);
        }
    rig_expect_nothing(&r);
    rig_stop(&r);
}

/* The largest message there may be, whole and in fragments. */
static void test_largest_message(void **state)
{
    size_t len = LINK_MESSAGE_MAX - 3 - 2 - 4;
    uint8_t *data = calloc(1, len);
    struct buf m = {0};
    struct rig r;
    struct end *e;

    (void)state;
    data[0] = 1;
    data[len - 1] = 2;
    wire_message(&m, slice_str("x"), MSG_TRANSFER, slice_of(data, len));
    assert_int_equal(m.len, LINK_MESSAGE_MAX);
    for (size_t first = 0; first <= LINK_MESSAGE_MAX; first += LINK_MESSAGE_MAX / 2) {
        rig_start(&r, true);
        e = rig_accepted(&r, "x");
        if (first)
            rig_send_frame(&r, false, WS_BINARY, slice_of(m.mem, first));
        rig_send_frame(&r, true, first ? WS_CONT : WS_BINARY,
                       slice_of(m.mem + first, m.len - first));
        assert_slice(buf_slice(&e->got), slice_of(data, len));
        assert_int_equal(r.rx.len, 0);
        assert_true(r.link.message.cap <= 64 * 1024);
        rig_stop(&r);
    }
    buf_fini(&m);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_frames),        cmocka_unit_test(test_wrong_masking),
        cmocka_unit_test(test_id_lengths),        cmocka_unit_test(test_id_too_long),
        cmocka_unit_test(test_unknown_ids),       cmocka_unit_test(test_ignored),
        cmocka_unit_test(test_empty_message),     cmocka_unit_test(test_control_frames),
        cmocka_unit_test(test_close_is_answered), cmocka_unit_test(test_uncanonical_transfers),
        cmocka_unit_test(test_largest_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
