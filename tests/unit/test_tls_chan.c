/* Data through a TLS channel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_service.h"

static void test_both_ways(void **state)
{
    static const uint64_t sizes[] = {0, 1, 16384, 16385, 3000000};
    struct world w;

    (void)state;
    for (size_t i = 0; i < COUNT(versions) * COUNT(sizes); i++) {
        uint64_t size = sizes[i / COUNT(versions)];

        start(&w, versions[i % COUNT(versions)]);
        w.owner->to_send = size;
        w.owner->early = i & 2;
        w.service.to_send = size;
        world_open(&w, trusting, HOST);
        assert_false(tls_chan_is_open(&w.owner->tls));
        world_run(&w);
        assert_int_equal(w.seen.opened, 1);
        assert_int_equal(w.seen.closed, 0);
        assert_int_equal(w.seen.got, size);
        assert_int_equal(w.service.got, size);
        assert_string_equal(sni, HOST);
        assert_string_equal(alpn, "\x08http/1.1");
        assert_int_equal(SSL_version(w.service.ssl), versions[i % COUNT(versions)]);
        assert_null(w.owner->tls.kept.mem);
        assert_null(w.owner->tls.bio.out.mem);
        world_stop(&w);
        assert_true(w.service.closed);
    }
}

static void test_plain(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, NULL);
    w.service.clear = "\x01";
    w.owner->room = 0;
    world_open(&w, NULL, NULL);
    world_run(&w);
    assert_int_equal(w.seen.opened, 1);
    assert_true(tls_chan_is_open(&w.owner->tls));
    world_stop(&w);
}

/* ---- pieces */

static void run_split(int version, size_t first, size_t chunk, uint64_t bytes, uint64_t *total)
{
    struct world w;

    start(&w, version);
    w.first = first;
    w.chunk = chunk;
    w.owner->to_send = w.service.to_send = w.service.awaits = bytes;
    w.service.ends = true;
    world_open(&w, trusting, HOST);
    world_run(&w);
    assert_seen(&w, CHAN_END_PEER, "");
    assert_int_equal(w.seen.got, bytes);
    assert_int_equal(w.service.got, bytes);
    *total = w.pumped;
    world_stop(&w);
}

static void test_every_split(void **state)
{
    uint64_t total;

    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        run_split(versions[v], 0, 1, 20000, &total);
        run_split(versions[v], 0, 7, 100000, &total);
        total = 2;
        for (size_t at = 1; at < total; at++)
            run_split(versions[v], at, SIZE_MAX, 100, &total);
        assert_true(total > 500);
    }
}

/* With little room in each pull, what does not fit waits. */
static void test_small_pulls(void **state)
{
    static const size_t caps[] = {1, 7, 127, 128, 256, 257, 300, 5000};
    struct world w;

    (void)state;
    for (size_t i = 0; i < COUNT(caps); i++) {
        struct chan *ch;
        struct chan_pull p = {0, CHAN_THEN_MORE};
        uint8_t out[5000];

        start(&w, TLS1_3_VERSION);
        world_open(&w, trusting, HOST);
        world_run(&w);
        ch = &w.owner->tls.chan;
        w.owner->to_send = 1000;
        w.owner->then = CHAN_THEN_END;
        while (p.then == CHAN_THEN_MORE) {
            p = ch->ops->pull(ch, out, caps[i]);
            assert_true(p.len <= caps[i]);
            BIO_write(w.service.in, out, (int)p.len);
        }
        assert_int_equal(p.then, CHAN_THEN_END);
        service_turn(&w.service);
        assert_int_equal(w.service.got, 1000);
        assert_true(w.service.got_notify);
        world_stop(&w);
    }
}

/* ---- an owner that takes little */

static void run_slow(uint64_t bytes, size_t first, size_t more)
{
    struct world w;

    start(&w, TLS1_3_VERSION);
    w.owner->room = first;
    w.service.to_send = bytes;
    w.service.ends = true;
    world_open(&w, trusting, HOST);
    world_run(&w);
    while (w.seen.closed == 0) {
        uint64_t before = w.seen.got;

        assert_true(chan_live(&w.owner->tls.chan));
        assert_int_equal(w.owner->room, 0);
        assert_in_range(w.owner->tls.kept.len, 1, 16384);
        assert_true(w.owner->tls.chan.held.bytes > 0);
        w.owner->room = more;
        chan_resume(&w.owner->tls.chan);
        world_run(&w);
        assert_true(w.seen.got > before);
    }
    assert_seen(&w, CHAN_END_PEER, "");
    assert_int_equal(w.seen.got, bytes);
    world_stop(&w);
}

static void test_slow_owner(void **state)
{
    (void)state;
    run_slow(100, 0, 1);
    run_slow(100, 99, 1);
    run_slow(40000, 0, 1000);
    run_slow(40000, 16384, 16384 - 1);
    run_slow(40000, 16383, 20000);
    run_slow(1000000, 10, 100000);
}

/* A channel that is resumed without taking anything stays as it is. */
static void test_resume_in_vain(void **state)
{
    struct world w;

    (void)state;
    start(&w, TLS1_3_VERSION);
    w.owner->room = 5;
    w.service.to_send = 50;
    world_open(&w, trusting, HOST);
    world_run(&w);
    for (int i = 0; i < 3; i++) {
        chan_resume(&w.owner->tls.chan);
        world_run(&w);
        assert_int_equal(w.seen.got, 5);
        assert_int_equal(w.owner->tls.kept.len, 45);
    }
    w.owner->room = SIZE_MAX;
    chan_resume(&w.owner->tls.chan);
    world_run(&w);
    assert_int_equal(w.seen.got, 50);
    world_stop(&w);
}

/* ---- during a connection */

static void test_key_update(void **state)
{
    struct world w;

    (void)state;
    start(&w, TLS1_3_VERSION);
    world_open(&w, trusting, HOST);
    for (int i = 0; i < 20; i++) {
        world_run(&w);
        assert_true(SSL_key_update(w.service.ssl, SSL_KEY_UPDATE_REQUESTED));
        w.service.to_send = 1000;
        w.owner->to_send = i & 1 ? 1000 : 0;
        chan_ready(&w.service.ch);
        chan_ready(&w.owner->tls.chan);
    }
    world_run(&w);
    assert_int_equal(w.seen.closed, 0);
    assert_int_equal(w.seen.got, 20 * 1000);
    assert_int_equal(w.service.got, 10 * 1000);
    world_stop(&w);
}

static void test_renegotiation(void **state)
{
    struct world w;

    (void)state;
    start(&w, TLS1_2_VERSION);
    world_open(&w, trusting, HOST);
    world_run(&w);
    assert_true(SSL_renegotiate(w.service.ssl));
    SSL_do_handshake(w.service.ssl);
    chan_ready(&w.service.ch);
    world_run(&w);
    assert_int_equal(w.seen.opened, 1);
    /* The service does not go on without. */
    assert_seen(&w, CHAN_END_FAILED, "tls: connection failed: sslv3 alert handshake failure");
    world_stop(&w);
}

/* A peer that has us answer without end while nothing can be sent. */
static void test_output_is_bounded(void **state)
{
    BIO_METHOD *method = tls_bio_method_new();
    struct tls_bio b = {0};
    BIO *bio = tls_bio_new(method, &b);
    uint8_t out[10], data[1000] = {1};

    (void)state;
    b.to = out;
    b.room = sizeof(out);
    for (int i = 0; i < 66; i++) {
        assert_int_equal(BIO_write(bio, data, sizeof(data)), sizeof(data));
        b.room = sizeof(out); /* of no use until what waits has gone there */
    }
    assert_ptr_equal(b.to, out + sizeof(out));
    assert_int_equal(b.out.len, 66 * sizeof(data) - sizeof(out));
    assert_true(BIO_write(bio, data, sizeof(data)) <= 0);
    assert_false(BIO_should_retry(bio));
    BIO_free(bio);
    BIO_meth_free(method);
    buf_fini(&b.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),         cmocka_unit_test(test_plain),
        cmocka_unit_test(test_every_split),       cmocka_unit_test(test_small_pulls),
        cmocka_unit_test(test_slow_owner),        cmocka_unit_test(test_resume_in_vain),
        cmocka_unit_test(test_key_update),        cmocka_unit_test(test_renegotiation),
        cmocka_unit_test(test_output_is_bounded),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
