/* Fixed-size blocks with a free list, so that the hot path allocates nothing. One pool per loop. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>
#include <stdint.h>

/* Two full TRANSFER frames with their headers fit one block. */
#define BLOCK_BYTES (66 * 1024)

struct block {
    struct block *next; /* link of whichever queue holds the block */
    size_t off, len;    /* contents are data[off .. off+len) */
    uint8_t data[BLOCK_BYTES];
};

struct pool {
    struct block *free; /* owned */
    size_t idle;        /* blocks on the free list */
    size_t idle_max;    /* more than these are given back to malloc */
    size_t used;        /* blocks handed out */
};

void pool_init(struct pool *p, size_t idle_max);
void pool_fini(struct pool *p);

/* An empty block (off = len = 0), or NULL without memory. Return it with pool_put. */
struct block *pool_get(struct pool *p);

/* Accepts NULL. */
void pool_put(struct pool *p, struct block *b /* taken */);

#endif
