/* How secured streams end: each direction on its own, with data still to be sent, broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/tls_pair.h"

static struct tls_end *first, *second;

/* Runs a test for each version, with each side as the one that ends first. */
static void for_each(int buffer, void (*run)(void))
{
    for (size_t i = 0; i < 2 * COUNT(versions); i++) {
        pair_connect(versions[i / 2], buffer);
        first = i & 1 ? &pair.server : &pair.client;
        second = i & 1 ? &pair.client : &pair.server;
        run();
        stream_close(&pair.client.stream);
        stream_close(&pair.server.stream);
        turn_until_idle(pair.loop);
        assert_int_equal(pool_used(loop_pool(pair.loop)), 0);
    }
}

/* One side ends; the other notices, still sends, and ends too. */
static void half_close(void)
{
    first->to_send = 50000;
    first->ends = true;
    end_run(first);
    wait_for(pair.loop, -1, second->last == STREAM_EOF);
    assert_int_equal(second->got, 50000);
    assert_int_equal(first->last, STREAM_AGAIN);
    second->to_send = 300000;
    second->ends = true;
    end_run(second);
    wait_for(pair.loop, -1, first->last == STREAM_EOF);
    assert_int_equal(first->got, 300000);
}

static void test_half_close(void **state)
{
    (void)state;
    for_each(0, half_close);
}

static void test_half_close_small(void **state)
{
    (void)state;
    for_each(4096, half_close);
}

/* Behind our end nothing can be sent. */
static void send_after_finish(void)
{
    struct iovec iov = {"x", 1};

    stream_finish(&first->stream);
    stream_finish(&first->stream);
    assert_int_equal(stream_send(&first->stream, &iov, 1), STREAM_ERROR);
    wait_for(pair.loop, -1, second->last == STREAM_EOF);
}

static void test_send_after_finish(void **state)
{
    (void)state;
    for_each(0, send_after_finish);
}

/* Sends until something is pending that the peer, who does not read, leaves no room for. */
static void fill(void)
{
    second->deaf = true;
    first->to_send = SIZE_MAX;
    end_run(first);
    turn_until_idle(pair.loop);
    assert_false(first->stream.writable);
    assert_true(stream_holds(&first->stream));
    first->to_send = first->sent;
}

static void read_on(void)
{
    second->deaf = false;
    end_run(second);
    wait_for(pair.loop, -1, second->last != STREAM_AGAIN);
    assert_int_equal(second->last, STREAM_EOF);
    assert_int_equal(second->got, first->sent);
}

/* What is pending goes before the end, and while it waits, more is refused. */
static void finish_full(void)
{
    fill();
    assert_int_equal(stream_send(&first->stream, &(struct iovec){"x", 1}, 1), STREAM_AGAIN);
    stream_finish(&first->stream);
    turn_until_idle(pair.loop);
    assert_int_equal(second->got, 0);
    read_on();
    assert_false(stream_holds(&first->stream));
    second->to_send = 1000;
    end_run(second);
    wait_for(pair.loop, -1, first->got == 1000);
}

static void close_full(void)
{
    fill();
    stream_close(&first->stream);
    assert_int_equal(loop_owned_count(pair.loop), 1);
    turn_until_idle(pair.loop);
    read_on();
}

static void linger_full(void)
{
    fill();
    second->to_send = 20000; /* which nobody wants any more */
    end_run(second);
    stream_linger(&first->stream);
    turn_until_idle(pair.loop);
    read_on();
    stream_close(&second->stream);
    wait_for(pair.loop, -1, loop_owned_count(pair.loop) == 0);
}

static void finish_full_then_close(void)
{
    fill();
    stream_finish(&first->stream);
    stream_close(&first->stream);
    read_on();
}

static void test_pending(void **state)
{
    (void)state;
    for_each(4096, finish_full);
    for_each(4096, close_full);
    for_each(4096, linger_full);
    for_each(4096, finish_full_then_close);
}

/* The session's rest is freed with the loop, and a reset drops it. */
static void test_pending_dropped(void **state)
{
    (void)state;
    pair_connect(TLS1_3_VERSION, 4096);
    first = &pair.server;
    second = &pair.client;
    fill();
    stream_reset(&first->stream);
    second->deaf = false;
    end_run(second);
    wait_for(pair.loop, -1, second->last == STREAM_ERROR);
    stream_close(&second->stream);
    pair_connect(TLS1_3_VERSION, 4096);
    fill();
    stream_close(&first->stream);
}

/* A stream that ends without saying so in TLS may have been cut off. */
static void cut(void)
{
    first->to_send = 5000;
    end_run(first);
    wait_for(pair.loop, -1, second->got == 5000);
    shutdown(first->stream.watch.fd, SHUT_WR);
    wait_for(pair.loop, -1, second->last != STREAM_AGAIN);
    assert_int_equal(second->last, STREAM_ERROR);
    assert_string_equal(stream_why(&second->stream),
                        "tls: the connection ended without close_notify");
    assert_int_equal(stream_peek(&second->stream), STREAM_ERROR);
    assert_int_equal(stream_send(&second->stream, &(struct iovec){"x", 1}, 1), STREAM_ERROR);
}

static void test_cut(void **state)
{
    (void)state;
    for_each(0, cut);
}

static void reset_by_peer(void)
{
    stream_reset(&first->stream);
    wait_for(pair.loop, -1, second->last != STREAM_AGAIN);
    assert_int_equal(second->last, STREAM_ERROR);
    assert_string_equal(stream_why(&second->stream), "Connection reset by peer");
}

static void test_reset(void **state)
{
    (void)state;
    for_each(0, reset_by_peer);
}

/* Both end, which the poller reports as broken before the last bytes are read. */
static void both_end(void)
{
    first->deaf = true;
    second->to_send = 100000;
    second->ends = true;
    end_run(second);
    stream_finish(&first->stream);
    wait_for(pair.loop, -1, second->last == STREAM_EOF && second->finished);
    wait_for(pair.loop, -1, first->stream.broken || first->stream.hangup);
    first->deaf = false;
    end_run(first);
    wait_for(pair.loop, -1, first->last == STREAM_EOF);
    assert_int_equal(first->got, 100000);
}

static void test_both_end(void **state)
{
    (void)state;
    for_each(0, both_end);
}

/* ---- in the handshake */

static const struct {
    const char *sent, *why;
    bool http;
} strangers[] = {
    {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "tls: handshake failed: http request", true},
    {"HEAD / HTTP/1.0\r\n\r\n", "tls: handshake failed: http request", true},
    {"POST / HTTP/1.1\r\n\r\n", "tls: handshake failed: http request", true},
    {"CONNECT a:1 HTTP/1.1\r\n\r\n", "tls: handshake failed: https proxy request", true},
    {"SSH-2.0-x\r\n", "tls: handshake failed: wrong version number", false},
    {"\x16\x03\x01\xff\xff garbage", "tls: handshake failed: ", false},
    {"\x15\x03\x01\x00\x02\x02\x28", "tls: handshake failed: ", false},
    {"", "tls: handshake failed: the peer closed the connection", false},
    {"\x16\x03\x01", "tls: handshake failed: the peer closed the connection", false},
};

static size_t stranger_len(size_t row)
{
    return strangers[row].sent[0] == '\x15' ? 7 : strlen(strangers[row].sent);
}

static void stranger(size_t row)
{
    struct stream *s = &pair.server.stream;
    char answer[64];
    int fds[2];
    ssize_t n;

    tcp_pair(fds, 0);
    end_init(&pair.server, false);
    assert_int_equal(stream_init(s, pair.loop, fds[0], end_on_event), WSP_OK);
    pair_secure_server();
    assert_int_equal(send(fds[1], strangers[row].sent, stranger_len(row), 0), stranger_len(row));
    shutdown(fds[1], SHUT_WR);
    wait_for(pair.loop, -1, pair.server.last == STREAM_ERROR);
    assert_false(stream_is_ready(s));
    assert_memory_equal(stream_why(s), strangers[row].why, strlen(strangers[row].why));
    assert_int_equal(stream_is_mute(s), strangers[row].sent[0] == '\0');
    assert_int_equal(stream_met_http(s), strangers[row].http);
    if (strangers[row].http) { /* and can be told in his own words */
        assert_int_equal(stream_send(s, &(struct iovec){"plain", 5}, 1), 5);
        stream_linger(s);
        wait_for(pair.loop, fds[1], (n = recv(fds[1], answer, sizeof(answer), 0)) > 0);
        assert_int_equal(n, 5);
        assert_memory_equal(answer, "plain", 5);
    }
    close(fds[1]);
    stream_close(s);
    turn_until_idle(pair.loop);
}

static void test_strangers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strangers); i++)
        stranger(i);
}

/* One that turns us away in the handshake hears why, as an alert. */
static void test_alert(void **state)
{
    int fds[2];

    (void)state;
    tcp_pair(fds, 0);
    pair_start_plain(fds);
    pair_secure_server();
    assert_int_equal(stream_secure(&pair.client.stream, client_tls, "other.test"), WSP_OK);
    end_run(&pair.client);
    wait_for(pair.loop, -1, pair.client.shaken == WSP_ERR_REFUSED);
    assert_string_equal(stream_why(&pair.client.stream),
                        "tls: host name check failed: the certificate is not for other.test");
    wait_for(pair.loop, -1, pair.server.last == STREAM_ERROR);
    assert_string_equal(stream_why(&pair.server.stream),
                        "tls: handshake failed: sslv3 alert bad certificate");
}

/* A peer that leaves before it is answered, and one that does not go on then. */
static void test_leaves(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(versions); i++) {
        pair_start(versions[i / 2], 0);
        pair.client.shaken = WSP_ERR_REFUSED; /* it hears nothing any more */
        if (i & 1)
            turn_until_idle(pair.loop);
        stream_close(&pair.client.stream);
        wait_for(pair.loop, -1, pair.server.last == STREAM_ERROR);
        stream_close(&pair.server.stream);
        assert_int_equal(pool_used(loop_pool(pair.loop)), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_half_close, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_half_close_small, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_send_after_finish, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_pending, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_pending_dropped, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_cut, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_reset, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_both_end, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_strangers, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_alert, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_leaves, pair_setup, pair_teardown),
    };

    return cmocka_run_group_tests(tests, contexts_setup, contexts_teardown);
}
