#include "base/pool.h"

#include <stdlib.h>

enum { IDLE_MIN = 2 }; /* of each size: what one connection needs to move on */

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

bool pool_is_trimmable(const struct pool *p)
{
    return p->given_back || p->blocks.idle > IDLE_MIN || p->pieces.idle > IDLE_MIN;
}

static void release(struct pool_list *l, size_t n)
{
    while (n-- && l->idle > IDLE_MIN) {
        struct block *b = l->free;

        l->free = b->next;
        l->idle--;
        free(b);
    }
    l->low = l->idle;
}

bool pool_trim(struct pool *p)
{
    size_t idle = p->blocks.idle + p->pieces.idle;
    bool given_back = p->given_back;

    release(&p->blocks, p->blocks.low);
    release(&p->pieces, p->pieces.low);
    p->given_back = false;
    return given_back || p->blocks.idle + p->pieces.idle < idle;
}

static struct block *get(struct pool_list *l, size_t cap)
{
    struct block *b = l->free;

    if (b) {
        l->free = b->next;
        l->idle--;
        if (l->idle < l->low)
            l->low = l->idle;
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
        p->given_back = true;
        free(b);
        return;
    }
    b->next = l->free;
    l->free = b;
    l->idle++;
}
