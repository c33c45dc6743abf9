/* What the files of an end call of each other; nobody else includes this. */
#ifndef TESTS_SIM_SIM_END_PARTS_H
#define TESTS_SIM_SIM_END_PARTS_H

#include "sim/sim_end.h"

/* What its channel is embedded in. */
struct body {
    struct chan chan;
    struct end *end; /* borrowed */
};

extern const struct chan_ops end_ops;
extern const struct chan_ops end_gather_ops; /* takes several frames at once */
extern const struct chan_ops end_plain_ops;  /* cannot half-close */

/* sim_end.c: its channel has ended and is freed. */
void end_over(struct end *e);

/* sim_end_ops.c */
/* `n` bytes have come. */
void end_got(struct end *e, const uint8_t *data, size_t n);
/* Puts the next `n` bytes of its stream to `out`, and counts them as sent. */
void end_makes(struct end *e, uint8_t *out, size_t n);
/* Remembers what it is about to say to its channel. */
enum chan_then end_note(struct end *e, enum chan_then then);

#endif
