/*
 * A wire: a client's link and a server's, joined by two pipes of bytes. What is in a pipe is on its
 * way; bytes move only when the test says so.
 */
#ifndef TESTS_SIM_SIM_WIRE_H
#define TESTS_SIM_SIM_WIRE_H

#include "core/link.h"

#define SECOND ((uint64_t)1000000)
#define NEVER UINT64_MAX

enum { PIPE_MAX = 64 * 1024 };

struct wire;

/* What the links of one daemon share. */
struct process {
    struct pool pool;
    struct credit_cap memory;
};

void process_start(struct process *p, size_t memory_max);
/* Everything must have been given back. */
void process_stop(struct process *p);

/* Contents end where the memory ends, so that a sanitizer sees every read behind them. */
struct tail {
    uint8_t *mem; /* owned */
    size_t len;
};

struct pipe {
    uint8_t mem[2 * PIPE_MAX];
    size_t off, len;
};

struct side {
    struct link link;
    struct wire *wire;      /* borrowed */
    struct pipe pipe;       /* on the way to the other side */
    struct tail rx;         /* here, not consumed yet */
    uint64_t acked;         /* of our output */
    uint64_t taken;         /* of our output, by the other side */
    uint64_t freeze_end_us; /* until then our pipe gives nothing */
    bool down;              /* its owner has seen that the link is lost */
};

struct wire_options {
    enum link_dialect dialect[2]; /* of the client, of the server */
    struct process *process[2];   /* borrowed */
    void (*connect)(struct link *l, struct slice id, const struct msg_request *request);
    const uint64_t *now; /* borrowed */
    size_t memory_max, window_max;
    size_t max_channels;
    size_t pipe_max; /* bytes on the way at once, up to PIPE_MAX */
    uint64_t stall_us;
};

struct wire {
    struct side side[2]; /* client, server */
    struct wire_options opt;
    struct link_ops ops;
    bool cut;  /* nothing goes into the pipes any more */
    bool mute; /* nothing moves any more, and nobody is told */
};

void wire_start(struct wire *w, const struct wire_options *opt);
/* Both links are lost, if they are not yet. */
void wire_stop(struct wire *w);

/* Which dialect it speaks is known: what it opens before would be of no use. */
bool link_is_settled(const struct link *l);

struct side *side_of(struct link *l);
struct side *side_other(struct side *s);

/* At most `n` bytes leave the link's queue for its pipe, then at most `n` reach the other side.
 * Both return how many did. */
size_t side_send(struct side *from, size_t n);
size_t side_receive(struct side *to, size_t n);

/* The link notices that time has passed; its owner notices that it has failed. */
void wire_tick(struct wire *w);
uint64_t wire_deadline(const struct wire *w);

/* Moves everything as far as it goes, without time passing: what both send at once crosses. Returns
 * how many bytes that were. */
size_t wire_flow(struct wire *w);

/* No bytes anywhere, and nothing waits to become some. */
bool wire_is_quiet(const struct wire *w);

void side_down(struct side *s);
bool wire_is_down(const struct wire *w);

#endif
