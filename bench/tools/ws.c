#include "ws.h"

#include "load.h"

#include <string.h>

enum {
    FIN_BINARY = 0x82,
    MASKED = 0x80,
    LENGTH_16 = 126,
    LENGTH_64 = 127,
    OPCODE_CLOSE = 8,
};

static void mask_copy(uint8_t *out, const uint8_t *in, size_t len, const uint8_t key[4])
{
    uint64_t wide, word;
    size_t i = 0;

    memcpy(&wide, key, 4);
    memcpy((uint8_t *)&wide + 4, key, 4);
    for (; len - i >= 8; i += 8) {
        memcpy(&word, in + i, 8);
        word ^= wide;
        memcpy(out + i, &word, 8);
    }
    for (; i < len; i++)
        out[i] = in[i] ^ key[i % 4];
}

size_t ws_frame(uint8_t *out, const uint8_t *payload, size_t len, uint64_t *random)
{
    uint64_t key = random_next(random);
    size_t at = 0;

    out[at++] = FIN_BINARY;
    if (len < LENGTH_16) {
        out[at++] = (uint8_t)(MASKED | len);
    } else {
        out[at++] = MASKED | LENGTH_16;
        out[at++] = (uint8_t)(len >> 8);
        out[at++] = (uint8_t)len;
    }
    memcpy(out + at, &key, 4);
    at += 4;
    mask_copy(out + at, payload, len, out + at - 4);
    return at + len;
}

static size_t head_size(const struct ws_reader *r)
{
    uint8_t length = r->head_len < 2 ? 0 : r->head[1];

    return length == LENGTH_64 ? 10 : length == LENGTH_16 ? 4 : 2;
}

/* The payload's length, or -1 for a close frame or a mask. */
static int64_t head_parse(const struct ws_reader *r)
{
    uint64_t length = r->head[1];

    if (r->head[1] & MASKED || (r->head[0] & 15) == OPCODE_CLOSE)
        return -1;
    if (length >= LENGTH_16) {
        length = 0;
        for (size_t i = 2; i < r->head_len; i++)
            length = length << 8 | r->head[i];
    }
    return length > INT64_MAX ? -1 : (int64_t)length;
}

ssize_t ws_count(struct ws_reader *r, const uint8_t *data, size_t len)
{
    ssize_t payload = 0;

    for (size_t at = 0; at < len;) {
        if (r->left) {
            size_t step = r->left < len - at ? (size_t)r->left : len - at;

            if (!(r->head[0] & 8))
                payload += (ssize_t)step;
            r->left -= step;
            at += step;
            continue;
        }
        r->head[r->head_len++] = data[at++];
        if (r->head_len == head_size(r) && r->head_len >= 2) {
            int64_t length = head_parse(r);

            if (length < 0)
                return -1;
            r->left = (uint64_t)length;
            r->head_len = 0;
        }
    }
    return payload;
}
