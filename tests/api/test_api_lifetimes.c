/*
 * Several servers and clients in one process: on one loop, and on two loops in two threads. All is
 * freed in varying orders, and the process is as it was before.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>

#include "api/process_state.h"
#include "api/town.h"

enum { BYTES = 300000, MANY_BYTES = 4 << 20 };

static const char *const orders[] = {
    "se01abcL", "seabc10L", "L01abcse",        "abcse01L",        "Lseabc01",     "0s1eLacb",
    "a0b1csLe", "eLcs1b0a", "a.0.b.1.c.s.e.L", "s.e.0.1.a.b.c.L", "0.a.s.1.bcLe", "c.L.s0.1eab",
};

#define ORDERS (sizeof(orders) / sizeof(*orders))

static void live(const char *order, bool to_the_end)
{
    struct town town;

    town_open(&town, to_the_end ? BYTES : MANY_BYTES);
    town_call(&town);
    if (to_the_end)
        town_finish(&town);
    else
        town_begin(&town);
    town_free(&town, order);
}

static void test_freed_when_done(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORDERS; i++)
        live(orders[i], true);
}

static void test_freed_in_the_middle(void **state)
{
    (void)state;
    for (size_t i = 0; i < ORDERS; i++)
        live(orders[i], false);
}

/* ---- threads */

static void *live_through(void *arg)
{
    const size_t *first = arg;

    for (size_t i = *first; i < ORDERS; i += 3)
        live(orders[i], i % 2);
    return NULL;
}

static void test_two_threads(void **state)
{
    size_t first[2] = {0, 1};
    pthread_t thread[2];

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, live_through, &first[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
}

static void *run(void *arg)
{
    return wsp_loop_run(arg) == WSP_OK ? arg : NULL;
}

/* The one thing that other threads may do. */
static void test_stopped_by_another_thread(void **state)
{
    struct wsp_loop *loop = wsp_loop_new();
    struct wsp_server *server = server_at(loop, place_listen(), NULL, NULL);
    pthread_t thread;
    void *result;

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        assert_int_equal(pthread_create(&thread, NULL, run, loop), 0);
        wsp_loop_wake(loop);
        wsp_loop_stop(loop);
        assert_int_equal(pthread_join(thread, &result), 0);
        assert_ptr_equal(result, loop);
    }
    wsp_server_free(server);
    wsp_loop_free(loop);
}

/* ---- the process */

static void test_process_is_left_alone(void **state)
{
    struct process_state before, after;

    (void)state;
    process_state_note(&before);
    live(orders[0], true);
    live(orders[1], false);
    process_state_note(&after);
    process_state_compare(&before, &after);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_is_left_alone), /* before anything has been loaded */
        cmocka_unit_test(test_freed_when_done),
        cmocka_unit_test(test_freed_in_the_middle),
        cmocka_unit_test(test_two_threads),
        cmocka_unit_test(test_stopped_by_another_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
