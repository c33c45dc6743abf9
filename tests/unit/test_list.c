#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

enum { ITEMS = 5 };

struct item {
    char name;
    struct list node;
};

static void fill(struct list *head, struct item *items)
{
    list_init(head);
    for (int i = 0; i < ITEMS; i++) {
        items[i].name = (char)('a' + i);
        list_push(head, &items[i].node);
    }
}

/* Walks both ways and compares; `want` in order. */
static void check(const struct list *head, const char *want)
{
    const struct list *node = head;

    for (const char *c = want; *c; c++) {
        node = node->next;
        assert_ptr_equal(node->prev->next, node);
        assert_int_equal(container_of(node, struct item, node)->name, *c);
    }
    assert_ptr_equal(node->next, head);
    assert_ptr_equal(head->prev, node);
    assert_int_equal(list_empty(head), *want == '\0');
}

static void test_push_shift(void **state)
{
    struct item items[ITEMS];
    struct list head;

    (void)state;
    list_init(&head);
    check(&head, "");
    assert_null(list_shift(&head));
    fill(&head, items);
    check(&head, "abcde");
    assert_ptr_equal(list_shift(&head), &items[0].node);
    assert_false(list_linked(&items[0].node));
    assert_true(list_linked(&items[1].node));
    list_push(&head, &items[0].node);
    check(&head, "bcdea");
}

static void test_remove(void **state)
{
    struct item items[ITEMS];
    struct list head;

    (void)state;
    fill(&head, items);
    list_remove(&items[2].node);
    check(&head, "abde");
    list_remove(&items[2].node); /* on no list: nothing happens */
    check(&head, "abde");
    list_remove(&items[0].node);
    list_remove(&items[4].node);
    check(&head, "bd");
    list_remove(&items[1].node);
    list_remove(&items[3].node);
    check(&head, "");
}

static void test_each_removes(void **state)
{
    struct item items[ITEMS];
    struct list head, *node, *tmp;
    int seen = 0;

    (void)state;
    fill(&head, items);
    list_each (node, tmp, &head) {
        seen++;
        if (container_of(node, struct item, node)->name != 'c')
            list_remove(node);
    }
    assert_int_equal(seen, ITEMS);
    check(&head, "c");
}

static void test_take(void **state)
{
    struct item items[ITEMS];
    struct list from, to;

    (void)state;
    list_init(&from);
    list_take(&to, &from);
    check(&to, "");
    fill(&from, items);
    list_take(&to, &from);
    check(&to, "abcde");
    check(&from, "");
    list_push(&from, list_shift(&to));
    check(&from, "a");
    check(&to, "bcde");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_push_shift),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_each_removes),
        cmocka_unit_test(test_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
