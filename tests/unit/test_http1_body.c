#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/http1.h"

#define TEXT(s)                             \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static const struct http1_body chunked = {.framing = HTTP1_CHUNKED};

/* Scans an exactly sized copy, so that ASan sees a read past it. */
static enum wsp_err scan(struct http1_body *body, struct slice in, size_t *used)
{
    uint8_t *copy = malloc(in.len ? in.len : 1);
    enum wsp_err err;

    if (in.len)
        memcpy(copy, in.p, in.len);
    err = http1_body_scan(body, slice_of(in.len ? copy : NULL, in.len), used);
    free(copy);
    return err;
}

/* Feeds `in` in two pieces; *used gets what both used together. */
static enum wsp_err scan_cut(struct http1_body body, struct slice in, size_t cut, size_t *used)
{
    enum wsp_err err = scan(&body, slice_of(in.p, cut), used);

    if (err != WSP_ERR_MORE)
        return err;
    assert_int_equal(*used, cut);
    assert_false(body.done);
    err = scan(&body, slice_of(in.p + cut, in.len - cut), used);
    *used += cut;
    assert_int_equal(body.done, err == WSP_OK);
    return err;
}

static enum wsp_err scan_bytewise(struct http1_body body, struct slice in, size_t *used)
{
    enum wsp_err err = WSP_ERR_MORE;

    *used = 0;
    for (size_t i = 0; i < in.len && err == WSP_ERR_MORE; i++) {
        size_t n;

        err = scan(&body, slice_of(in.p + i, 1), &n);
        *used += n;
    }
    return err;
}

/* In one piece, in every two pieces and byte by byte the verdict is the same. */
static void expect_scan(struct http1_body body, struct slice in, enum wsp_err expected,
                        size_t expected_used)
{
    struct http1_body whole = body;
    size_t used;
    enum wsp_err err = scan(&whole, in, &used);

    if (err != expected)
        fail_msg("%s instead of %d for \"%.*s\"", wsp_strerror(err), expected, SLICE_FMT(in));
    if (err != WSP_ERR_MALFORMED)
        assert_int_equal(used, expected_used);
    assert_int_equal(whole.done, err == WSP_OK);
    for (size_t cut = 0; cut <= in.len; cut++) {
        assert_int_equal(scan_cut(body, in, cut, &used), expected);
        if (expected != WSP_ERR_MALFORMED)
            assert_int_equal(used, expected_used);
    }
    assert_int_equal(scan_bytewise(body, in, &used), expected);
    if (expected != WSP_ERR_MALFORMED)
        assert_int_equal(used, expected_used);
}

static const struct slice valid[] = {
    TEXT("0\r\n\r\n"),
    TEXT("5\r\nhello\r\n0\r\n\r\n"),
    TEXT("A\r\n0123456789\r\na\r\n0123456789\r\n00\r\n\r\n"),
    TEXT("0000000000000003\r\n\r\n\r\r\n0000000000000000\r\n\r\n"),
    TEXT("1;a\r\nx\r\n1;a=b;c=\"d;\\\"\xff e\"\r\ny\r\n0;last\r\n\r\n"),
    TEXT("1 \t;\ta = b \r\nx\r\n0 ;\r\n\r\n"),
    TEXT("1\r\nx\r\n0\r\nExpires: Wed, 21 Oct 2015 07:28:00 GMT\r\nA:\r\nB:\t\x80\r\n\r\n"),
};

static void test_chunked(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
        struct slice body = valid[i];
        char more[128];

        expect_scan(chunked, body, WSP_OK, body.len);
        for (size_t n = 0; n < body.len; n++)
            expect_scan(chunked, slice_of(body.p, n), WSP_ERR_MORE, n);
        memcpy(more, body.p, body.len);
        memcpy(more + body.len, "GET / ", 6);
        expect_scan(chunked, slice_of(more, body.len + 6), WSP_OK, body.len);
    }
}

static const struct slice malformed[] = {
    /* sizes */
    TEXT("\r\n"),
    TEXT("\n"),
    TEXT(" 1\r\nx\r\n0\r\n\r\n"),
    TEXT("\t1\r\nx\r\n0\r\n\r\n"),
    TEXT(";a\r\n\r\n"),
    TEXT("+1\r\nx\r\n0\r\n\r\n"),
    TEXT("-1\r\nx\r\n0\r\n\r\n"),
    TEXT("0x1\r\nx\r\n0\r\n\r\n"),
    TEXT("1_0\r\n"),
    TEXT("1.\r\n"),
    TEXT("1g\r\n"),
    TEXT("G\r\n"),
    TEXT("@\r\n"),
    TEXT("1h\r\n"),
    TEXT("\"1\"\r\n"),
    TEXT("1 1\r\n"),
    TEXT("1 \r\nx\r\n0\r\n\r\n"),
    TEXT("1\t\r\nx\r\n0\r\n\r\n"),
    TEXT("1\0\r\nx\r\n0\r\n\r\n"),
    TEXT("1\xc3\r\n"),
    TEXT("1,2\r\n"),
    TEXT("00000000000000001\r\n"),
    TEXT("00000000000000000\r\n\r\n"),
    TEXT("8000000000000000\r\n"),
    TEXT("ffffffffffffffff\r\n"),
    TEXT("10000000000000000\r\n"),
    TEXT("FFFFFFFFFFFFFFFFF\r\n"),
    /* line ends */
    TEXT("1\nx\r\n0\r\n\r\n"),
    TEXT("1\rx\r\n0\r\n\r\n"),
    TEXT("1\r\r\nx\r\n0\r\n\r\n"),
    TEXT("1;a\nx\r\n0\r\n\r\n"),
    TEXT("1;\nx\r\n0\r\n\r\n"),
    TEXT("1;a\rx\r\n0\r\n\r\n"),
    TEXT("1 \nx\r\n0\r\n\r\n"),
    TEXT("1\r\nx\n0\r\n\r\n"),
    TEXT("1\r\nx\r0\r\n\r\n"),
    TEXT("1\r\nxy\r\n0\r\n\r\n"),
    TEXT("1\r\nx0\r\n\r\n"),
    TEXT("2\r\nx\r\n0\r\n\r\n"),
    TEXT("1\r\nx\r\n\r\n0\r\n\r\n"),
    TEXT("0\n\n"),
    TEXT("0\r\n\n"),
    TEXT("0\r\n\rx"),
    TEXT("0\r\r\n\r\n"),
    /* extensions and trailers */
    TEXT("1;a\0b\r\nx\r\n0\r\n\r\n"),
    TEXT("1;a=\"\x01\"\r\nx\r\n0\r\n\r\n"),
    TEXT("1;a\x7f\r\nx\r\n0\r\n\r\n"),
    TEXT("1;a=\"b\r\n\"\r\nx\r\n0\r\n\r\n"),
    TEXT("0\r\nA: b\n\r\n"),
    TEXT("0\r\nA: b\r\n\n"),
    TEXT("0\r\nA: b\rC: d\r\n\r\n"),
    TEXT("0\r\nA: b\0\r\n\r\n"),
    TEXT("0\r\nA: b\x7f\r\n\r\n"),
    TEXT("0\r\nA : b\r\n\r\n"),
    TEXT("0\r\n: b\r\n\r\n"),
    TEXT("0\r\nA\r\n\r\n"),
    TEXT("0\r\n A: b\r\n\r\n"),
    TEXT("0\r\nA: b\r\n c\r\n\r\n"),
    TEXT("0\r\nGET / HTTP/1.1\r\n\r\n"),
};

static void test_chunked_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(malformed); i++)
        expect_scan(chunked, malformed[i], WSP_ERR_MALFORMED, 0);
}

/* The largest chunk: all of the input belongs to it, and the count does not wrap. */
static void test_huge_chunk(void **state)
{
    struct http1_body body = chunked;
    struct slice in = TEXT("7fffffffffffffff\r\n0\r\n\r\n");
    size_t used;

    (void)state;
    expect_scan(chunked, in, WSP_ERR_MORE, in.len);
    assert_int_equal(http1_body_scan(&body, in, &used), WSP_ERR_MORE);
    assert_true(body.remaining == (uint64_t)INT64_MAX - 5);
}

/* `head`, `fill` bytes of 'x', `tail`: scanned in one piece and byte by byte. */
static void expect_filled(const char *head, size_t fill, const char *tail, enum wsp_err expected)
{
    size_t len = strlen(head) + fill + strlen(tail);
    char *text = malloc(len + 1);
    struct http1_body body = chunked;
    size_t used;

    memset(text, 'x', len);
    memcpy(text, head, strlen(head));
    memcpy(text + strlen(head) + fill, tail, strlen(tail) + 1);
    assert_int_equal(scan(&body, slice_of(text, len), &used), expected);
    assert_int_equal(scan_bytewise(chunked, slice_of(text, len), &used), expected);
    free(text);
}

static void test_line_limits(void **state)
{
    (void)state;
    expect_filled("0;", 4093, "\r\n\r\n", WSP_OK);
    expect_filled("0;", 4094, "\r\n\r\n", WSP_ERR_MALFORMED);
    expect_filled("0;", 4097, "", WSP_ERR_MALFORMED);
    expect_filled("1;", 4093, "\r\nx\r\n0;a\r\n\r\n", WSP_OK);
    expect_filled("0\r\nA:", 16378, "\r\n\r\n", WSP_OK);
    expect_filled("0\r\nA:", 16379, "\r\n\r\n", WSP_ERR_MALFORMED);
    expect_filled("0\r\nA:", 16385, "", WSP_ERR_MALFORMED);
    expect_filled("0\r\nA:b\r\n", 16385, "", WSP_ERR_MALFORMED);
}

/* Each line and chunk starts to count anew: a long body reaches no limit. */
static void test_many_chunks(void **state)
{
    static const struct slice chunk = TEXT("1;ext\r\nx\r\n");
    struct http1_body body = chunked;
    size_t used;

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        assert_int_equal(http1_body_scan(&body, chunk, &used), WSP_ERR_MORE);
        assert_int_equal(used, chunk.len);
    }
}

static void test_other_framings(void **state)
{
    struct http1_body none = {.framing = HTTP1_NO_BODY, .done = true};
    struct http1_body close = {.framing = HTTP1_UNTIL_CLOSE};
    struct http1_body length = {.framing = HTTP1_LENGTH, .remaining = 5};
    size_t used;

    (void)state;
    assert_int_equal(scan(&none, slice_str("abc"), &used), WSP_OK);
    assert_int_equal(used, 0);
    expect_scan(close, slice_str("abc"), WSP_ERR_MORE, 3);
    expect_scan(length, slice_str("abcd"), WSP_ERR_MORE, 4);
    expect_scan(length, slice_str("abcde"), WSP_OK, 5);
    expect_scan(length, slice_str("abcdef"), WSP_OK, 5);
}

/* After the end nothing more is used, however often one asks. */
static void test_after_the_end(void **state)
{
    struct http1_body body = chunked;
    struct http1_body length = {.framing = HTTP1_LENGTH, .remaining = 1};
    size_t used;

    (void)state;
    assert_int_equal(scan(&body, slice_str("0\r\n\r\n"), &used), WSP_OK);
    assert_int_equal(scan(&body, slice_str("5\r\n"), &used), WSP_OK);
    assert_int_equal(used, 0);
    assert_int_equal(scan(&length, slice_str("x"), &used), WSP_OK);
    assert_int_equal(scan(&length, slice_str("x"), &used), WSP_OK);
    assert_int_equal(used, 0);
}

/* The framing of a head with these fields. */
struct framing_case {
    const char *fields;
    enum wsp_err err;
    enum http1_framing framing; /* a request's; UNTIL_CLOSE stands for "none declared" */
    uint64_t length;
};

static const struct framing_case framings[] = {
    {"", WSP_OK, HTTP1_UNTIL_CLOSE, 0},
    {"Content-Length: 0\r\n", WSP_OK, HTTP1_LENGTH, 0},
    {"content-length:\t42 \r\n", WSP_OK, HTTP1_LENGTH, 42},
    {"Content-Length: 0042\r\n", WSP_OK, HTTP1_LENGTH, 42},
    {"Content-Length: 9223372036854775807\r\n", WSP_OK, HTTP1_LENGTH, INT64_MAX},
    {"TRANSFER-encoding: Chunked\r\n", WSP_OK, HTTP1_CHUNKED, 0},
    {"Trailer: a\r\nTransfer-Encoding:chunked\r\n", WSP_OK, HTTP1_CHUNKED, 0},
    {"Content-Length: 9223372036854775808\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 18446744073709551615\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 18446744073709551616\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 18446744073709551621\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 99999999999999999999999\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length:\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: +5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: -5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 0x5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5a\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: a5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5 5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5.0\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5e1\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5;\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: \"5\"\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5, 5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: ,5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5,\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5\r\nContent-Length: 5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5\r\nA: b\r\ncontent-length: 6\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5\r\nContent-Length:\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: identity\r\nContent-Length: 5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding:\r\nContent-Length: 5\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding:\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: identity\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: xchunked\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunkedx\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunke\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked, chunked\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: gzip, chunked\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked, identity\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: ,chunked\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked,\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked;a=b\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: \"chunked\"\r\n", WSP_ERR_MALFORMED, 0, 0},
    {"Transfer-Encoding: chunked \xa0\r\n", WSP_ERR_MALFORMED, 0, 0},
};

static struct http1_head head;

static void parse_head(const char *start, const char *fields)
{
    static char text[512];
    struct slice in;
    bool response = strncmp(start, "HTTP", 4) == 0;

    snprintf(text, sizeof(text), "%s\r\n%s\r\n", start, fields);
    in = slice_str(text);
    assert_int_equal(response ? http1_response_parse(&in, &head) : http1_request_parse(&in, &head),
                     WSP_OK);
}

static void check_framing(const struct framing_case *c, enum wsp_err err, struct http1_body body,
                          enum http1_framing absent)
{
    enum http1_framing expected = c->framing == HTTP1_UNTIL_CLOSE ? absent : c->framing;

    if (err != c->err)
        fail_msg("%s instead of %d for \"%s\"", wsp_strerror(err), c->err, c->fields);
    if (err)
        return;
    assert_int_equal(body.framing, expected);
    assert_true(body.remaining == c->length);
    assert_int_equal(body.done,
                     expected == HTTP1_NO_BODY || (expected == HTTP1_LENGTH && c->length == 0));
}

static void test_framing(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(framings); i++) {
        struct http1_body body;
        enum wsp_err err;

        parse_head("POST / HTTP/1.1", framings[i].fields);
        err = http1_request_body(&head, &body);
        check_framing(&framings[i], err, body, HTTP1_NO_BODY);
        parse_head("HTTP/1.1 200 OK", framings[i].fields);
        err = http1_response_body(&head, slice_str("GET"), &body);
        check_framing(&framings[i], err, body, HTTP1_UNTIL_CLOSE);
    }
}

static void test_chunked_in_http_1_0(void **state)
{
    struct http1_body body;

    (void)state;
    parse_head("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n");
    assert_int_equal(http1_request_body(&head, &body), WSP_ERR_MALFORMED);
    parse_head("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n");
    assert_int_equal(http1_response_body(&head, slice_str("GET"), &body), WSP_ERR_MALFORMED);
}

static void test_responses_without_body(void **state)
{
    static const struct {
        const char *start;
        const char *method;
        bool bodiless;
    } cases[] = {
        {"HTTP/1.1 100 x", "POST", true},     {"HTTP/1.1 101 x", "GET", true},
        {"HTTP/1.1 199 x", "GET", true},      {"HTTP/1.1 204 x", "GET", true},
        {"HTTP/1.1 304 x", "GET", true},      {"HTTP/1.1 200 x", "HEAD", true},
        {"HTTP/1.1 404 x", "HEAD", true},     {"HTTP/1.1 200 x", "CONNECT", true},
        {"HTTP/1.1 299 x", "CONNECT", true},  {"HTTP/1.1 200 x", "GET", false},
        {"HTTP/1.1 300 x", "CONNECT", false}, {"HTTP/1.1 407 x", "CONNECT", false},
        {"HTTP/1.1 200 x", "head", false},    {"HTTP/1.1 205 x", "GET", false},
        {"HTTP/1.1 303 x", "GET", false},
    };
    static const char *const fields[] = {"Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n"};

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        struct http1_body body;
        bool bodiless = cases[i / 2].bodiless;

        parse_head(cases[i / 2].start, fields[i % 2]);
        assert_int_equal(http1_response_body(&head, slice_str(cases[i / 2].method), &body), WSP_OK);
        assert_int_equal(body.framing == HTTP1_NO_BODY, bodiless);
        assert_int_equal(body.done, bodiless);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chunked),
        cmocka_unit_test(test_chunked_malformed),
        cmocka_unit_test(test_huge_chunk),
        cmocka_unit_test(test_line_limits),
        cmocka_unit_test(test_many_chunks),
        cmocka_unit_test(test_other_framings),
        cmocka_unit_test(test_after_the_end),
        cmocka_unit_test(test_framing),
        cmocka_unit_test(test_chunked_in_http_1_0),
        cmocka_unit_test(test_responses_without_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
