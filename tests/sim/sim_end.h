/*
 * The ends of channels: each sends a stream of known bytes, knows its far end, and checks what it
 * is told against what that one did. A channel's memory is freed as soon as the rules allow it.
 */
#ifndef TESTS_SIM_SIM_END_H
#define TESTS_SIM_SIM_END_H

#include "core/link.h"

#define FOREVER UINT64_MAX

/* Ways in which an endpoint ends. */
enum act { ACT_NOTHING, ACT_END, ACT_CLOSE, ACT_RESET, ACT_ABORT };

struct sim;

struct end {
    struct sim *sim;     /* borrowed */
    struct end *peer;    /* borrowed; NULL until the other side has adopted it */
    struct chan *ch;     /* owned; NULL when it is over */
    uint64_t stream;     /* that it sends; the peer's is the other one of a pair */
    uint64_t sent, got;  /* bytes */
    uint64_t to_send;    /* bytes until our side ends by itself */
    size_t burst;        /* bytes that are there to be pulled now */
    size_t room;         /* bytes it takes now */
    enum chan_then then; /* behind to_send */
    uint64_t decide_us;  /* ASKED: when it answers */
    uint64_t last_us;    /* when it sent RESPOND or data */
    size_t live_index;
    bool whole;    /* every link of its path speaks wsp.1 */
    bool bridged;  /* the path has more than one link */
    bool frozen;   /* it takes nothing more until the run is settled */
    bool denied;   /* a bridge refuses it what its peer has accepted */
    bool accepted; /* it has answered SUCCESS */
    bool ended;    /* it sends no more, properly */
    bool closed;   /* … nor does it want more */
    bool broke;    /* it was reset by its own */
    bool told;     /* it knows that the peer sends no more */
    bool over, calm;
    enum chan_end how; /* when it was told that it is over */
    uint64_t got_us;   /* when it got data */
    char seen[4];      /* what it was told, a letter each */
    uint64_t seen_us;  /* when, for the last of them */
};

struct sim {
    uint64_t now;
    bool wild;         /* endpoints abort inside of callbacks */
    bool bulk;         /* they always have more to send */
    bool memory_fails; /* channels may break, and links */
    unsigned cuts;     /* links lost so far */
    struct end **end;  /* owned: every end there ever was */
    struct end **live; /* owned: those that are not over, in no order */
    size_t ends, live_count, cap;
    uint64_t delivered, proper, halves, resets, lost, stalled, failed; /* what there was */
};

void sim_start(struct sim *s);
/* Every end must be over. */
void sim_stop(struct sim *s);

/* Takes all, has nothing to send yet, and never ends by itself. */
struct end *end_new(struct sim *s);
/* Makes it a random one. */
void end_vary(struct end *e);

/* Asks for a channel to the end's peer, whom end_adopt makes at the other side. When that cannot
 * be, the end is over. */
enum wsp_err end_open(struct end *e, struct link *l);
/* Whose CONNECT it is. */
struct end *end_asking(const struct sim *s, const struct msg_request *request);
/* From `connect`. NULL: refused. */
struct end *end_adopt(struct sim *s, struct link *l, struct slice id,
                      const struct msg_request *request);
void end_accept(struct end *e);
void end_refuse(struct end *e);

void end_act(struct end *e, enum act act);
/* `n` more bytes are there to be sent. */
void end_send(struct end *e, size_t n);
/* It takes `room` bytes from now on. */
void end_take(struct end *e, size_t room);

/* One random thing that it may do now. */
void end_step(struct end *e);

#endif
