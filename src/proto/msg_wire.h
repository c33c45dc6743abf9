/*
 * The protobuf wire format, as far as msg needs it. Internal to src/proto/msg*.c.
 * Pure functions over buffers.
 */
#ifndef PROTO_MSG_WIRE_H
#define PROTO_MSG_WIRE_H

#include "base/slice.h"
#include "wsp/err.h"

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP = 3,
    WIRE_END_GROUP = 4,
    WIRE_FIXED32 = 5,
};

#define WIRE_VARINT_MAX 10 /* bytes of the longest varint */
#define WIRE_GROUPS_MAX 64 /* groups inside each other that we follow */

/* One field; what does not belong to its type is zero. */
struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t varint;    /* WIRE_VARINT */
    struct slice bytes; /* WIRE_BYTES; borrowed from the input */
};

/*
 * Reads a varint of at most 64 bits; forms longer than needed are legal. `in` advances on WSP_OK,
 * else it is untouched. Returns WSP_OK, WSP_ERR_MORE or WSP_ERR_MALFORMED.
 */
enum wsp_err wire_varint_read(struct slice *in, uint64_t *v);

/*
 * Reads one field; a group is skipped whole. `in` advances on WSP_OK, else it is untouched.
 * Returns WSP_OK or WSP_ERR_MALFORMED (a truncated field, field number 0 or over 2^29-1, an unknown
 * type, an unmatched end of group, groups deeper than WIRE_GROUPS_MAX).
 */
enum wsp_err wire_field_read(struct slice *in, struct wire_field *f);

/* Bytes of `v` in its shortest form, and of a field with a number below 16; 0 for a zero or empty
 * field, which proto3 leaves out. */
size_t wire_varint_len(uint64_t v);
size_t wire_varint_field_len(uint64_t v);
size_t wire_bytes_field_len(size_t len);

/* Write what the functions above measure; return the end. wire_bytes_head_write leaves the bytes
 * themselves to the caller. */
uint8_t *wire_varint_field_write(uint8_t *out, uint32_t number, uint64_t v);
uint8_t *wire_bytes_head_write(uint8_t *out, uint32_t number, size_t len);
uint8_t *wire_bytes_field_write(uint8_t *out, uint32_t number, struct slice bytes);

#endif
