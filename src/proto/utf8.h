/* Follows UTF-8 (RFC 3629) through a text that comes in pieces. */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include "base/slice.h"

/* Zero-initialise at the start of a text; a value type. */
struct utf8 {
    uint8_t left;      /* bytes that the current character still needs */
    uint8_t low, high; /* bounds of the next of them */
};

/* False when the piece holds what no UTF-8 text can go on with; the state is then undefined. */
bool utf8_follow(struct utf8 *u, struct slice piece);

/* The text may end here: no character is unfinished. */
static inline bool utf8_complete(const struct utf8 *u)
{
    return u->left == 0;
}

#endif
