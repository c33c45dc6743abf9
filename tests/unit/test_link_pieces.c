/* The same input in any pieces, and endpoints that take any part of it, give the same results. */
#include "fake_link.h"

/* ---- pieces */

static void wire_request(struct buf *w, bool masked, const char *id)
{
    wire_msg(w, masked, slice_str(id), MSG_CONNECT, slice_str("\x08\x02\x12\x07tcp://x"));
}

/* Some of everything, with an orderly end. */
static void write_script(struct buf *w, bool masked)
{
    uint8_t data[300];
    struct buf m = {0};

    rig_seed = 99;
    rig_random(data, sizeof(data));
    wire_request(w, masked, "a");
    wire_msg(w, masked, slice_str("a"), MSG_TRANSFER, slice_of(data, 29));
    wire_frame(w, masked, true, WS_PING, slice_of("ping", 4));
    wire_message(&m, slice_str("a"), MSG_TRANSFER, slice_of(data, 40));
    wire_frame(w, masked, false, WS_BINARY, slice_of(m.mem, 7));
    wire_frame(w, masked, true, WS_PING, slice_of(data, 125));
    wire_frame(w, masked, false, WS_CONT, slice_of(m.mem + 7, 11));
    wire_frame(w, masked, false, WS_CONT, slice_str(""));
    wire_frame(w, masked, true, WS_CONT, slice_of(m.mem + 18, m.len - 18));
    wire_frame(w, masked, true, WS_BINARY,
               slice_str("\x1a\x05"
                         "other\x10\x02\x0a\x01"
                         "a"));
    wire_frame(w, masked, true, WS_TEXT, slice_str("text"));
    wire_frame(w, masked, true, WS_BINARY,
               slice_str("\x0a\x01"
                         "a\x10\x09"));
    wire_msg(w, masked, slice_str("b"), MSG_TRANSFER, slice_str("too early"));
    wire_request(w, masked, "b");
    wire_request(w, masked, "b");
    wire_msg(w, masked, slice_str("b"), MSG_TRANSFER, slice_of(data, sizeof(data)));
    wire_msg(w, masked, slice_str("a"), MSG_TRANSFER, slice_str(""));
    wire_msg(w, masked, slice_str("a"), MSG_INTERRUPT, slice_str(""));
    wire_msg(w, masked, slice_str("a"), MSG_TRANSFER, slice_str("too late"));
    wire_msg(w, masked, slice_str("b"), MSG_TRANSFER, slice_str("last"));
    wire_frame(w, masked, true, WS_CLOSE, slice_str("\x03\xe8"));
    buf_fini(&m);
}

static void start_accepting(struct rig *r, bool server)
{
    rig_start(r, server);
    r->answer = RIG_ACCEPT;
}

static void assert_same(const struct rig *a, const struct rig *b, size_t at)
{
    if (!slice_eq(buf_slice(&a->tx), buf_slice(&b->tx)))
        fail_msg("split at %zu: another output", at);
    assert_int_equal(a->ends, b->ends);
    for (size_t i = 0; i < a->ends; i++)
        if (!slice_eq(buf_slice(&a->end[i].got), buf_slice(&b->end[i].got)) ||
            a->end[i].closed != b->end[i].closed || a->end[i].how != b->end[i].how)
            fail_msg("split at %zu: another end of channel %zu", at, i);
    assert_int_equal(a->link.close_code, b->link.close_code);
    assert_int_equal(b->rx.len, 0);
}

static void test_every_split(void **state)
{
    (void)state;
    for (int server = 0; server < 2; server++) {
        struct buf w = {0};
        struct rig whole, r;

        write_script(&w, server);
        start_accepting(&whole, server);
        rig_feed(&whole, buf_slice(&w));
        rig_take(&whole);
        assert_int_equal(whole.link.close_code, 1000);
        assert_int_equal(whole.ends, 2);
        assert_int_equal(whole.end[0].got.len, 29 + 40 + 5);
        assert_int_equal(whole.end[1].got.len, 300 + 4);
        for (size_t i = 1; i < w.len; i++) {
            start_accepting(&r, server);
            rig_feed(&r, slice_of(w.mem, i));
            rig_feed(&r, slice_of(w.mem + i, w.len - i));
            rig_take(&r);
            assert_same(&whole, &r, i);
            rig_stop(&r);
        }
        start_accepting(&r, server);
        for (size_t i = 0; i < w.len; i++)
            rig_feed(&r, slice_of(w.mem + i, 1));
        rig_take(&r);
        assert_same(&whole, &r, 0);
        rig_stop(&r);
        rig_stop(&whole);
        buf_fini(&w);
    }
}

/* Every prefix leaves a link that can still be ended without a trace. */
static void test_every_prefix(void **state)
{
    struct buf w = {0};

    (void)state;
    write_script(&w, true);
    for (size_t i = 0; i < w.len; i++) {
        struct rig r;

        start_accepting(&r, true);
        assert_int_equal(rig_feed(&r, slice_of(w.mem, i)), WSP_OK);
        rig_stop(&r);
    }
    buf_fini(&w);
}

static void test_large_frames(void **state)
{
    static uint8_t data[200000];
    static const size_t pieces[] = {1, 3, 1000, 4093, 65536, sizeof(data)};

    (void)state;
    rig_seed = 5;
    rig_random(data, sizeof(data));
    for (size_t i = 0; i < COUNT(pieces); i++) {
        struct buf w = {0};
        struct rig r;

        start_accepting(&r, true);
        wire_request(&w, true, "a");
        wire_msg(&w, true, slice_str("a"), MSG_TRANSFER, slice_of(data, sizeof(data)));
        for (size_t at = 0, n; at < w.len; at += n) {
            n = w.len - at < pieces[i] ? w.len - at : pieces[i];
            rig_feed(&r, slice_of(w.mem + at, n));
        }
        assert_slice(buf_slice(&r.end[0].got), slice_of(data, sizeof(data)));
        rig_stop(&r);
        buf_fini(&w);
    }
}

/* ---- endpoints that are full */

enum form { CANONICAL, REORDERED, FRAGMENTED, FORMS };

#define STREAM "0123456789abcdefghijklmnopqrst"

/* A TRANSFER of STREAM in that form. */
static void wire_form(struct buf *w, bool masked, enum form form)
{
    struct buf m = {0};

    if (form == REORDERED) {
        struct slice all = slice_str("\x1a\x1e" STREAM "\x0a\x01"
                                     "a\x10\x02");

        wire_frame(w, masked, true, WS_BINARY, all);
        return;
    }
    wire_message(&m, slice_str("a"), MSG_TRANSFER, slice_str(STREAM));
    if (form == CANONICAL) {
        wire_frame(w, masked, true, WS_BINARY, buf_slice(&m));
    } else {
        wire_frame(w, masked, false, WS_BINARY, slice_of(m.mem, 20));
        wire_frame(w, masked, true, WS_CONT, slice_of(m.mem + 20, m.len - 20));
    }
    buf_fini(&m);
}

static void start_two(struct rig *r, bool server, struct end **a, struct end **b)
{
    rig_start(r, server);
    *a = rig_accepted(r, "a");
    *b = rig_accepted(r, "b");
}

/* Feeds `w` in two pieces to a channel that takes `room` bytes at a time. */
static void check_blocked(const struct buf *w, bool server, size_t split, size_t room)
{
    struct end *a, *b;
    struct rig r;

    start_two(&r, server, &a, &b);
    r.link.cap.max = 0; /* nothing can be held */
    a->room = room;
    rig_feed(&r, slice_of(w->mem, split));
    rig_feed(&r, slice_of(w->mem + split, w->len - split));
    for (unsigned rounds = 0; !link_wants_input(&r.link); rounds++) {
        size_t got = a->got.len, delivered = a->delivered;

        assert_true(rounds <= sizeof(STREAM));
        assert_int_equal(got, (rounds + 1) * room);
        assert_int_equal(b->got.len, 0);
        a->room = room;
        chan_resume(&b->ch);
        rig_pump(&r);
        assert_int_equal(a->delivered, delivered);
        chan_resume(&a->ch);
        rig_pump(&r);
    }
    assert_slice(buf_slice(&a->got), slice_str(STREAM));
    assert_slice(buf_slice(&b->got), slice_str("next"));
    rig_expect_frame(&r, WS_PONG, slice_str("p"));
    assert_int_equal(r.rx.len, 0);
    rig_stop(&r);
}

static void test_blocked(void **state)
{
    static const size_t rooms[] = {1, 2, 3, 7, 8, 9, 29, 30, 31};

    (void)state;
    for (int server = 0; server < 2; server++)
        for (int form = 0; form < FORMS; form++) {
            struct buf w = {0};

            wire_form(&w, server, (enum form)form);
            wire_msg(&w, server, slice_str("b"), MSG_TRANSFER, slice_str("next"));
            wire_frame(&w, server, true, WS_PING, slice_str("p"));
            for (size_t split = 0; split <= w.len; split++)
                for (size_t i = 0; i < COUNT(rooms); i++)
                    check_blocked(&w, server, split, rooms[i]);
            buf_fini(&w);
        }
}

/* A full channel that goes away lets the rest of its data go, and the input on. */
static void test_blocked_then_aborted(void **state)
{
    (void)state;
    for (int form = 0; form < FORMS; form++)
        for (size_t room = 0; room < sizeof(STREAM) - 1; room++) {
            struct end *a, *b;
            unsigned wakes;
            struct rig r;

            start_two(&r, true, &a, &b);
            r.link.cap.max = 0;
            wire_form(&r.rx, true, (enum form)form);
            wire_msg(&r.rx, true, slice_str("b"), MSG_TRANSFER, slice_str("next"));
            a->room = room;
            rig_pump(&r);
            assert_false(link_wants_input(&r.link));
            wakes = r.wakes;
            chan_abort(&a->ch);
            assert_true(r.wakes > wakes);
            rig_pump(&r);
            assert_int_equal(a->got.len, room);
            assert_slice(buf_slice(&b->got), slice_str("next"));
            rig_expect(&r, slice_str("a"), MSG_INTERRUPT, slice_str(""));
            rig_expect_nothing(&r);
            rig_stop(&r);
        }
}

/* INTERRUPT behind data that waits: the data comes first. */
static void test_blocked_then_interrupt(void **state)
{
    (void)state;
    for (int form = 0; form < FORMS; form++) {
        struct end *a, *b;
        struct rig r;

        start_two(&r, false, &a, &b);
        r.link.cap.max = 0;
        wire_form(&r.rx, false, (enum form)form);
        wire_msg(&r.rx, false, slice_str("a"), MSG_INTERRUPT, slice_str(""));
        a->room = 5;
        rig_pump(&r);
        assert_int_equal(a->closed, 0);
        a->room = SIZE_MAX;
        chan_resume(&a->ch);
        rig_pump(&r);
        assert_slice(buf_slice(&a->got), slice_str(STREAM));
        assert_int_equal(a->how, CHAN_END_PEER);
        rig_stop(&r);
    }
}

static size_t deliver_and_abort(struct chan *ch, uint8_t *data, size_t len)
{
    size_t n = end_deliver(ch, data, len);

    memset(data, 0, len);
    chan_abort(ch);
    return n;
}

/* An endpoint may end its channel from inside deliver, and spoil the data it was shown. */
static void test_abort_inside_deliver(void **state)
{
    struct chan_ops ops = end_ops;

    (void)state;
    ops.deliver = deliver_and_abort;
    for (int form = 0; form < FORMS; form++)
        for (size_t room = 0; room <= sizeof(STREAM); room += 10) {
            struct end *a, *b;
            struct rig r;

            start_two(&r, true, &a, &b);
            a->ch.ops = &ops;
            a->room = room;
            wire_form(&r.rx, true, (enum form)form);
            wire_form(&r.rx, true, (enum form)form);
            wire_msg(&r.rx, true, slice_str("b"), MSG_TRANSFER, slice_str("next"));
            rig_pump(&r);
            assert_int_equal(a->delivered, 1);
            assert_slice(buf_slice(&b->got), slice_str("next"));
            rig_expect(&r, slice_str("a"), MSG_INTERRUPT, slice_str(""));
            rig_expect(&r, slice_str("a"), MSG_INTERRUPT, slice_str(UNKNOWN_ID));
            rig_expect_nothing(&r);
            rig_stop(&r);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_split),          cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_large_frames),         cmocka_unit_test(test_blocked),
        cmocka_unit_test(test_blocked_then_aborted), cmocka_unit_test(test_blocked_then_interrupt),
        cmocka_unit_test(test_abort_inside_deliver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
