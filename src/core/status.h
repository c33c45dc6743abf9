/* What the status documents of both daemons have in common: links, channels, memory. */
#ifndef CORE_STATUS_H
#define CORE_STATUS_H

#include "base/json_out.h"
#include "core/link.h"

#define STATUS_LIST_MAX 1000 /* entries of a list whose length peers decide */

/* What links have done so far. */
struct link_totals {
    uint64_t links;           /* that came up */
    uint64_t opened, refused; /* channels */
    uint64_t in, out;         /* bytes on the wire, TLS aside */
};

/* Adds a link, be it that it has just ended. */
void link_totals_add(struct link_totals *t, const struct link *l);
void link_totals_write(const struct link_totals *t, struct json_out *j);

/* What is open on a link, but for registrations. */
struct link_usage {
    size_t channels;
    size_t held_bytes; /* received, for readers that have not taken it yet */
};

struct link_usage link_usage(const struct link *l);

/* Members of a link's object. */
void link_status_write(const struct link *l, struct json_out *j, uint64_t now);

/* Elements of an array: a link's channels, while *room, which is counted down, is not 0. */
void channels_status_write(const struct link *l, struct json_out *j, size_t *room);

/* The object `memory`: of `pool`, what is in use and what is kept; of `cap`, what is set aside. */
void memory_status_write(const struct pool *pool, const struct credit_cap *cap, struct json_out *j);

#endif
