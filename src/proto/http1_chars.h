/* Byte classes of HTTP/1 (RFC 9110 section 5.6.2 and 5.5), shared by the http1 files. */
#ifndef PROTO_HTTP1_CHARS_H
#define PROTO_HTTP1_CHARS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

/* 1 for the bytes of a token. */
extern const uint8_t http1_tchar[256];

static inline bool http1_is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!http1_tchar[s.p[i]])
            return false;
    return s.len > 0;
}

/* What a field value, reason phrase or chunk extension may hold: no control byte but HTAB. */
static inline bool http1_is_text(uint8_t c)
{
    return (c >= 0x20 && c != 0x7f) || c == '\t';
}

#endif
