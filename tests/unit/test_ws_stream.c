/* A WebSocket's input in pieces of every size: payload, control frames, faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "proto/ws_stream.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct piece {
    unsigned first;      /* FIN bit and opcode, as on the wire */
    const char *payload; /* without NUL bytes; NULL ends the list */
};

#define FIN 0x80
#define LEN(s) (sizeof(s) - 1)

static void put_frame(struct buf *wire, unsigned first, const void *payload, size_t len)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    struct ws_frame f = {.masked = true, .mask = {mask[0], mask[1], mask[2], mask[3]}, .len = len};
    uint8_t header[WS_HEADER_MAX];
    size_t n = ws_frame_write(&f, header);

    header[0] = (uint8_t)first;
    assert_int_equal(buf_append(wire, header, n), WSP_OK);
    assert_int_equal(buf_append(wire, payload, len), WSP_OK);
    ws_mask(buf_tail(wire) - len, len, mask, 0);
}

/* What came out: payload as it is, "{ping x}" and so on between. */
static void note(struct buf *seen, const struct ws_stream *s, enum ws_event event)
{
    static const char *const names[] = {"", "ping", "pong", "close", "bad"};
    char text[256];
    int n;

    if (event == WS_EVENT_NONE)
        return;
    if (event == WS_EVENT_PING || event == WS_EVENT_PONG)
        n = snprintf(text, sizeof(text), "{%s %.*s}", names[event], (int)s->control_len,
                     (const char *)s->control);
    else
        n = snprintf(text, sizeof(text), "{%s %u}", names[event], s->code);
    buf_append(seen, text, (size_t)n);
}

/* One piece of input in memory of just its size, filtered in place. */
static void feed(struct ws_stream *s, struct slice input, struct buf *seen)
{
    uint8_t *mem = malloc(input.len ? input.len : 1);
    struct slice in = {mem, input.len};
    size_t made, at = 0;
    enum ws_event event;

    if (input.len)
        memcpy(mem, input.p, input.len);
    do {
        event = ws_stream_next(s, &in, mem + at, &made);
        assert_true(made <= input.len - at);
        if (made)
            buf_append(seen, mem + at, made);
        at += made;
        note(seen, s, event);
    } while (event != WS_EVENT_NONE);
    assert_int_equal(in.len, 0);
    free(mem);
}

/* The wire cut at `first`, then every `step` bytes. */
static void run(const struct buf *wire, size_t first, size_t step, struct buf *seen)
{
    struct slice rest = buf_slice(wire);
    struct ws_stream s = {0};
    size_t n = first;

    seen->off = seen->len = 0;
    do {
        n = n < rest.len ? n : rest.len;
        feed(&s, slice_of(rest.p, n), seen);
        slice_advance(&rest, n);
        n = step;
    } while (rest.len);
}

static void expect(const struct buf *wire, struct slice wanted, const char *name)
{
    struct buf seen = {0};

    for (size_t first = 0; first <= wire->len; first++) {
        run(wire, first, wire->len, &seen);
        if (!slice_eq(buf_slice(&seen), wanted))
            fail_msg("%s, cut at %zu: %.*s", name, first, SLICE_FMT(buf_slice(&seen)));
    }
    for (size_t step = 1; step <= 40; step++) {
        run(wire, step, step, &seen);
        if (!slice_eq(buf_slice(&seen), wanted))
            fail_msg("%s, %zu at a time: %.*s", name, step, SLICE_FMT(buf_slice(&seen)));
    }
    buf_fini(&seen);
}

static const struct {
    const char *name;
    struct piece frames[6];
    const char *wanted;
} cases[] = {
    {"binary", {{FIN | WS_BINARY, "hello"}}, "hello"},
    {"empty messages", {{FIN | WS_BINARY, ""}, {FIN | WS_TEXT, ""}}, ""},
    {"two messages", {{FIN | WS_BINARY, "ab"}, {FIN | WS_TEXT, "cd"}}, "abcd"},
    {"fragments",
     {{WS_BINARY, "a"}, {WS_CONT, "bcd"}, {WS_CONT, ""}, {FIN | WS_CONT, "e"}},
     "abcde"},
    {"control between fragments",
     {{WS_TEXT, "a"},
      {FIN | WS_PING, "one"},
      {FIN | WS_PONG, ""},
      {FIN | WS_CONT, "b"},
      {FIN | WS_PING, ""}},
     "a{ping one}{pong }b{ping }"},
    {"longest control",
     {{FIN | WS_PING, "0123456789012345678901234567890123456789012345678901234567890123456789"
                      "0123456789012345678901234567890123456789012345678901234"}},
     "{ping 0123456789012345678901234567890123456789012345678901234567890123456789"
     "0123456789012345678901234567890123456789012345678901234}"},
    {"close without code", {{FIN | WS_CLOSE, ""}}, "{close 1005}"},
    {"nothing after a close",
     {{FIN | WS_BINARY, "a"},
      {FIN | WS_CLOSE, "\x03\xe8why"},
      {FIN | WS_BINARY, "b"},
      {FIN | WS_PING, ""}},
     "a{close 1000}"},
    {"close between fragments", {{WS_BINARY, "a"}, {FIN | WS_CLOSE, "\x0f\xa1"}}, "a{close 4001}"},
    {"bad close code", {{FIN | WS_CLOSE, "\x03\xed"}}, "{bad 1002}"},
    {"half a close code", {{FIN | WS_CLOSE, "\x03"}}, "{bad 1002}"},
    {"close reason not UTF-8", {{FIN | WS_CLOSE, "\x03\xe8\xff"}}, "{bad 1002}"},
    {"reserved bit", {{FIN | 0x40 | WS_BINARY, "a"}, {FIN | WS_BINARY, "b"}}, "{bad 1002}"},
    {"reserved opcode", {{FIN | 3, "a"}}, "{bad 1002}"},
    {"reserved control opcode", {{FIN | 11, "a"}}, "{bad 1002}"},
    {"fragmented ping", {{WS_PING, "a"}}, "{bad 1002}"},
    {"continuation of nothing", {{FIN | WS_CONT, "a"}}, "{bad 1002}"},
    {"continuation after the end", {{FIN | WS_BINARY, "a"}, {FIN | WS_CONT, "b"}}, "a{bad 1002}"},
    {"message in a message", {{WS_BINARY, "a"}, {FIN | WS_BINARY, "b"}}, "a{bad 1002}"},
    {"character across fragments",
     {{WS_TEXT, "\xe2"}, {FIN | WS_PING, "\xff"}, {WS_CONT, "\x82"}, {FIN | WS_CONT, "\xac"}},
     "\xe2{ping \xff}\x82\xac"},
    {"text begins anew",
     {{FIN | WS_TEXT, "a\xc3\xa4"}, {FIN | WS_TEXT, "\xc3\xa4"}},
     "a\xc3\xa4\xc3\xa4"},
    {"binary need not be UTF-8", {{WS_BINARY, "\xff"}, {FIN | WS_CONT, "\xfe"}}, "\xff\xfe"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf wire = {0};

        for (size_t k = 0; k < COUNT(cases[i].frames) && cases[i].frames[k].payload; k++) {
            const struct piece *p = &cases[i].frames[k];

            put_frame(&wire, p->first, p->payload, strlen(p->payload));
        }
        expect(&wire, slice_str(cases[i].wanted), cases[i].name);
        buf_fini(&wire);
    }
}

/* How much of the text still comes out depends on how it was cut, but the verdict must be there. */
static void expect_bad_text(const struct buf *wire)
{
    static const char verdict[] = "{bad 1007}";
    struct buf seen = {0};

    for (size_t first = 0; first <= wire->len; first++) {
        struct slice end;

        run(wire, first, 1, &seen);
        end = buf_slice(&seen);
        assert_true(end.len >= LEN(verdict));
        slice_advance(&end, end.len - LEN(verdict));
        assert_true(slice_eq_str(end, verdict));
    }
    buf_fini(&seen);
}

static void test_bad_text(void **state)
{
    static const struct piece bad[][3] = {
        {{FIN | WS_TEXT, "\xff"}},
        {{FIN | WS_TEXT, "abc\xed\xa0\x80"}, {FIN | WS_BINARY, "x"}},
        {{FIN | WS_TEXT, "a\xe2\x82"}, {FIN | WS_TEXT, "\xac"}},
        {{WS_TEXT, "\xe2"}, {FIN | WS_CONT, "x"}},
        {{WS_TEXT, "\xe2\x82"}, {FIN | WS_CONT, ""}},
        {{WS_TEXT, "\xc3"}, {FIN | WS_PING, "\xa4"}, {FIN | WS_CONT, ""}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct buf wire = {0};

        for (size_t k = 0; k < COUNT(bad[i]) && bad[i][k].payload; k++)
            put_frame(&wire, bad[i][k].first, bad[i][k].payload, strlen(bad[i][k].payload));
        expect_bad_text(&wire);
        buf_fini(&wire);
    }
}

static void expect_raw(const void *wire, size_t len, const char *wanted)
{
    struct buf b = {0};

    buf_append(&b, wire, len);
    expect(&b, slice_str(wanted), "raw");
    buf_fini(&b);
}

static void test_raw_faults(void **state)
{
    (void)state;
    expect_raw("\x82\x01x", 3, "{bad 1002}");            /* unmasked */
    expect_raw("\x89\x00", 2, "{bad 1002}");             /* unmasked ping */
    expect_raw("\x82\xfe\x00\x01mask", 8, "{bad 1002}"); /* length not in its shortest form */
    expect_raw("\x89\xfe\x00\x7emask", 8, "{bad 1002}"); /* ping of 126 bytes */
    expect_raw("\x82\xff\x80\0\0\0\0\0\0\0mask", 14, "{bad 1002}"); /* highest bit of the length */
}

/* The largest frame there can be: its payload comes out as it goes in. */
static void test_endless_frame(void **state)
{
    (void)state;
    expect_raw("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0payload", 21, "payload");
}

static void test_lengths(void **state)
{
    static const size_t lengths[] = {0, 1, 7, 8, 124, 125, 126, 127, 65535, 65536, 65537};

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        size_t len = lengths[i];
        struct buf wire = {0}, seen = {0};
        uint8_t *payload = malloc(len + 1);

        for (size_t k = 0; k < len; k++)
            payload[k] = (uint8_t)(k * 7 >> 3);
        payload[len] = '!';
        put_frame(&wire, FIN | WS_BINARY, payload, len);
        put_frame(&wire, FIN | WS_BINARY, "!", 1);
        for (size_t first = 0; first <= 20; first++) {
            run(&wire, first, 4093 + first, &seen);
            assert_true(slice_eq(buf_slice(&seen), slice_of(payload, len + 1)));
        }
        free(payload);
        buf_fini(&wire);
        buf_fini(&seen);
    }
}

static void test_between_messages(void **state)
{
    struct ws_stream s = {0};
    struct buf wire = {0}, seen = {0};
    size_t messages_end;

    (void)state;
    put_frame(&wire, WS_BINARY, "a", 1);
    put_frame(&wire, FIN | WS_PING, "", 0);
    put_frame(&wire, FIN | WS_CONT, "b", 1);
    messages_end = wire.len;
    put_frame(&wire, FIN | WS_PING, "p", 1);
    for (size_t i = 0; i < wire.len; i++) {
        bool between = i == 0 || i == messages_end;

        assert_int_equal(ws_stream_between_messages(&s), between);
        feed(&s, slice_of(wire.mem + i, 1), &seen);
    }
    assert_true(ws_stream_between_messages(&s));
    buf_fini(&wire);
    buf_fini(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),      cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_raw_faults), cmocka_unit_test(test_endless_frame),
        cmocka_unit_test(test_lengths),    cmocka_unit_test(test_between_messages),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
