#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/via.h"
#include "proto/http1.h"
#include "unit/net_help.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\n\r\n"

struct fixture {
    struct wsp_loop *loop;
    struct stream stream;
    struct via via;
    struct wspc_client config;
    int far; /* the proxy's end; -1 when closed */
};

static void on_event(struct stream *s)
{
    (void)s;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    int fds[2];

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    tcp_pair(fds, 0);
    assert_int_equal(stream_init(&f->stream, f->loop, fds[0], on_event), WSP_OK);
    f->far = fds[1];
    f->config = (struct wspc_client){
        .host = "a",
        .port = 8010,
        .proxy = {.user = "", .password = "", .shown = "http://p:1", .origin = "\"proxy\""}};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    via_fini(&f->via);
    via_fini(&f->via);
    stream_close(&f->stream);
    if (f->far >= 0)
        close(f->far);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

static void start(struct fixture *f)
{
    assert_int_equal(via_start(&f->via, &f->stream, &f->config), WSP_OK);
}

/* The proxy gets these bytes. */
static void expect_sent(struct fixture *f, const char *bytes, size_t len)
{
    uint8_t got[512];
    size_t n = 0;

    assert_true(len <= sizeof(got));
    for (uint64_t until = now_ms() + WAIT_MS; n < len; assert_true(now_ms() < until)) {
        ssize_t more = recv(f->far, got + n, len - n, 0);

        n += more > 0 ? (size_t)more : 0;
    }
    assert_memory_equal(got, bytes, len);
}

/* The proxy says `text`; what comes of it. */
static enum wsp_err say(struct fixture *f, const char *text, size_t len)
{
    assert_int_equal(send(f->far, text, len, MSG_NOSIGNAL), (ssize_t)len);
    wait_for(f->loop, -1, f->stream.readable);
    return via_read(&f->via, &f->stream);
}

/* What came through the tunnel is there for who reads next, all of it. */
static void expect_tunnelled(struct fixture *f, const char *text)
{
    char got[64];

    assert_int_equal(stream_recv(&f->stream, got, sizeof(got)), (ssize_t)strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void test_connect(void **state)
{
    static const char request[] = "CONNECT a:8010 HTTP/1.1\r\nHost: a:8010\r\n\r\n";
    static const char answer[] = OK_HEAD "rest";
    struct fixture *f = *state;

    start(f);
    expect_sent(f, request, sizeof(request) - 1);
    assert_int_equal(via_read(&f->via, &f->stream), WSP_ERR_MORE);
    assert_int_equal(say(f, answer, sizeof(answer) - 1), WSP_OK);
    expect_tunnelled(f, "rest");
}

static void test_byte_by_byte(void **state)
{
    static const char answer[] = "HTTP/1.1 100 x\r\n\r\n" OK_HEAD;
    size_t len = sizeof(answer) - 1;
    struct fixture *f = *state;

    start(f);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(say(f, answer + i, 1), i + 1 < len ? WSP_ERR_MORE : WSP_OK);
    assert_false(f->stream.hangup);
}

static void test_socks5(void **state)
{
    static const char bound[] = "\x05\x00\x00\x01\0\0\0\0\0\0rest";
    struct fixture *f = *state;

    f->config.proxy.kind = PROXY_SOCKS5;
    f->config.proxy.user = "u";
    f->config.proxy.password = "p";
    start(f);
    expect_sent(f, "\x05\x02\x00\x02", 4);
    assert_int_equal(say(f, "\x05\x02", 2), WSP_ERR_MORE);
    expect_sent(f, "\x01\x01u\x01p", 5);
    assert_int_equal(say(f, "\x01\x00", 2), WSP_ERR_MORE);
    expect_sent(f, "\x05\x01\x00\x03\x01\x61\x1f\x4a", 8);
    assert_int_equal(say(f, bound, sizeof(bound) - 1), WSP_OK);
    expect_tunnelled(f, "rest");
}

/* A reload frees the strings of the configuration and puts equal ones there. */
static void test_reloaded(void **state)
{
    struct fixture *f = *state;
    char *old[] = {strdup("u"), strdup("p"), strdup("a")};

    f->config.proxy.kind = PROXY_SOCKS5;
    f->config.proxy.user = old[0];
    f->config.proxy.password = old[1];
    f->config.host = old[2];
    start(f);
    f->config.proxy.user = "u";
    f->config.proxy.password = "p";
    f->config.host = "a";
    for (size_t i = 0; i < 3; i++)
        free(old[i]);
    assert_int_equal(say(f, "\x05\x02", 2), WSP_ERR_MORE);
    assert_int_equal(say(f, "\x01\x00", 2), WSP_ERR_MORE);
    expect_sent(f, "\x05\x02\x00\x02\x01\x01u\x01p\x05\x01\x00\x03\x01\x61\x1f\x4a", 17);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *answer, *user, *error;
    } cases[] = {
        {"HTTP/1.1 403 No\r\n\r\n<html>", "u", "proxy http://p:1: 403 No"},
        {"HTTP/1.1 407 Who\r\n\r\n", "",
         "proxy http://p:1: 407 Who; give user and password in \"proxy\""},
        {"HTTP/1.1 407 Who\r\n\r\n", "u",
         "proxy http://p:1: 407 Who; user or password are wrong in \"proxy\""},
        {"\x05\xff\r\n", "", "proxy http://p:1: its answer is not valid HTTP"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        f->config.proxy.user = (char *)(uintptr_t)cases[i].user;
        start(f);
        assert_int_not_equal(say(f, cases[i].answer, strlen(cases[i].answer)), WSP_ERR_MORE);
        assert_string_equal(f->via.error, cases[i].error);
        via_fini(&f->via);
        while (f->stream.readable) { /* what is left of the answer, for the next case */
            char rest[64];

            stream_recv(&f->stream, rest, sizeof(rest));
        }
    }
}

static void test_end(void **state)
{
    struct fixture *f = *state;

    start(f);
    shutdown(f->far, SHUT_WR);
    wait_for(f->loop, -1, f->stream.hangup);
    assert_int_equal(via_read(&f->via, &f->stream), WSP_ERR_REFUSED);
    assert_string_equal(f->via.error, "proxy http://p:1: it closed the connection");
}

/* Interim responses for ever: neither memory nor the loop is its own for long. */
static void test_endless(void **state)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct fixture *f = *state;
    enum wsp_err err = WSP_ERR_MORE;
    size_t sent = 0;

    start(f);
    while (err == WSP_ERR_MORE) {
        err = say(f, interim, sizeof(interim) - 1);
        sent += sizeof(interim) - 1;
        assert_true(sent <= HTTP1_HEAD_MAX + 100);
    }
    assert_int_equal(err, WSP_ERR_LIMIT);
    assert_string_equal(f->via.error, "proxy http://p:1: it answers without end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_socks5, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reloaded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_endless, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
