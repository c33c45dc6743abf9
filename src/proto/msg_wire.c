#include "proto/msg_wire.h"

#define FIELD_NUMBER_MAX ((1u << 29) - 1)

enum wsp_err wire_varint_read(struct slice *in, uint64_t *v)
{
    uint64_t value = 0;

    for (size_t i = 0; i < WIRE_VARINT_MAX; i++) {
        if (i == in->len)
            return WSP_ERR_MORE;
        /* The tenth byte holds the 64th bit only. */
        if (i == WIRE_VARINT_MAX - 1 && in->p[i] > 1)
            return WSP_ERR_MALFORMED;
        value |= (uint64_t)(in->p[i] & 0x7f) << (7 * i);
        if (in->p[i] < 0x80) {
            slice_advance(in, i + 1);
            *v = value;
            return WSP_OK;
        }
    }
    return WSP_ERR_MALFORMED;
}

static bool tag_read(struct slice *in, struct wire_field *f)
{
    uint64_t tag;

    if (wire_varint_read(in, &tag) != WSP_OK)
        return false;
    if (tag >> 3 == 0 || tag >> 3 > FIELD_NUMBER_MAX)
        return false;
    f->number = (uint32_t)(tag >> 3);
    f->type = (enum wire_type)(tag & 7);
    return true;
}

static bool take(struct slice *in, uint64_t len, struct slice *bytes)
{
    if (len > in->len)
        return false;
    *bytes = slice_of(in->p, (size_t)len);
    slice_advance(in, (size_t)len);
    return true;
}

/* Reads the value of any type but the two of groups. */
static bool value_read(struct slice *in, struct wire_field *f)
{
    struct slice skipped;
    uint64_t len;

    switch (f->type) {
    case WIRE_VARINT:
        return wire_varint_read(in, &f->varint) == WSP_OK;
    case WIRE_FIXED64:
        return take(in, 8, &skipped);
    case WIRE_BYTES:
        return wire_varint_read(in, &len) == WSP_OK && take(in, len, &f->bytes);
    case WIRE_FIXED32:
        return take(in, 4, &skipped);
    case WIRE_GROUP:
    case WIRE_END_GROUP:
        break;
    }
    return false;
}

/* Skips to behind the end of group `number`. The open groups are kept in an array, not on the call
 * stack: the peer decides how deep they go. */
static bool group_skip(struct slice *in, uint32_t number)
{
    uint32_t open[WIRE_GROUPS_MAX];
    size_t depth = 1;

    open[0] = number;
    while (depth) {
        struct wire_field f = {0};

        if (!tag_read(in, &f))
            return false;
        if (f.type == WIRE_GROUP) {
            if (depth == WIRE_GROUPS_MAX)
                return false;
            open[depth++] = f.number;
        } else if (f.type == WIRE_END_GROUP) {
            if (open[--depth] != f.number)
                return false;
        } else if (!value_read(in, &f)) {
            return false;
        }
    }
    return true;
}

enum wsp_err wire_field_read(struct slice *in, struct wire_field *f)
{
    struct slice rest = *in;
    struct wire_field field = {0};
    bool ok = tag_read(&rest, &field);

    if (ok && field.type == WIRE_GROUP)
        ok = group_skip(&rest, field.number);
    else if (ok)
        ok = value_read(&rest, &field);
    if (!ok)
        return WSP_ERR_MALFORMED;
    *in = rest;
    *f = field;
    return WSP_OK;
}

size_t wire_varint_len(uint64_t v)
{
    size_t n = 1;

    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

size_t wire_varint_field_len(uint64_t v)
{
    return v ? 1 + wire_varint_len(v) : 0;
}

size_t wire_bytes_field_len(size_t len)
{
    return len ? 1 + wire_varint_len(len) + len : 0;
}

static uint8_t *varint_write(uint8_t *out, uint64_t v)
{
    while (v >= 0x80) {
        *out++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *out++ = (uint8_t)v;
    return out;
}

uint8_t *wire_varint_field_write(uint8_t *out, uint32_t number, uint64_t v)
{
    if (v == 0)
        return out;
    *out++ = (uint8_t)(number << 3 | WIRE_VARINT);
    return varint_write(out, v);
}

uint8_t *wire_bytes_head_write(uint8_t *out, uint32_t number, size_t len)
{
    if (len == 0)
        return out;
    *out++ = (uint8_t)(number << 3 | WIRE_BYTES);
    return varint_write(out, len);
}

uint8_t *wire_bytes_field_write(uint8_t *out, uint32_t number, struct slice bytes)
{
    out = wire_bytes_head_write(out, number, bytes.len);
    if (bytes.len)
        memcpy(out, bytes.p, bytes.len);
    return out + bytes.len;
}
