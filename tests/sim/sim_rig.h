/* Two ends and what is between them, with nothing left to chance: one wire, or a server that
 * bridges two. */
#ifndef TESTS_SIM_SIM_RIG_H
#define TESTS_SIM_SIM_RIG_H

#include "sim/sim_bridge.h"

enum { RIG_PATHS = 6 };

/* Over one link, or through a bridge between the dialects of the opener's and the other's. */
struct path {
    const char *name;
    unsigned wires;
    enum link_dialect dialect[2];
};

extern const struct path rig_paths[RIG_PATHS];
#define PATH_TO_WSP_1 (&rig_paths[3]) /* from 0.10 */
#define PATH_TO_0_10 (&rig_paths[4])  /* from wsp.1 */

struct rig {
    struct sim sim;
    struct process process[3]; /* the opener's, the other's, the server's */
    struct wire wire[2];
    struct server server;
    const struct path *path;
    struct end *end[2]; /* the opener, the other; NULL when there is none */
    enum act at_once;   /* what the other one does right behind its answer */
    uint64_t moved_us;  /* when bytes were on their way last */
};

extern struct rig rig;

/* Makes the links and the opener; its CONNECT is under way. With `memory_fails`, links may fail,
 * and all else that follows from it. */
void rig_start(const struct path *path, enum act at_once, bool memory_fails);
void rig_stop(void);

/* Moves what can be moved without time passing; returns how many bytes that were. */
size_t rig_flow(void);
/* The same for a time, from one deadline to the next. */
void rig_run(uint64_t time_us);

/* Both owners see that the link is lost. */
void rig_lose(struct wire *wire);

#endif
