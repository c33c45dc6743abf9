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

typedef enum wsp_err parse_fn(struct slice *, struct http1_head *);

/* Most cases need only one head at a time; it is too large for comfort on the stack. */
static struct http1_head head;

/* Parses an exactly sized copy, so that ASan sees a read past it, and expects an error. */
static void expect_error(parse_fn *parse, struct slice bytes, enum wsp_err expected)
{
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    struct slice in = slice_of(bytes.len ? copy : NULL, bytes.len);
    enum wsp_err err;

    memcpy(copy, bytes.p, bytes.len);
    err = parse(&in, &head);
    if (err != expected)
        fail_msg("%s instead of %d for \"%.*s\"", wsp_strerror(err), expected, SLICE_FMT(bytes));
    assert_ptr_equal(in.p, bytes.len ? copy : NULL);
    assert_int_equal(in.len, bytes.len);
    free(copy);
}

static void parse_ok(parse_fn *parse, struct slice bytes)
{
    assert_int_equal(parse(&bytes, &head), WSP_OK);
    assert_int_equal(bytes.len, 0);
}

static void request(const char *text)
{
    parse_ok(http1_request_parse, slice_str(text));
}

static const struct slice valid_requests[] = {
    TEXT("GET / HTTP/1.1\r\n\r\n"),
    TEXT("GET /hello.txt HTTP/1.1\r\nUser-Agent: curl/7.64.1\r\nHost: www.example.com\r\n"
         "Accept-Language: en, mi\r\n\r\n"), /* RFC 9110 section 3.9 */
    TEXT("\r\n\r\nOPTIONS * HTTP/1.0\r\n\r\n"),
    TEXT("CONNECT www.example.com:80 HTTP/1.1\r\nHost: www.example.com\r\n\r\n"),
    TEXT("GET http://www.example.org/pub/WWW/TheProject.html HTTP/1.1\r\nHost:a\r\n\r\n"),
    TEXT("p!#$%&'*+-.^_`|~9 /%00%zz?a=b;c#\"<>{}|\\^` HTTP/1.1\r\nx!#$%&'*+-.^_`|~:\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA:\r\nB: \r\nC:\t \t\r\nD:\t v \t w \t\r\nE: \x80\xff\r\n\r\n"),
};

static const struct slice valid_responses[] = {
    TEXT("HTTP/1.1 200 OK\r\n\r\n"),
    TEXT("HTTP/1.1 200 OK\r\nDate: Mon, 27 Jul 2009 12:28:53 GMT\r\nServer: Apache\r\n"
         "ETag: \"34aa387-d-1568eb00\"\r\nContent-Length: 51\r\n\r\n"), /* RFC 9110 section 3.9 */
    TEXT("HTTP/1.0 404 \r\n\r\n"),
    TEXT("HTTP/1.1 999\r\n\r\n"),
    TEXT("HTTP/1.1 100 \tna\xc3\xafve : so\r\nA: b\r\n\r\n"),
};

static void every_prefix(parse_fn *parse, struct slice bytes)
{
    for (size_t n = 0; n < bytes.len; n++)
        expect_error(parse, slice_of(bytes.p, n), WSP_ERR_MORE);
    parse_ok(parse, bytes);
}

static void test_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(valid_requests); i++)
        every_prefix(http1_request_parse, valid_requests[i]);
    for (size_t i = 0; i < ARRAY_LEN(valid_responses); i++)
        every_prefix(http1_response_parse, valid_responses[i]);
}

/* Whole heads, so that a parser which only waited for more would be seen too. */
static const struct slice malformed_requests[] = {
    /* line ends */
    TEXT("GET / HTTP/1.1\n\n"),
    TEXT("GET / HTTP/1.1\n"),
    TEXT("\nGET / HTTP/1.1\r\n\r\n"),
    TEXT("\rGET / HTTP/1.1\r\n\r\n"),
    TEXT("\r\rGET / HTTP/1.1\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\r\n\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\r\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\n\r\r\n"),
    TEXT("GET / HTTP/1.1\r\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA\r: b\r\n\r\n"),
    /* request line */
    TEXT(" \r\nGET / HTTP/1.1\r\n\r\n"),
    TEXT(" GET / HTTP/1.1\r\n\r\n"),
    TEXT("GET  / HTTP/1.1\r\n\r\n"),
    TEXT("GET /  HTTP/1.1\r\n\r\n"),
    TEXT("GET / HTTP/1.1 \r\n\r\n"),
    TEXT("GET / a HTTP/1.1\r\n\r\n"),
    TEXT("GET\t/ HTTP/1.1\r\n\r\n"),
    TEXT("GET /\tHTTP/1.1\r\n\r\n"),
    TEXT("GET / HTTP/1.1\t\r\n\r\n"),
    TEXT("GET /\ta HTTP/1.1\r\n\r\n"),
    TEXT("GET /\x0b HTTP/1.1\r\n\r\n"),
    TEXT("GET /\0 HTTP/1.1\r\n\r\n"),
    TEXT("GET /\x7f HTTP/1.1\r\n\r\n"),
    TEXT("GET /\xc3\xa4 HTTP/1.1\r\n\r\n"),
    TEXT("GET /\r HTTP/1.1\r\n\r\n"),
    TEXT("GET  HTTP/1.1\r\n\r\n"),
    TEXT("GET /\r\n\r\n"),
    TEXT("GET\r\n\r\n"),
    TEXT("/ HTTP/1.1\r\n\r\n"),
    TEXT(" / HTTP/1.1\r\n\r\n"),
    TEXT("G(T / HTTP/1.1\r\n\r\n"),
    TEXT("G\0T / HTTP/1.1\r\n\r\n"),
    TEXT("G\xc3T / HTTP/1.1\r\n\r\n"),
    TEXT("GET: / HTTP/1.1\r\n\r\n"),
    TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"),
    TEXT("\xef\xbb\xbfGET / HTTP/1.1\r\n\r\n"),
    /* version */
    TEXT("GET / HTTP/1.2\r\n\r\n"),
    TEXT("GET / HTTP/2.0\r\n\r\n"),
    TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    TEXT("GET / HTTP/0.9\r\n\r\n"),
    TEXT("GET / HTTP/1\r\n\r\n"),
    TEXT("GET / HTTP/1.\r\n\r\n"),
    TEXT("GET / HTTP/1.10\r\n\r\n"),
    TEXT("GET / HTTP/1.1x\r\n\r\n"),
    TEXT("GET / HTTP/01.1\r\n\r\n"),
    TEXT("GET / HTTP/1,1\r\n\r\n"),
    TEXT("GET / http/1.1\r\n\r\n"),
    TEXT("GET / Http/1.1\r\n\r\n"),
    TEXT("GET / HTTPS/1.1\r\n\r\n"),
    TEXT("GET / ICY/1.1\r\n\r\n"),
    TEXT("GET / /1.1\r\n\r\n"),
    /* fields */
    TEXT("GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\n A: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\r\n \r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA : b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA\t: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA B: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\n: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA=b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nGET / HTTP/1.1\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\n\"A\": b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA(: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA\0: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA\x7f: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA\xc3\xa4: b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: \0\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\x01\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\x0b\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\x0c\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\x1f\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\nA: b\x1b[31m\r\n\r\n"),
};

static const struct slice malformed_responses[] = {
    TEXT("\r\nHTTP/1.1 200 OK\r\n\r\n"),
    TEXT("HTTP/1.1 200 OK\n\n"),
    TEXT(" HTTP/1.1 200 OK\r\n\r\n"),
    TEXT("HTTP/1.1  200 OK\r\n\r\n"),
    TEXT("HTTP/1.1\t200 OK\r\n\r\n"),
    TEXT("HTTP/1.1 200\tOK\r\n\r\n"),
    TEXT("HTTP/1.1 2000 OK\r\n\r\n"),
    TEXT("HTTP/1.1 20 OK\r\n\r\n"),
    TEXT("HTTP/1.1 20\r\n\r\n"),
    TEXT("HTTP/1.1 \r\n\r\n"),
    TEXT("HTTP/1.1\r\n\r\n"),
    TEXT("HTTP/1.1 099 OK\r\n\r\n"),
    TEXT("HTTP/1.1 000 OK\r\n\r\n"),
    TEXT("HTTP/1.1 +20 OK\r\n\r\n"),
    TEXT("HTTP/1.1 -20 OK\r\n\r\n"),
    TEXT("HTTP/1.1 0x2 OK\r\n\r\n"),
    TEXT("HTTP/1.1 2 0 OK\r\n\r\n"),
    TEXT("HTTP/1.1 OK\r\n\r\n"),
    TEXT("HTTP/1.1 200OK\r\n\r\n"),
    TEXT("HTTP/1.1 200 O\rK\r\n\r\n"),
    TEXT("HTTP/1.1 200 O\0K\r\n\r\n"),
    TEXT("HTTP/1.1 200 O\x7fK\r\n\r\n"),
    TEXT("HTTP/1.2 200 OK\r\n\r\n"),
    TEXT("HTTP/2.0 200 OK\r\n\r\n"),
    TEXT("HTTP/2 200\r\n\r\n"),
    TEXT("http/1.1 200 OK\r\n\r\n"),
    TEXT("ICY 200 OK\r\n\r\n"),
    TEXT("200 OK\r\n\r\n"),
    TEXT("GET / HTTP/1.1\r\n\r\n"),
    TEXT("HTTP/1.1 200 OK\r\nA : b\r\n\r\n"),
    TEXT("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"),
};

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(malformed_requests); i++)
        expect_error(http1_request_parse, malformed_requests[i], WSP_ERR_MALFORMED);
    for (size_t i = 0; i < ARRAY_LEN(malformed_responses); i++)
        expect_error(http1_response_parse, malformed_responses[i], WSP_ERR_MALFORMED);
}

/* No byte that follows can change the verdict on a line that has ended. */
static void test_malformed_at_the_end_of_the_line(void **state)
{
    static const struct slice lines[] = {
        TEXT("GET / HTTP/1.1\n"),
        TEXT("GET / HTTP/3.1\r\n"),
        TEXT("GET / HTTP/1.1\r\n b\r\n"),
        TEXT("GET / HTTP/1.1\r\nA : b\r\n"),
        TEXT("GET / HTTP/1.1\r\nA: b\r\nC: \x01\r\n"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        expect_error(http1_request_parse, slice_of(lines[i].p, lines[i].len - 1), WSP_ERR_MORE);
        expect_error(http1_request_parse, lines[i], WSP_ERR_MALFORMED);
    }
}

/* Each byte value in each place, against what RFC 9110 and 9112 say of it. */
static void test_every_byte(void **state)
{
    (void)state;
    for (int c = 0; c < 256; c++) {
        bool visible = c > 0x20 && c < 0x7f;
        bool tchar = visible && !strchr("\"(),/:;<=>?@[\\]{}", c);
        bool text = c == '\t' || (c >= 0x20 && c != 0x7f);
        const struct {
            const char *format;
            bool good;
        } places[] = {
            {"G%cT / HTTP/1.1\r\n\r\n", tchar},
            {"GET /%c HTTP/1.1\r\n\r\n", visible},
            {"GET / HTTP/1.1\r\nA%cB: c\r\n\r\n", tchar || c == ':'},
            {"GET / HTTP/1.1\r\nA: b%cc\r\n\r\n", text},
        };

        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
            char bytes[64];
            int n = snprintf(bytes, sizeof(bytes), places[i].format, c);
            struct slice in = slice_of(bytes, (size_t)n);
            enum wsp_err expected = places[i].good ? WSP_OK : WSP_ERR_MALFORMED;

            assert_int_equal(http1_request_parse(&in, &head), expected);
        }
    }
}

static void test_request_parts(void **state)
{
    struct slice in =
        TEXT("\r\nPOST /a?b HTTP/1.0\r\nHost: x\r\nEmpty:\r\nPad:\t a b \t\r\n\r\nrest");

    (void)state;
    assert_int_equal(http1_request_parse(&in, &head), WSP_OK);
    assert_true(slice_eq_str(in, "rest"));
    assert_true(slice_eq_str(head.method, "POST"));
    assert_true(slice_eq_str(head.target, "/a?b"));
    assert_int_equal(head.minor, 0);
    assert_int_equal(head.count, 3);
    assert_true(slice_eq_str(head.header[0].line, "Host: x"));
    assert_true(slice_eq_str(head.header[1].name, "Empty"));
    assert_int_equal(head.header[1].value.len, 0);
    assert_true(slice_eq_str(head.header[2].value, "a b"));
    assert_true(slice_eq_str(head.header[2].line, "Pad:\t a b \t"));
}

static void test_response_parts(void **state)
{
    static const struct {
        const char *text;
        unsigned status;
        unsigned minor;
        const char *reason;
    } cases[] = {
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", 101, 1, "Switching Protocols"},
        {"HTTP/1.0 200 \r\n\r\n", 200, 0, ""},
        {"HTTP/1.1 503\r\n\r\n", 503, 1, ""},
        {"HTTP/1.1 999  x \r\n\r\n", 999, 1, " x "},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        parse_ok(http1_response_parse, slice_str(cases[i].text));
        assert_int_equal(head.status, cases[i].status);
        assert_int_equal(head.minor, cases[i].minor);
        assert_true(slice_eq_str(head.reason, cases[i].reason));
    }
}

/* "GET / HTTP/1.1\r\n", one field that makes the whole `total` bytes long, and the empty line. */
static uint8_t *long_head(size_t total)
{
    static const char start[] = "GET / HTTP/1.1\r\nA:";
    uint8_t *bytes = malloc(total);

    memset(bytes, 'x', total);
    memcpy(bytes, start, sizeof(start) - 1);
    memcpy(bytes + total - 4, "\r\n\r\n", 4);
    return bytes;
}

static void test_longest_head(void **state)
{
    uint8_t *fits = long_head(HTTP1_HEAD_MAX);
    uint8_t *over = long_head(HTTP1_HEAD_MAX + 1);

    (void)state;
    parse_ok(http1_request_parse, slice_of(fits, HTTP1_HEAD_MAX));
    expect_error(http1_request_parse, slice_of(fits, HTTP1_HEAD_MAX - 1), WSP_ERR_MORE);
    expect_error(http1_request_parse, slice_of(over, HTTP1_HEAD_MAX), WSP_ERR_LIMIT);
    expect_error(http1_request_parse, slice_of(over, HTTP1_HEAD_MAX + 1), WSP_ERR_LIMIT);
    memset(over, 'x', HTTP1_HEAD_MAX + 1);
    expect_error(http1_response_parse, slice_of(over, HTTP1_HEAD_MAX + 1), WSP_ERR_LIMIT);
    for (size_t i = 0; i < HTTP1_HEAD_MAX; i += 2)
        memcpy(over + i, "\r\n", 2);
    expect_error(http1_request_parse, slice_of(over, HTTP1_HEAD_MAX), WSP_ERR_LIMIT);
    free(fits);
    free(over);
}

static void test_most_fields(void **state)
{
    char bytes[16 + 4 * (HTTP1_HEADERS_MAX + 1) + 3] = "GET / HTTP/1.1\r\n";

    (void)state;
    for (size_t i = 0; i < HTTP1_HEADERS_MAX; i++)
        strcat(bytes, "a:\r\n");
    strcat(bytes, "\r\n");
    request(bytes);
    assert_int_equal(head.count, HTTP1_HEADERS_MAX);
    bytes[strlen(bytes) - 2] = '\0';
    strcat(bytes, "a:\r\n\r\n");
    expect_error(http1_request_parse, slice_str(bytes), WSP_ERR_LIMIT);
}

static void test_find_and_count(void **state)
{
    (void)state;
    request("GET / HTTP/1.1\r\nHost: a\r\nhOST: b\r\nHostname: c\r\nHos: d\r\n\r\n");
    assert_true(slice_eq_str(http1_find(&head, "HoSt")->value, "a"));
    assert_int_equal(http1_count(&head, "host"), 2);
    assert_null(http1_find(&head, "Accept"));
    assert_int_equal(http1_count(&head, "Accept"), 0);
}

static void test_has_token(void **state)
{
    static const char *const present[] = {"a", "A", "Websocket", "b-c", "d", "e"};
    static const char *const absent[] = {"", "w", "websocke", "websockets", "b", "c", "f", "d;q=1"};

    (void)state;
    request("GET / HTTP/1.1\r\nUpgrade: a,WebSocket , b-c\r\nOther: f\r\n"
            "upgrade: ,,d ,\t e;q=1, e\t,\r\nUpgrade:\r\n\r\n");
    for (size_t i = 0; i < ARRAY_LEN(present); i++)
        assert_true(http1_has_token(&head, "Upgrade", present[i]));
    for (size_t i = 0; i < ARRAY_LEN(absent); i++)
        assert_false(http1_has_token(&head, "Upgrade", absent[i]));
}

static void test_hop_by_hop(void **state)
{
    static const struct {
        const char *name;
        bool expected;
    } cases[] = {
        {"connection", true},      {"Proxy-Connection", true},
        {"Keep-Alive", true},      {"TE", true},
        {"Upgrade", true},         {"Proxy-Authorization", true},
        {"X-Mine", true},          {"Proxy-Authenticate", true},
        {"Cookie", true},          {"Host", false},
        {"Content-Length", false}, {"Transfer-Encoding", false},
        {"Trailer", false},        {"Accept", false},
        {"X-Min", false},          {"Authorization", false},
    };

    (void)state;
    request("GET / HTTP/1.1\r\nConnection: close, x-mine, host, content-length\r\n"
            "Connection: transfer-encoding,trailer,COOKIE\r\n\r\n");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct http1_header h = {.name = slice_str(cases[i].name)};

        assert_int_equal(http1_is_hop_by_hop(&head, &h), cases[i].expected);
    }
}

static void test_keep_alive(void **state)
{
    static const struct {
        const char *text;
        bool expected;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nConnection: upgrade\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nConnection: Close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nConnection: keep-alive, close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n\r\n", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        request(cases[i].text);
        assert_int_equal(http1_keep_alive(&head), cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_malformed_at_the_end_of_the_line),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_request_parts),
        cmocka_unit_test(test_response_parts),
        cmocka_unit_test(test_longest_head),
        cmocka_unit_test(test_most_fields),
        cmocka_unit_test(test_find_and_count),
        cmocka_unit_test(test_has_token),
        cmocka_unit_test(test_hop_by_hop),
        cmocka_unit_test(test_keep_alive),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
