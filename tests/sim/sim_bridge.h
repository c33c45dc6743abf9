/* A server that bridges what one client opens to a link of another's, or of the same. */
#ifndef TESTS_SIM_SIM_BRIDGE_H
#define TESTS_SIM_SIM_BRIDGE_H

#include "sim/sim_end.h"
#include "sim/sim_wire.h"

struct server {
    struct sim *sim; /* borrowed */
    struct list crossings;
    uint64_t refuse_one_in; /* of the accepted opens; 0: none */
    uint64_t opened, mixed, refused;
};

void server_start(struct server *s, struct sim *sim);
/* Every bridge must have ended. */
void server_stop(const struct server *s);

/* From `connect` of `from`. */
void server_bridge(struct server *s, struct link *from, struct slice id, struct link *to,
                   const struct msg_request *request);

/* What the channels of bridges that only flush hold of the process's memory. */
size_t server_flushing(const struct server *s, const struct process *p);

#endif
