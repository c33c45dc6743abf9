#include "base/pool.h"

#include <stdlib.h>

void pool_init(struct pool *p, size_t idle_max)
{
    *p = (struct pool){
        .blocks.idle_max = idle_max,
        .pieces.idle_max = idle_max * BLOCK_BYTES / PIECE_BYTES,
    };
}

static void list_fini(struct pool_list *l)
{
    while (l->free) {
        struct block *b = l->free;
        l->free = b->next;
        free(b);
    }
    l->idle = 0;
}

void pool_fini(struct pool *p)
{
    list_fini(&p->blocks);
    list_fini(&p->pieces);
}

static struct block *get(struct pool_list *l, size_t cap)
{
    struct block *b = l->free;

    if (b) {
        l->free = b->next;
        l->idle--;
    } else {
        b = malloc(sizeof(*b) + cap);
        if (!b)
            return NULL;
    }
    l->used++;
    b->next = NULL;
    b->off = b->len = 0;
    b->cap = cap;
    return b;
}

struct block *pool_get(struct pool *p)
{
    return get(&p->blocks, BLOCK_BYTES);
}

struct block *pool_get_piece(struct pool *p)
{
    return get(&p->pieces, PIECE_BYTES);
}

void pool_put(struct pool *p, struct block *b)
{
    struct pool_list *l;

    if (!b)
        return;
    l = b->cap == BLOCK_BYTES ? &p->blocks : &p->pieces;
    l->used--;
    if (l->idle >= l->idle_max) {
        free(b);
        return;
    }
    b->next = l->free;
    l->free = b;
    l->idle++;
}
