/* Blocks of two sizes with free lists, so that the hot path allocates nothing. One pool per loop.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Two full TRANSFER frames with their headers fit one block. */
#define BLOCK_BYTES (66 * 1024)
/* What waits is kept in these: many channels may have a little. */
#define PIECE_BYTES (8 * 1024 - 64)

struct block {
    struct block *next; /* link of whichever queue holds the block */
    size_t off, len;    /* contents are data[off .. off+len) */
    size_t cap;         /* BLOCK_BYTES or PIECE_BYTES */
    uint8_t data[];
};

struct pool_list {
    struct block *free; /* owned */
    size_t idle;        /* blocks on it */
    size_t idle_max;    /* more than these are given back to malloc */
    size_t used;        /* blocks handed out */
    size_t low;         /* the fewest on it since pool_trim: those were not needed */
};

struct pool {
    struct pool_list blocks, pieces;
    bool given_back; /* something went back to malloc since pool_trim */
};

/* At most so many blocks are kept for later, and pieces of as many bytes. */
void pool_init(struct pool *p, size_t idle_max);
void pool_fini(struct pool *p);

/* Blocks and pieces handed out. */
static inline size_t pool_used(const struct pool *p)
{
    return p->blocks.used + p->pieces.used;
}

/* pool_trim would have something to do, now or a while after the last time. */
bool pool_is_trimmable(const struct pool *p);

/* Gives back to malloc what was not needed since the last time, but for a little. True when
 * something has gone back since then. */
bool pool_trim(struct pool *p);

/* An empty block of BLOCK_BYTES or PIECE_BYTES, or NULL without memory. Return it with pool_put. */
struct block *pool_get(struct pool *p);
struct block *pool_get_piece(struct pool *p);

/* Accepts NULL. */
void pool_put(struct pool *p, struct block *b /* taken */);

#endif
