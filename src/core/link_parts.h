/* What the files of the link and its channels call of each other; nobody else includes this. */
#ifndef CORE_LINK_PARTS_H
#define CORE_LINK_PARTS_H

#include "core/link.h"

#define LINK_QUANTUM MSG_DATA_MAX /* bytes of a channel's share of a round */

#define HAZARD_US 5000            /* a 0.10 receiver keeps the order of messages this far apart */
#define HAZARD_ACK_MAX_US 1000000 /* an acknowledgement is waited for at most this long */
#define HAZARD_QUIET_US 5000000   /* so long a peer is silent before a half-close ends both ways */

/* Lines about the peer's faults, not too many. */
#define link_note(l, ...)                                                                 \
    do {                                                                                  \
        if (log_on((l)->opt.log, WSP_LOG_INFO) && log_limit_ok(&(l)->noise, (l)->now_us)) \
            log_printf((l)->opt.log, WSP_LOG_INFO, __VA_ARGS__);                          \
    } while (0)

/* link_output.c: queue one message or control frame; without memory the link fails. */
void link_put(struct link *l, struct slice id, enum msg_cmd cmd, struct slice data);
void link_put_frame(struct link *l, enum ws_opcode op, struct slice payload);

/* link.c */
struct chan *link_find(const struct link *l, struct slice id);
uint64_t link_now(const struct link *l);
/* Fails the link: close frame, log. Channels end when the owner calls link_lost. */
void link_fail(struct link *l, unsigned code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* link_requests.c: what both dialects make of a CONNECT that is allowed, and of a RESPOND. */
void link_on_connect(struct link *l, const struct msg *m);
void link_on_respond(struct link *l, struct chan *ch, const struct msg *m);

/* channel.c */
void chan_set_state(struct chan *ch, enum chan_state state);
void chan_answered(struct chan *ch, const struct msg_response *r);
/* Takes it out of the table and all lists, then calls `closed`. */
void chan_close(struct chan *ch, enum chan_end end, struct slice text);
/* Both sides have ended properly: the same, once all that is held was taken. */
void chan_over(struct chan *ch, enum chan_end end);
/* FLUSHING: it counts for its link no longer. */
void chan_flushed(struct chan *ch);
/* Acts on what a pull said comes next. */
void chan_pulled(struct chan *ch, enum chan_then then);
/* More may be sent. */
void chan_credit(struct chan *ch, uint64_t credit);
/* How much may be pulled now, at most `cap`. */
size_t chan_share(const struct chan *ch, size_t cap);

/* channel_input.c */
/* Whether bytes from the peer still go anywhere. */
bool chan_receives(const struct chan *ch);
/* Sets memory aside for what the peer may send. False when there is none. */
bool chan_open_window(struct chan *ch);
/* Bytes have come: returns how many were taken or are held; fewer in 0.10: the link has to wait. */
size_t chan_input(struct chan *ch, uint8_t *data, size_t len);
/* The same for pieces, with windows: all are taken or held. */
void chan_input_iov(struct chan *ch, const struct iovec *iov, int count);
/* The peer sends no more. */
void chan_heard_finish(struct chan *ch);
/* What is held stays, apart from the link. */
void chan_keep_held(struct chan *ch);
/* What is held is dropped, and what was set aside given back. */
void chan_drop_input(struct chan *ch);

/* hazard.c */
/* A patient channel that has ended waits for silence no longer. */
void chan_hurry(struct chan *ch);
void hazard_wait(struct chan *ch, enum chan_hazard hazard);
void hazard_cancel(struct chan *ch);
uint64_t hazard_deadline(const struct link *l);
void hazard_tick(struct link *l, uint64_t now);

#endif
