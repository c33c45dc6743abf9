/* What loop.c (what hangs off a loop) and loop_host.c (what the program sees of it) share. */
#ifndef NET_LOOP_PARTS_H
#define NET_LOOP_PARTS_H

#include <stdatomic.h>

#include "net/loop.h"
#include "net/timer.h"

#define LOOP_BATCH 128 /* events fetched at once */

struct wsp_loop {
    struct poller poller;
    int timer_fd;
    int wake_fd;
    struct watch timer_watch;
    struct watch wake_watch;
    struct timer_heap heap;
    uint64_t armed_us; /* when timer_fd fires; UINT64_MAX: not armed */
    struct list tasks;
    struct list owned;
    size_t owned_count;
    uint64_t now_us;
    struct list endings; /* tasks for when the turn is over */
    unsigned refs;       /* the owner's, those of what hangs off it, and a turn's */
    bool abandoned;      /* by its owner: no more turns */
    bool in_turn;
    bool woken;          /* from outside a turn, for what was set there */
    atomic_bool stopped; /* wsp_loop_run is to end */
    struct poller_ready batch[LOOP_BATCH];
    size_t batch_at, batch_count; /* events of this round not yet delivered */
    struct pool pool;
    struct timer trim;
    void (*give_back)(void);
    struct log log;
};

/* Monotonic, now. */
uint64_t loop_clock_us(void);

/* Frees it, with what only the loop owns. */
void loop_destroy(struct wsp_loop *loop);

/* Runs the tasks of loop_end_later. */
void loop_run_endings(struct wsp_loop *loop);

#endif
