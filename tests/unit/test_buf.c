#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"

static void test_empty(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    assert_int_equal(buf_slice(&b).len, 0);
    assert_int_equal(buf_append(&b, NULL, 0), WSP_OK);
    assert_null(b.mem);
    buf_fini(&b);
}

static void test_append_consume(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b);
    assert_int_equal(buf_append(&b, "hello ", 6), WSP_OK);
    assert_int_equal(buf_append(&b, "world", 5), WSP_OK);
    assert_true(slice_eq_str(buf_slice(&b), "hello world"));
    buf_consume(&b, 6);
    assert_true(slice_eq_str(buf_slice(&b), "world"));
    buf_consume(&b, 5);
    assert_int_equal(b.off, 0);
    buf_fini(&b);
    assert_null(b.mem);
    assert_int_equal(buf_append(&b, "again", 5), WSP_OK);
    assert_true(slice_eq_str(buf_slice(&b), "again"));
    buf_fini(&b);
}

/* What was consumed makes room before memory is asked for. */
static void test_reserve_compacts(void **state)
{
    struct buf b;
    size_t cap;

    (void)state;
    buf_init(&b);
    assert_int_equal(buf_reserve(&b, 1), WSP_OK);
    cap = b.cap;
    b.len = cap;
    memset(b.mem, 'x', cap);
    b.mem[cap - 1] = 'y';
    buf_consume(&b, cap - 1);
    assert_int_equal(buf_reserve(&b, cap - 1), WSP_OK);
    assert_int_equal(b.cap, cap);
    assert_int_equal(b.off, 0);
    assert_int_equal(b.mem[0], 'y');
    assert_ptr_equal(buf_tail(&b), b.mem + 1);
    assert_int_equal(buf_reserve(&b, cap), WSP_OK);
    assert_true(b.cap > cap);
    assert_int_equal(b.mem[0], 'y');
    buf_fini(&b);
}

static void test_overflow(void **state)
{
    static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 3, SIZE_MAX / 2, SIZE_MAX / 4};
    struct buf b;

    (void)state;
    buf_init(&b);
    assert_int_equal(buf_append(&b, "abc", 3), WSP_OK);
    buf_consume(&b, 1);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        assert_int_equal(buf_reserve(&b, sizes[i]), WSP_ERR_NOMEM);
        assert_true(slice_eq_str(buf_slice(&b), "bc"));
    }
    buf_fini(&b);
}

/* Random appends and consumes of a counting sequence: what comes out counts on. */
static void test_random(void **state)
{
    struct buf b;
    uint8_t next_in = 0, next_out = 0;

    (void)state;
    buf_init(&b);
    srand(1);
    for (int round = 0; round < 5000; round++) {
        uint8_t piece[700];
        size_t n = (size_t)rand() % sizeof(piece);

        for (size_t i = 0; i < n; i++)
            piece[i] = next_in++;
        assert_int_equal(buf_append(&b, piece, n), WSP_OK);
        assert_in_range(b.off + b.len, 0, b.cap);
        n = (size_t)rand() % (b.len + 1);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(buf_slice(&b).p[i], next_out++);
        buf_consume(&b, n);
    }
    buf_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_append_consume),
        cmocka_unit_test(test_reserve_compacts),
        cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
