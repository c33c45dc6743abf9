/* What is true of links and channels whenever the library is not at work. */
#ifndef TESTS_SIM_SIM_CHECK_H
#define TESTS_SIM_SIM_CHECK_H

#include "sim/sim_end.h"
#include "sim/sim_wire.h"

/* The channels of a link and what is set aside for them, its queues, its turns. */
void check_wire(const struct wire *w);

/* A channel that only flushes has its memory from the process: how much of `memory` it is. */
size_t check_flushing(const struct chan *ch, const struct credit_cap *memory);

/* All that a process has set aside belongs to its links and to `flushing` bytes. */
void check_memory(const struct process *p, size_t links, size_t flushing);
size_t flushing_ends(const struct sim *s, const struct process *p);

/* On one link: nobody believes to have more credit than the other side has room for. */
void check_credit(const struct sim *s);
/* At rest, nothing of it got lost either, and every byte has arrived. */
void check_rest(const struct sim *s);

#endif
