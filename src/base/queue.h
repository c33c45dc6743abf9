/* A byte queue in pool blocks: append at the end, take vectors at the front. */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <sys/uio.h>

#include "base/pool.h"
#include "base/slice.h"
#include "wsp/err.h"

struct queue {
    struct block *head, *tail; /* owned; none is empty */
    size_t bytes;
};

static inline size_t block_room(const struct block *b)
{
    return b->cap - b->off - b->len;
}

/* The first byte behind the contents. */
static inline uint8_t *block_end(struct block *b)
{
    return b->data + b->off + b->len;
}

static inline void queue_init(struct queue *q)
{
    *q = (struct queue){0};
}

/* Drops the contents. */
void queue_clear(struct queue *q, struct pool *pool);

/* Puts a filled block behind the others. */
void queue_push(struct queue *q, struct block *b /* taken */);

/* Appends a copy, in pieces. WSP_OK, or WSP_ERR_NOMEM: then only a part may have been appended. */
enum wsp_err queue_append(struct queue *q, struct pool *pool, struct slice in);

/* The contents as up to `max` vectors; returns how many. Borrowed until queue_consume. */
int queue_iov(const struct queue *q, struct iovec *iov, int max);

/* Removes the first `n` bytes; `n` must not exceed q->bytes. */
void queue_consume(struct queue *q, struct pool *pool, size_t n);

#endif
