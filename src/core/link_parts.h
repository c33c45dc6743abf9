/* What the files of the link and its channels call of each other; nobody else includes this. */
#ifndef CORE_LINK_PARTS_H
#define CORE_LINK_PARTS_H

#include "core/link.h"

/* Ours, in the data of INTERRUPT: other peers do not look at it. */
#define INTERRUPT_RESET "reset"

#define HAZARD_US 5000            /* a 0.10 receiver keeps the order of messages this far apart */
#define HAZARD_ACK_MAX_US 1000000 /* an acknowledgement is waited for at most this long */

/* link_output.c: queue one message or control frame; without memory the link fails. */
void link_put(struct link *l, struct slice id, enum msg_cmd cmd, struct slice data);
void link_put_frame(struct link *l, enum ws_opcode op, struct slice payload);

/* channel.c */
void chan_set_state(struct chan *ch, enum chan_state state);
void chan_answered(struct chan *ch, const struct msg_response *r);
/* Takes it out of the table and all lists, then calls `closed`. */
void chan_close(struct chan *ch, enum chan_end end, struct slice text);
/* Acts on what a pull said comes next. */
void chan_pulled(struct chan *ch, enum chan_then then);
/* The hazard it waited for has passed. */
void chan_hazard_over(struct chan *ch);

/* hazard.c */
void hazard_wait(struct chan *ch, enum chan_hazard hazard);
void hazard_cancel(struct chan *ch);
uint64_t hazard_deadline(const struct link *l);
void hazard_tick(struct link *l, uint64_t now);

/* link.c: fails the link: close frame, log. Channels end when the owner calls link_lost. */
void link_fail(struct link *l, unsigned code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
