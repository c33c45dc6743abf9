#include "base/pool.h"

#include <stdlib.h>

void pool_init(struct pool *p, size_t idle_max)
{
    *p = (struct pool){.idle_max = idle_max};
}

void pool_fini(struct pool *p)
{
    while (p->free) {
        struct block *b = p->free;
        p->free = b->next;
        free(b);
    }
    p->idle = 0;
}

struct block *pool_get(struct pool *p)
{
    struct block *b = p->free;

    if (b) {
        p->free = b->next;
        p->idle--;
    } else {
        b = malloc(sizeof(*b));
        if (!b)
            return NULL;
    }
    p->used++;
    b->next = NULL;
    b->off = b->len = 0;
    return b;
}

void pool_put(struct pool *p, struct block *b)
{
    if (!b)
        return;
    p->used--;
    if (p->idle >= p->idle_max) {
        free(b);
        return;
    }
    b->next = p->free;
    p->free = b;
    p->idle++;
}
