/* Connections that are closed without losing what was sent last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/linger.h"
#include "unit/net_help.h"

enum { BUFFER = 8192 };

static struct wsp_loop *loop;
static int near, far; /* `near` is taken by the lingerer */

static struct buf rest_of(size_t from, size_t len)
{
    struct buf rest;

    buf_init(&rest);
    assert_int_equal(buf_reserve(&rest, len ? len : 1), WSP_OK);
    pattern_fill(buf_tail(&rest), from, len);
    rest.len = len;
    return rest;
}

/* Fills the kernel's buffers with the beginning of the sequence; returns its length. */
static size_t fill(void)
{
    return send_pattern(near, 0, SIZE_MAX);
}

static void connect_pair(void)
{
    int fds[2];

    tcp_pair(fds, BUFFER);
    near = fds[0];
    far = fds[1];
}

static void assert_received(size_t len)
{
    struct received got = {0};

    wait_for(loop, far, receive_some(far, &got, SIZE_MAX));
    assert_true(got.eof);
    assert_false(got.mismatch);
    assert_int_equal(got.len, len);
}

static void assert_gone(void)
{
    close(far);
    far = -1;
    wait_for(loop, -1, loop_owned_count(loop) == 0);
}

static void test_rest(void **state)
{
    static const size_t lens[] = {1, 1000, 130000};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof(lens) / sizeof(*lens); i++) {
        size_t sent, len = lens[i / 2];

        connect_pair();
        sent = i & 1 ? fill() : 0;
        linger_start(loop, near, rest_of(sent, len));
        turn_until_idle(loop);
        assert_received(sent + len);
        assert_gone();
    }
}

/* The peer has ended its side before: that is no reason to send it less. */
static void test_peer_has_ended(void **state)
{
    size_t sent;

    (void)state;
    connect_pair();
    sent = fill();
    shutdown(far, SHUT_WR);
    linger_start(loop, near, rest_of(sent, 50000));
    turn_until_idle(loop);
    assert_received(sent + 50000);
    assert_gone();
}

/* Nor is what it goes on sending. */
static void test_peer_sends(void **state)
{
    size_t sent;

    (void)state;
    connect_pair();
    sent = fill();
    send_pattern(far, 0, 20000);
    linger_start(loop, near, rest_of(sent, 50000));
    turn_until_idle(loop);
    send_pattern(far, 0, 20000);
    assert_received(sent + 50000);
    assert_gone();
}

static void test_peer_resets(void **state)
{
    struct linger hard = {1, 0};
    size_t sent;

    (void)state;
    connect_pair();
    sent = fill();
    linger_start(loop, near, rest_of(sent, 50000));
    turn_until_idle(loop);
    setsockopt(far, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    assert_gone();
}

/* Waiting for a reader costs nothing: the loop has nothing to do, whatever the peer's state. */
static void test_waits_quietly(void **state)
{
    (void)state;
    connect_pair();
    linger_start(loop, near, rest_of(fill(), 50000));
    shutdown(far, SHUT_WR);
    turn_until_idle(loop);
    assert_int_equal(loop_owned_count(loop), 1);
}

/* They are bounded: the oldest make room, so that whoever fills the places with connections that
 * nobody reads loses his own. */
static void test_many(void **state)
{
    int fars[520];
    char scratch[16];

    (void)state;
    for (size_t i = 0; i < sizeof(fars) / sizeof(*fars); i++) {
        int fds[2];

        unix_pair(fds);
        fars[i] = fds[1];
        linger_start(loop, fds[0], rest_of(0, 10));
    }
    assert_int_equal(loop_owned_count(loop), 512);
    assert_int_equal(recv(fars[0], scratch, sizeof(scratch), MSG_DONTWAIT), 0); /* made room */
    turn_until_idle(loop);
    assert_int_equal(recv(fars[519], scratch, sizeof(scratch), MSG_DONTWAIT), 10);
    for (size_t i = 0; i < sizeof(fars) / sizeof(*fars); i++)
        close(fars[i]);
    wait_for(loop, -1, loop_owned_count(loop) == 0);
}

/* Nobody is left to wait: what is open is closed, and the rest is freed. */
static void test_loop_ends(void **state)
{
    (void)state;
    connect_pair();
    linger_start(loop, near, rest_of(fill(), 50000));
    turn_until_idle(loop);
}

static int setup(void **state)
{
    (void)state;
    loop = wsp_loop_new();
    far = -1;
    return loop ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    wsp_loop_free(loop);
    if (far >= 0)
        close(far);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_has_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_sends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_peer_resets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits_quietly, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_loop_ends, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
