#include "base/queue.h"

void queue_clear(struct queue *q, struct pool *pool)
{
    while (q->head) {
        struct block *b = q->head;
        q->head = b->next;
        pool_put(pool, b);
    }
    queue_init(q);
}

void queue_push(struct queue *q, struct block *b)
{
    b->next = NULL;
    if (q->tail)
        q->tail->next = b;
    else
        q->head = b;
    q->tail = b;
    q->bytes += b->len;
}

enum wsp_err queue_append(struct queue *q, struct pool *pool, struct slice in)
{
    while (in.len) {
        struct block *b = q->tail;
        size_t n;

        if (!b || block_room(b) == 0) {
            b = pool_get_piece(pool);
            if (!b)
                return WSP_ERR_NOMEM;
            queue_push(q, b);
        }
        n = block_room(b) < in.len ? block_room(b) : in.len;
        memcpy(block_end(b), in.p, n);
        b->len += n;
        q->bytes += n;
        slice_advance(&in, n);
    }
    return WSP_OK;
}

int queue_iov(const struct queue *q, struct iovec *iov, int max)
{
    int n = 0;

    for (struct block *b = q->head; b && n < max; b = b->next)
        iov[n++] = (struct iovec){b->data + b->off, b->len};
    return n;
}

void queue_consume(struct queue *q, struct pool *pool, size_t n)
{
    q->bytes -= n;
    while (n) {
        struct block *b = q->head;
        size_t part = n < b->len ? n : b->len;

        b->off += part;
        b->len -= part;
        n -= part;
        if (b->len)
            return;
        q->head = b->next;
        if (!q->head)
            q->tail = NULL;
        pool_put(pool, b);
    }
}
