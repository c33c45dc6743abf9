#include "base/buf.h"

#include <stdlib.h>

void buf_fini(struct buf *b)
{
    free(b->mem);
    buf_init(b);
}

enum wsp_err buf_reserve(struct buf *b, size_t n)
{
    size_t cap = b->cap ? b->cap : 256;
    uint8_t *mem;

    if (b->cap - b->off - b->len >= n)
        return WSP_OK;
    if (b->mem && b->off) {
        memmove(b->mem, b->mem + b->off, b->len);
        b->off = 0;
        if (b->cap - b->len >= n)
            return WSP_OK;
    }
    if (n > SIZE_MAX / 4 - b->len)
        return WSP_ERR_NOMEM;
    while (cap < b->len + n)
        cap *= 2;
    mem = realloc(b->mem, cap);
    if (!mem)
        return WSP_ERR_NOMEM;
    b->mem = mem;
    b->cap = cap;
    return WSP_OK;
}

enum wsp_err buf_append(struct buf *b, const void *p, size_t n)
{
    enum wsp_err err = buf_reserve(b, n);

    if (err != WSP_OK)
        return err;
    if (n)
        memcpy(buf_tail(b), p, n);
    b->len += n;
    return WSP_OK;
}
