/* Streams secured by TLS: the handshake, bytes both ways, and what a session keeps in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/tls_pair.h"

static void test_handshake(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        const uint8_t *alpn;
        unsigned len;

        pair_connect(versions[v], 0);
        assert_int_equal(SSL_version(pair.server.stream.tls->ssl), versions[v]);
        SSL_get0_alpn_selected(pair.server.stream.tls->ssl, &alpn, &len);
        assert_memory_equal(alpn, "http/1.1", len);
        assert_int_equal(len, 8);
        assert_null(stream_peer_fault(&pair.server.stream));
        assert_int_equal(pool_used(loop_pool(pair.loop)), 0);
        stream_close(&pair.client.stream);
        stream_close(&pair.server.stream);
    }
}

static const struct {
    int buffer; /* of the sockets; 0: large */
    size_t up, down, piece;
    bool one_read; /* for each event: what the session holds back must not be forgotten */
} bulks[] = {
    {0, 3000000, 0, 100000, false},
    {0, 0, 3000000, 100000, false},
    {0, 1000000, 1000000, 65536, false},
    {4096, 300000, 300000, 30000, false},
    {4096, 100000, 1000000, 100000, false},
    {4096, 40000, 40000, 700, false},
    {0, 3000, 3000, 1, false},
};

static void bulk(size_t row, int version)
{
    pair_connect(version, bulks[row].buffer);
    pair.client.to_send = bulks[row].up;
    pair.server.to_send = bulks[row].down;
    pair.client.piece_max = pair.server.piece_max = bulks[row].piece;
    end_run(&pair.client);
    end_run(&pair.server);
    wait_for(pair.loop, -1, pair_has_all());
    turn_until_idle(pair.loop);
    assert_int_equal(pair.client.last, STREAM_AGAIN);
    assert_int_equal(pair.server.last, STREAM_AGAIN);
    assert_false(pair.client.stream.readable || pair.server.stream.readable);
    assert_int_equal(tls_stream_pending(pair.client.stream.tls), 0);
    assert_int_equal(tls_stream_pending(pair.server.stream.tls), 0);
    assert_int_equal(pool_used(loop_pool(pair.loop)), 0);
    stream_close(&pair.client.stream);
    stream_close(&pair.server.stream);
    turn_until_idle(pair.loop);
}

static void test_bulk(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(bulks); i++)
        bulk(i / 2, versions[i % 2]);
}

/* What the session has decrypted is told by the flag alone: no event comes for it. */
static void test_readable(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        struct tls_end *e = &pair.server;

        pair_connect(versions[v], 0);
        pair.client.to_send = 3000;
        e->one_read = true;
        e->piece_max = 100;
        end_run(&pair.client);
        wait_for(pair.loop, -1, e->got);
        turn_until_idle(pair.loop);
        for (unsigned events = e->events; e->stream.readable; end_run(e))
            assert_int_equal(e->events, events);
        assert_int_equal(e->got, 3000);
        assert_int_equal(pool_used(loop_pool(pair.loop)), 0);
        stream_close(&pair.client.stream);
        stream_close(&e->stream);
    }
}

/* The flag survives a read that takes exactly what there is; the next one clears it. */
static void test_exact_read(void **state)
{
    char out[4];

    (void)state;
    pair_connect(TLS1_3_VERSION, 0);
    pair.server.deaf = true;
    assert_int_equal(stream_send(&pair.client.stream, &(struct iovec){"abcd", 4}, 1), 4);
    wait_for(pair.loop, -1, pair.server.stream.readable);
    assert_int_equal(stream_recv(&pair.server.stream, out, 4), 4);
    assert_true(pair.server.stream.readable);
    assert_int_equal(stream_recv(&pair.server.stream, out, 4), STREAM_AGAIN);
    assert_false(pair.server.stream.readable);
}

static void test_peek(void **state)
{
    struct stream *s = &pair.server.stream;
    char out[4];

    (void)state;
    pair_connect(TLS1_3_VERSION, 0);
    pair.server.deaf = true;
    assert_int_equal(stream_peek(s), STREAM_AGAIN);
    assert_int_equal(stream_send(&pair.client.stream, &(struct iovec){"abcd", 4}, 1), 4);
    stream_finish(&pair.client.stream);
    wait_for(pair.loop, -1, s->hangup);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(stream_peek(s), 1);
        assert_true(s->readable);
    }
    assert_int_equal(stream_recv(s, out, sizeof(out)), 4);
    assert_memory_equal(out, "abcd", 4);
    assert_true(s->readable); /* for the end */
    assert_int_equal(stream_peek(s), STREAM_EOF);
    assert_int_equal(stream_peek(s), STREAM_EOF);
    assert_int_equal(stream_recv(s, out, sizeof(out)), STREAM_EOF);
}

/* The stream and what else its owner knows go elsewhere, and go on by the flags. */
static void move(struct tls_end *to, struct tls_end *from)
{
    *to = *from;
    to->stream.watch.fd = -1;
    assert_int_equal(stream_move(&to->stream, &from->stream, end_on_event), WSP_OK);
    assert_null(from->stream.tls);
    assert_false(from->stream.readable || from->stream.writable);
    end_run(to);
}

static void test_move(void **state)
{
    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        struct tls_end elsewhere = {.sent = 0};
        int moves = 0;

        pair_connect(versions[v], 8192);
        pair.client.to_send = pair.server.to_send = 400000;
        pair.server.one_read = true;
        pair.server.piece_max = 5000;
        end_run(&pair.client);
        end_run(&pair.server);
        for (; !pair_has_all(); moves++) {
            move(&elsewhere, &pair.server);
            if (loop_is_ready(pair.loop) || !elsewhere.stream.readable)
                wait_step(pair.loop, -1);
            move(&pair.server, &elsewhere);
        }
        assert_true(moves > 10);
        stream_close(&pair.client.stream);
        stream_close(&pair.server.stream);
    }
}

/* A change of keys in the middle, by either side. */
static void test_key_update(void **state)
{
    (void)state;
    pair_connect(TLS1_3_VERSION, 0);
    for (size_t n = 1; n <= 6; n++) {
        struct tls_end *e = n & 1 ? &pair.client : &pair.server;

        assert_int_equal(SSL_key_update(e->stream.tls->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        pair.client.to_send = pair.server.to_send = n * 50000;
        end_run(&pair.client);
        end_run(&pair.server);
        wait_for(pair.loop, -1, pair_has_all());
    }
    turn_until_idle(pair.loop);
    assert_int_equal(pair.client.last, STREAM_AGAIN);
    assert_int_equal(pair.server.last, STREAM_AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_handshake, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_bulk, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_readable, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_exact_read, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_peek, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_move, pair_setup, pair_teardown),
        cmocka_unit_test_setup_teardown(test_key_update, pair_setup, pair_teardown),
    };

    return cmocka_run_group_tests(tests, contexts_setup, contexts_teardown);
}
