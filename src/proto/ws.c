#include "proto/ws.h"

#define FIN_BIT 0x80
#define RSV_BITS 0x70
#define OPCODE_BITS 0x0f
#define MASK_BIT 0x80
#define LEN_BITS 0x7f
#define LEN_16 126 /* the length follows in 2 bytes */
#define LEN_64 127 /* the length follows in 8 bytes */

static bool opcode_known(unsigned op)
{
    return op <= WS_BINARY || (op >= WS_CLOSE && op <= WS_PONG);
}

static uint64_t read_be(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

static void write_be(uint8_t *p, size_t n, uint64_t v)
{
    while (n--) {
        p[n] = (uint8_t)v;
        v >>= 8;
    }
}

/* Bytes of the extended length for the 7-bit length field `len7`. */
static size_t extended_len(unsigned len7)
{
    if (len7 == LEN_64)
        return 8;
    return len7 == LEN_16 ? 2 : 0;
}

/* RFC 6455 section 5.2: the minimal number of bytes, the highest bit zero. */
static bool extended_ok(unsigned len7, uint64_t len)
{
    if (len7 == LEN_64)
        return len > UINT16_MAX && len <= INT64_MAX;
    return len >= LEN_16;
}

enum wsp_err ws_frame_parse(struct slice *in, struct ws_frame *f)
{
    struct slice rest = *in;
    struct ws_frame frame = {0};
    unsigned op, len7;
    size_t ext;

    if (rest.len < 2)
        return WSP_ERR_MORE;
    op = rest.p[0] & OPCODE_BITS;
    len7 = rest.p[1] & LEN_BITS;
    if ((rest.p[0] & RSV_BITS) != 0 || !opcode_known(op))
        return WSP_ERR_MALFORMED;
    frame.fin = (rest.p[0] & FIN_BIT) != 0;
    frame.op = (enum ws_opcode)op;
    frame.masked = (rest.p[1] & MASK_BIT) != 0;
    if (ws_is_control(frame.op) && (!frame.fin || len7 > WS_CONTROL_MAX))
        return WSP_ERR_MALFORMED;
    slice_advance(&rest, 2);

    ext = extended_len(len7);
    if (rest.len < ext)
        return WSP_ERR_MORE;
    frame.len = ext ? read_be(rest.p, ext) : len7;
    if (ext && !extended_ok(len7, frame.len))
        return WSP_ERR_MALFORMED;
    slice_advance(&rest, ext);

    if (frame.masked) {
        if (rest.len < sizeof(frame.mask))
            return WSP_ERR_MORE;
        memcpy(frame.mask, rest.p, sizeof(frame.mask));
        slice_advance(&rest, sizeof(frame.mask));
    }
    *f = frame;
    *in = rest;
    return WSP_OK;
}

static unsigned len7_of(uint64_t payload_len)
{
    if (payload_len > UINT16_MAX)
        return LEN_64;
    return payload_len < LEN_16 ? (unsigned)payload_len : LEN_16;
}

size_t ws_frame_header_len(uint64_t payload_len, bool masked)
{
    return 2 + extended_len(len7_of(payload_len)) + (masked ? 4 : 0);
}

size_t ws_frame_write(const struct ws_frame *f, uint8_t out[WS_HEADER_MAX])
{
    unsigned len7 = len7_of(f->len);
    size_t ext = extended_len(len7);
    size_t n = 2;

    out[0] = (uint8_t)((f->fin ? FIN_BIT : 0) | (unsigned)f->op);
    out[1] = (uint8_t)((f->masked ? MASK_BIT : 0) | len7);
    write_be(out + n, ext, f->len);
    n += ext;
    if (f->masked) {
        memcpy(out + n, f->mask, sizeof(f->mask));
        n += sizeof(f->mask);
    }
    return n;
}

void ws_mask(uint8_t *p, size_t len, const uint8_t mask[4], uint64_t pos)
{
    uint8_t turned[8];
    uint64_t key;
    size_t words = len / sizeof(key);

    for (size_t i = 0; i < sizeof(turned); i++)
        turned[i] = mask[(pos + i) % 4];
    memcpy(&key, turned, sizeof(key));

    /* Fixed-size memcpy is a plain load at any alignment: compilers turn this loop into SIMD. */
    for (size_t i = 0; i < words; i++) {
        uint64_t word;

        memcpy(&word, p + i * sizeof(word), sizeof(word));
        word ^= key;
        memcpy(p + i * sizeof(word), &word, sizeof(word));
    }
    for (size_t i = words * sizeof(key); i < len; i++)
        p[i] ^= turned[i % sizeof(key)];
}
