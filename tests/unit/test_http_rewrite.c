#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/rewrite.h"

struct request_case {
    const char *in, *out;
};

static void check_request(const char *in, const char *want)
{
    struct slice text = slice_str(in), scheme, authority, path;
    struct http1_head *head = malloc(sizeof(*head));
    struct http_rewrite r;
    struct buf out;

    assert_non_null(head);
    buf_init(&out);
    assert_int_equal(http1_request_parse(&text, head), WSP_OK);
    assert_int_equal(http1_absolute_split(head->target, &scheme, &authority, &path), WSP_OK);
    r = http_rewrite_for_origin(head, authority, path);
    assert_int_equal(http_rewrite_request(head, &r, &out), WSP_OK);
    assert_int_equal(buf_append(&out, "", 1), WSP_OK);
    assert_string_equal((const char *)buf_slice(&out).p, want);
    buf_fini(&out);
    free(head);
}

/* RFC 9112 sections 3.2.1, 3.2.2 and 3.2.4. */
static void test_targets(void **state)
{
    static const struct request_case cases[] = {
        {"GET http://a.test/x/y?q=1#f HTTP/1.1\r\nHost: a.test\r\n\r\n",
         "GET /x/y?q=1#f HTTP/1.1\r\nHost: a.test\r\n\r\n"},
        {"GET http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"},
        {"GET http://a.test?q HTTP/1.1\r\nHost: a.test\r\n\r\n",
         "GET /?q HTTP/1.1\r\nHost: a.test\r\n\r\n"},
        {"OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
         "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n"},
        {"OPTIONS http://a.test/ HTTP/1.1\r\nHost: a.test\r\n\r\n",
         "OPTIONS / HTTP/1.1\r\nHost: a.test\r\n\r\n"},
        {"GET http://a.test/%7e//../x HTTP/1.0\r\n\r\n",
         "GET /%7e//../x HTTP/1.0\r\nHost: a.test\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_request(cases[i].in, cases[i].out);
}

/* The target's authority counts, whatever Host says; it stands where the first Host stood. */
static void test_host(void **state)
{
    static const struct request_case cases[] = {
        {"GET http://a.test:8080/ HTTP/1.1\r\nA: 1\r\nhOST:  b.test\r\nB: 2\r\n\r\n",
         "GET / HTTP/1.1\r\nA: 1\r\nHost: a.test:8080\r\nB: 2\r\n\r\n"},
        {"GET http://[::1]:80/ HTTP/1.1\r\nA: 1\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: [::1]:80\r\nA: 1\r\n\r\n"},
        {"GET http://a.test/ HTTP/1.1\r\nHost: b\r\nA: 1\r\nHost: c\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: a.test\r\nA: 1\r\n\r\n"},
        {"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nConnection: host\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_request(cases[i].in, cases[i].out);
}

/* RFC 9110 section 7.6.1; the framing and everything else goes on byte by byte. */
static void test_fields(void **state)
{
    static const struct request_case cases[] = {
        {"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nProxy-Connection: keep-alive\r\n"
         "Proxy-Authorization: Basic c2VjcmV0\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: x\r\n"
         "Connection: close, X-Hop\r\nx-hop: 1\r\nContent-Length: 3\r\n\r\n",
         "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\n\r\n"},
        {"POST http://a.test/ HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n"
         "Connection: transfer-encoding\r\nTrailer: X\r\n\r\n",
         "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"},
        {"GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nx-MiXed:\t a  b\t\r\nX-Empty:\r\n"
         "Authorization: Basic eDp5\r\nCookie: a=1\r\nCookie: b=2\r\nX-Obs: \xe9\r\n\r\n",
         "GET / HTTP/1.1\r\nHost: a.test\r\nx-MiXed:\t a  b\t\r\nX-Empty:\r\n"
         "Authorization: Basic eDp5\r\nCookie: a=1\r\nCookie: b=2\r\nX-Obs: \xe9\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check_request(cases[i].in, cases[i].out);
}

static void check_rewrite(const char *in, const struct http_rewrite *r, const char *want)
{
    struct http1_head *head = malloc(sizeof(*head));
    struct slice text = slice_str(in);
    struct buf out;

    assert_non_null(head);
    buf_init(&out);
    assert_int_equal(http1_request_parse(&text, head), WSP_OK);
    assert_int_equal(http_rewrite_request(head, r, &out), WSP_OK);
    assert_int_equal(buf_append(&out, "", 1), WSP_OK);
    assert_string_equal((const char *)buf_slice(&out).p, want);
    buf_fini(&out);
    free(head);
}

/* What a service behind a reverse proxy gets. */
static void test_reverse(void **state)
{
    static const struct {
        const char *in;
        bool upgrade;
        const char *out;
    } cases[] = {
        {"GET /api/x HTTP/1.1\r\nHost: pub.test:80\r\n\r\n", false,
         "GET /base/x HTTP/1.1\r\nHost: pub.test:80\r\nX-Forwarded-For: 192.0.2.1\r\n"
         "X-Forwarded-Proto: https\r\nX-Forwarded-Host: pub.test\r\n\r\n"},
        {"GET /api/x HTTP/1.1\r\nx-forwarded-for: a\r\nX-FORWARDED-FOR:  b, c \r\n"
         "X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\nHost: h\r\n\r\n",
         false,
         "GET /base/x HTTP/1.1\r\nx-forwarded-for: a\r\nX-FORWARDED-FOR:  b, c , 192.0.2.1\r\n"
         "Host: h\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: pub.test\r\n\r\n"},
        {"GET /api/x HTTP/1.1\r\nHost: h\r\nConnection: upgrade, x-forwarded-for\r\n"
         "X-Forwarded-For: forged\r\nUpgrade: websocket\r\n\r\n",
         true,
         "GET /base/x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
         "X-Forwarded-Host: pub.test\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct http_rewrite r = {.target = {slice_str("/base"), slice_str("/x")},
                                 .keep_upgrade = cases[i].upgrade,
                                 .forwarded_for = slice_str("192.0.2.1"),
                                 .proto = "https",
                                 .public_host = slice_str("pub.test")};

        check_rewrite(cases[i].in, &r, cases[i].out);
    }
}

/* Behind a proxy that is believed, and behind one that is not. */
static void test_believed(void **state)
{
    static const char in[] =
        "GET /api/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: a\r\nx-forwarded-proto: https\r\n"
        "X-Real-IP: a\r\nForwarded: for=a\r\nA: 1\r\n%s\r\n";
    static const char *const connection[] = {
        "", "Connection: X-Forwarded-For, X-Forwarded-Proto, X-Real-IP, Forwarded\r\n"};
    static const struct {
        bool believed;
        const char *out[2];
    } cases[] = {
        {true,
         {"GET /base/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: a, 192.0.2.1\r\n"
          "x-forwarded-proto: https\r\nX-Real-IP: a\r\nForwarded: for=a\r\nA: 1\r\n"
          "X-Forwarded-Host: pub.test\r\n\r\n",
          "GET /base/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: a, 192.0.2.1\r\n"
          "x-forwarded-proto: https\r\nX-Real-IP: a\r\nForwarded: for=a\r\nA: 1\r\n"
          "X-Forwarded-Host: pub.test\r\n\r\n"}},
        {false,
         {"GET /base/x HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: a, 192.0.2.1\r\nA: 1\r\n"
          "X-Forwarded-Proto: http\r\nX-Forwarded-Host: pub.test\r\n\r\n",
          "GET /base/x HTTP/1.1\r\nHost: h\r\nA: 1\r\nX-Forwarded-For: 192.0.2.1\r\n"
          "X-Forwarded-Proto: http\r\nX-Forwarded-Host: pub.test\r\n\r\n"}},
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(*cases); i++) {
        struct http_rewrite r = {.target = {slice_str("/base"), slice_str("/x")},
                                 .forwarded_for = slice_str("192.0.2.1"),
                                 .proto = "http",
                                 .public_host = slice_str("pub.test"),
                                 .believed = cases[i / 2].believed};
        char text[512];

        snprintf(text, sizeof(text), in, connection[i % 2]);
        check_rewrite(text, &r, cases[i / 2].out[i % 2]);
    }
}

static void test_responses(void **state)
{
    static const struct {
        const char *in;
        bool close;
        const char *out;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", false, "HTTP/1.1 200 OK\r\nA: 1\r\n\r\n"},
        {"HTTP/1.1 200 OK\r\nA: 1\r\n\r\n", true,
         "HTTP/1.1 200 OK\r\nA: 1\r\nConnection: close\r\n\r\n"},
        {"HTTP/1.0 404 Not  Found\r\nConnection: keep-alive\r\nKeep-Alive: 5\r\nB: 2\r\n\r\n",
         false, "HTTP/1.0 404 Not  Found\r\nB: 2\r\n\r\n"},
        {"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\nA: 1\r\n\r\n", false,
         "HTTP/1.1 101 Go\r\nUpgrade: x\r\nA: 1\r\nConnection: Upgrade\r\n\r\n"},
        {"HTTP/1.1 204 \r\n\r\n", false, "HTTP/1.1 204 \r\n\r\n"},
        {"HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\nWWW-Authenticate: Basic\r\n\r\n", true,
         "HTTP/1.1 407 Auth\r\nWWW-Authenticate: Basic\r\nConnection: close\r\n\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct slice text = slice_str(cases[i].in);
        struct http1_head *head = malloc(sizeof(*head));
        struct buf out;

        assert_non_null(head);
        buf_init(&out);
        assert_int_equal(http1_response_parse(&text, head), WSP_OK);
        assert_int_equal(http_rewrite_response(head, cases[i].close, &out), WSP_OK);
        assert_int_equal(buf_append(&out, "", 1), WSP_OK);
        assert_string_equal((const char *)buf_slice(&out).p, cases[i].out);
        buf_fini(&out);
        free(head);
    }
}

/* It appends: what stood in the buffer stays. */
static void test_appends(void **state)
{
    struct slice text = slice_str("HTTP/1.1 200 OK\r\n\r\n");
    struct http1_head *head = malloc(sizeof(*head));
    struct buf out;

    (void)state;
    assert_non_null(head);
    buf_init(&out);
    assert_int_equal(buf_append(&out, "before", 6), WSP_OK);
    assert_int_equal(http1_response_parse(&text, head), WSP_OK);
    assert_int_equal(http_rewrite_response(head, false, &out), WSP_OK);
    assert_true(slice_eq_str(buf_slice(&out), "beforeHTTP/1.1 200 OK\r\n\r\n"));
    buf_fini(&out);
    free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),  cmocka_unit_test(test_host),
        cmocka_unit_test(test_fields),   cmocka_unit_test(test_responses),
        cmocka_unit_test(test_appends),  cmocka_unit_test(test_reverse),
        cmocka_unit_test(test_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
