#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/queue.h"

struct fixture {
    struct pool pool;
    struct queue queue;
    uint8_t next_in, next_out; /* the counting sequence that goes through the queue */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    pool_init(&f->pool, 2);
    queue_init(&f->queue);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    queue_clear(&f->queue, &f->pool);
    assert_int_equal(f->queue.bytes, 0);
    assert_int_equal(pool_used(&f->pool), 0);
    pool_fini(&f->pool);
    free(f);
    return 0;
}

static void append(struct fixture *f, size_t n)
{
    uint8_t *piece = malloc(n ? n : 1);

    assert_non_null(piece);
    for (size_t i = 0; i < n; i++)
        piece[i] = f->next_in++;
    assert_int_equal(queue_append(&f->queue, &f->pool, slice_of(piece, n)), WSP_OK);
    free(piece);
}

/* Checks that the vectors hold the sequence, then removes `n` bytes. */
static void take(struct fixture *f, size_t n)
{
    struct iovec iov[64];
    int count = queue_iov(&f->queue, iov, 64);
    uint8_t next = f->next_out;
    size_t seen = 0;

    for (int i = 0; i < count; i++) {
        const uint8_t *p = iov[i].iov_base;

        assert_true(iov[i].iov_len > 0);
        for (size_t k = 0; k < iov[i].iov_len; k++)
            if (p[k] != next++)
                fail_msg("byte %zu of vector %d", k, i);
        seen += iov[i].iov_len;
    }
    if (count < 8)
        assert_int_equal(seen, f->queue.bytes);
    queue_consume(&f->queue, &f->pool, n);
    f->next_out = (uint8_t)(f->next_out + n);
}

static void test_pool(void **state)
{
    struct block *blocks[4];
    struct pool pool;

    (void)state;
    pool_init(&pool, 2);
    pool_put(&pool, NULL);
    for (size_t i = 0; i < 4; i++) {
        blocks[i] = pool_get(&pool);
        assert_non_null(blocks[i]);
        assert_int_equal(block_room(blocks[i]), BLOCK_BYTES);
    }
    assert_int_equal(pool_used(&pool), 4);
    blocks[3]->off = blocks[3]->len = 5;
    for (size_t i = 0; i < 4; i++)
        pool_put(&pool, blocks[i]);
    assert_int_equal(pool_used(&pool), 0);
    assert_int_equal(pool.blocks.idle, 2);
    blocks[0] = pool_get(&pool);
    assert_int_equal(pool.blocks.idle, 1);
    assert_int_equal(blocks[0]->off + blocks[0]->len, 0);
    assert_null(blocks[0]->next);
    pool_put(&pool, blocks[0]);
    pool_fini(&pool);
    assert_int_equal(pool.blocks.idle, 0);
}

/* What nobody needed since the last trim goes back, but for two of each size. */
static void test_pool_trim(void **state)
{
    struct block *blocks[6];
    struct pool pool;

    (void)state;
    pool_init(&pool, 5);
    assert_false(pool_is_trimmable(&pool));
    for (size_t i = 0; i < 6; i++)
        blocks[i] = pool_get(&pool);
    for (size_t i = 0; i < 6; i++)
        pool_put(&pool, blocks[i]);
    assert_true(pool_is_trimmable(&pool));
    assert_true(pool_trim(&pool)); /* the sixth had no place; the others were in use just now */
    assert_int_equal(pool.blocks.idle, 5);
    blocks[0] = pool_get(&pool);
    pool_put(&pool, blocks[0]);
    assert_true(pool_trim(&pool)); /* one was enough all the time: four were not needed */
    assert_int_equal(pool.blocks.idle, 2);
    assert_false(pool_is_trimmable(&pool));
    assert_false(pool_trim(&pool));
    pool_fini(&pool);
}

static void test_empty(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[1];

    assert_int_equal(queue_iov(&f->queue, iov, 1), 0);
    append(f, 0);
    assert_null(f->queue.head);
    queue_consume(&f->queue, &f->pool, 0);
    assert_int_equal(pool_used(&f->pool), 0);
}

/* An append that crosses a block's end fills it to the last byte. */
static void test_append_crosses_blocks(void **state)
{
    struct fixture *f = *state;

    append(f, PIECE_BYTES - 1);
    assert_int_equal(pool_used(&f->pool), 1);
    append(f, 2 * PIECE_BYTES);
    assert_int_equal(pool_used(&f->pool), 3);
    assert_int_equal(f->queue.bytes, 3 * PIECE_BYTES - 1);
    assert_int_equal(block_room(f->queue.head), 0);
    take(f, 1);
    take(f, PIECE_BYTES - 1);
    assert_int_equal(pool_used(&f->pool), 2);
    take(f, f->queue.bytes);
    assert_null(f->queue.head);
    assert_null(f->queue.tail);
    assert_int_equal(pool_used(&f->pool), 0);
    append(f, 10);
    take(f, 10);
}

static void test_iov_limit(void **state)
{
    struct fixture *f = *state;
    struct iovec iov[3] = {{0}};

    append(f, 3 * PIECE_BYTES);
    assert_int_equal(queue_iov(&f->queue, iov, 2), 2);
    assert_null(iov[2].iov_base);
    assert_int_equal(queue_iov(&f->queue, iov, 0), 0);
    take(f, 100);
    assert_int_equal(queue_iov(&f->queue, iov, 3), 3);
    assert_int_equal(iov[0].iov_len, PIECE_BYTES - 100);
}

static void test_push(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < 3; i++) {
        struct block *b = pool_get(&f->pool);

        assert_non_null(b);
        b->off = 64; /* the room that a header would have taken */
        for (size_t k = 0; k < 1000; k++)
            block_end(b)[k] = f->next_in++;
        b->len = 1000;
        queue_push(&f->queue, b);
    }
    append(f, 500); /* goes behind the contents of the last block */
    assert_int_equal(pool_used(&f->pool), 3);
    assert_int_equal(f->queue.bytes, 3500);
    take(f, 1500);
    take(f, 2000);
    assert_int_equal(f->queue.bytes, 0);
}

static void test_random(void **state)
{
    struct fixture *f = *state;

    srand(3);
    for (int round = 0; round < 1000; round++) {
        append(f, (size_t)rand() % 30000);
        assert_in_range(pool_used(&f->pool), 0, f->queue.bytes / PIECE_BYTES + 2);
        take(f, (size_t)rand() % (f->queue.bytes + 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool),
        cmocka_unit_test(test_pool_trim),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_append_crosses_blocks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_iov_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_push, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
