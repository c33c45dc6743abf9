#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/map.h"

enum { ITEMS = 2000 };

static const uint64_t seed[2] = {0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

struct item {
    struct map_node node;
    char name[16];
    bool in;
};

static void item_init(struct item *item, unsigned n)
{
    int len = snprintf(item->name, sizeof(item->name), "key-%u", n);

    item->node.key = slice_of(item->name, (size_t)len);
    item->in = false;
}

static void add(struct map *m, struct item *item)
{
    assert_int_equal(map_add(m, &item->node), WSP_OK);
    item->in = true;
}

static void drop(struct map *m, struct item *item)
{
    map_remove(m, &item->node);
    item->in = false;
}

static void check_all(const struct map *m, struct item *items, size_t n)
{
    size_t in = 0, walked = 0;

    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(map_find(m, items[i].node.key), items[i].in ? &items[i].node : NULL);
        in += items[i].in;
    }
    for (struct map_node *node = map_next(m, NULL); node; node = map_next(m, node)) {
        assert_true(container_of(node, struct item, node)->in);
        walked++;
    }
    assert_int_equal(m->count, in);
    assert_int_equal(walked, in);
}

/*
 * SipHash-1-3 under the key 00 01 .. 0f of the message 00 01 .. n-1. The values are from a second
 * implementation, written for this test after the paper; with 2 and 4 rounds it gives the paper's
 * own vectors.
 */
static void test_siphash(void **state)
{
    static const struct {
        size_t len;
        uint64_t hash;
    } vectors[] = {
        {0, 0xabac0158050fc4dcU},  {1, 0xc9f49bf37d57ca93U},  {7, 0xd3927d989bb11140U},
        {8, 0x369095118d299a8eU},  {9, 0x25a48eb36c063de4U},  {15, 0xd320d86d2a519956U},
        {16, 0xcc4fdd1a7d908b66U}, {63, 0x9d199062b7bbb3a8U},
    };
    struct map m;

    (void)state;
    map_init(&m, seed);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
        uint8_t *message = calloc(1, vectors[i].len + 1);
        struct map_node node = {.key = slice_of(message, vectors[i].len)};

        assert_non_null(message);
        for (size_t k = 0; k < vectors[i].len; k++)
            message[k] = (uint8_t)k;
        assert_int_equal(map_add(&m, &node), WSP_OK);
        assert_true(node.hash == vectors[i].hash);
        map_remove(&m, &node);
        free(message);
    }
    map_fini(&m);
}

/* The length counts modulo 256, and a long key of one value is no special case. */
static void test_siphash_long(void **state)
{
    uint8_t message[300];
    struct map_node node = {0};
    struct map m;

    (void)state;
    memset(message, 0xff, sizeof(message));
    node.key = slice_of(message, sizeof(message));
    map_init(&m, (const uint64_t[2]){UINT64_MAX, UINT64_MAX});
    assert_int_equal(map_add(&m, &node), WSP_OK);
    assert_true(node.hash == 0x82575369a1a1a8efU);
    map_fini(&m);
}

static void test_empty(void **state)
{
    struct map m;

    (void)state;
    map_init(&m, seed);
    assert_null(map_find(&m, slice_str("x")));
    assert_null(map_next(&m, NULL));
    map_fini(&m);
    map_fini(&m);
}

static void test_growth(void **state)
{
    struct item *items = calloc(ITEMS, sizeof(*items));
    struct map m;

    (void)state;
    assert_non_null(items);
    map_init(&m, seed);
    for (unsigned i = 0; i < ITEMS; i++) {
        item_init(&items[i], i);
        add(&m, &items[i]);
        if (i < 20 || i % 500 == 0)
            check_all(&m, items, i + 1);
    }
    assert_in_range(m.buckets, ITEMS, 2 * ITEMS + 96);
    check_all(&m, items, ITEMS);
    for (unsigned i = 0; i < ITEMS; i += 3)
        drop(&m, &items[i]);
    check_all(&m, items, ITEMS);
    assert_null(map_find(&m, slice_str("key-")));
    map_fini(&m);
    free(items);
}

/* Keys chosen to share a bucket of the smallest table: whichever goes, the others stay. */
static void test_collisions(void **state)
{
    struct item items[4];
    struct map m;
    unsigned n = 0;

    (void)state;
    map_init(&m, seed);
    for (size_t i = 0; i < 4; n++) {
        item_init(&items[i], n);
        add(&m, &items[i]);
        if (((items[i].node.hash ^ items[0].node.hash) & 7) == 0)
            i++;
        else
            drop(&m, &items[i]);
    }
    assert_int_equal(m.buckets, 8);
    check_all(&m, items, 4);
    for (size_t gone = 0; gone < 4; gone++) {
        drop(&m, &items[gone]);
        check_all(&m, items, 4);
        add(&m, &items[gone]);
        check_all(&m, items, 4);
    }
    map_fini(&m);
}

/* How a map is emptied: the walk starts anew after each removal. */
static void test_removal_during_walk(void **state)
{
    struct item items[50];
    struct map_node *node;
    struct map m;

    (void)state;
    map_init(&m, seed);
    for (unsigned i = 0; i < 50; i++) {
        item_init(&items[i], i);
        add(&m, &items[i]);
    }
    while ((node = map_next(&m, NULL))) {
        drop(&m, container_of(node, struct item, node));
        check_all(&m, items, 50);
    }
    assert_int_equal(m.count, 0);
    map_fini(&m);
}

static void test_random(void **state)
{
    struct item items[64];
    struct map m;

    (void)state;
    map_init(&m, seed);
    for (unsigned i = 0; i < 64; i++)
        item_init(&items[i], i);
    srand(2);
    for (int round = 0; round < 3000; round++) {
        struct item *item = &items[rand() % 64];

        if (item->in)
            drop(&m, item);
        else
            add(&m, item);
        if (round % 16 == 0)
            check_all(&m, items, 64);
    }
    map_fini(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_siphash),    cmocka_unit_test(test_siphash_long),
        cmocka_unit_test(test_empty),      cmocka_unit_test(test_growth),
        cmocka_unit_test(test_collisions), cmocka_unit_test(test_removal_during_walk),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
