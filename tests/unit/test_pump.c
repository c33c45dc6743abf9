#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/pump.h"
#include "unit/net_help.h"

enum { MUCH = 3 * 1000 * 1000 };

struct fixture {
    struct wsp_loop *loop;
    struct pump pump;
    int far[2]; /* the other ends of its streams */
    size_t sent[2], got[2];
    bool ended[2], broken[2];
    unsigned ends;
};

static void on_end(struct pump *p)
{
    struct fixture *f = container_of(p, struct fixture, pump);

    assert_false(stream_is_open(&p->stream[0]));
    assert_false(stream_is_open(&p->stream[1]));
    f->ends++;
}

/* A TCP connection on one side and a socket pair on the other, as behind a server. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct stream near[2];
    int fds[2];

    assert_non_null(f);
    f->loop = wsp_loop_new();
    for (int i = 0; i < 2; i++) {
        if (i == 0)
            tcp_pair(fds, 8192);
        else
            unix_pair(fds);
        f->far[i] = fds[1];
        set_nonblocking(fds[0]);
        set_nonblocking(fds[1]);
        assert_int_equal(stream_init(&near[i], f->loop, fds[0], NULL), WSP_OK);
    }
    assert_int_equal(pump_start(&f->pump, &near[0], &near[1], on_end), WSP_OK);
    *state = f;
    return 0;
}

static void hang_up(struct fixture *f, int i)
{
    if (f->far[i] >= 0)
        close(f->far[i]);
    f->far[i] = -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    hang_up(f, 0);
    hang_up(f, 1);
    if (!f->ends)
        pump_fini(&f->pump);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

/* Writes as much of a counting sequence as the far end takes, up to `len` in all. */
static void put(struct fixture *f, int i, size_t len)
{
    uint8_t data[8192];
    ssize_t n = 1;

    while (f->sent[i] < len && n > 0) {
        size_t part = len - f->sent[i] < sizeof(data) ? len - f->sent[i] : sizeof(data);

        for (size_t k = 0; k < part; k++)
            data[k] = (uint8_t)((f->sent[i] + k) % 251);
        n = send(f->far[i], data, part, MSG_NOSIGNAL);
        f->sent[i] += n > 0 ? (size_t)n : 0;
    }
}

static void get(struct fixture *f, int i)
{
    uint8_t data[8192];
    ssize_t n = recv(f->far[i], data, sizeof(data), 0);

    for (ssize_t k = 0; k < n; k++)
        assert_int_equal(data[k], (f->got[i] + (size_t)k) % 251);
    f->got[i] += n > 0 ? (size_t)n : 0;
    f->ended[i] = f->ended[i] || n == 0;
    f->broken[i] = f->broken[i] || (n < 0 && errno != EAGAIN);
}

static void test_both_ways_and_an_end_each(void **state)
{
    struct fixture *f = *state;

    wait_for(f->loop, f->far[0],
             (put(f, 0, MUCH), put(f, 1, MUCH), get(f, 0), get(f, 1),
              f->got[0] == MUCH && f->got[1] == MUCH));
    for (int i = 0; i < 2; i++) {
        shutdown(f->far[i], SHUT_WR);
        wait_for(f->loop, f->far[1 - i], (get(f, 1 - i), f->ended[1 - i]));
        assert_int_equal(f->ends, i);
        put(f, 1 - i, MUCH + 10);
        wait_for(f->loop, f->far[i], i == 1 || (get(f, i), f->got[i] == MUCH + 10));
    }
    wait_for(f->loop, -1, f->ends == 1);
    turn_until_idle(f->loop);
    assert_int_equal(f->ends, 1);
}

/* The program has answered and closed, while the visitor still sends what nobody wants. */
static void test_an_answer_outlives_its_sender(void **state)
{
    struct fixture *f = *state;

    wait_for(f->loop, -1, (put(f, 0, MUCH), put(f, 1, 100000), f->sent[1] == 100000));
    hang_up(f, 1);
    wait_for(f->loop, f->far[0], (get(f, 0), f->ended[0] || f->broken[0]));
    assert_int_equal(f->got[0], 100000);
    assert_true(f->ended[0]);
    assert_int_equal(f->ends, 1);
}

static void test_a_reset_ends_both(void **state)
{
    static const struct linger hard = {.l_onoff = 1};
    struct fixture *f = *state;

    setsockopt(f->far[0], SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    hang_up(f, 0);
    wait_for(f->loop, f->far[1], (get(f, 1), f->ended[1] || f->broken[1]));
    assert_int_equal(f->ends, 1);
}

static void test_what_waits_is_bounded(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 50; i++) {
        put(f, 1, MUCH);
        wsp_loop_turn(f->loop);
        assert_true(f->pump.way[1].held.cap <= (size_t)2 * PUMP_STEP);
    }
    assert_true(f->sent[1] < MUCH);
    assert_false(loop_is_ready(f->loop));
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_both_ways_and_an_end_each),
        TEST(test_an_answer_outlives_its_sender),
        TEST(test_a_reset_ends_both),
        TEST(test_what_waits_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
