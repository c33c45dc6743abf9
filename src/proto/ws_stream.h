/*
 * The input of a WebSocket server (RFC 6455 section 5) as a filter: masked frames in, the payload
 * of the messages and the control frames out. Messages are never collected, so they may be of any
 * size, in any number of fragments. A pure state machine over buffers.
 */
#ifndef PROTO_WS_STREAM_H
#define PROTO_WS_STREAM_H

#include "proto/utf8.h"
#include "proto/ws.h"

enum ws_event {
    WS_EVENT_NONE,  /* all input is consumed */
    WS_EVENT_PING,  /* to be answered with `control` */
    WS_EVENT_PONG,  /* of `control` */
    WS_EVENT_CLOSE, /* `code` came (WS_CLOSE_NO_STATUS: none): nothing is taken any more */
    WS_EVENT_BAD,   /* the peer's fault: close with `code`; nothing is taken any more */
};

/* Zero-initialise. */
struct ws_stream {
    struct ws_frame frame; /* being read, while in_frame */
    uint64_t pos;          /* bytes of its payload consumed */
    bool in_frame;
    bool in_message; /* data frames of one message go on */
    bool ended;
    enum ws_opcode message_op;
    struct utf8 text;
    uint8_t header[WS_HEADER_MAX]; /* as far as it came, when it comes in pieces */
    uint8_t header_len;
    uint8_t control_len;
    uint8_t control[WS_CONTROL_MAX]; /* payload of the last control frame */
    unsigned code;                   /* with CLOSE and BAD */
    const char *fault;               /* with BAD: for the log */
};

/*
 * Consumes `in` up to its end or the next event; call it again after every event but NONE. The
 * payload of messages is written to `out`, which may be in->p or lie in front of it: it needs no
 * more room than `in` has. *made tells how many bytes, on every event. Payload with invalid UTF-8
 * in a text message is left out.
 */
enum ws_event ws_stream_next(struct ws_stream *s, struct slice *in, uint8_t *out, size_t *made);

/* False in the middle of a message or a control frame. */
static inline bool ws_stream_between_messages(const struct ws_stream *s)
{
    return !s->in_message && !s->in_frame && s->header_len == 0;
}

#endif
