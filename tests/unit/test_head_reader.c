#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "http/head_reader.h"
#include "unit/net_help.h"

struct fixture {
    struct wsp_loop *loop;
    struct stream stream;
    struct head_reader reader;
    struct http1_head head;
    size_t head_len;
    int far;
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
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    head_reader_fini(&f->reader);
    stream_close(&f->stream);
    close(f->far);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

static void put(struct fixture *f, const char *text)
{
    size_t len = strlen(text);

    f->stream.readable = false;
    assert_int_equal(send(f->far, text, len, MSG_NOSIGNAL), (ssize_t)len);
    wait_for(f->loop, -1, f->stream.readable);
}

static enum wsp_err request(struct fixture *f)
{
    return head_reader_request(&f->reader, &f->stream, &f->head, &f->head_len);
}

static void test_whole(void **state)
{
    static const char text[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture *f = *state;

    assert_int_equal(request(f), WSP_ERR_MORE);
    put(f, text);
    assert_int_equal(request(f), WSP_OK);
    assert_true(slice_eq_str(f->head.target, "/a"));
    assert_int_equal(f->head_len, sizeof(text) - 1);
    assert_int_equal(f->reader.in.len, f->head_len);
}

static void test_byte_by_byte(void **state)
{
    static const char text[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        assert_int_equal(request(f), WSP_ERR_MORE);
        put(f, (const char[2]){text[i], '\0'});
    }
    assert_int_equal(request(f), WSP_OK);
    assert_int_equal(f->head_len, sizeof(text) - 1);
}

/* What follows the head stays behind it, and the next head is found there without reading. */
static void test_pipelined(void **state)
{
    struct fixture *f = *state;

    put(f, "GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\nbody");
    assert_int_equal(request(f), WSP_OK);
    assert_true(slice_eq_str(f->head.target, "/1"));
    buf_consume(&f->reader.in, f->head_len);
    assert_int_equal(request(f), WSP_OK);
    assert_true(slice_eq_str(f->head.target, "/2"));
    buf_consume(&f->reader.in, f->head_len);
    assert_true(slice_eq_str(buf_slice(&f->reader.in), "body"));
}

static void test_response(void **state)
{
    struct fixture *f = *state;

    put(f, "HTTP/1.1 204 No Content\r\n");
    assert_int_equal(head_reader_response(&f->reader, &f->stream, &f->head, &f->head_len),
                     WSP_ERR_MORE);
    put(f, "\r\n");
    assert_int_equal(head_reader_response(&f->reader, &f->stream, &f->head, &f->head_len), WSP_OK);
    assert_int_equal(f->head.status, 204);
    assert_int_equal(f->head_len, 27);
}

static void test_malformed(void **state)
{
    struct fixture *f = *state;

    put(f, "GET /a HTTP/1.1\nHost: x\r\n");
    assert_int_equal(request(f), WSP_ERR_MALFORMED);
}

/* One endless line is refused at the limit, and not read for ever. */
static void test_limit(void **state)
{
    struct fixture *f = *state;
    char text[4097];
    enum wsp_err err;
    size_t sent = 4096;

    memset(text, 'a', 4096);
    text[4096] = '\0';
    memcpy(text, "GET /", 5);
    put(f, text);
    memset(text, 'a', 5);
    while ((err = request(f)) == WSP_ERR_MORE) {
        assert_true(sent <= HTTP1_HEAD_MAX);
        put(f, text);
        sent += 4096;
    }
    assert_int_equal(err, WSP_ERR_LIMIT);
    assert_in_range(f->reader.in.len, HTTP1_HEAD_MAX, HTTP1_HEAD_MAX + 4096);
}

static void test_closed(void **state)
{
    struct fixture *f = *state;

    put(f, "GET /a HTTP/1.1\r\nHo");
    assert_int_equal(request(f), WSP_ERR_MORE);
    shutdown(f->far, SHUT_WR);
    wait_for(f->loop, -1, f->stream.hangup);
    assert_int_equal(request(f), WSP_ERR_REFUSED);
}

/* A head that was complete counts, though the end came right behind it. */
static void test_complete_then_closed(void **state)
{
    struct fixture *f = *state;

    put(f, "GET /a HTTP/1.0\r\n\r\n");
    shutdown(f->far, SHUT_WR);
    wait_for(f->loop, -1, f->stream.hangup);
    assert_int_equal(request(f), WSP_OK);
    buf_consume(&f->reader.in, f->head_len);
    assert_int_equal(request(f), WSP_ERR_REFUSED);
}

static void test_reset(void **state)
{
    struct fixture *f = *state;
    struct linger hard = {1, 0};

    setsockopt(f->far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(f->far);
    f->far = -1;
    wait_for(f->loop, -1, f->stream.hangup);
    assert_int_equal(request(f), WSP_ERR_SYSTEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pipelined, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_complete_then_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
