#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/loop_lws.c" /* the daemons' own code is not in the library */
#include "net/loop.h"

struct fixture {
    struct wsp_loop *loop;
    struct loop_lws *lws;
    struct loop_lws_watch watch;
    struct timer timer;
    unsigned fired, read, ticks;
};

static void stop_when_all_came(struct fixture *f)
{
    if (f->fired && f->read == 3 && f->ticks >= 3)
        loop_lws_stop(f->lws);
}

static void on_fire(struct timer *t)
{
    struct fixture *f = container_of(t, struct fixture, timer);

    f->fired++;
    stop_when_all_came(f);
}

static void on_readable(struct loop_lws_watch *w)
{
    struct fixture *f = container_of(w, struct fixture, watch);
    char byte;

    assert_false(loop_in_turn(f->loop));
    assert_int_equal(read(w->fd, &byte, 1), 1);
    f->read++;
    stop_when_all_came(f);
}

static void on_tick(void *ctx)
{
    struct fixture *f = ctx;

    f->ticks++;
    stop_when_all_came(f);
}

/* All three kinds: the loop's own deadlines, a descriptor that is read byte by byte, ticks. */
static void test_turns_and_watches(void **state)
{
    struct fixture f = {.timer.fire = on_fire, .watch.readable = on_readable};
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    f.watch.fd = ends[0];
    f.loop = wsp_loop_new();
    assert_non_null(f.loop);
    f.lws = loop_lws_new(f.loop);
    assert_non_null(f.lws);
    assert_true(loop_lws_watch(f.lws, &f.watch));
    loop_lws_tick(f.lws, 2000, on_tick, &f);
    assert_int_equal(timer_set(f.loop, &f.timer, loop_now(f.loop) + 2000), WSP_OK);
    assert_int_equal(write(ends[1], "abc", 3), 3);
    loop_lws_run(f.lws);
    assert_int_equal(f.fired, 1);
    loop_lws_free(f.lws);
    wsp_loop_free(f.loop);
    assert_int_equal(fcntl(ends[0], F_GETFD), 0); /* only its duplicate was closed */
    close(ends[0]);
    close(ends[1]);
}

static void test_stopped_before_it_runs(void **state)
{
    struct wsp_loop *loop = wsp_loop_new();
    struct loop_lws *lws = loop_lws_new(loop);

    (void)state;
    loop_lws_free(NULL);
    loop_lws_stop(lws);
    loop_lws_run(lws);
    loop_lws_free(lws);
    wsp_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns_and_watches),
        cmocka_unit_test(test_stopped_before_it_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
