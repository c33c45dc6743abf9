/*
 * What differs between the two dialects of the link protocol: the meaning of messages, ids, ends
 * and signs of life. Within core only.
 */
#ifndef CORE_DIALECT_H
#define CORE_DIALECT_H

#include "core/link_parts.h"

struct dialect {
    const char *name;
    bool hazards; /* messages that follow each other closely may overtake (core/hazard.c) */
    bool windows; /* a peer sends no more than it was granted */

    /* A whole message has come. */
    void (*message)(struct link *l, const struct msg *m);
    /* The head of a TRANSFER with `len` bytes: its channel, or NULL when nobody wants the data. */
    struct chan *(*transfer)(struct link *l, struct slice id, uint64_t len);
    void (*pong)(struct link *l, struct slice payload);

    /* Sets ch->id and its length. */
    size_t (*new_id)(struct link *l, struct chan *ch);
    /* Our side of an open channel has ended; `both`: it wants nothing more, either. */
    void (*finish)(struct chan *ch, bool both);
    /* Says that a channel has ended for another reason. */
    void (*interrupt)(struct link *l, struct slice id, enum msg_reason why);

    /* Signs of life, asked for and given. */
    uint64_t (*deadline)(const struct link *l);
    void (*tick)(struct link *l, uint64_t now);
    void (*ask_life)(struct link *l, uint64_t now);
};

extern const struct dialect dialect_0_10;
extern const struct dialect dialect_wsp_1;

/* dialect_wsp_1.c */
void wsp_1_begin(struct link *l);   /* our SETTINGS go out */
void wsp_1_measure(struct link *l); /* looks at the round trip, if that is due */

#endif
