/*
 * The messages of the link protocol (docs/protocol.md): WspMessage, and WspRequest and WspResponse
 * inside its data. They are proto3 messages; this is the whole of protobuf that wsp needs.
 * Pure functions over buffers.
 */
#ifndef PROTO_MSG_H
#define PROTO_MSG_H

#include "base/slice.h"
#include "wsp/err.h"

enum msg_cmd {
    MSG_CONNECT = 0,
    MSG_RESPOND = 1,
    MSG_TRANSFER = 2,
    MSG_INTERRUPT = 3,
};

enum msg_type {
    MSG_LOCAL = 0,
    MSG_REMOTE = 1,
    MSG_DYNAMIC = 2,
};

#define MSG_ID_MAX 128                                /* bytes of the longest id we accept */
#define MSG_DATA_MAX (32 * 1024)                      /* bytes of data we put into one TRANSFER */
#define MSG_HEAD_MAX (2 + 1 + MSG_ID_MAX + 2 + 1 + 5) /* bytes in front of the data */

/* WspMessage. Slices are borrowed from the input. */
struct msg {
    struct slice id;
    int32_t cmd; /* enum msg_cmd, or a value this version does not know */
    struct slice data;
};

/* WspRequest: the data of a CONNECT. */
struct msg_request {
    int32_t type; /* enum msg_type, or unknown */
    struct slice url;
    struct slice raw; /* as received; when set, it is written instead of the others */
};

/* WspResponse: the data of a RESPOND. */
struct msg_response {
    bool success;
    struct slice error; /* text when not success */
    struct slice bound; /* field 3, ours: the exit's bound address "host:port"; usually empty */
};

/*
 * Parse a whole message. Fields may come in any order, the last of duplicates counts, unknown
 * fields of any wire type (groups included) are skipped, a known field number with a wrong wire
 * type is treated as unknown (as Go's protobuf does). proto3 strings must be UTF-8: a bad id or url
 * is malformed. Enums are int32 varints: sign-extended 10-byte forms are legal, a longer varint is
 * not. Length arithmetic is checked. Field number 0 and a truncated field are malformed.
 * On error the output is untouched. Return WSP_OK or WSP_ERR_MALFORMED; msg_parse returns
 * WSP_ERR_REFUSED when it is the id that is not UTF-8.
 */
enum wsp_err msg_parse(struct slice in, struct msg *m);
enum wsp_err msg_request_parse(struct slice in, struct msg_request *r);
enum wsp_err msg_response_parse(struct slice in, struct msg_response *r);

/*
 * The fast path of a receiver: looks whether `in`, the first bytes of a message of `total` bytes,
 * starts in the canonical form of a TRANSFER (id, cmd 2, data; in this order, each once, lengths in
 * shortest form) whose data ends exactly at the end of the message. Then the data can be handed on
 * as it arrives.
 * WSP_OK: `id` is set, *head_len is the offset of the data, the data is total - *head_len bytes.
 * WSP_ERR_MORE: not enough bytes to tell (never once in.len == total).
 * WSP_ERR_REFUSED: another form: collect the whole message and use msg_parse. (The id's UTF-8 is
 * not checked: an id found in a table of ids was checked when it was entered. An id over MSG_ID_MAX
 * is REFUSED as well.)
 */
enum wsp_err msg_transfer_peek(struct slice in, uint64_t total, struct slice *id, size_t *head_len);

/* Bytes that msg_head_write writes in front of `data_len` bytes of data. */
size_t msg_head_len(size_t id_len, enum msg_cmd cmd, size_t data_len);

/*
 * Writes everything of a message up to its data: fields in number order, zero and empty ones
 * omitted. The caller puts exactly `data_len` bytes of data behind it. `out` has room for
 * msg_head_len() bytes; returns the bytes written.
 */
size_t msg_head_write(uint8_t *out, struct slice id, enum msg_cmd cmd, size_t data_len);

/* Encode into `out`, fields in number order, empty ones omitted. `*len` gets the bytes written.
 * Return WSP_OK, or WSP_ERR_LIMIT when `cap` is too small. */
enum wsp_err msg_request_write(const struct msg_request *r, uint8_t *out, size_t cap, size_t *len);
enum wsp_err msg_response_write(const struct msg_response *r, uint8_t *out, size_t cap,
                                size_t *len);

#endif
