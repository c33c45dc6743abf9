#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/loop.h"
#include "net/timer.h"

enum { TIMERS = 300 };

static int by_due(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Takes all out of the heap and compares the order with a sorted list of what should be in it. */
static void drain_sorted(struct timer_heap *h, const struct timer *timers, size_t n)
{
    uint64_t due[TIMERS];
    size_t in = 0;

    for (size_t i = 0; i < n; i++)
        if (timer_is_set(&timers[i]))
            due[in++] = timers[i].due_us;
    qsort(due, in, sizeof(*due), by_due);
    assert_int_equal(h->count, in);
    for (size_t i = 0; i < in; i++) {
        struct timer *first = h->item[0];

        assert_int_equal(first->due_us, due[i]);
        timer_heap_remove(h, first);
        assert_false(timer_is_set(first));
    }
    assert_int_equal(h->count, 0);
}

static void check_slots(const struct timer_heap *h)
{
    for (size_t i = 0; i < h->count; i++) {
        assert_int_equal(h->item[i]->slot, i + 1);
        if (i > 0)
            assert_true(h->item[(i - 1) / 2]->due_us <= h->item[i]->due_us);
    }
}

static void put(struct timer_heap *h, struct timer *t, uint64_t due_us)
{
    t->due_us = due_us;
    assert_int_equal(timer_heap_put(h, t), WSP_OK);
}

static void test_remove_not_in(void **state)
{
    struct timer_heap h = {0};
    struct timer t = {0};

    (void)state;
    timer_heap_remove(&h, &t);
    put(&h, &t, 5);
    assert_ptr_equal(h.item[0], &t);
    timer_heap_remove(&h, &t);
    timer_heap_remove(&h, &t);
    assert_int_equal(h.count, 0);
    timer_heap_fini(&h);
}

static void test_move(void **state)
{
    struct timer timers[10] = {{0}};
    struct timer_heap h = {0};

    (void)state;
    for (size_t i = 0; i < 10; i++)
        put(&h, &timers[i], 100 + 10 * i);
    put(&h, &timers[7], 1);
    assert_ptr_equal(h.item[0], &timers[7]);
    put(&h, &timers[7], 1000);
    assert_ptr_equal(h.item[0], &timers[0]);
    check_slots(&h);
    drain_sorted(&h, timers, 10);
    timer_heap_fini(&h);
}

static void test_random(void **state)
{
    struct timer timers[TIMERS] = {{0}};
    struct timer_heap h = {0};

    (void)state;
    srand(4);
    for (int round = 0; round < 40; round++) {
        for (int step = 0; step < 1000; step++) {
            struct timer *t = &timers[rand() % TIMERS];

            if (rand() % 3 == 0)
                timer_heap_remove(&h, t);
            else
                put(&h, t, (uint64_t)(rand() % 500)); /* few values: many are equal */
            if (step % 50 == 0)
                check_slots(&h);
        }
        drain_sorted(&h, timers, TIMERS);
    }
    timer_heap_fini(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_remove_not_in),
        cmocka_unit_test(test_move),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
