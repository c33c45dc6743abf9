/* A growable byte queue: append at the end, consume at the front. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"
#include "wsp/err.h"

struct buf {
    uint8_t *mem; /* owned; NULL while empty and released */
    size_t off;   /* first unconsumed byte */
    size_t len;   /* unconsumed bytes from off */
    size_t cap;   /* bytes allocated at mem */
};

static inline void buf_init(struct buf *b)
{
    *b = (struct buf){0};
}

/* Releases the memory; the buffer is empty and usable afterwards. */
void buf_fini(struct buf *b);

/* Makes room for `n` more bytes behind the contents. WSP_OK or WSP_ERR_NOMEM; contents unharmed. */
enum wsp_err buf_reserve(struct buf *b, size_t n);

/* Appends a copy. WSP_OK or WSP_ERR_NOMEM; then nothing was appended. */
enum wsp_err buf_append(struct buf *b, const void *p, size_t n);

/* The same, unless an append before has failed: for a row of them. */
static inline void buf_add(struct buf *b, struct slice s, enum wsp_err *err)
{
    if (*err == WSP_OK)
        *err = buf_append(b, s.p, s.len);
}

/* The first byte behind the contents, where buf_reserve made room; commit with b->len += n. */
static inline uint8_t *buf_tail(struct buf *b)
{
    return b->mem + b->off + b->len;
}

/* Removes the first `n` bytes; `n` must not exceed b->len. */
static inline void buf_consume(struct buf *b, size_t n)
{
    b->off += n;
    b->len -= n;
    if (b->len == 0)
        b->off = 0;
}

/* The contents: borrowed until the buffer changes. */
static inline struct slice buf_slice(const struct buf *b)
{
    return slice_of(b->mem ? b->mem + b->off : NULL, b->len);
}

#endif
