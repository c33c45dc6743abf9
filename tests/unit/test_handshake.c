/* The upgrade of a link, both sides (RFC 6455 section 4 and protocol 0.10). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/handshake.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define KEY "Uv38ByGCZU8WP18PmmIdcg=="
#define ACCEPT "q9gJh2URkPK531679m/l+p3DSE4="

/* As captured between the Go daemons. */
static const char request_0_10[] = "GET /proxy HTTP/1.1\r\n"
                                   "Host: 127.0.0.1:28011\r\n"
                                   "Upgrade: websocket\r\n"
                                   "Connection: Upgrade\r\n"
                                   "Sec-WebSocket-Version: 13\r\n"
                                   "Sec-WebSocket-Key: " KEY "\r\n"
                                   "Auth: s3cret\r\n"
                                   "Proto: 0.10\r\n"
                                   "\r\n";
static const char response_0_10[] = "HTTP/1.1 101 Switching Protocols\r\n"
                                    "Upgrade: websocket\r\n"
                                    "Connection: Upgrade\r\n"
                                    "Sec-WebSocket-Accept: " ACCEPT "\r\n"
                                    "\r\n";

static struct handshake_request sample(bool offer_wsp_1)
{
    return (struct handshake_request){
        .target = slice_str("/proxy"),
        .host = slice_str("127.0.0.1:28011"),
        .auth = slice_str("s3cret"),
        .key = KEY,
        .offer_wsp_1 = offer_wsp_1,
    };
}

static void test_request(void **state)
{
    struct handshake_request r = sample(false);
    char out[512];
    size_t len;

    (void)state;
    assert_int_equal(handshake_request_write(&r, out, sizeof(out), &len), WSP_OK);
    assert_int_equal(len, 186);
    assert_true(slice_eq_str(slice_of(out, len), request_0_10));
    r.auth = slice_of(NULL, 0);
    r.offer_wsp_1 = true;
    assert_int_equal(handshake_request_write(&r, out, sizeof(out), &len), WSP_OK);
    assert_non_null(
        strstr(out, "\r\nAuth: \r\nProto: 0.10\r\nSec-WebSocket-Protocol: wsp.1\r\n\r\n"));
}

static void test_request_refused(void **state)
{
    struct handshake_request r = sample(false);
    size_t len;

    (void)state;
    for (size_t cap = 0; cap <= sizeof(request_0_10); cap++) {
        char *out = malloc(cap + 1);

        assert_int_equal(handshake_request_write(&r, out, cap, &len),
                         cap < sizeof(request_0_10) ? WSP_ERR_LIMIT : WSP_OK);
        free(out);
    }
    r.auth = slice_str("a\r\nX: y");
    assert_int_equal(handshake_request_write(&r, NULL, 0, &len), WSP_ERR_MALFORMED);
}

static void parse_response(const char *text, struct http1_head *head)
{
    struct slice in = slice_str(text);

    assert_int_equal(http1_response_parse(&in, head), WSP_OK);
}

static void test_response_ok(void **state)
{
    static struct http1_head head;
    enum handshake_dialect dialect = HANDSHAKE_WSP_1;
    char error[64] = "";

    (void)state;
    parse_response(response_0_10, &head);
    assert_int_equal(handshake_response_check(&head, KEY, false, &dialect, error, 64), WSP_OK);
    assert_int_equal(dialect, HANDSHAKE_0_10);
    dialect = HANDSHAKE_WSP_1;
    assert_int_equal(handshake_response_check(&head, KEY, true, &dialect, error, 64), WSP_OK);
    assert_int_equal(dialect, HANDSHAKE_0_10);
    parse_response("HTTP/1.1 101 x\r\nUPGRADE: WebSocket\r\nconnection: keep-alive, upgrade\r\n"
                   "Sec-WebSocket-Protocol: wsp.1\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
                   &head);
    assert_int_equal(handshake_response_check(&head, KEY, true, &dialect, error, 64), WSP_OK);
    assert_int_equal(dialect, HANDSHAKE_WSP_1);
    assert_string_equal(error, "");
}

#define UP "Upgrade: websocket\r\n"
#define CONN "Connection: Upgrade\r\n"
#define ACC "Sec-WebSocket-Accept: " ACCEPT "\r\n"

static void test_response_bad(void **state)
{
    static const struct {
        const char *lines;
        bool offered;
        const char *error;
    } cases[] = {
        {CONN ACC, true, "handshake error: bad \"Upgrade\" header"},
        {"Upgrade: h2c\r\n" CONN ACC, true, "handshake error: bad \"Upgrade\" header"},
        {UP ACC, true, "handshake error: bad \"Connection\" header"},
        {UP CONN, true, "handshake error: bad \"Sec-WebSocket-Accept\" header"},
        {UP CONN ACC ACC, true, "handshake error: bad \"Sec-WebSocket-Accept\" header"},
        {UP CONN "Sec-WebSocket-Accept: Q9gJh2URkPK531679m/l+p3DSE4=\r\n", true,
         "handshake error: bad \"Sec-WebSocket-Accept\" header"},
        {UP CONN ACC "Sec-WebSocket-Extensions: permessage-deflate\r\n", true,
         "handshake error: bad \"Sec-WebSocket-Extensions\" header"},
        {UP CONN ACC "Sec-WebSocket-Protocol: wsp.1\r\n", false,
         "handshake error: bad \"Sec-WebSocket-Protocol\" header"},
        {UP CONN ACC "Sec-WebSocket-Protocol: wsp.2\r\n", true,
         "handshake error: bad \"Sec-WebSocket-Protocol\" header"},
        {UP CONN ACC "Sec-WebSocket-Protocol: wsp.1, x\r\n", true,
         "handshake error: bad \"Sec-WebSocket-Protocol\" header"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct http1_head head;
        enum handshake_dialect dialect = HANDSHAKE_0_10;
        char text[512], error[128];

        snprintf(text, sizeof(text), "HTTP/1.1 101 x\r\n%s\r\n", cases[i].lines);
        parse_response(text, &head);
        assert_int_equal(
            handshake_response_check(&head, KEY, cases[i].offered, &dialect, error, sizeof(error)),
            WSP_ERR_MALFORMED);
        assert_string_equal(error, cases[i].error);
        assert_int_equal(dialect, HANDSHAKE_0_10);
    }
}

static void test_response_refused(void **state)
{
    static struct http1_head head;
    enum handshake_dialect dialect;
    char error[64];

    (void)state;
    parse_response("HTTP/1.1 401 Unauthorized\r\n" UP CONN ACC "\r\n", &head);
    assert_int_equal(handshake_response_check(&head, KEY, true, &dialect, error, sizeof(error)),
                     WSP_ERR_REFUSED);
    assert_string_equal(error, "unexpected HTTP response status: 401");
}

#define KEYLINE "Sec-WebSocket-Key: " KEY "\r\n"
#define VER "Sec-WebSocket-Version: 13\r\n"
#define AUTH "Auth: s3cret\r\n"
#define PROTO "Proto: 0.10\r\n"

/* Each case breaks one thing and, where it can, everything that is looked at after it. */
static const struct check_case {
    const char *request; /* but for the HTTP version and the empty line */
    unsigned status;
    const char *body;
    const char *extra;
} checks[] = {
    {"Origin: http://evil\r\nAuth: wrong\r\n", 403, "a link cannot be opened from a web page\n",
     ""},
    {"Origin: \r\n" AUTH PROTO UP CONN KEYLINE VER, 403,
     "a link cannot be opened from a web page\n", ""},
    {"Auth: wrong\r\nProto: 9\r\n", 401, "token error, access denied!\n", ""},
    {"Proto: 9\r\n", 401, "token error, access denied!\n", ""},
    {"Auth: s3cre\r\n" PROTO UP CONN KEYLINE VER, 401, "token error, access denied!\n", ""},
    {AUTH AUTH PROTO UP CONN KEYLINE VER, 400, "handshake error: bad \"Auth\" header", ""},
    {AUTH "Proto: 1.00\r\n", 400, "client proto version 1.00 not support, server proto is 0.10\n",
     ""},
    {AUTH "Proto: 12.345\r\n" UP CONN KEYLINE VER, 400,
     "client proto version 12.35 not support, server proto is 0.10\n", ""},
    {AUTH "Proto: -1.5\r\n" UP CONN KEYLINE VER, 400,
     "client proto version -1.50 not support, server proto is 0.10\n", ""},
    {AUTH "Proto: 1\r\n" UP CONN KEYLINE VER, 400,
     "client proto version 1.00 not support, server proto is 0.10\n", ""},
    {AUTH PROTO "Proto: 1.0\r\n" UP CONN KEYLINE VER, 400, "handshake error: bad \"Proto\" header",
     ""},
    {AUTH PROTO CONN KEYLINE VER, 400, "handshake error: bad \"Upgrade\" header", ""},
    {AUTH PROTO "Upgrade: h2c\r\n", 400, "handshake error: bad \"Upgrade\" header", ""},
    {AUTH PROTO UP, 400, "handshake error: bad \"Connection\" header", ""},
    {AUTH PROTO UP "Connection: close\r\n" KEYLINE VER, 400,
     "handshake error: bad \"Connection\" header", ""},
    {AUTH PROTO UP CONN, 400, "handshake error: bad \"Sec-WebSocket-Key\" header", ""},
    {AUTH PROTO UP CONN VER "Sec-WebSocket-Key: c2hvcnQ=\r\n", 400,
     "handshake error: bad \"Sec-WebSocket-Key\" header", ""},
    {AUTH PROTO UP CONN KEYLINE KEYLINE VER, 400,
     "handshake error: bad \"Sec-WebSocket-Key\" header", ""},
    {AUTH PROTO UP CONN KEYLINE, 400, "handshake error: bad \"Sec-WebSocket-Version\" header", ""},
    {AUTH PROTO UP CONN KEYLINE VER VER, 400,
     "handshake error: bad \"Sec-WebSocket-Version\" header", ""},
    {AUTH PROTO UP CONN KEYLINE "Sec-WebSocket-Version: 8\r\n", 426,
     "handshake error: bad \"Sec-WebSocket-Version\" header", "Sec-WebSocket-Version: 13\r\n"},
    {AUTH PROTO UP CONN KEYLINE VER, 101, "", ""},
    {AUTH UP CONN KEYLINE VER, 101, "", ""},
    {AUTH "Proto: 0.999\r\n" UP CONN KEYLINE VER, 101, "", ""},
    {AUTH "Proto: -0.5\r\n" UP CONN KEYLINE VER, 101, "", ""},
    {AUTH "Proto: x1\r\n" UP CONN KEYLINE VER, 101, "", ""},
    {AUTH "Proto: .\r\n" UP CONN KEYLINE VER, 101, "", ""},
    {AUTH "Proto: 1.2.3\r\n" UP CONN KEYLINE VER, 101, "", ""},
    {AUTH PROTO "Upgrade: h2c, WebSocket\r\nConnection: keep-alive, upgrade\r\n" KEYLINE VER, 101,
     "", ""},
};

static void check(const char *text, const char *auth, struct handshake_verdict *v)
{
    static struct http1_head head;
    struct slice in = slice_str(text);

    assert_int_equal(http1_request_parse(&in, &head), WSP_OK);
    handshake_check(&head, slice_str(auth), v);
}

static void test_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(checks); i++) {
        struct handshake_verdict v;
        char text[1024];

        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", checks[i].request);
        check(text, "s3cret", &v);
        if (v.status != checks[i].status || strcmp(v.body, checks[i].body) != 0 ||
            strcmp(v.extra, checks[i].extra) != 0)
            fail_msg("%s: %u %s", checks[i].request, v.status, v.body);
        assert_int_equal(v.key.len, v.status == 101 ? WS_KEY_LEN : 0);
    }
}

static void test_check_request_line(void **state)
{
    struct handshake_verdict v;

    (void)state;
    check("POST / HTTP/1.1\r\nHost: h\r\n\r\n", "", &v);
    assert_int_equal(v.status, 405);
    assert_string_equal(v.body, "handshake error: bad HTTP request method");
    assert_string_equal(v.extra, "Allow: GET\r\n");
    check("POST / HTTP/1.1\r\nHost: h\r\nProto: 1\r\n\r\n", "", &v);
    assert_int_equal(v.status, 400);
    check("GET / HTTP/1.0\r\n" UP CONN KEYLINE VER "\r\n", "", &v);
    assert_int_equal(v.status, 400);
    assert_string_equal(v.body, "handshake error: bad \"Upgrade\" header");
}

static void test_check_auth(void **state)
{
    struct handshake_verdict v;

    (void)state;
    check("GET / HTTP/1.1\r\n" UP CONN KEYLINE VER "\r\n", "", &v);
    assert_int_equal(v.status, 101);
    check("GET / HTTP/1.1\r\nAuth: \r\n" UP CONN KEYLINE VER "\r\n", "", &v);
    assert_int_equal(v.status, 101);
    check("GET / HTTP/1.1\r\nAuth: x\r\n" UP CONN KEYLINE VER "\r\n", "", &v);
    assert_int_equal(v.status, 401);
}

/* No version number, however long, overflows the text or wraps into an accepted one. */
static void test_check_long_version(void **state)
{
    struct handshake_verdict v;
    char text[700];

    (void)state;
    for (size_t digits = 1; digits < 500; digits++) {
        char version[501];

        memset(version, '9', digits);
        version[digits] = '\0';
        snprintf(text, sizeof(text), "GET / HTTP/1.1\r\nProto: %s\r\n\r\n", version);
        check(text, "", &v);
        assert_memory_equal(v.body, "client proto", 12);
        assert_int_equal(v.body[strlen(v.body) - 1], '\n');
    }
    /* 2^64 */
    check("GET / HTTP/1.1\r\nProto: 18446744073709551616\r\n\r\n", "", &v);
    assert_memory_equal(v.body, "client proto", 12);
}

static void test_accept(void **state)
{
    struct handshake_verdict v;
    char out[256];
    size_t len;

    (void)state;
    check(request_0_10, "s3cret", &v);
    assert_int_equal(v.status, 101);
    assert_false(v.offered_wsp_1);
    assert_int_equal(handshake_accept_write(&v, false, out, sizeof(out), &len), WSP_OK);
    assert_int_equal(len, 129);
    assert_true(slice_eq_str(slice_of(out, len), response_0_10));
    assert_int_equal(handshake_accept_write(&v, false, out, len, &len), WSP_ERR_LIMIT);
}

/* Both sides agree on wsp.1 through what they write themselves. */
static void test_both_sides(void **state)
{
    static struct http1_head head;
    struct handshake_request r = sample(true);
    struct handshake_verdict v;
    enum handshake_dialect dialect = HANDSHAKE_0_10;
    char request[512], response[512], error[64];
    size_t len;

    (void)state;
    assert_int_equal(handshake_request_write(&r, request, sizeof(request), &len), WSP_OK);
    check(request, "s3cret", &v);
    assert_int_equal(v.status, 101);
    assert_true(v.offered_wsp_1);
    assert_int_equal(handshake_accept_write(&v, true, response, sizeof(response), &len), WSP_OK);
    parse_response(response, &head);
    assert_int_equal(handshake_response_check(&head, KEY, true, &dialect, error, sizeof(error)),
                     WSP_OK);
    assert_int_equal(dialect, HANDSHAKE_WSP_1);
}

static void test_refusal(void **state)
{
    struct handshake_verdict v;
    char out[512];
    size_t len;

    (void)state;
    check("GET / HTTP/1.1\r\n" UP CONN KEYLINE "Sec-WebSocket-Version: 8\r\n\r\n", "", &v);
    assert_int_equal(handshake_refusal_write(&v, out, sizeof(out), &len), WSP_OK);
    assert_true(slice_eq_str(slice_of(out, len),
                             "HTTP/1.1 426 Upgrade Required\r\n"
                             "Content-Type: text/plain; charset=utf-8\r\n"
                             "X-Content-Type-Options: nosniff\r\n"
                             "Content-Length: 51\r\n"
                             "Connection: close\r\n"
                             "Sec-WebSocket-Version: 13\r\n"
                             "\r\n"
                             "handshake error: bad \"Sec-WebSocket-Version\" header"));
    assert_int_equal(handshake_refusal_write(&v, out, len, &len), WSP_ERR_LIMIT);
    assert_string_equal(handshake_reason(401), "Unauthorized");
    assert_string_equal(handshake_reason(299), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_request_refused),
        cmocka_unit_test(test_response_ok),
        cmocka_unit_test(test_response_bad),
        cmocka_unit_test(test_response_refused),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_check_request_line),
        cmocka_unit_test(test_check_auth),
        cmocka_unit_test(test_check_long_version),
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_both_sides),
        cmocka_unit_test(test_refusal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
