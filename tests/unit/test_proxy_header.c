#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/proxy_header.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define TEXT(s)                             \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
#define V2 "\r\n\r\n\0\r\nQUIT\n"
#define V4(a, b, c, d) \
    {                  \
        false,         \
        {              \
            a, b, c, d \
        }              \
    }
#define DOC_V6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0"

static const struct ip_addr doc_v6 = {true, {0x20, 0x01, 0x0d, 0xb8, [15] = 5}};
static const struct ip_addr loopback_v6 = {true, {[15] = 1}};

struct header_case {
    struct slice bytes;
    struct proxy_header h;
};

#define FROM_V4 V4(192, 0, 2, 1)
#define TO_V4 V4(192, 0, 2, 9)
#define KNOWN_V4                                                      \
    {                                                                 \
        .known = true, .from = {FROM_V4, 56324}, .to = { TO_V4, 443 } \
    }
#define KNOWN_V6                                                                \
    {                                                                           \
        .known = true, .from = {{true, {0x20, 0x01, 0x0d, 0xb8, [15] = 5}}, 1}, \
        .to = {{true, {[15] = 1}}, 65535},                                      \
    }

/* Also the bytes that are written. */
static const struct header_case v1[] = {
    {TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 56324 443\r\n"), KNOWN_V4},
    {TEXT("PROXY TCP6 2001:db8::5 ::1 1 65535\r\n"), KNOWN_V6},
    {TEXT("PROXY UNKNOWN\r\n"), {.known = false}},
};
static const struct header_case v2[] = {
    {TEXT(V2 "\x21\x11\0\x0c\xc0\0\x02\x01\xc0\0\x02\x09\xdc\x04\x01\xbb"), KNOWN_V4},
    {TEXT(V2 "\x21\x21\0\x24" DOC_V6 "\5\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\xff\xff"), KNOWN_V6},
    {TEXT(V2 "\x21\0\0\0"), {.known = false}},
};

/* Not as we would write it. */
static const struct header_case others[] = {
    {TEXT("PROXY TCP4 0.0.0.0 255.255.255.255 0 0\r\n"),
     {.known = true, .from = {V4(0, 0, 0, 0), 0}, .to = {V4(255, 255, 255, 255), 0}}},
    {TEXT("PROXY TCP6 ::ffff:192.0.2.1 ::FFFF:c000:0209 56324 443\r\n"),
     {.known = true,
      .from = {{true, {[10] = 0xff, 0xff, 192, 0, 2, 1}}, 56324},
      .to = {{true, {[10] = 0xff, 0xff, 192, 0, 2, 9}}, 443}}},
    {TEXT("PROXY UNKNOWN \0 any\x01 thing \xff\r\n"), {.known = false}},
    {TEXT("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
          "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     {.known = false}},
    {TEXT(V2 "\x20\0\0\0"), {.known = false}},
    {TEXT(V2 "\x20\xff\0\3abc"), {.known = false}}, /* LOCAL: the family is not looked at */
    {TEXT(V2 "\x21\x12\0\0"), {.known = false}},    /* UDP */
    {TEXT(V2 "\x21\x31\0\1x"), {.known = false}},   /* a unix socket */
    {TEXT(V2 "\x21\x11\0\x11\xc0\0\x02\x01\xc0\0\x02\x09\xdc\x04\x01\xbb\x04\0\2zz"), KNOWN_V4},
};

static void assert_header(const struct proxy_header *h, const struct proxy_header *want)
{
    assert_int_equal(h->known, want->known);
    if (!h->known)
        return;
    assert_true(ip_addr_eq(&h->from.ip, &want->from.ip));
    assert_true(ip_addr_eq(&h->to.ip, &want->to.ip));
    assert_int_equal(h->from.port, want->from.port);
    assert_int_equal(h->to.port, want->to.port);
}

/* From an exactly sized copy, so that ASan sees a read past it. */
static enum wsp_err parse(struct slice bytes, struct proxy_header *h, size_t *left)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    struct slice in = slice_of(copy, bytes.len);
    struct proxy_header before = *h;
    enum wsp_err err;

    assert_non_null(copy);
    memcpy(copy, bytes.p, bytes.len);
    err = proxy_header_parse(&in, h);
    assert_ptr_equal(in.p + in.len, copy + bytes.len);
    if (err != WSP_OK) {
        assert_int_equal(in.len, bytes.len);
        assert_memory_equal(&before, h, sizeof(before));
    }
    *left = in.len;
    free(copy);
    return err;
}

static void expect(struct slice bytes, enum wsp_err expected)
{
    struct proxy_header h = {.to.port = 77};
    size_t left;

    if (parse(bytes, &h, &left) != expected)
        fail_msg("not %d: %.*s", expected, SLICE_FMT(bytes));
}

/* Whole, every prefix of it, and with something behind. */
static void check_valid(const struct header_case *c)
{
    struct proxy_header h = {0};
    uint8_t longer[PROXY_HEADER_MAX];
    size_t left;

    assert_int_equal(parse(c->bytes, &h, &left), WSP_OK);
    assert_int_equal(left, 0);
    assert_header(&h, &c->h);
    for (size_t n = 0; n < c->bytes.len; n++)
        expect(slice_of(c->bytes.p, n), WSP_ERR_MORE);
    memcpy(longer, c->bytes.p, c->bytes.len);
    longer[c->bytes.len] = 'G';
    assert_int_equal(parse(slice_of(longer, c->bytes.len + 1), &h, &left), WSP_OK);
    assert_int_equal(left, 1);
}

static void check_both(const struct header_case *c, enum proxy_version version)
{
    uint8_t out[PROXY_WRITE_MAX];

    check_valid(c);
    assert_true(slice_eq(slice_of(out, proxy_header_write(&c->h, version, out)), c->bytes));
}

static void test_valid(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(v1); i++)
        check_both(&v1[i], PROXY_V1);
    for (size_t i = 0; i < COUNT(v2); i++)
        check_both(&v2[i], PROXY_V2);
    for (size_t i = 0; i < COUNT(others); i++)
        check_valid(&others[i]);
}

/* Each is refused when its last byte is there and, but for the last of a line, not before. */
static void test_malformed(void **state)
{
    static const struct slice cases[] = {
        TEXT("G"),
        TEXT("PO"),
        TEXT("p"),
        TEXT("\x16"),
        TEXT(" "),
        TEXT("PROXY\r"),
        TEXT("PROXY  TCP4 192.0.2.1 192.0.2.9 1 2\r\n"),
        TEXT("PROXY \r\n"),
        TEXT("PROXY \n"),
        TEXT("PROXY UNKNOWN\n"),
        TEXT("PROXY UNKNOWN \rx"),
        TEXT("PROXY UNKNOWNS\r\n"),
        TEXT("PROXY UNKNOW\r\n"),
        TEXT("PROXY tcp4 192.0.2.1 192.0.2.9 1 2\r\n"),
        TEXT("PROXY UDP4 192.0.2.1 192.0.2.9 1 2\r\n"),
        TEXT("PROXY TCP4\r\n"),
        TEXT("PROXY TCP4 192.0.2.1\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 1\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 1 \r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 1 2 \r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 1 2 3\r\n"),
        TEXT("PROXY TCP4 192.0.2.1  192.0.2.9 1 2\r\n"),
        TEXT("PROXY TCP4 192.0.2.1\t192.0.2.9 1 2\r\n"),
        TEXT("PROXY TCP4 192.0.2.01 192.0.2.9 1 2\r\n"),
        TEXT("PROXY TCP4 192.0.2 192.0.2.9 1 2\r\n"),
        TEXT("PROXY TCP4 ::1 ::1 1 2\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 ::1 1 2\r\n"),
        TEXT("PROXY TCP6 192.0.2.1 192.0.2.9 1 2\r\n"),
        TEXT("PROXY TCP6 ::1 192.0.2.9 1 2\r\n"),
        TEXT("PROXY TCP6 [::1] [::1] 1 2\r\n"),
        TEXT("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"),
        TEXT("PROXY TCP4 192.0.2.1\0 192.0.2.9 1 2\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 01 2\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 1 00\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 65536 2\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 -1 2\r\n"),
        TEXT("PROXY TCP4 192.0.2.1 192.0.2.9 1 +2\r\n"),
        TEXT("\r\n\r\n\r"),
        TEXT("\r\n\r\n\0\r\nQUIT\r"),
        TEXT(V2 "\x10"),
        TEXT(V2 "\x22"),
        TEXT(V2 "\x11"),
        TEXT(V2 "\x31"),
        TEXT(V2 "\x21\x41"),
        TEXT(V2 "\x21\x13"),
        TEXT(V2 "\x21\x11\0\x0b\xc0\0\x02\x01\xc0\0\x02\x09\xdc\x04\x01"),
        TEXT(V2 "\x21\x21\0\x0c\xc0\0\x02\x01\xc0\0\x02\x09\xdc\x04\x01\xbb"),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect(cases[i], WSP_ERR_MALFORMED);
        for (size_t n = 0; n < cases[i].len; n++)
            expect(slice_of(cases[i].p, n), WSP_ERR_MORE);
    }
}

/* 107 bytes with the CRLF are a line, and no more. */
static void test_longest_line(void **state)
{
    static const char start[14] = "PROXY UNKNOWN ";
    uint8_t line[PROXY_WRITE_MAX + 1];
    struct proxy_header h = {0};
    size_t left;

    (void)state;
    memset(line, 'x', sizeof(line));
    memcpy(line, start, sizeof(start));
    expect(slice_of(line, PROXY_WRITE_MAX - 1), WSP_ERR_MORE);
    expect(slice_of(line, PROXY_WRITE_MAX), WSP_ERR_MALFORMED);
    memcpy(line + PROXY_WRITE_MAX - 1, "\r\n", 2);
    expect(slice_of(line, PROXY_WRITE_MAX), WSP_ERR_MALFORMED);
    expect(slice_of(line, PROXY_WRITE_MAX + 1), WSP_ERR_MALFORMED);
    memcpy(line + PROXY_WRITE_MAX - 2, "\r\nG", 3);
    assert_int_equal(parse(slice_of(line, PROXY_WRITE_MAX + 1), &h, &left), WSP_OK);
    assert_int_equal(left, 1);
}

static void test_largest_block(void **state)
{
    uint8_t bytes[PROXY_HEADER_MAX + 1] = V2 "\x21\x11\x0f\xf0";
    struct proxy_header h = {0};
    size_t left;

    (void)state;
    expect(slice_of(bytes, PROXY_HEADER_MAX - 1), WSP_ERR_MORE);
    assert_int_equal(parse(slice_of(bytes, sizeof(bytes)), &h, &left), WSP_OK);
    assert_int_equal(left, 1);
    bytes[15]++;
    expect(slice_of(bytes, 15), WSP_ERR_MORE);
    expect(slice_of(bytes, 16), WSP_ERR_LIMIT);
}

/* Mapped addresses are IPv4; beside an IPv6 address, IPv4 is written as a mapped one. */
static void test_mixed_families(void **state)
{
    static const struct ip_addr v4 = FROM_V4;
    const struct ip_addr mapped = ip_addr_mapped(&v4);
    const struct ip_addr compatible = {true, {[12] = 1, 2, 3, 4}};
    const struct {
        struct proxy_header h;
        const char *line;
    } cases[] = {
        {{true, {mapped, 1}, {mapped, 2}}, "PROXY TCP4 192.0.2.1 192.0.2.1 1 2\r\n"},
        {{true, {mapped, 1}, {v4, 2}}, "PROXY TCP4 192.0.2.1 192.0.2.1 1 2\r\n"},
        {{true, {v4, 1}, {loopback_v6, 2}}, "PROXY TCP6 ::ffff:c000:201 ::1 1 2\r\n"},
        {{true, {doc_v6, 0}, {mapped, 2}}, "PROXY TCP6 2001:db8::5 ::ffff:c000:201 0 2\r\n"},
        {{true, {compatible, 0}, {doc_v6, 2}}, "PROXY TCP6 ::102:304 2001:db8::5 0 2\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t out[PROXY_WRITE_MAX];
        size_t len = proxy_header_write(&cases[i].h, PROXY_V1, out), left;
        struct proxy_header h = {0};

        assert_true(slice_eq_str(slice_of(out, len), cases[i].line));
        len = proxy_header_write(&cases[i].h, PROXY_V2, out);
        assert_int_equal(parse(slice_of(out, len), &h, &left), WSP_OK);
        assert_int_equal(h.from.ip.is_v6, cases[i].line[9] == '6');
    }
}

/* The longest that can be written. */
static void test_longest_written(void **state)
{
    struct proxy_header h = {
        .known = true, .from = {{true, {0}}, 65535}, .to = {{true, {0}}, 65535}};
    uint8_t out[PROXY_WRITE_MAX];

    (void)state;
    memset(h.from.ip.bytes, 0xff, 16);
    memset(h.to.ip.bytes, 0xff, 16);
    assert_int_equal(proxy_header_write(&h, PROXY_V1, out), 104);
    assert_int_equal(proxy_header_write(&h, PROXY_V2, out), 52);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),          cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_longest_line),   cmocka_unit_test(test_largest_block),
        cmocka_unit_test(test_mixed_families), cmocka_unit_test(test_longest_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
