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
    MSG_WINDOW = 4, /* from here on only in wsp.1 */
    MSG_FINISH = 5,
    MSG_GOAWAY = 6,
    MSG_SETTINGS = 7,
};

/* Why a channel is interrupted: the first byte of INTERRUPT's data in wsp.1. */
enum msg_reason {
    MSG_CLOSED = 0, /* properly: what was sent before is still to be delivered */
    MSG_RESET = 1,
    MSG_TIMEOUT = 2,
    MSG_PROTOCOL = 3,
    MSG_LIMIT = 4,
    MSG_WITHDRAWN = 5, /* a registration */
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
    struct slice raw; /* as received, without a window at its end; written instead of the others */
    uint64_t window;  /* wsp.1: bytes the opener has room for; 0: not said */
};

/* WspResponse: the data of a RESPOND. */
struct msg_response {
    bool success;
    struct slice error; /* text when not success */
    struct slice bound; /* field 3, ours: the exit's bound address "host:port"; usually empty */
    uint64_t window;    /* wsp.1: bytes the answering side has room for; 0: not said */
};

#define MSG_INSTANCE_LEN 16
#define MSG_SETTINGS_MAX 64 /* bytes that msg_settings_write needs */
#define MSG_CREDIT_MAX 10   /* bytes that msg_credit_write needs */

/* WspSettings: the data of SETTINGS. */
struct msg_settings {
    uint64_t window;   /* bytes of a channel whose opening says none; 0: not said */
    uint64_t transfer; /* bytes of the largest TRANSFER its sender accepts; 0: not said */
    uint8_t instance[MSG_INSTANCE_LEN]; /* zeros: not said */
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

/* As msg_request_parse; an instance of another length is malformed. */
enum wsp_err msg_settings_parse(struct slice in, struct msg_settings *s);

/* Returns the bytes written, at most MSG_SETTINGS_MAX. */
size_t msg_settings_write(const struct msg_settings *s, uint8_t *out);

/* The data of WINDOW: one varint and nothing else. WSP_OK or WSP_ERR_MALFORMED (0 is, too). */
enum wsp_err msg_credit_parse(struct slice in, uint64_t *credit);

/* Returns the bytes written, at most MSG_CREDIT_MAX. */
size_t msg_credit_write(uint64_t credit, uint8_t *out);

/* The data of wsp.1's INTERRUPT: the reason, MSG_CLOSED when empty; `text` gets the rest. */
uint8_t msg_reason_parse(struct slice in, struct slice *text);

#endif
