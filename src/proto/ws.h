/*
 * WebSocket frames (RFC 6455 section 5) and the accept key (section 4.2.2).
 * Pure functions over buffers.
 */
#ifndef PROTO_WS_H
#define PROTO_WS_H

#include "base/slice.h"
#include "wsp/err.h"

enum ws_opcode {
    WS_CONT = 0,
    WS_TEXT = 1,
    WS_BINARY = 2,
    WS_CLOSE = 8,
    WS_PING = 9,
    WS_PONG = 10,
};

/* Close codes (RFC 6455 section 7.4.1). */
enum ws_close {
    WS_CLOSE_NORMAL = 1000,
    WS_CLOSE_GOING_AWAY = 1001,
    WS_CLOSE_PROTOCOL = 1002,
    WS_CLOSE_UNSUPPORTED = 1003,
    WS_CLOSE_NO_STATUS = 1005, /* never on the wire */
    WS_CLOSE_ABNORMAL = 1006,  /* never on the wire */
    WS_CLOSE_BAD_DATA = 1007,
    WS_CLOSE_POLICY = 1008,
    WS_CLOSE_TOO_BIG = 1009,
    WS_CLOSE_INTERNAL = 1011,
};

#define WS_HEADER_MAX 14   /* bytes of the longest frame header */
#define WS_CONTROL_MAX 125 /* bytes of the longest control payload */
#define WS_ACCEPT_LEN 28   /* bytes of a Sec-WebSocket-Accept value */
#define WS_KEY_LEN 24      /* bytes of a Sec-WebSocket-Key value */

struct ws_frame {
    bool fin;
    enum ws_opcode op;
    bool masked;
    uint8_t mask[4]; /* zero when not masked */
    uint64_t len;    /* bytes of payload that follow the header */
};

static inline bool ws_is_control(enum ws_opcode op)
{
    return op >= WS_CLOSE;
}

/*
 * Parses one frame header (RFC 6455 section 5.2) from `in`. On WSP_OK `in` advances past the
 * header, to the payload. On error `in` and `f` are untouched.
 * Malformed: a reserved bit or opcode, a control frame that is fragmented or over 125 bytes, a
 * length with its highest bit set or not in its shortest form.
 * Returns WSP_OK, WSP_ERR_MORE or WSP_ERR_MALFORMED.
 */
enum wsp_err ws_frame_parse(struct slice *in, struct ws_frame *f);

/* Bytes of the header that ws_frame_write would write. */
size_t ws_frame_header_len(uint64_t payload_len, bool masked);

/* Writes the header of `f`, its length in the shortest form; returns the bytes written. */
size_t ws_frame_write(const struct ws_frame *f, uint8_t out[WS_HEADER_MAX]);

/*
 * Masks or unmasks `len` bytes in place (RFC 6455 section 5.3), at least 8 bytes a step.
 * `pos` is the offset of p[0] in the payload, so that a payload can come in pieces.
 */
void ws_mask(uint8_t *p, size_t len, const uint8_t mask[4], uint64_t pos);

/*
 * Reads a close payload (RFC 6455 section 5.5.1): empty, or a code and UTF-8 text.
 * An empty one gives WS_CLOSE_NO_STATUS. A code that must not be sent (below 1000, 1004-1006,
 * 1012-2999 but for the registered 1012-1014, 5000 and up), one byte, or bad UTF-8 is malformed.
 * Returns WSP_OK or WSP_ERR_MALFORMED; on error the outputs are untouched.
 */
enum wsp_err ws_close_parse(struct slice payload, unsigned *code, struct slice *reason);

/* Writes a close payload of at most WS_CONTROL_MAX bytes; the reason is cut at a UTF-8 boundary to
 * fit. WS_CLOSE_NO_STATUS writes nothing. Returns the bytes written. */
size_t ws_close_write(unsigned code, struct slice reason, uint8_t out[WS_CONTROL_MAX]);

/* True when `key` is the base64 of 16 bytes (RFC 6455 section 4.2.1). */
bool ws_key_valid(struct slice key);

/* Sec-WebSocket-Accept for a key: base64(SHA-1(key + GUID)); `out` gets WS_ACCEPT_LEN bytes and a
 * NUL. */
void ws_accept_key(struct slice key, char out[WS_ACCEPT_LEN + 1]);

/* Base64 of 16 random bytes; `out` gets WS_KEY_LEN bytes and a NUL. */
void ws_key_write(const uint8_t random[16], char out[WS_KEY_LEN + 1]);

#endif
