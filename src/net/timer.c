#include "net/timer.h"

#include <stdlib.h>

#include "net/loop.h"

void timer_heap_fini(struct timer_heap *h)
{
    free(h->item);
    *h = (struct timer_heap){0};
}

static void place(struct timer_heap *h, size_t i, struct timer *t)
{
    h->item[i] = t;
    t->slot = i + 1;
}

static void sift_up(struct timer_heap *h, size_t i, struct timer *t)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;

        if (h->item[parent]->due_us <= t->due_us)
            break;
        place(h, i, h->item[parent]);
        i = parent;
    }
    place(h, i, t);
}

static void sift_down(struct timer_heap *h, size_t i, struct timer *t)
{
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= h->count)
            break;
        if (child + 1 < h->count && h->item[child + 1]->due_us < h->item[child]->due_us)
            child++;
        if (t->due_us <= h->item[child]->due_us)
            break;
        place(h, i, h->item[child]);
        i = child;
    }
    place(h, i, t);
}

static void settle(struct timer_heap *h, size_t i, struct timer *t)
{
    if (i > 0 && h->item[(i - 1) / 2]->due_us > t->due_us)
        sift_up(h, i, t);
    else
        sift_down(h, i, t);
}

enum wsp_err timer_heap_put(struct timer_heap *h, struct timer *t)
{
    if (t->slot) {
        settle(h, t->slot - 1, t);
        return WSP_OK;
    }
    if (h->count == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 32;
        struct timer **item = realloc(h->item, cap * sizeof(struct timer *));

        if (!item)
            return WSP_ERR_NOMEM;
        h->item = item;
        h->cap = cap;
    }
    sift_up(h, h->count++, t);
    return WSP_OK;
}

void timer_heap_remove(struct timer_heap *h, struct timer *t)
{
    size_t i = t->slot - 1;
    struct timer *last;

    if (!t->slot)
        return;
    t->slot = 0;
    last = h->item[--h->count];
    if (last != t)
        settle(h, i, last);
}
