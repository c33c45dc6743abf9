/*
 * What the rest of net, server and client need of a loop: descriptors, deadlines, deferred calls.
 * The loop's time stands still during a turn's callbacks; between turns, where a program may call
 * in after hours, it is the clock's. All times are monotonic microseconds.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/list.h"
#include "base/log.h"
#include "base/pool.h"
#include "net/poller.h"
#include "wsp/loop.h"

/* A descriptor in the loop; embedded in its owner. The owner closes the descriptor. */
struct watch {
    int fd;                                             /* -1 while not in a loop; borrowed */
    void (*on_event)(struct watch *w, unsigned events); /* enum poller_event */
};

/* `interest` as in poller_add. WSP_OK or WSP_ERR_SYSTEM. */
enum wsp_err watch_start(struct wsp_loop *loop, struct watch *w, int fd, unsigned interest);
enum wsp_err watch_modify(struct wsp_loop *loop, struct watch *w, unsigned interest);

/* `to` gets the events of `from` from now on, also those already fetched; `from` is stopped. */
enum wsp_err watch_move(struct wsp_loop *loop, struct watch *to, struct watch *from,
                        unsigned interest);

/* No event reaches it any more, also none of those already fetched. Safe when not started. */
void watch_stop(struct wsp_loop *loop, struct watch *w);

/* A deadline; embedded in its owner. Zero-initialise and set `fire`. */
struct timer {
    void (*fire)(struct timer *t);
    uint64_t due_us;
    size_t slot; /* 1-based place in the loop's heap; 0 when not set */
};

/* Fires once at or after `due_us` (loop_now() time base). Moves it when already set. Never fails
 * for a timer that was set before; WSP_ERR_NOMEM otherwise. */
enum wsp_err timer_set(struct wsp_loop *loop, struct timer *t, uint64_t due_us);
void timer_clear(struct wsp_loop *loop, struct timer *t);

static inline bool timer_is_set(const struct timer *t)
{
    return t->slot != 0;
}

/* A call at the end of the current round of events; embedded in its owner. Initialise with
 * task_init. A task that posts itself again runs in the next round. */
struct task {
    struct list node;
    void (*run)(struct task *t);
};

void task_init(struct task *t, void (*run)(struct task *t));
void task_post(struct wsp_loop *loop, struct task *t); /* once, however often it is posted */
void task_cancel(struct task *t);

/* Within wsp_loop_turn. */
bool loop_in_turn(const struct wsp_loop *loop);

/* Runs a task when the current turn is over, or when the loop is freed: what is freed within a
 * callback goes then. */
void loop_end_later(struct wsp_loop *loop, struct task *t);

/* The loop outlives its owner as long as something refers to it; not within its last unref. */
void loop_ref(struct wsp_loop *loop);
void loop_unref(struct wsp_loop *loop);

/* Something that nobody but the loop owns: `end` is called when the loop is freed before. */
struct loop_owned {
    struct list node;
    void (*end)(struct loop_owned *o); /* must call loop_disown */
};

void loop_own(struct wsp_loop *loop, struct loop_owned *o);
void loop_disown(struct wsp_loop *loop, struct loop_owned *o);
size_t loop_owned_count(const struct wsp_loop *loop);

/* Ends what has been owned for the longest time, if there is anything. */
void loop_end_oldest(struct wsp_loop *loop);

/* Time stands still while callbacks run; this lets it catch up, where a few milliseconds count. */
uint64_t loop_catch_up(struct wsp_loop *loop);

uint64_t loop_now(const struct wsp_loop *loop);

/* The loop's block pool and log; borrowed from it. The log starts without a writer. */
struct pool *loop_pool(struct wsp_loop *loop);
struct log *loop_log(struct wsp_loop *loop);

/* Strong random bytes; aborts the process when the system has none. */
void loop_random(void *out, size_t len);

#endif
