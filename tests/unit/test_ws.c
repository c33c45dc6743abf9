/* Frames, masks, close payloads and the accept key (RFC 6455). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ws.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A copy of exactly `len` bytes, so that reading over its end is seen. */
static uint8_t *exact(const void *p, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    if (len)
        memcpy(copy, p, len);
    return copy;
}

struct frame_case {
    const char *name;
    size_t len;
    uint8_t bytes[WS_HEADER_MAX];
    struct ws_frame frame;
};

/* RFC 6455 section 5.7, then the borders between the three forms of length. */
static const struct frame_case valid[] = {
    {"text", 2, {0x81, 0x05}, {true, WS_TEXT, false, {0}, 5}},
    {"masked text",
     6,
     {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d},
     {true, WS_TEXT, true, {0x37, 0xfa, 0x21, 0x3d}, 5}},
    {"fragment", 2, {0x01, 0x03}, {false, WS_TEXT, false, {0}, 3}},
    {"last fragment", 2, {0x80, 0x02}, {true, WS_CONT, false, {0}, 2}},
    {"ping", 2, {0x89, 0x05}, {true, WS_PING, false, {0}, 5}},
    {"masked pong",
     6,
     {0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d},
     {true, WS_PONG, true, {0x37, 0xfa, 0x21, 0x3d}, 5}},
    {"256 bytes", 4, {0x82, 0x7e, 0x01, 0x00}, {true, WS_BINARY, false, {0}, 256}},
    {"64 KiB", 10, {0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}, {true, WS_BINARY, false, {0}, 65536}},
    {"125 bytes", 2, {0x82, 0x7d}, {true, WS_BINARY, false, {0}, 125}},
    {"126 bytes", 4, {0x82, 0x7e, 0x00, 0x7e}, {true, WS_BINARY, false, {0}, 126}},
    {"65535 bytes", 4, {0x82, 0x7e, 0xff, 0xff}, {true, WS_BINARY, false, {0}, 65535}},
    {"2^63 - 1 bytes, masked",
     14,
     {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4},
     {true, WS_BINARY, true, {1, 2, 3, 4}, INT64_MAX}},
    {"empty close", 2, {0x88, 0x00}, {true, WS_CLOSE, false, {0}, 0}},
    {"heartbeat of protocol 0.10",
     6,
     {0x89, 0x80, 0xdc, 0xcc, 0x3d, 0x24},
     {true, WS_PING, true, {0xdc, 0xcc, 0x3d, 0x24}, 0}},
    {"full TRANSFER of protocol 0.10",
     4,
     {0x82, 0x7e, 0x80, 0x23},
     {true, WS_BINARY, false, {0}, 32803}},
};

static void assert_frame(const struct ws_frame *got, const struct ws_frame *want, const char *name)
{
    if (got->fin != want->fin || got->op != want->op || got->masked != want->masked ||
        memcmp(got->mask, want->mask, 4) != 0 || got->len != want->len)
        fail_msg("%s: wrong frame", name);
}

static void test_parse(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        uint8_t longer[WS_HEADER_MAX + 3] = {0};
        struct slice in = {longer, valid[i].len + 3};
        struct ws_frame f;

        memcpy(longer, valid[i].bytes, valid[i].len);
        assert_int_equal(ws_frame_parse(&in, &f), WSP_OK);
        assert_frame(&f, &valid[i].frame, valid[i].name);
        assert_ptr_equal(in.p, longer + valid[i].len);
        assert_int_equal(in.len, 3);
    }
}

static void test_parse_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        for (size_t n = 0; n < valid[i].len; n++) {
            uint8_t *copy = exact(valid[i].bytes, n);
            struct slice in = {copy, n};
            struct ws_frame f, before;

            memset(&f, 0x5a, sizeof(f));
            memcpy(&before, &f, sizeof(f));
            assert_int_equal(ws_frame_parse(&in, &f), WSP_ERR_MORE);
            assert_ptr_equal(in.p, copy);
            assert_int_equal(in.len, n);
            assert_memory_equal(&f, &before, sizeof(f));
            free(copy);
        }
    }
}

static void test_parse_malformed(void **state)
{
    static const struct {
        const char *name;
        size_t len;
        uint8_t bytes[WS_HEADER_MAX];
    } bad[] = {
        {"rsv1", 2, {0xc2, 0x00}},
        {"rsv2", 2, {0xa2, 0x00}},
        {"rsv3", 2, {0x92, 0x00}},
        {"fragmented ping", 2, {0x09, 0x00}},
        {"ping over 125", 4, {0x89, 0x7e, 0x00, 0x7e}},
        {"close over 125", 10, {0x88, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}},
        {"125 in 2 bytes", 4, {0x82, 0x7e, 0x00, 0x7d}},
        {"65535 in 8 bytes", 10, {0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff}},
        {"highest bit", 10, {0x82, 0x7f, 0x80, 0, 0, 0, 0, 1, 0, 0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct slice in = {bad[i].bytes, bad[i].len};
        struct ws_frame f;

        if (ws_frame_parse(&in, &f) != WSP_ERR_MALFORMED || in.p != bad[i].bytes)
            fail_msg("%s: not refused", bad[i].name);
    }
    for (unsigned op = 3; op < 16; op++) {
        uint8_t bytes[2] = {(uint8_t)(0x80 | op), 0};
        struct slice in = {bytes, 2};
        struct ws_frame f;
        bool known = op >= 8 && op <= 10;

        assert_int_equal(ws_frame_parse(&in, &f), known ? WSP_OK : WSP_ERR_MALFORMED);
    }
}

static void test_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        uint8_t out[WS_HEADER_MAX];
        const struct ws_frame *f = &valid[i].frame;

        assert_int_equal(ws_frame_header_len(f->len, f->masked), valid[i].len);
        assert_int_equal(ws_frame_write(f, out), valid[i].len);
        assert_memory_equal(out, valid[i].bytes, valid[i].len);
    }
}

/* Every length and alignment against one byte a step; a guard byte on each side. */
static void test_mask(void **state)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t plain[310], buf[326];

    (void)state;
    for (size_t i = 0; i < sizeof(plain); i++)
        plain[i] = (uint8_t)(i * 7 + 1);
    for (size_t align = 0; align < 8; align++) {
        for (size_t len = 0; len <= 300; len++) {
            uint64_t pos = len * 3 + align;
            uint8_t *p = buf + 8 + align;

            memset(buf, 0xee, sizeof(buf));
            memcpy(p, plain, len);
            ws_mask(p, len, mask, pos);
            for (size_t i = 0; i < len; i++)
                if (p[i] != (plain[i] ^ mask[(pos + i) % 4]))
                    fail_msg("align %zu, length %zu, byte %zu", align, len, i);
            assert_int_equal(p[-1], 0xee);
            assert_int_equal(p[len], 0xee);
        }
    }
}

/* A payload that comes in two pieces is masked like one that comes whole. */
static void test_mask_pieces(void **state)
{
    static const uint8_t mask[4] = {1, 2, 4, 8};
    uint8_t whole[64] = {0};

    (void)state;
    ws_mask(whole, sizeof(whole), mask, UINT64_C(1) << 40);
    for (size_t cut = 0; cut <= sizeof(whole); cut++) {
        uint8_t pieces[64] = {0};

        ws_mask(pieces, cut, mask, UINT64_C(1) << 40);
        ws_mask(pieces + cut, sizeof(pieces) - cut, mask, (UINT64_C(1) << 40) + cut);
        assert_memory_equal(pieces, whole, sizeof(whole));
    }
}

static void test_mask_rfc(void **state)
{
    static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    uint8_t p[5] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};

    (void)state;
    ws_mask(p, sizeof(p), mask, 0);
    assert_memory_equal(p, "Hello", 5);
}

static void test_close_codes(void **state)
{
    (void)state;
    for (unsigned code = 0; code <= UINT16_MAX; code++) {
        uint8_t bytes[2] = {(uint8_t)(code >> 8), (uint8_t)code};
        bool valid_code = (code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) ||
                          (code >= 3000 && code <= 4999);
        unsigned got = 77;
        struct slice reason = {0};
        enum wsp_err err = ws_close_parse(slice_of(bytes, 2), &got, &reason);

        assert_int_equal(err, valid_code ? WSP_OK : WSP_ERR_MALFORMED);
        assert_int_equal(got, valid_code ? code : 77);
    }
}

static void test_close_parse(void **state)
{
    unsigned code = 77;
    struct slice reason = slice_str("untouched");

    (void)state;
    assert_int_equal(ws_close_parse(slice_of("\x03", 1), &code, &reason), WSP_ERR_MALFORMED);
    assert_int_equal(ws_close_parse(slice_of("\x03\xe8\xc3", 3), &code, &reason),
                     WSP_ERR_MALFORMED);
    assert_int_equal(code, 77);
    assert_true(slice_eq_str(reason, "untouched"));
    assert_int_equal(ws_close_parse(slice_of("\x03\xe8ok", 4), &code, &reason), WSP_OK);
    assert_int_equal(code, WS_CLOSE_NORMAL);
    assert_true(slice_eq_str(reason, "ok"));
    assert_int_equal(ws_close_parse(slice_of(NULL, 0), &code, &reason), WSP_OK);
    assert_int_equal(code, WS_CLOSE_NO_STATUS);
    assert_int_equal(reason.len, 0);
}

static void test_close_write(void **state)
{
    uint8_t out[WS_CONTROL_MAX];
    char text[200];
    size_t n;

    (void)state;
    assert_int_equal(ws_close_write(WS_CLOSE_NO_STATUS, slice_str("x"), out), 0);
    assert_int_equal(ws_close_write(WS_CLOSE_TOO_BIG, slice_of(NULL, 0), out), 2);
    assert_memory_equal(out, "\x03\xf1", 2);
    /* 122 ASCII bytes and a two-byte character leave no room for the character's second byte. */
    memset(text, 'a', sizeof(text));
    memcpy(text + 122, "\xc3\xa9", 2);
    n = ws_close_write(WS_CLOSE_PROTOCOL, slice_of(text, sizeof(text)), out);
    assert_int_equal(n, 124);
    assert_memory_equal(out + 2, text, 122);
    memcpy(text + 121,
           "\xc3\xa9"
           "a",
           3);
    assert_int_equal(ws_close_write(WS_CLOSE_PROTOCOL, slice_of(text, 124), out), WS_CONTROL_MAX);
    assert_int_equal(ws_close_write(WS_CLOSE_PROTOCOL, slice_of(text, 123), out), WS_CONTROL_MAX);
}

static void test_keys(void **state)
{
    char accept[WS_ACCEPT_LEN + 1], key[WS_KEY_LEN + 1];

    (void)state;
    ws_accept_key(slice_str("dGhlIHNhbXBsZSBub25jZQ=="), accept);
    assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    ws_accept_key(slice_str("Uv38ByGCZU8WP18PmmIdcg=="), accept);
    assert_string_equal(accept, "q9gJh2URkPK531679m/l+p3DSE4=");
    ws_key_write((const uint8_t *)"the sample nonce", key);
    assert_string_equal(key, "dGhlIHNhbXBsZSBub25jZQ==");

    assert_true(ws_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZQ==")));
    assert_true(ws_key_valid(slice_str("+/+/+/+/+/+/+/+/+/+/+w==")));
    assert_false(ws_key_valid(slice_str("")));
    assert_false(ws_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZQ=")));
    assert_false(ws_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZQ===")));
    assert_false(ws_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZWE=")));
    assert_false(ws_key_valid(slice_str("dGhlIHNhbXBsZSBub25jZQ=a")));
    assert_false(ws_key_valid(slice_str("dGhlIHNhbXBsZSBub-5jZQ==")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_prefixes),
        cmocka_unit_test(test_parse_malformed),
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_mask),
        cmocka_unit_test(test_mask_pieces),
        cmocka_unit_test(test_mask_rfc),
        cmocka_unit_test(test_close_codes),
        cmocka_unit_test(test_close_parse),
        cmocka_unit_test(test_close_write),
        cmocka_unit_test(test_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
