#include "net/rate.h"

#include <stdlib.h>

#include "base/hash.h"
#include "net/loop.h"

enum {
    SETS = 512, /* a power of two */
    WAYS = 8,   /* entries of a set, one of which an address can have: 64 KiB in all */
};

/* A bucket as one time (the theoretical arrival time of the GCRA, ITU-T I.371): its tokens are what
 * that lies behind the capacity. */
struct rate_entry {
    uint64_t owner;   /* address_owner() */
    uint64_t full_us; /* when the bucket is full again */
};

enum wsp_err rate_table_set(struct rate_table *r, unsigned per_second)
{
    if (per_second == 0) {
        rate_table_fini(r);
        return WSP_OK;
    }
    if (!r->entry) {
        r->entry = calloc((size_t)SETS * WAYS, sizeof(*r->entry));
        if (!r->entry)
            return WSP_ERR_NOMEM;
        loop_random(r->seed, sizeof(r->seed));
    }
    r->interval_us = 1000000 / per_second;
    return WSP_OK;
}

void rate_table_fini(struct rate_table *r)
{
    free(r->entry);
    r->entry = NULL;
}

/* Its entry, or the one of its set whose bucket is the fullest, made over to it. An unused one is
 * full since the clock began. */
static struct rate_entry *entry_of(struct rate_table *r, uint64_t owner)
{
    uint64_t hash = hash_bytes(r->seed, slice_of(&owner, sizeof(owner)));
    struct rate_entry *set = &r->entry[(hash & (SETS - 1)) * WAYS], *fullest = set;

    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].owner == owner)
            return &set[i];
        if (set[i].full_us < fullest->full_us)
            fullest = &set[i];
    }
    *fullest = (struct rate_entry){.owner = owner};
    return fullest;
}

bool rate_table_take(struct rate_table *r, const struct address *a, uint64_t now_us)
{
    struct rate_entry *e;
    uint64_t owner, full_us;

    if (!r->entry || !address_owner(a, &owner))
        return true;
    e = entry_of(r, owner);
    full_us = (e->full_us > now_us ? e->full_us : now_us) + r->interval_us;
    if (full_us - now_us > (uint64_t)RATE_BURST_S * 1000000)
        return false;
    e->full_us = full_us;
    return true;
}
