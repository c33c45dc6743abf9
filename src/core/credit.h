/*
 * Credit is a reservation: what a peer may still send, together with what it has sent and nobody
 * has taken yet, never exceeds what was set aside for it. Value types; no I/O, no clock.
 */
#ifndef CORE_CREDIT_H
#define CORE_CREDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CREDIT_WINDOW_MIN (16 * 1024)    /* bytes: with less, a channel is not opened */
#define CREDIT_WINDOW_FIRST (256 * 1024) /* bytes of a new channel's window at most */
#define CREDIT_MAX ((uint64_t)1 << 62)   /* bytes that may be granted to us; more is a fault */

/* How much memory may be set aside: of a process, and of a link as its child. `max` can be changed
 * at any time: below what is used, it only keeps more from being set aside. */
struct credit_cap {
    size_t max, used;          /* bytes */
    struct credit_cap *parent; /* borrowed; NULL for a process */
};

/* Sets `n` bytes aside in the cap and all above it, or in none: false. */
bool credit_reserve(struct credit_cap *c, size_t n);
void credit_release(struct credit_cap *c, size_t n);

/* What could be set aside still. */
size_t credit_free(const struct credit_cap *c);

/* More than three quarters are in use, here or above. */
bool credit_is_short(const struct credit_cap *c);

/* The window a new channel gets: between the two sizes above, by what is free; already set aside.
 * 0 when there is no room, or little of the process's and this link has more than others. */
size_t credit_reserve_first(struct credit_cap *c);

/* What the peer may send on one channel. left + held + owed == size at any time. */
struct credit_window {
    size_t size;       /* set aside */
    size_t left;       /* granted and not used yet */
    size_t held;       /* received, and not taken yet */
    size_t owed;       /* taken, and not granted again yet */
    size_t round;      /* granted since since_us */
    uint64_t since_us; /* when the present round of a full window began */
    bool clean;        /* the reader kept up at every grant of this round */
};

void credit_window_init(struct credit_window *w, size_t size, uint64_t now);

/* `n` bytes have come. False when that is more than was granted; then nothing has changed. */
bool credit_window_use(struct credit_window *w, size_t n);

/* `n` of the bytes held were taken. */
void credit_window_take(struct credit_window *w, size_t n);

struct credit_terms {
    struct credit_cap *cap; /* of the link */
    size_t window_max;      /* bytes */
    size_t queued;          /* bytes that wait for the reader: those held but for a frame's rest */
    uint64_t rtt_us;        /* the link's smallest round trip; 0: not known */
    uint64_t now;
};

/*
 * The credit to grant now, 0 for none yet. A window doubles when a full one was taken within two
 * round trips and its reader was never behind by more than a quarter of it; it shrinks while memory
 * is short.
 */
size_t credit_window_grant(struct credit_window *w, const struct credit_terms *t);

#endif
