/* Peers that send what costs much and brings nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/tls_pair.h"

enum { FLOOD_BYTES = 20000 };

static uint8_t flood[FLOOD_BYTES + 4096];
static size_t flood_len;

/* Has the client's session write to memory. */
static void record_client(void)
{
    pair.client.stream.tls->bio.to = flood;
    pair.client.stream.tls->bio.room = sizeof(flood);
    flood_len = 0;
}

static size_t recorded(void)
{
    return sizeof(flood) - pair.client.stream.tls->bio.room;
}

static void key_update(int kind)
{
    SSL *ssl = pair.client.stream.tls->ssl;

    assert_int_equal(SSL_key_update(ssl, kind), 1);
    assert_int_equal(SSL_do_handshake(ssl), 1);
}

static void data(size_t n)
{
    uint8_t bytes[4096];
    struct tls_end *c = &pair.client;

    pattern_fill(bytes, c->sent, n);
    assert_int_equal(SSL_write(c->stream.tls->ssl, bytes, (int)n), n);
    c->sent += n;
}

/* Sends what was recorded, as fast as it is taken, until the server fails or has it all. */
static void send_recorded(void)
{
    size_t len = recorded(), sent = 0;

    pair.client.stream.tls->bio.to = NULL;
    pair.client.stream.tls->bio.room = 0;
    while (sent < len && pair.server.last == STREAM_AGAIN) {
        unsigned events = pair.server.events;
        ssize_t n = send(pair.client.stream.watch.fd, flood + sent, len - sent, MSG_NOSIGNAL);

        assert_true(n > 0);
        sent += (size_t)n;
        wait_for(pair.loop, -1, pair.server.events != events);
    }
    turn_until_idle(pair.loop);
}

static void start(void)
{
    pair_connect(TLS1_3_VERSION, 0);
    pair.client.deaf = true;
    record_client();
}

/* Each of them has the server compute new keys: 10 µs for 27 bytes. */
static void test_key_updates(void **state)
{
    static const int kinds[] = {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED};

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(kinds); i++) {
        start();
        while (recorded() < FLOOD_BYTES) {
            key_update(kinds[i / 2]);
            if (i & 1)
                data(1); /* which does not make it any better */
        }
        send_recorded();
        assert_int_equal(pair.server.last, STREAM_ERROR);
        assert_string_equal(stream_why(&pair.server.stream),
                            "tls: connection failed: too many messages without data");
        stream_reset(&pair.client.stream);
        stream_reset(&pair.server.stream);
    }
}

/* One for each KiB is a peer's right, and so are many when they come one by one. */
static void test_honest_key_updates(void **state)
{
    (void)state;
    start();
    while (recorded() < FLOOD_BYTES) {
        key_update(SSL_KEY_UPDATE_NOT_REQUESTED);
        data(1024);
    }
    send_recorded();
    assert_int_equal(pair.server.last, STREAM_AGAIN);
    assert_int_equal(pair.server.got, pair.client.sent);
    for (int i = 0; i < 200; i++) {
        record_client();
        key_update(SSL_KEY_UPDATE_REQUESTED);
        send_recorded();
    }
    assert_int_equal(pair.server.last, STREAM_AGAIN);
}

/* A peer that takes nothing, but wants an answer again and again. */
static void test_answers(void **state)
{
    size_t most = 0;

    (void)state;
    pair_connect(TLS1_3_VERSION, 4096);
    pair.client.deaf = true;
    pair.server.to_send = SIZE_MAX;
    end_run(&pair.server);
    turn_until_idle(pair.loop);
    for (int i = 0; i < 5000 && pair.server.last == STREAM_AGAIN; i++) {
        size_t pending = tls_stream_pending(pair.server.stream.tls);

        most = most > pending ? most : pending;
        record_client();
        key_update(SSL_KEY_UPDATE_REQUESTED);
        send_recorded();
    }
    assert_int_equal(pair.server.last, STREAM_ERROR);
    assert_string_equal(stream_why(&pair.server.stream),
                        "tls: connection failed: its answers cannot be kept");
    assert_true(most > TLS_BIO_OUT_MAX && most < BLOCK_BYTES + TLS_BIO_OUT_MAX + 100);
    assert_true(pool_used(loop_pool(pair.loop)) <= 2);
}

/* TLS 1.2: a client that begins another handshake is told no. */
static void test_renegotiation(void **state)
{
    SSL *ssl;

    (void)state;
    pair_connect(TLS1_2_VERSION, 0);
    ssl = pair.client.stream.tls->ssl;
    SSL_clear_options(ssl, SSL_OP_NO_RENEGOTIATION);
    record_client();
    assert_int_equal(SSL_renegotiate(ssl), 1);
    SSL_do_handshake(ssl);
    send_recorded();
    wait_for(pair.loop, -1, pair.client.last == STREAM_ERROR);
    assert_string_equal(stream_why(&pair.client.stream),
                        "tls: connection failed: no renegotiation");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_key_updates, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_honest_key_updates, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_answers, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_renegotiation, pair_setup, pair_teardown),
    };

    return cmocka_run_group_tests(tests, contexts_setup, contexts_teardown);
}
