/* How a TLS channel ends, and owners that leave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_service.h"

static void test_owner_ends(void **state)
{
    struct world w;

    (void)state;
    for (int answers = 0; answers < 2; answers++) {
        start(&w, TLS1_3_VERSION);
        w.owner->to_send = 50000;
        w.owner->then = CHAN_THEN_END;
        w.service.ends = answers;
        w.service.to_send = answers ? 30000 : 0;
        world_open(&w, trusting, HOST);
        world_run(&w);
        assert_int_equal(w.service.got, 50000);
        assert_true(w.service.got_notify);
        assert_true(w.seen.how == CHAN_END_SENT || w.seen.how == CHAN_END_PEER);
        assert_int_equal(w.seen.closed, 1);
        assert_string_equal(w.seen.text, "");
        assert_int_equal(w.seen.got, answers ? 30000 : 0);
        assert_true(w.service.closed);
        world_stop(&w);
    }
}

/* The service's close_notify after ours does not cut short the time before INTERRUPT. */
static void test_both_end(void **state)
{
    struct world w;

    (void)state;
    start(&w, TLS1_3_VERSION);
    w.owner->to_send = 500;
    w.owner->then = CHAN_THEN_END;
    world_open(&w, trusting, HOST);
    while (!w.service.got_notify)
        world_step(&w);
    SSL_shutdown(w.service.ssl);
    for (int i = 0; i < 10; i++) {
        chan_ready(&w.service.ch);
        world_step(&w);
        BIO_write(w.service.out, "behind its end", 14);
    }
    assert_int_equal(w.seen.closed, 0);
    assert_true(link_wants_input(&w.near.link));
    world_run(&w);
    assert_seen(&w, CHAN_END_SENT, "");
    world_stop(&w);
}

static void test_owner_resets(void **state)
{
    struct world w;

    (void)state;
    start(&w, TLS1_3_VERSION);
    w.owner->to_send = 500;
    w.owner->then = CHAN_THEN_RESET;
    world_open(&w, trusting, HOST);
    world_run(&w);
    assert_seen(&w, CHAN_END_RESET, "");
    assert_false(w.service.got_notify);
    assert_int_equal(w.service.got, 500);
    world_stop(&w);
}

/* What was decrypted before our own end has gone out waits for its owner, as what is held does. */
static void test_kept_at_the_end(void **state)
{
    struct world w;

    (void)state;
    for (int leave = STAY; leave <= IN_DELIVER; leave += IN_DELIVER) {
        start(&w, TLS1_3_VERSION);
        w.owner->room = 5;
        w.service.to_send = 50;
        world_open(&w, trusting, HOST);
        world_run(&w);
        w.owner->then = CHAN_THEN_END;
        w.owner->room = 30;
        w.owner->leave = (enum leave)leave;
        chan_ready(&w.owner->tls.chan);
        world_run(&w);
        assert_int_equal(w.owner->tls.chan.state, CHAN_FLUSHING);
        chan_resume(&w.owner->tls.chan);
        assert_int_equal(w.seen.got, 35);
        assert_int_equal(w.seen.closed, 0);
        if (leave == STAY) {
            w.owner->room = 30;
            chan_resume(&w.owner->tls.chan);
            assert_int_equal(w.seen.got, 50);
            assert_seen(&w, CHAN_END_SENT, "");
        }
        world_stop(&w);
    }
}

static void test_truncation(void **state)
{
    struct world w;

    (void)state;
    for (size_t v = 0; v < COUNT(versions); v++) {
        start(&w, versions[v]);
        w.service.to_send = 40000;
        w.service.ends = w.service.cuts = true;
        world_open(&w, trusting, HOST);
        world_run(&w);
        assert_int_equal(w.seen.got, 40000);
        assert_seen(&w, CHAN_END_FAILED, "tls: connection failed: it ended without close_notify");
        world_stop(&w);
    }
}

static void test_bad_record(void **state)
{
    uint8_t junk[64] = {0x17, 3, 3, 0, 59};
    struct world w;

    (void)state;
    start(&w, TLS1_3_VERSION);
    w.service.to_send = 100;
    world_open(&w, trusting, HOST);
    world_run(&w);
    BIO_write(w.service.out, junk, sizeof(junk));
    chan_ready(&w.service.ch);
    world_run(&w);
    assert_int_equal(w.seen.got, 100);
    assert_seen(&w, CHAN_END_FAILED, "tls: connection failed: decryption failed or bad record mac");
    assert_true(w.service.closed);
    world_stop(&w);
}

static void test_no_handshake(void **state)
{
    struct world w;

    (void)state;
    world_start(&w, NULL);
    w.service.clear = "HTTP/1.1 400 Bad Request\r\n\r\n";
    world_open(&w, trusting, HOST);
    world_run(&w);
    assert_seen(&w, CHAN_END_FAILED,
                "tls: handshake failed: wrong version number (does the service speak TLS?)");
    assert_int_equal(w.seen.opened, 0);
    world_stop(&w);

    start(&w, TLS1_3_VERSION);
    w.refuse = true;
    world_open(&w, trusting, HOST);
    world_run(&w);
    assert_seen(&w, CHAN_END_FAILED, "connection refused");
    world_stop(&w);

    start(&w, TLS1_3_VERSION);
    SSL_set_cipher_list(w.service.ssl, "");
    SSL_set_ciphersuites(w.service.ssl, "");
    world_open(&w, trusting, HOST);
    world_run(&w);
    assert_true(w.service.spoilt);
    assert_seen(&w, CHAN_END_FAILED, "tls: handshake failed: sslv3 alert handshake failure");
    world_stop(&w);
}

/* The channel or its link ends at every moment of a handshake. */
static void test_interrupted_handshake(void **state)
{
    struct world w;
    int steps = 0;

    (void)state;
    for (int how = 0; how < 2; how++) {
        for (steps = 0;; steps++) {
            bool opened;

            start(&w, TLS1_3_VERSION);
            world_open(&w, trusting, HOST);
            for (int i = 0; i < steps; i++)
                world_step(&w);
            opened = w.seen.opened;
            if (how == 0)
                chan_abort(&w.service.ch);
            else
                link_lost(&w.near.link);
            if (how == 0)
                world_run(&w);
            if (how == 1)
                assert_seen(&w, CHAN_END_LINK_LOST, "");
            else if (!opened && w.seen.closed)
                assert_seen(&w, CHAN_END_FAILED,
                            "tls: handshake failed: the service closed the connection");
            world_stop(&w);
            if (opened)
                break;
        }
        assert_true(steps > 3);
    }
}

/* ---- owners that end themselves inside a callback */

static void test_leave(void **state)
{
    struct world w;

    (void)state;
    for (int leave = IN_OPENED; leave <= IN_CLOSED; leave++) {
        for (size_t chunk = 1; chunk; chunk = chunk == 1 ? SIZE_MAX : 0) {
            start(&w, TLS1_3_VERSION);
            w.chunk = chunk;
            w.owner->leave = (enum leave)leave;
            w.service.to_send = 50000;
            w.service.ends = true;
            world_open(&w, trusting, HOST);
            world_run(&w);
            assert_null(w.owner);
            assert_int_equal(w.seen.opened, 1);
            assert_int_equal(w.seen.closed, leave == IN_CLOSED);
            assert_int_equal(w.seen.delivered > 0, leave != IN_OPENED);
            assert_true(w.service.closed);
            assert_false(w.near.link.failed);
            world_stop(&w);
        }
    }
}

/* With plaintext kept, the owner frees itself while it takes more. */
static void test_leave_with_kept(void **state)
{
    struct world w;

    (void)state;
    start(&w, TLS1_3_VERSION);
    w.owner->room = 5;
    w.service.to_send = 50;
    world_open(&w, trusting, HOST);
    world_run(&w);
    w.owner->room = 20;
    w.owner->leave = IN_DELIVER;
    chan_resume(&w.owner->tls.chan);
    world_run(&w);
    assert_null(w.owner);
    assert_int_equal(w.seen.got, 25);
    assert_true(link_wants_input(&w.near.link));
    world_stop(&w);
}

static void test_leave_failing(void **state)
{
    struct world w;

    (void)state;
    start(&w, TLS1_3_VERSION);
    w.owner->leave = IN_CLOSED;
    world_open(&w, trusting, "other.test");
    world_run(&w);
    assert_null(w.owner);
    assert_seen(&w, CHAN_END_FAILED,
                "tls: host name check failed: the certificate is not for other.test");
    world_stop(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner_ends),    cmocka_unit_test(test_both_end),
        cmocka_unit_test(test_owner_resets),  cmocka_unit_test(test_kept_at_the_end),
        cmocka_unit_test(test_truncation),    cmocka_unit_test(test_bad_record),
        cmocka_unit_test(test_no_handshake),  cmocka_unit_test(test_interrupted_handshake),
        cmocka_unit_test(test_leave),         cmocka_unit_test(test_leave_with_kept),
        cmocka_unit_test(test_leave_failing),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
