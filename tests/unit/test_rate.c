#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "net/rate.h"

enum { SECOND = 1000000, RATE = 100, BURST = RATE * RATE_BURST_S };

struct fixture {
    struct rate_table table;
    uint64_t now_us;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(rate_table_set(&f->table, RATE), WSP_OK);
    f->now_us = 123 * (uint64_t)SECOND;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    rate_table_fini(&f->table);
    rate_table_fini(&f->table);
    free(f);
    return 0;
}

static struct address address(const char *text)
{
    struct address a;

    assert_true(address_parse(slice_str(text), 4711, &a));
    return a;
}

/* How many of `n` at once get through. */
static unsigned take(struct fixture *f, const char *text, unsigned n)
{
    struct address a = address(text);
    unsigned taken = 0;

    while (n-- > 0)
        taken += rate_table_take(&f->table, &a, f->now_us);
    return taken;
}

static void test_burst_and_rate(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(take(f, "192.0.2.1", 2 * BURST), BURST);
    f->now_us += SECOND;
    assert_int_equal(take(f, "192.0.2.1", 2 * BURST), RATE);
    f->now_us += SECOND / RATE - 1;
    assert_int_equal(take(f, "192.0.2.1", 1), 0);
    f->now_us += 1;
    assert_int_equal(take(f, "192.0.2.1", 2), 1);
    f->now_us += 1000 * (uint64_t)SECOND; /* no more than a bucketful is saved */
    assert_int_equal(take(f, "192.0.2.1", 2 * BURST), BURST);
}

/* Steadily at the rate: none is refused, for ever. */
static void test_steady(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 10 * BURST; i++, f->now_us += SECOND / RATE)
        assert_int_equal(take(f, "192.0.2.1", 1), 1);
}

static void test_who_shares(void **state)
{
    static const struct {
        const char *one, *other;
        bool share;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", true},
        {"192.0.2.1", "192.0.2.2", false},
        {"192.0.2.1", "::ffff:192.0.2.1", true},
        {"2001:db8:1:2::3", "2001:db8:1:2:ffff::1", true},
        {"2001:db8:1:2::3", "2001:db8:1:3::3", false},
        {"192.0.2.1", "::c000:201", false},
        {"184.13.1.32", "2001:db8:0:ffff::1", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        setup(state);
        assert_int_equal(take(*state, cases[i].one, BURST + 1), BURST);
        assert_int_equal(take(*state, cases[i].other, BURST), cases[i].share ? 0 : BURST);
        teardown(state);
    }
    setup(state);
}

/* More addresses than it holds: those that come often are remembered, all others let through. */
static void test_more_than_it_holds(void **state)
{
    struct fixture *f = *state;
    char text[32];

    assert_int_equal(take(f, "192.0.2.1", BURST), BURST);
    for (unsigned i = 0; i < 100000; i++) {
        snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
        assert_int_equal(take(f, text, 1), 1);
    }
    assert_int_equal(take(f, "192.0.2.1", 1), 0);
}

static void test_unix_has_no_owner(void **state)
{
    struct fixture *f = *state;
    struct address a = {.len = 2, .sa.sa_family = AF_UNIX};

    for (int i = 0; i < 2 * BURST; i++)
        assert_true(rate_table_take(&f->table, &a, f->now_us));
}

static void test_no_limit(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(rate_table_set(&f->table, 0), WSP_OK);
    assert_null(f->table.entry);
    assert_int_equal(take(f, "192.0.2.1", 2 * BURST), 2 * BURST);
}

/* What was used is not forgotten. */
static void test_another_limit(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(take(f, "192.0.2.1", BURST), BURST);
    assert_int_equal(rate_table_set(&f->table, 1), WSP_OK);
    assert_int_equal(take(f, "192.0.2.1", 1), 0);
    assert_int_equal(take(f, "192.0.2.2", BURST), RATE_BURST_S);
    assert_int_equal(rate_table_set(&f->table, SECOND), WSP_OK);
    assert_int_equal(take(f, "192.0.2.3", BURST), BURST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_burst_and_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_steady, setup, teardown),
        cmocka_unit_test_setup_teardown(test_who_shares, NULL, teardown),
        cmocka_unit_test_setup_teardown(test_more_than_it_holds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unix_has_no_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_limit, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
