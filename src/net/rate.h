/*
 * How often each address may do something: a token bucket for each, in a table of fixed size. Where
 * more addresses are busy than the table holds, those that have used the least are forgotten first,
 * which only ever lets too much through.
 */
#ifndef NET_RATE_H
#define NET_RATE_H

#include "net/address.h"

enum { RATE_BURST_S = 10 }; /* a bucket holds what comes in so many seconds */

struct rate_entry;

/* Zeroed: no limit. */
struct rate_table {
    struct rate_entry *entry; /* owned; NULL: no limit */
    uint64_t interval_us;     /* until the next token */
    uint64_t seed[2];
};

/* Sets the limit, at most 1000000 a second; 0: none. Buckets are kept when it had another one.
 * WSP_OK, or WSP_ERR_NOMEM and nothing is changed. */
enum wsp_err rate_table_set(struct rate_table *r, unsigned per_second);
void rate_table_fini(struct rate_table *r);

/* Takes a token of this address; false when it has none left. All addresses of an IPv6 network of
 * 64 bits share a bucket. `now_us` is monotonic. */
bool rate_table_take(struct rate_table *r, const struct address *a, uint64_t now_us);

#endif
