/* Memory set aside, and the windows that live on it (core/credit.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/credit.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define KIB ((size_t)1024)
#define MIB (1024 * KIB)
#define LINKS 1024

/* ---- caps */

static void test_reserve(void **state)
{
    struct credit_cap process = {.max = 100}, link = {.max = 60, .parent = &process},
                      other = {.max = 60, .parent = &process};

    (void)state;
    assert_true(credit_reserve(&link, 60));
    assert_false(credit_reserve(&link, 1));
    assert_false(credit_reserve(&other, 41)); /* fits the link, not the process */
    assert_int_equal(other.used, 0);
    assert_int_equal(process.used, 60);
    assert_int_equal(credit_free(&link), 0);
    assert_int_equal(credit_free(&other), 40);
    assert_true(credit_reserve(&other, 40));
    assert_int_equal(process.used, 100);
    credit_release(&link, 10);
    assert_int_equal(link.used, 50);
    assert_int_equal(process.used, 90);
    assert_true(credit_reserve(&link, 0));
    assert_false(credit_reserve(&link, SIZE_MAX));
    assert_true(credit_reserve(NULL, SIZE_MAX));
    credit_release(NULL, 1);
    assert_int_equal(credit_free(NULL), SIZE_MAX);
}

static void test_lowered(void **state)
{
    struct credit_cap process = {.max = 100}, link = {.max = SIZE_MAX, .parent = &process};

    (void)state;
    assert_true(credit_reserve(&link, 80));
    process.max = 50;
    assert_int_equal(credit_free(&link), 0);
    assert_false(credit_reserve(&link, 1));
    assert_true(credit_reserve(&link, 0));
    assert_true(credit_is_short(&link));
    assert_int_equal(credit_reserve_first(&link), 0);
    credit_release(&link, 40);
    assert_int_equal(credit_free(&link), 10);
    assert_true(credit_reserve(&link, 10));
}

static void test_short(void **state)
{
    struct credit_cap process = {.max = 100}, link = {.max = 40, .parent = &process};
    struct credit_cap none = {.max = SIZE_MAX};

    (void)state;
    assert_true(credit_reserve(&link, 30));
    assert_false(credit_is_short(&link));
    assert_true(credit_reserve(&link, 1));
    assert_true(credit_is_short(&link));
    credit_release(&link, 31);
    process.used = 76; /* of other links */
    assert_true(credit_is_short(&link));
    process.used = 75;
    assert_false(credit_is_short(&link));
    assert_true(credit_reserve(&none, 100 * MIB));
    assert_false(credit_is_short(&none));
    assert_false(credit_is_short(NULL));
}

static void test_reserve_first(void **state)
{
    static const struct {
        size_t free, first;
    } rows[] = {
        {0, 0},
        {16 * KIB - 1, 0},
        {16 * KIB, 16 * KIB},
        {64 * MIB, 16 * KIB},
        {128 * MIB - 1, 16 * KIB},
        {128 * MIB, 32 * KIB},
        {192 * MIB, 48 * KIB},
        {1024 * MIB - 1, 240 * KIB},
        {1024 * MIB, 256 * KIB},
        {SIZE_MAX, 256 * KIB},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (int above = 0; above < 2; above++) {
            struct credit_cap process = {.max = above ? rows[i].free : SIZE_MAX};
            struct credit_cap link = {.max = above ? SIZE_MAX : rows[i].free, .parent = &process};

            assert_int_equal(credit_reserve_first(&link), rows[i].first);
            assert_int_equal(link.used, rows[i].first);
            assert_int_equal(process.used, rows[i].first);
        }
}

static void test_reserve_first_halves(void **state)
{
    static const size_t first[] = {256 * KIB, 128 * KIB, 64 * KIB, 32 * KIB, 16 * KIB, 16 * KIB};

    (void)state;
    for (size_t i = 0; i < COUNT(first); i++) {
        struct credit_cap process = {.max = 4096 * MIB, .used = i * 512 * MIB + MIB};
        struct credit_cap link = {.max = SIZE_MAX, .parent = &process};

        assert_int_equal(credit_reserve_first(&link), first[i]);
    }
}

/* Bridges of 10,000 channels, with the limits that are the default: two windows each. */
static void test_reserve_first_for_many(void **state)
{
    struct credit_cap process = {.max = 1024 * MIB};
    struct credit_cap one = {.max = 768 * MIB, .parent = &process}, other = one;

    (void)state;
    for (size_t i = 0; i < 10000; i++) {
        assert_true(credit_reserve_first(&one) > 0);
        assert_true(credit_reserve_first(&other) > 0);
    }
}

/* However many links take all that they get, one that comes later still gets a window. */
static void test_last_part_is_shared(void **state)
{
    static const size_t counts[] = {1, 3, 16, 17, 100, LINKS};
    static struct credit_cap links[LINKS];

    (void)state;
    for (size_t i = 0; i < COUNT(counts); i++) {
        struct credit_cap process = {.max = 1024 * MIB};
        struct credit_cap late = {.max = 768 * MIB, .parent = &process};
        bool more = true;

        for (size_t k = 0; k < counts[i]; k++)
            links[k] = late;
        while (more) {
            more = false;
            for (size_t k = 0; k < counts[i]; k++)
                more |= credit_reserve_first(&links[k]) > 0;
        }
        for (int channels = 0; channels < 32; channels++)
            assert_true(credit_reserve_first(&late) > 0);
    }
}

/* ---- windows */

enum {
    RTT = 50000, /* us */
    NEAR = 500,  /* us that two round trips count as at least */
};

/* A window and the peer that uses it. */
struct fixture {
    struct credit_cap process, link;
    struct credit_window w;
    struct credit_terms terms;
    size_t peer; /* bytes it may still send */
};

static void check(const struct fixture *f)
{
    assert_int_equal(f->w.left + f->w.held + f->w.owed, f->w.size);
    assert_int_equal(f->link.used, f->w.size);
    assert_int_equal(f->process.used, f->w.size);
    assert_int_equal(f->peer, f->w.left);
    assert_true(f->w.size >= CREDIT_WINDOW_MIN);
}

static void start(struct fixture *f, size_t memory, size_t size)
{
    *f = (struct fixture){
        .process = {.max = memory},
        .link = {.max = memory, .parent = &f->process},
        .terms = {.cap = &f->link, .window_max = 16 * MIB, .rtt_us = RTT, .now = 1000000},
        .peer = size,
    };
    assert_true(credit_reserve(&f->link, size));
    credit_window_init(&f->w, size, f->terms.now);
    check(f);
}

static void use(struct fixture *f, size_t n)
{
    assert_true(credit_window_use(&f->w, n));
    f->peer -= n;
    check(f);
}

/* The reader takes `n` bytes; returns what is granted. */
static size_t take(struct fixture *f, size_t n)
{
    size_t grant;

    credit_window_take(&f->w, n);
    f->terms.queued = f->w.held;
    grant = credit_window_grant(&f->w, &f->terms);
    f->peer += grant;
    check(f);
    return grant;
}

static void test_use(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 10 * MIB, 64 * KIB);
    use(&f, 60 * KIB);
    assert_false(credit_window_use(&f.w, 4 * KIB + 1));
    assert_false(credit_window_use(&f.w, SIZE_MAX));
    check(&f);
    use(&f, 4 * KIB);
    assert_false(credit_window_use(&f.w, 1));
    use(&f, 0);
}

/* One grant for many small reads, and no later than for half a window. */
static void test_grants(void **state)
{
    struct fixture f;
    size_t total = 0;

    (void)state;
    start(&f, 10 * MIB, 64 * KIB);
    f.terms.window_max = 64 * KIB;
    use(&f, 64 * KIB);
    for (size_t n = 1; n <= 64; n++) {
        size_t grant = take(&f, KIB);

        assert_true(grant == 0 || grant >= 8 * KIB);
        assert_true(f.w.owed < 32 * KIB);
        total += grant;
    }
    assert_true(total > 32 * KIB);
    assert_int_equal(take(&f, 0), 0);
}

/* A full window in that time, by a reader that leaves nothing, or leaves some. */
static size_t size_after(struct fixture *f, uint64_t us, size_t left_behind)
{
    size_t half = f->w.size / 2;

    use(f, f->w.left);
    f->terms.now += us;
    take(f, f->w.held - left_behind);
    if (left_behind == 0)
        return f->w.size;
    use(f, half);
    take(f, f->w.held);
    return f->w.size;
}

static void test_grows(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 1024 * MIB, 256 * KIB);
    for (size_t want = 512 * KIB; want <= 16 * MIB; want *= 2)
        assert_int_equal(size_after(&f, 2 * RTT - 1, 0), want);
    assert_int_equal(size_after(&f, 0, 0), 16 * MIB); /* as far as it may */
    assert_int_equal(f.peer, 16 * MIB);
}

static void test_grows_up_to_max(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 1024 * MIB, 256 * KIB);
    f.terms.window_max = 300000;
    assert_int_equal(size_after(&f, 1, 0), 300000);
    assert_int_equal(size_after(&f, 1, 0), 300000);
    f.terms.window_max = 100000; /* less than it has already */
    assert_int_equal(size_after(&f, 1, 0), 300000);
}

static void test_does_not_grow(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 1024 * MIB, 256 * KIB);
    assert_int_equal(size_after(&f, 2 * RTT, 0), 256 * KIB);   /* slow */
    assert_int_equal(size_after(&f, 1, 100 * KIB), 256 * KIB); /* its reader was behind */
    assert_int_equal(size_after(&f, 1, 0), 512 * KIB);         /* each round counts anew */
    f.terms.rtt_us = 0;                                        /* not known: as if near */
    assert_int_equal(size_after(&f, NEAR, 0), 512 * KIB);
    assert_int_equal(size_after(&f, NEAR - 1, 0), 1024 * KIB);
    f.terms.rtt_us = 10;
    assert_int_equal(size_after(&f, NEAR - 1, 0), 2048 * KIB);

    start(&f, 400 * KIB, 256 * KIB); /* no memory for twice as much */
    assert_int_equal(size_after(&f, 1, 0), 256 * KIB);
    start(&f, 600 * KIB, 256 * KIB); /* it would be short at once */
    assert_int_equal(size_after(&f, 1, 0), 256 * KIB);
    start(&f, 330 * KIB, 256 * KIB); /* it is: smaller, and it stays so */
    assert_int_equal(size_after(&f, 1, 0), 128 * KIB);
    assert_int_equal(size_after(&f, 1, 0), 128 * KIB);
}

/* While memory is short half of each grant is kept, until the window is the smallest. */
static void test_shrinks(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 1024 * MIB, 1 * MIB);
    for (size_t want = 512 * KIB; want >= 16 * KIB; want /= 2) {
        f.process.max = f.w.size; /* used up */
        f.terms.now += 10 * RTT;
        assert_int_equal(size_after(&f, 10 * RTT, 0), want);
        assert_int_equal(f.peer, want);
    }
    f.process.max = f.w.size;
    assert_int_equal(size_after(&f, 1, 0), 16 * KIB);
    f.process.max = 1024 * MIB;
    assert_int_equal(size_after(&f, 1, 0), 32 * KIB);
}

/* A grant given back is no more than what was owed. */
static void test_shrinks_by_what_is_owed(void **state)
{
    struct fixture f;

    (void)state;
    start(&f, 1024 * MIB, 1 * MIB);
    f.process.max = 1 * MIB;
    use(&f, 700 * KIB);
    assert_int_equal(take(&f, 600 * KIB), 88 * KIB);
    assert_int_equal(f.w.size, 512 * KIB);
    assert_int_equal(f.w.left, (1024 - 700 + 88) * KIB);
}

/* Any order of events: nothing is granted that is not set aside, and nothing is lost. */
static void test_at_random(void **state)
{
    struct fixture f;

    (void)state;
    srand(8);
    start(&f, 2 * MIB, CREDIT_WINDOW_MIN);
    for (int i = 0; i < 200000; i++) {
        size_t used_by_others = i / 5000 % 2 ? 2 * MIB : 0;

        f.process.max = 2 * MIB - used_by_others + f.w.size;
        f.terms.now += (uint64_t)rand() % 2000;
        if (f.peer && rand() % 2)
            use(&f, 1 + (size_t)rand() % f.peer);
        else if (f.w.held)
            take(&f, rand() % 2 ? f.w.held : 1 + (size_t)rand() % f.w.held);
        assert_true(f.peer > 0 || f.w.held > 0); /* never stuck */
        assert_true(f.w.size <= f.terms.window_max);
    }
    assert_true(f.w.size >= CREDIT_WINDOW_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reserve),
        cmocka_unit_test(test_lowered),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_reserve_first),
        cmocka_unit_test(test_reserve_first_halves),
        cmocka_unit_test(test_reserve_first_for_many),
        cmocka_unit_test(test_last_part_is_shared),
        cmocka_unit_test(test_use),
        cmocka_unit_test(test_grants),
        cmocka_unit_test(test_grows),
        cmocka_unit_test(test_grows_up_to_max),
        cmocka_unit_test(test_does_not_grow),
        cmocka_unit_test(test_shrinks),
        cmocka_unit_test(test_shrinks_by_what_is_owed),
        cmocka_unit_test(test_at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
