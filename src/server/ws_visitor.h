/* What goes to the visitor of a wrapped service: frames, straight to its stream or queued. */
#ifndef SERVER_WS_VISITOR_H
#define SERVER_WS_VISITOR_H

#include "base/queue.h"
#include "net/stream.h"
#include "proto/ws.h"

#define WS_VISITOR_PIECES 16 /* that become one frame at most */

enum ws_visitor_state {
    WS_VISITOR_WAITING, /* for its 101, or a refusal */
    WS_VISITOR_OPEN,
    WS_VISITOR_CLOSING, /* the last bytes go out, then the stream ends; or it has */
};

/* Embedded; its owner sets the timer's `fire` and moves the stream in. */
struct ws_visitor {
    struct stream stream;
    struct timer timer; /* the owner's; once CLOSING, for a visitor that takes nothing */
    struct queue out;   /* not yet sent */
    enum ws_visitor_state state;
};

/* Resets the stream and forgets what is queued: CLOSING. */
void ws_visitor_drop(struct ws_visitor *v);

/* The functions below return false when the visitor is gone: ws_visitor_drop has been called. */

/* Sends what is queued, and ends the stream behind it when CLOSING. */
bool ws_visitor_flush(struct ws_visitor *v);

/* Bytes outside of frames: the 101. */
bool ws_visitor_send(struct ws_visitor *v, struct slice bytes);

/* A ping or pong. */
bool ws_visitor_control(struct ws_visitor *v, enum ws_opcode op, struct slice payload);

/* Binary frames with what the first WS_VISITOR_PIECES pieces hold, while no other bytes are queued:
 * the channel holds the rest. *taken tells how much went. */
bool ws_visitor_data(struct ws_visitor *v, const struct iovec *iov, int count, size_t *taken);

/* CLOSING: nothing follows what is queued but `last`, or a close frame (unless it is CLOSING
 * already). */
void ws_visitor_end(struct ws_visitor *v, struct slice last);
void ws_visitor_close(struct ws_visitor *v, unsigned code);

#endif
