/*
 * One channel of a link: a byte stream each way between two endpoints. The endpoint embeds a
 * struct chan and is reached through struct chan_ops; the link keeps the table of live ones.
 * No I/O and no clock here: the link's owner supplies both.
 *
 * States and what moves them (docs/protocol.md; the dialect in brackets):
 *
 *   IDLE  --link_open-->   OPENING  --RESPOND SUCCESS-->  OPEN
 *   IDLE  --link_adopt-->  ASKED    --chan_accept-->      OPEN
 *   OPEN  --our side ended-->     DRAINING  --last TRANSFER is out, 5 ms-->  over      [0.10]
 *   OPEN  --our side ended-->     SENT      --FINISH comes-->                over      [wsp.1]
 *   OPEN  --FINISH comes-->       HEARD     --our side ended-->              over      [wsp.1]
 *   OPEN, DRAINING, SENT, HEARD  --INTERRUPT: properly ended-->              over
 *   over: FLUSHING while the endpoint has not taken all, then CLOSED
 *   any live  --INTERRUPT: broken, failure, chan_abort, link lost-->         CLOSED
 */
#ifndef CORE_CHANNEL_H
#define CORE_CHANNEL_H

#include "base/list.h"
#include "base/map.h"
#include "base/queue.h"
#include "core/credit.h"
#include "proto/msg.h"

struct link;
struct chan;

enum chan_state {
    CHAN_IDLE,     /* not on a link yet */
    CHAN_OPENING,  /* we sent CONNECT, no RESPOND yet */
    CHAN_ASKED,    /* the peer sent CONNECT, we have not answered */
    CHAN_OPEN,     /* bytes flow both ways */
    CHAN_DRAINING, /* our side has ended, INTERRUPT follows; the peer may still send */
    CHAN_SENT,     /* our FINISH is out; the peer may still send */
    CHAN_HEARD,    /* the peer's FINISH has come; we may still send */
    CHAN_FLUSHING, /* out of the table: only what is held has to be taken yet */
    CHAN_CLOSED,   /* out of the table */
};

/* Why a channel ended. */
enum chan_end {
    CHAN_END_PEER,       /* the peer has ended, last of the two: all it sent was taken */
    CHAN_END_PEER_RESET, /* INTERRUPT came, with the word that the far side broke: reset */
    CHAN_END_SENT,       /* we have ended, last of the two: all the peer sent was taken */
    CHAN_END_FAILED,     /* the open was refused: the text says why */
    CHAN_END_RESET,      /* our endpoint broke, by its own word in a pull: the peer was told */
    CHAN_END_STALLED,    /* its consumer held up the link for too long: reset */
    CHAN_END_LINK_LOST,  /* the link is gone: reset, nothing is pretended to be delivered */
};

/* What a pull gave: `len` bytes were put in, and then what. */
enum chan_then {
    CHAN_THEN_MORE,  /* more is there: ask again */
    CHAN_THEN_IDLE,  /* nothing more for now: chan_ready will tell */
    CHAN_THEN_END,   /* the endpoint sends no more; where the dialect can, it still receives */
    CHAN_THEN_CLOSE, /* the endpoint has ended properly, and wants nothing more either */
    CHAN_THEN_RESET  /* the endpoint broke */
};

struct chan_pull {
    size_t len;
    enum chan_then then;
};

/* The endpoint. Each callback is the last thing its caller does with that channel, so it may free
 * the endpoint, with chan_abort before if the channel is still live. */
struct chan_ops {
    /* The peer accepted our open. `bound` is the exit's bound address or empty. */
    void (*opened)(struct chan *ch, struct slice bound);
    /* The channel is CLOSED; `text` is set for CHAN_END_FAILED. */
    void (*closed)(struct chan *ch, enum chan_end end, struct slice text);
    /*
     * Bytes from the peer, which may be changed in place. Returns how many were taken; the channel
     * holds the rest until chan_resume or chan_took.
     */
    size_t (*deliver)(struct chan *ch, uint8_t *data, size_t len);
    /* The same for several pieces at once, which saves system calls. May be NULL. */
    size_t (*deliver_iov)(struct chan *ch, const struct iovec *iov, int count);
    /* The link can take up to `cap` bytes now: put them at `out`. Must not close other channels.
     * Without credit, `cap` is 0 and asks only for the end, of endpoints with `peeks`. */
    struct chan_pull (*pull)(struct chan *ch, uint8_t *out, size_t cap);
    /* The peer sends no more, and all it sent was taken; we may still send. NULL: such a channel is
     * closed both ways, with CHAN_END_PEER. */
    void (*finished)(struct chan *ch);
    /* FLUSHING: `closed` follows when the rest is taken, for which the endpoint may set a limit.
     * May be NULL. */
    void (*flushing)(struct chan *ch);
};

/* What has to be waited for before the next message may leave (the hazards of 0.10 receivers). */
enum chan_hazard {
    CHAN_NO_HAZARD,
    CHAN_GATE,      /* RESPOND is out: the first TRANSFER waits */
    CHAN_INTERRUPT, /* TRANSFER is out: INTERRUPT waits */
    CHAN_QUIET,     /* our side has ended: INTERRUPT waits until the peer has been silent */
};

struct chan {
    const struct chan_ops *ops; /* borrowed */
    struct link *link;          /* borrowed; NULL when not in a table */
    enum chan_state state;
    enum chan_hazard hazard;
    bool ready;   /* has bytes to pull, as far as is known */
    bool peeks;   /* set by the endpoint: a pull without room tells whether it has ended */
    bool ended;   /* our side has ended */
    bool patient; /* set by the endpoint: where INTERRUPT ends both ways, it waits for silence */
    bool mute;    /* set by the endpoint before it opens: no data flows, `deliver` and `pull` may be
                   * NULL, and no memory is set aside */
    bool told;    /* `finished` has been called */
    struct list ready_node;
    struct list hazard_node;
    uint64_t sent;     /* bytes of data, to the peer */
    uint64_t received; /* and from it, in frames that have begun */
    uint64_t mark;     /* link output position behind our last RESPOND or TRANSFER */
    uint64_t wait_us;  /* hazard: since when we wait for the peer's kernel; 0: not yet */
    uint64_t due_us;   /* hazard: when it has passed, once the peer's kernel has it all */

    /* sending */
    struct slice lead; /* set by the endpoint before it opens: goes out ahead of what is pulled;
                        * borrowed until it has */
    uint64_t credit;   /* bytes the peer has room for */
    int32_t deficit;   /* bytes it may still send in this round */
    uint32_t round;    /* the link's round in which that was counted */

    /* receiving */
    struct queue held;           /* delivered by the peer, not taken by the endpoint yet */
    struct credit_window window; /* wsp.1; in 0.10, only `held` and `size` are used: the same */
    struct pool *pool;           /* borrowed: where `held` comes from */
    struct credit_cap *cap;      /* borrowed: where the window was set aside */
    enum chan_end over;          /* FLUSHING: what `closed` will say */
    struct link *left;         /* FLUSHING: the link it still counts for; NULL once that is gone */
    struct list flushing_node; /* on left->flushing */
    bool moved;                /* something was taken since blocked_us */
    uint64_t blocked_us;       /* 0.10: when it began to hold up the link; 0: never */
    uint64_t heard_us;         /* when bytes came last */
    bool *gone;                /* borrowed while held bytes are offered: set when it ends */

    struct map_node node; /* node.key is the id */
    uint8_t id[MSG_ID_MAX];
};

/* "open" and so on: for logs and status. */
const char *chan_state_name(enum chan_state state);

void chan_init(struct chan *ch, const struct chan_ops *ops);

/* It will call back, and must be aborted before it may be freed. */
static inline bool chan_live(const struct chan *ch)
{
    return ch->state != CHAN_IDLE && ch->state != CHAN_CLOSED;
}

/* Our side of it is open. */
static inline bool chan_can_send(const struct chan *ch)
{
    return (ch->state == CHAN_OPEN || ch->state == CHAN_HEARD) && !ch->ended;
}

/* The endpoint has bytes to send (or its end): the link will pull when it can. */
void chan_ready(struct chan *ch);

/*
 * Sends bytes at once instead of waiting to be pulled, as far as the link has room and it is this
 * channel's turn. Returns how many were taken; the caller keeps the rest and calls chan_ready.
 */
size_t chan_send(struct chan *ch, struct slice data);

/* What is held, as up to `max` vectors; returns how many. */
int chan_held(const struct chan *ch, struct iovec *iov, int max);

/* The endpoint has taken the first `n` bytes of what is held. Calls nothing back: chan_settle is to
 * follow. */
void chan_took(struct chan *ch, size_t n);

/* Goes on with what waited until held bytes were taken: the link's input, `finished`, `closed`. */
void chan_settle(struct chan *ch);

/* The endpoint can take data again: it is offered what is held, and the rest as by chan_settle. It
 * may end by that: the last statement of its caller. */
void chan_resume(struct chan *ch);

/* ASKED: answers SUCCESS; `bound` may be empty. */
void chan_accept(struct chan *ch, struct slice bound);

/* ASKED: answers FAILED with `text`; the channel is CLOSED, no callback. */
void chan_refuse(struct chan *ch, struct slice text);

/* Our side ends after what was pulled so far, as CHAN_THEN_END says. For open channels. */
void chan_finish(struct chan *ch);

/* Takes a channel out of its link without a word to the peer: for an id that is finished with its
 * answer, as a registration's. No callback. Safe when not live. */
void chan_forget(struct chan *ch);

/* As chan_abort, and the far TCP side is to be reset: a peer that knows the word does so. */
void chan_reset(struct chan *ch);

/* As chan_abort, with the word that what it stood for is withdrawn. */
void chan_withdraw(struct chan *ch);

/* Ends a live channel at once: INTERRUPT, or FAILED when ASKED; no callback. Safe when not live. */
void chan_abort(struct chan *ch);

#endif
