#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/socks5.h"

#define BYTES(...)                                                             \
    {                                                                          \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}) \
    }
#define TEXT(s)                             \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
/* A CONNECT to port 80 of a name whose length byte is `len`. */
#define TO_NAME(len, name) TEXT("\x05\x01\x00\x03" len name "\x00\x50")
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

enum kind {
    GREETING,
    AUTH,
    REQUEST,
};

union output {
    struct socks5_greeting greeting;
    struct socks5_auth auth;
    struct socks5_request request;
};

static enum wsp_err parse(enum kind kind, struct slice *in, union output *out)
{
    switch (kind) {
    case GREETING:
        return socks5_greeting_parse(in, &out->greeting);
    case AUTH:
        return socks5_auth_parse(in, &out->auth);
    default:
        return socks5_request_parse(in, &out->request);
    }
}

/* Parses an exactly sized copy, so that ASan sees a read past it, and expects an error. */
static void expect_error(enum kind kind, struct slice bytes, enum wsp_err expected)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    struct slice in = slice_of(bytes.len ? copy : NULL, bytes.len);
    union output out;
    union output before;

    memset(&out, 0xa5, sizeof(out));
    memset(&before, 0xa5, sizeof(before));
    memcpy(copy, bytes.p, bytes.len);
    assert_int_equal(parse(kind, &in, &out), expected);
    assert_ptr_equal(in.p, bytes.len ? copy : NULL);
    assert_int_equal(in.len, bytes.len);
    assert_memory_equal(&out, &before, sizeof(out));
    free(copy);
}

static const struct {
    enum kind kind;
    struct slice bytes;
} valid[] = {
    {GREETING, BYTES(5, 1, 0)},
    {GREETING, BYTES(5, 1, 2)},
    {GREETING, BYTES(5, 3, 0, 1, 2)},
    {GREETING, BYTES(5, 2, 0x80, 0xff)},
    {AUTH, TEXT("\x01\x04user\x06secret")},
    {AUTH, BYTES(1, 1, 0, 1, 0xff)},
    {AUTH, BYTES(1, 0, 0)},
    {REQUEST, BYTES(5, 1, 0, 1, 127, 0, 0, 1, 0x1f, 0x90)},
    {REQUEST, TEXT("\x05\x01\x00\x03\x0b"
                   "example.org\x01\xbb")},
    {REQUEST, TEXT("\x05\x01\xff\x03\x01"
                   "a\x00\x00")},
    {REQUEST, TEXT("\x05\x01\x00\x03\x03::1\x00\x50")},
    {REQUEST, BYTES(5, 1, 0, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80)},
    {REQUEST, BYTES(5, 2, 0, 1, 0, 0, 0, 0, 0, 0)},
    {REQUEST, BYTES(5, 3, 0, 1, 0, 0, 0, 0, 0, 0)},
};

static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid); i++)
        for (size_t n = 0; n < valid[i].bytes.len; n++)
            expect_error(valid[i].kind, slice_of(valid[i].bytes.p, n), WSP_ERR_MORE);
}

/* What follows a message stays in the input. */
static void test_consumes_exactly(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
        struct slice bytes = valid[i].bytes;
        uint8_t *copy = calloc(bytes.len + 3, 1);
        struct slice in = slice_of(copy, bytes.len + 3);
        union output out;

        memcpy(copy, bytes.p, bytes.len);
        assert_int_equal(parse(valid[i].kind, &in, &out), WSP_OK);
        assert_ptr_equal(in.p, copy + bytes.len);
        assert_int_equal(in.len, 3);
        free(copy);
    }
}

static void test_malformed(void **state)
{
    const struct {
        enum kind kind;
        struct slice bytes;
    } cases[] = {
        {GREETING, BYTES(4)},
        {GREETING, BYTES(4, 1, 0, 80, 127, 0, 0, 1, 0)},
        {GREETING, TEXT("GET / HTTP/1.1\r\n")},
        {GREETING, BYTES(0x16, 3, 1)},
        {GREETING, BYTES(5, 0)},
        {AUTH, BYTES(5)},
        {AUTH, BYTES(0, 1, 'a', 1, 'b')},
        {REQUEST, BYTES(4)},
        {REQUEST, BYTES(0, 1, 0, 1, 1, 2, 3, 4, 0, 80)},
        {REQUEST, BYTES(5, 1, 0, 3, 0, 0, 80)},
        {REQUEST, TO_NAME("\x03", "a b")},
        {REQUEST, TO_NAME("\x03", "a\x00"
                                  "b")},
        {REQUEST, TO_NAME("\x03", "a\nb")},
        {REQUEST, TO_NAME("\x03", "a\x7f"
                                  "b")},
        {REQUEST, TO_NAME("\x03", "a\xc3\xa4")},
        {REQUEST, TO_NAME("\x03", "a/b")},
        {REQUEST, TO_NAME("\x03", "a?b")},
        {REQUEST, TO_NAME("\x03", "a#b")},
        {REQUEST, TO_NAME("\x03", "a@b")},
        {REQUEST, TO_NAME("\x03", "a%b")},
        {REQUEST, TO_NAME("\x03", "a\\b")},
        {REQUEST, TO_NAME("\x03", "a:1")},
        {REQUEST, TO_NAME("\x05", "[::1]")},
        {REQUEST, TO_NAME("\x08", "fe80::%1")},
        {REQUEST, TO_NAME("\x04", "::1\x00")},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_error(cases[i].kind, cases[i].bytes, WSP_ERR_MALFORMED);
}

static void test_greeting(void **state)
{
    const struct {
        struct slice bytes;
        bool no_auth;
        bool user_pass;
    } cases[] = {
        {BYTES(5, 1, 0), true, false},
        {BYTES(5, 1, 2), false, true},
        {BYTES(5, 3, 2, 1, 0), true, true},
        {BYTES(5, 2, 1, 0xff), false, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice in = cases[i].bytes;
        struct socks5_greeting g;

        assert_int_equal(socks5_greeting_parse(&in, &g), WSP_OK);
        assert_int_equal(g.no_auth, cases[i].no_auth);
        assert_int_equal(g.user_pass, cases[i].user_pass);
    }
}

static void test_all_methods(void **state)
{
    uint8_t bytes[2 + 255] = {5, 255};
    struct slice in = slice_of(bytes, sizeof(bytes));
    struct socks5_greeting g;

    (void)state;
    for (size_t i = 0; i < 255; i++)
        bytes[2 + i] = (uint8_t)(i + 1);
    assert_int_equal(socks5_greeting_parse(&in, &g), WSP_OK);
    assert_int_equal(in.len, 0);
    assert_false(g.no_auth);
    assert_true(g.user_pass);
}

static void test_auth(void **state)
{
    struct slice in = TEXT("\x01\x04user\x06secret");
    struct slice empty = TEXT("\x01\x00\x00");
    struct socks5_auth a;

    (void)state;
    assert_int_equal(socks5_auth_parse(&in, &a), WSP_OK);
    assert_true(slice_eq_str(a.user, "user"));
    assert_true(slice_eq_str(a.password, "secret"));
    assert_int_equal(socks5_auth_parse(&empty, &a), WSP_OK);
    assert_int_equal(a.user.len + a.password.len, 0);
}

static void test_request(void **state)
{
    const struct {
        struct slice bytes;
        const char *host;
        uint16_t port;
        bool is_name;
        uint8_t reply;
    } cases[] = {
        {BYTES(5, 1, 0, 1, 127, 0, 0, 1, 0x1f, 0x90), "127.0.0.1", 8080, false, 0},
        {BYTES(5, 1, 0, 1, 255, 255, 255, 255, 255, 255), "255.255.255.255", 65535, false, 0},
        {BYTES(5, 1, 9, 4, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80),
         "2001:db8::1", 80, false, 0},
        {TEXT("\x05\x01\x00\x03\x0b"
              "Example.org\x01\xbb"),
         "Example.org", 443, true, 0},
        {TEXT("\x05\x01\x00\x03\x07"
              "1.2.3.4\x00\x16"),
         "1.2.3.4", 22, false, 0},
        {TEXT("\x05\x01\x00\x03\x05"
              "1.2.3\x00\x16"),
         "1.2.3", 22, true, 0},
        {TEXT("\x05\x01\x00\x03\x03::1\x00\x16"), "::1", 22, false, 0},
        {BYTES(5, 2, 0, 1, 1, 2, 3, 4, 0, 1), "1.2.3.4", 1, false, SOCKS5_COMMAND_NOT_SUPPORTED},
        {BYTES(5, 3, 0, 1, 0, 0, 0, 0, 0, 0), "0.0.0.0", 0, false, SOCKS5_COMMAND_NOT_SUPPORTED},
        {BYTES(5, 0, 0, 1, 0, 0, 0, 0, 0, 0), "0.0.0.0", 0, false, SOCKS5_COMMAND_NOT_SUPPORTED},
        {BYTES(5, 1, 0, 2), "", 0, false, SOCKS5_ADDRESS_NOT_SUPPORTED},
        {BYTES(5, 1, 0, 0, 1, 2, 3), "", 0, false, SOCKS5_ADDRESS_NOT_SUPPORTED},
        {BYTES(5, 9, 0, 5, 1, 2, 3), "", 0, false, SOCKS5_ADDRESS_NOT_SUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice in = cases[i].bytes;
        struct socks5_request r;

        assert_int_equal(socks5_request_parse(&in, &r), WSP_OK);
        assert_int_equal(in.len, 0);
        assert_string_equal(r.host, cases[i].host);
        assert_int_equal(r.port, cases[i].port);
        assert_int_equal(r.is_name, cases[i].is_name);
        assert_int_equal(r.reply, cases[i].reply);
        assert_int_equal(r.cmd, cases[i].bytes.p[1]);
    }
}

static void test_longest_name(void **state)
{
    uint8_t bytes[5 + 255 + 2] = {5, 1, 0, 3, 255};
    struct slice in = slice_of(bytes, sizeof(bytes));
    struct socks5_request r;

    (void)state;
    memset(bytes + 5, 'x', 255);
    assert_int_equal(socks5_request_parse(&in, &r), WSP_OK);
    assert_int_equal(strlen(r.host), 255);
    assert_true(r.is_name);
}

static void test_short_answers(void **state)
{
    uint8_t out[2];

    (void)state;
    socks5_method_write(SOCKS5_USER_PASS, out);
    assert_memory_equal(out, "\x05\x02", 2);
    socks5_method_write(SOCKS5_NONE_ACCEPTABLE, out);
    assert_memory_equal(out, "\x05\xff", 2);
    socks5_auth_status_write(true, out);
    assert_memory_equal(out, "\x01\x00", 2);
    socks5_auth_status_write(false, out);
    assert_int_equal(out[0], 1);
    assert_int_not_equal(out[1], 0);
}

static void test_reply(void **state)
{
    const struct slice nowhere = BYTES(5, 5, 0, 1, 0, 0, 0, 0, 0, 0);
    const struct {
        struct slice bound;
        struct slice expected;
    } cases[] = {
        {TEXT("10.1.2.3:8080"), BYTES(5, 5, 0, 1, 10, 1, 2, 3, 0x1f, 0x90)},
        {TEXT("10.1.2.3:65535"), BYTES(5, 5, 0, 1, 10, 1, 2, 3, 255, 255)},
        {TEXT("[::1]:80"),
         BYTES(5, 5, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 80)},
    };
    const struct slice unusable[] = {
        TEXT(""),
        TEXT(":"),
        TEXT(":80"),
        TEXT("10.1.2.3"),
        TEXT("10.1.2.3:"),
        TEXT("10.1.2:80"),
        TEXT("10.1.2.3:65536"),
        TEXT("10.1.2.3:+1"),
        TEXT("::1:80"),
        TEXT("[::1]"),
        TEXT("[::1:80"),
        TEXT("[]:80"),
        TEXT("[:80"),
        TEXT("[1.2.3.4]:80"),
        TEXT("[::1\0]:80"),
        TEXT("@unix:80"),
        TEXT("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80"),
        {NULL, 0},
    };
    uint8_t out[SOCKS5_REPLY_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = socks5_reply_write(SOCKS5_CONNECTION_REFUSED, cases[i].bound, out);

        assert_true(slice_eq(slice_of(out, n), cases[i].expected));
    }
    for (size_t i = 0; i < ARRAY_LEN(unusable); i++) {
        size_t n = socks5_reply_write(SOCKS5_CONNECTION_REFUSED, unusable[i], out);

        assert_true(slice_eq(slice_of(out, n), nowhere));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),      cmocka_unit_test(test_consumes_exactly),
        cmocka_unit_test(test_malformed),     cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_all_methods),   cmocka_unit_test(test_auth),
        cmocka_unit_test(test_request),       cmocka_unit_test(test_longest_name),
        cmocka_unit_test(test_short_answers), cmocka_unit_test(test_reply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
