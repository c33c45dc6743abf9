/* Opening connections and saying the first words on them, many at a time. */
#ifndef BENCH_OPENING_H
#define BENCH_OPENING_H

#include <stddef.h>

#include "conn.h"

/* What the load server understands; see server.c. */
enum {
    OP_DOWN = 'D',
    OP_UP = 'U',
    OP_ECHO = 'E',
    COMMAND_SIZE = 2,
    COMMAND_MAX = 1024,
};

struct opening {
    size_t at_once;
    uint8_t command[COMMAND_MAX]; /* sent on every connection */
    size_t command_len;
    size_t answer_len; /* bytes to wait for behind it */
    int limit_ms;      /* for all of them together */
};

/* Goes on after an event. CONN_DONE: the command is sent and its answer has arrived. */
enum conn_step opening_step(const struct opening *o, struct conn *c);

/* Opens all of them, or ends the program. Afterwards they are in no set. */
void opening_all(const struct opening *o, const struct route *r, struct conn *conns, size_t count);

/* An epoll set, or the end of the program. */
int new_epoll(void);

#endif
