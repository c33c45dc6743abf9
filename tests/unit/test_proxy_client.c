#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/http1.h"
#include "proto/proxy_client.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT(s)                             \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
#define OK_HEAD "HTTP/1.1 200 Connection established\r\n\r\n"
#define BOUND "\x05\x00\x00\x01\x7f\x00\x00\x01\x1f\x90"

static struct proxy_request request_of(enum proxy_kind kind, const char *host, const char *user,
                                       const char *password)
{
    return (struct proxy_request){.kind = kind,
                                  .host = slice_str(host),
                                  .port = 8010,
                                  .user = slice_str(user),
                                  .password = slice_str(password)};
}

static void expect_bytes(const uint8_t *out, size_t len, struct slice expected)
{
    assert_int_equal(len, expected.len);
    assert_memory_equal(out, expected.p, len);
}

/* ---- what we write */

static const struct {
    enum proxy_kind kind;
    const char *host, *user, *password;
    struct slice first;
} starts[] = {
    {PROXY_HTTP, "a.test", "", "",
     TEXT("CONNECT a.test:8010 HTTP/1.1\r\nHost: a.test:8010\r\n\r\n")},
    {PROXY_HTTP, "2001:db8::1", "", "",
     TEXT("CONNECT [2001:db8::1]:8010 HTTP/1.1\r\nHost: [2001:db8::1]:8010\r\n\r\n")},
    {PROXY_HTTP, "1.2.3.4", "Aladdin", "open sesame", /* the example of RFC 7617 section 2 */
     TEXT("CONNECT 1.2.3.4:8010 HTTP/1.1\r\nHost: 1.2.3.4:8010\r\n"
          "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n")},
    {PROXY_HTTP, "a", "u", "",
     TEXT("CONNECT a:8010 HTTP/1.1\r\nHost: a:8010\r\nProxy-Authorization: Basic dTo=\r\n\r\n")},
    {PROXY_SOCKS5, "a", "", "", TEXT("\x05\x01\x00")},
    {PROXY_SOCKS5, "a", "u", "p", TEXT("\x05\x02\x00\x02")},
};

static void test_start(void **state)
{
    uint8_t out[PROXY_MESSAGE_MAX];
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT(starts); i++) {
        struct proxy_request r =
            request_of(starts[i].kind, starts[i].host, starts[i].user, starts[i].password);
        struct proxy_client c;

        assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_OK);
        expect_bytes(out, len, starts[i].first);
    }
}

static void test_start_limits(void **state)
{
    static char longest[PROXY_CREDENTIAL_MAX + 2];
    uint8_t *out = malloc(PROXY_MESSAGE_MAX); /* so that ASan sees a byte too many */
    struct proxy_client c;
    struct proxy_request r = {.kind = PROXY_HTTP, .port = UINT16_MAX};
    size_t len;

    (void)state;
    memset(longest, ':', sizeof(longest));
    memset(longest, 'x', 200);
    assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_ERR_LIMIT); /* no host */
    r.host = slice_of(longest, 255);
    r.user = r.password = slice_of(longest, PROXY_CREDENTIAL_MAX);
    assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_OK);
    assert_true(len < PROXY_MESSAGE_MAX);
    assert_memory_equal(out + len - 4, "\r\n\r\n", 4);
    r.user.len++;
    assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_ERR_LIMIT);
    r.kind = PROXY_SOCKS5;
    r.user.len = PROXY_SOCKS5_CREDENTIAL_MAX;
    assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_ERR_LIMIT);
    r.password.len = PROXY_SOCKS5_CREDENTIAL_MAX;
    assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_OK);
    r.host.len = 256;
    assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_ERR_LIMIT);
    r.host = slice_str("a\r\nX: y");
    assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_ERR_MALFORMED);
    free(out);
}

/* ---- whole dialogues */

/* What the proxy says and what we say then, in turns. */
struct turn {
    struct slice in;
    struct slice out;
};

static const struct dialogue {
    enum proxy_kind kind;
    const char *host, *user;
    struct turn turns[3];
} dialogues[] = {
    {PROXY_HTTP, "a", "", {{TEXT(OK_HEAD), TEXT("")}}},
    {PROXY_HTTP, "a", "", {{TEXT("HTTP/1.0 299 \r\nContent-Length: 5\r\n\r\n"), TEXT("")}}},
    {PROXY_HTTP,
     "a",
     "",
     {{TEXT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\nA: b\r\n\r\n" OK_HEAD), TEXT("")}}},
    {PROXY_SOCKS5,
     "b.test",
     "",
     {{TEXT("\x05\x00"), TEXT("\x05\x01\x00\x03\x06"
                              "b.test\x1f\x4a")},
      {TEXT(BOUND), TEXT("")}}},
    {PROXY_SOCKS5,
     "1.2.3.4",
     "user",
     {{TEXT("\x05\x02"), TEXT("\x01\x04user\x06s3cret")},
      {TEXT("\x01\x00"), TEXT("\x05\x01\x00\x01\x01\x02\x03\x04\x1f\x4a")},
      {TEXT("\x05\x00\x00\x03\x03xyz\x00\x00"), TEXT("")}}},
    {PROXY_SOCKS5, /* it does without */
     "::1",
     "user",
     {{TEXT("\x05\x00"), TEXT("\x05\x01\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x1f\x4a")},
      {TEXT("\x05\x00\x00\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x00\x50"), TEXT("")}}},
};

/* One turn, byte by byte, each prefix in memory of its own size; the last turn has a byte of the
 * tunnel behind it, which stays. */
static void play(struct proxy_client *c, const struct turn *turn, bool last)
{
    size_t total = turn->in.len + last, begin = 0, len;
    uint8_t out[PROXY_MESSAGE_MAX];

    for (size_t n = 1; n <= turn->in.len; n++) {
        uint8_t *copy = malloc(n - begin + 1);
        struct slice in = slice_of(copy, n == turn->in.len ? total - begin : n - begin);
        enum wsp_err err;

        memcpy(copy, turn->in.p + begin, n - begin);
        copy[n - begin] = 'T';
        err = proxy_client_take(c, &in, out, &len);
        if (n < turn->in.len) {
            assert_int_equal(err, WSP_ERR_MORE);
            assert_int_equal(len, 0);
            begin = n - in.len; /* interim responses are consumed, nothing else */
        } else {
            assert_int_equal(err, last ? WSP_OK : WSP_ERR_MORE);
            expect_bytes(out, len, turn->out);
            assert_int_equal(in.len, last);
        }
        free(copy);
    }
}

static void test_dialogues(void **state)
{
    uint8_t out[PROXY_MESSAGE_MAX];
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT(dialogues); i++) {
        const struct dialogue *d = &dialogues[i];
        struct proxy_request r = request_of(d->kind, d->host, d->user, "s3cret");
        struct proxy_client c;

        assert_int_equal(proxy_client_start(&c, &r, out, &len), WSP_OK);
        for (size_t t = 0; t < 3 && d->turns[t].in.len; t++)
            play(&c, &d->turns[t], t == 2 || d->turns[t + 1].in.len == 0);
        assert_string_equal(c.why, "");
    }
}

/* All that an HTTP proxy says in one piece, the start of the tunnel included. */
static void test_glued(void **state)
{
    struct proxy_request r = request_of(PROXY_HTTP, "a", "", "");
    struct slice in = slice_str("HTTP/1.1 100 x\r\n\r\n" OK_HEAD "HTTP/1.1 101 x\r\n\r\n");
    uint8_t out[PROXY_MESSAGE_MAX];
    struct proxy_client c;
    size_t len;

    (void)state;
    proxy_client_start(&c, &r, out, &len);
    assert_int_equal(proxy_client_take(&c, &in, out, &len), WSP_OK);
    assert_true(slice_eq_str(in, "HTTP/1.1 101 x\r\n\r\n"));
}

/* ---- failures */

#define NO "\x05\x00" /* no authentication */
#define LOGIN "\x05\x02"

static const struct failure {
    enum proxy_kind kind;
    struct slice said[2]; /* in turns */
    enum wsp_err err;
    bool wants_login;
    const char *why;
} failures[] = {
    {PROXY_HTTP,
     {TEXT("HTTP/1.1 403 Forbidden\r\n\r\n<html>")},
     WSP_ERR_REFUSED,
     false,
     "403 Forbidden"},
    {PROXY_HTTP, {TEXT("HTTP/1.1 503\r\n\r\n")}, WSP_ERR_REFUSED, false, "503 Service Unavailable"},
    {PROXY_HTTP, {TEXT("HTTP/1.1 599 \r\n\r\n")}, WSP_ERR_REFUSED, false, "599"},
    {PROXY_HTTP, {TEXT("HTTP/1.1 404 \xe4\tx\r\n\r\n")}, WSP_ERR_REFUSED, false, "404 ??x"},
    {PROXY_HTTP, {TEXT("HTTP/1.1 101 Switching\r\n\r\n")}, WSP_ERR_REFUSED, false, "101 Switching"},
    {PROXY_HTTP,
     {TEXT("HTTP/1.1 301 Moved\r\nLocation: x\r\n\r\n")},
     WSP_ERR_REFUSED,
     false,
     "301 Moved"},
    {PROXY_HTTP, {TEXT("HTTP/1.1 407 Who\r\n\r\n")}, WSP_ERR_REFUSED, true, "407 Who"},
    {PROXY_HTTP, {TEXT("HTTP/1.0 401 Who\r\n\r\n")}, WSP_ERR_REFUSED, true, "401 Who"},
    {PROXY_HTTP,
     {TEXT("HTTP/1.1 407 Who\r\nProxy-Authenticate: Negotiate, NTLM,\r\n"
           "proxy-authenticate: Digest realm=\"a, b\", basic realm=x\r\n\r\n")},
     WSP_ERR_REFUSED,
     true,
     "407 Who"},
    {PROXY_HTTP,
     {TEXT("HTTP/1.1 407 Who\r\nProxy-Authenticate: NTLM, Basically\r\n\r\n")},
     WSP_ERR_REFUSED,
     false,
     "407 Who: it does not offer Basic, all that we can do"},
    {PROXY_HTTP, {TEXT("\x05\x00\r\n")}, WSP_ERR_MALFORMED, false, "its answer is not valid HTTP"},
    {PROXY_HTTP,
     {TEXT("HTTP/2 200\r\n\r\n")},
     WSP_ERR_MALFORMED,
     false,
     "its answer is not valid HTTP"},
    {PROXY_HTTP,
     {TEXT("HTTP/1.1 200 OK\n\n")},
     WSP_ERR_MALFORMED,
     false,
     "its answer is not valid HTTP"},
    {PROXY_SOCKS5,
     {TEXT("HTTP/1.1 400 Bad Request\r\n")},
     WSP_ERR_MALFORMED,
     false,
     "its answer is not SOCKS5"},
    {PROXY_SOCKS5,
     {TEXT("\x05\xff")},
     WSP_ERR_REFUSED,
     true,
     "no way to authenticate that it accepts"},
    {PROXY_SOCKS5,
     {TEXT("\x05\x01")},
     WSP_ERR_MALFORMED,
     false,
     "it wants to authenticate in a way not offered"},
    {PROXY_SOCKS5, {TEXT(LOGIN), TEXT("\x01\x01")}, WSP_ERR_REFUSED, true, "login refused"},
    {PROXY_SOCKS5,
     {TEXT(NO), TEXT("\x05\x05")},
     WSP_ERR_REFUSED,
     false,
     "SOCKS5 reply 5: connection refused"},
    {PROXY_SOCKS5,
     {TEXT(NO), TEXT("\x05\x02\x00\x01\0\0\0\0\0\0")},
     WSP_ERR_REFUSED,
     false,
     "SOCKS5 reply 2: not allowed by its rules"},
    {PROXY_SOCKS5, {TEXT(NO), TEXT("\x05\x09")}, WSP_ERR_REFUSED, false, "SOCKS5 reply 9"},
    {PROXY_SOCKS5, {TEXT(NO), TEXT("\x04")}, WSP_ERR_MALFORMED, false, "its answer is not SOCKS5"},
    {PROXY_SOCKS5,
     {TEXT(NO), TEXT("\x05\x00\x00\x02\x00")},
     WSP_ERR_MALFORMED,
     false,
     "its answer is not SOCKS5"},
};

static void test_failures(void **state)
{
    uint8_t out[PROXY_MESSAGE_MAX];
    size_t len;

    (void)state;
    for (size_t i = 0; i < COUNT(failures); i++) {
        const struct failure *f = &failures[i];
        struct proxy_request r = request_of(f->kind, "a", "user", "s3cret");
        struct proxy_client c;
        enum wsp_err err = WSP_ERR_MORE;

        proxy_client_start(&c, &r, out, &len);
        for (size_t t = 0; t < 2 && f->said[t].len; t++) {
            struct slice in = f->said[t];

            assert_int_equal(err, WSP_ERR_MORE);
            err = proxy_client_take(&c, &in, out, &len);
        }
        assert_int_equal(err, f->err);
        assert_int_equal(c.wants_login, f->wants_login);
        assert_string_equal(c.why, f->why);
    }
}

/* A login that was not offered is not given, whatever the proxy asks for. */
static void test_login_not_offered(void **state)
{
    struct proxy_request r = request_of(PROXY_SOCKS5, "a", "", "");
    struct slice in = TEXT(LOGIN);
    uint8_t out[PROXY_MESSAGE_MAX];
    struct proxy_client c;
    size_t len;

    (void)state;
    proxy_client_start(&c, &r, out, &len);
    assert_int_equal(proxy_client_take(&c, &in, out, &len), WSP_ERR_MALFORMED);
    assert_int_equal(len, 0);
}

static void test_endless_head(void **state)
{
    struct proxy_request r = request_of(PROXY_HTTP, "a", "", "");
    uint8_t out[PROXY_MESSAGE_MAX], *head = malloc(HTTP1_HEAD_MAX);
    struct slice in = slice_of(head, HTTP1_HEAD_MAX - 1);
    struct proxy_client c;
    size_t len;

    (void)state;
    memset(head, 'x', HTTP1_HEAD_MAX);
    memcpy(head, "HTTP/1.1 200 OK\r\n", 17);
    proxy_client_start(&c, &r, out, &len);
    assert_int_equal(proxy_client_take(&c, &in, out, &len), WSP_ERR_MORE);
    in.len++;
    assert_int_equal(proxy_client_take(&c, &in, out, &len), WSP_ERR_LIMIT);
    assert_string_equal(c.why, "the head of its answer is too long");
    free(head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start),        cmocka_unit_test(test_start_limits),
        cmocka_unit_test(test_dialogues),    cmocka_unit_test(test_glued),
        cmocka_unit_test(test_failures),     cmocka_unit_test(test_login_not_offered),
        cmocka_unit_test(test_endless_head),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
