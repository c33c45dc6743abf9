/*
 * A world of one or two clients, each with a wire to one server, in which everything happens at
 * random: opens, bytes that split, wait and freeze, ends of every kind, links that are lost. What
 * must be true is looked at after every step.
 */
#ifndef TESTS_SIM_SIM_WORLD_H
#define TESTS_SIM_SIM_WORLD_H

#include "sim/sim_check.h"

enum { WORLD_CLIENTS = 2, WORLD_SERVER = WORLD_CLIENTS, WORLD_LIVE_MAX = 12 };

struct world {
    struct sim sim;
    struct process process[WORLD_CLIENTS + 1]; /* the last one is the server's */
    struct wire wire[WORLD_CLIENTS];
    unsigned wires;
    bool settling; /* nothing new happens */

    /* Set by the test before world_start. */
    void (*connect)(struct link *l, struct slice id, const struct msg_request *request);
    /* Asks for a channel by link_open or not at all; ends know by themselves. */
    void (*open)(struct link *l);
    /* What the server holds for a process besides its ends. NULL: nothing. */
    size_t (*flushing)(const struct process *p);
};

/* With random dialects, caps and sizes. */
void world_start(struct world *w, unsigned wires);
void world_stop(struct world *w);

void world_step(struct world *w);

/* Lets everything go: what is open then has all its bytes, carries more, and ends in time. */
void world_settle(struct world *w);

#endif
