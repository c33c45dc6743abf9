#include <errno.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "net/loop_parts.h"

enum {
    ROUNDS = 16,       /* of events and tasks in one turn */
    IDLE_BLOCKS = 16,  /* kept by the pool: about 1 MiB */
    TRIM_US = 5000000, /* and given up when they are not needed so long */
};

uint64_t loop_clock_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void on_trim(struct timer *t)
{
    struct wsp_loop *loop = container_of(t, struct wsp_loop, trim);

    if (pool_trim(&loop->pool) && loop->give_back)
        loop->give_back();
}

/* Without memory for the timer nothing is lost: the next turn tries again. */
static void plan_trim(struct wsp_loop *loop)
{
    if (pool_is_trimmable(&loop->pool) && !timer_is_set(&loop->trim))
        timer_set(loop, &loop->trim, loop->now_us + TRIM_US);
}

static void drain(struct watch *w, unsigned events)
{
    uint64_t count;
    ssize_t n;

    (void)events;
    do
        n = read(w->fd, &count, sizeof(count));
    while (n < 0 && errno == EINTR);
}

static enum wsp_err start_own_watches(struct wsp_loop *loop)
{
    loop->timer_watch = (struct watch){.fd = -1, .on_event = drain};
    loop->wake_watch = (struct watch){.fd = -1, .on_event = drain};
    if (loop->timer_fd < 0 || loop->wake_fd < 0)
        return WSP_ERR_SYSTEM;
    if (watch_start(loop, &loop->timer_watch, loop->timer_fd, POLLER_READ) != WSP_OK)
        return WSP_ERR_SYSTEM;
    return watch_start(loop, &loop->wake_watch, loop->wake_fd, POLLER_READ);
}

struct wsp_loop *wsp_loop_new(void)
{
    struct wsp_loop *loop = calloc(1, sizeof(*loop));

    if (!loop)
        return NULL;
    loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->armed_us = UINT64_MAX;
    list_init(&loop->tasks);
    list_init(&loop->owned);
    list_init(&loop->endings);
    loop->refs = 1;
    pool_init(&loop->pool, IDLE_BLOCKS);
    loop->trim.fire = on_trim;
    loop->now_us = loop_clock_us();
    if (poller_init(&loop->poller) != WSP_OK || start_own_watches(loop) != WSP_OK) {
        loop_destroy(loop);
        return NULL;
    }
    return loop;
}

void loop_end_oldest(struct wsp_loop *loop)
{
    struct loop_owned *o = container_of(loop->owned.next, struct loop_owned, node);

    if (!list_empty(&loop->owned))
        o->end(o);
}

void loop_destroy(struct wsp_loop *loop)
{
    while (!list_empty(&loop->owned))
        loop_end_oldest(loop);
    if (loop->timer_fd >= 0)
        close(loop->timer_fd);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    poller_fini(&loop->poller);
    timer_heap_fini(&loop->heap);
    pool_fini(&loop->pool);
    free(loop);
}

void loop_ref(struct wsp_loop *loop)
{
    loop->refs++;
}

void loop_unref(struct wsp_loop *loop)
{
    if (--loop->refs == 0)
        loop_destroy(loop);
}

bool loop_in_turn(const struct wsp_loop *loop)
{
    return loop->in_turn;
}

void loop_end_later(struct wsp_loop *loop, struct task *t)
{
    if (!list_linked(&t->node))
        list_push(&loop->endings, &t->node);
}

void loop_run_endings(struct wsp_loop *loop)
{
    struct list *node;

    while ((node = list_shift(&loop->endings))) {
        struct task *t = container_of(node, struct task, node);

        t->run(t);
    }
}

static void dispatch(struct wsp_loop *loop)
{
    loop->batch_count = poller_poll(&loop->poller, loop->batch, LOOP_BATCH);
    loop->now_us = loop_clock_us();
    for (loop->batch_at = 0; loop->batch_at < loop->batch_count;) {
        struct poller_ready *ready = &loop->batch[loop->batch_at++];
        struct watch *w = ready->data;

        if (w)
            w->on_event(w, ready->events);
    }
}

static void run_timers(struct wsp_loop *loop)
{
    /* Bounded, so that timers set to the past by timers cannot hold the loop. */
    for (size_t left = loop->heap.count; left > 0 && loop->heap.count > 0; left--) {
        struct timer *t = loop->heap.item[0];

        if (t->due_us > loop->now_us)
            return;
        timer_heap_remove(&loop->heap, t);
        t->fire(t);
    }
}

static void run_tasks(struct wsp_loop *loop)
{
    struct list due, *node;

    list_take(&due, &loop->tasks);
    while ((node = list_shift(&due))) {
        struct task *t = container_of(node, struct task, node);

        t->run(t);
    }
}

/* The timer descriptor may fire too early, when the deadline it was set for has moved: that costs a
 * wake-up and saves a system call at each move. */
static void arm_timer(struct wsp_loop *loop)
{
    struct itimerspec spec = {0};
    uint64_t due;

    if (loop->armed_us <= loop->now_us)
        loop->armed_us = UINT64_MAX;
    if (loop->heap.count == 0)
        return;
    due = loop->heap.item[0]->due_us;
    if (loop->armed_us <= due)
        return;
    spec.it_value.tv_sec = (time_t)(due / 1000000);
    spec.it_value.tv_nsec = (long)(due % 1000000) * 1000 + 1; /* never all zero: that disarms */
    if (timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
        loop->armed_us = due;
}

void wsp_loop_turn(struct wsp_loop *loop)
{
    int round = 0;

    if (!loop || loop->in_turn || loop->abandoned)
        return;
    loop_ref(loop);
    loop->in_turn = true;
    loop->woken = false;
    do {
        dispatch(loop);
        run_timers(loop);
        run_tasks(loop);
    } while ((loop->batch_count > 0 || !list_empty(&loop->tasks)) && ++round < ROUNDS);
    if (!list_empty(&loop->tasks))
        wsp_loop_wake(loop);
    plan_trim(loop);
    arm_timer(loop);
    loop->in_turn = false;
    loop_run_endings(loop);
    loop_unref(loop);
}

/* Deadlines and tasks set from outside are seen to by a turn of their own. */
static void need_turn(struct wsp_loop *loop)
{
    if (loop->in_turn || loop->woken)
        return;
    loop->woken = true;
    wsp_loop_wake(loop);
}

enum wsp_err watch_start(struct wsp_loop *loop, struct watch *w, int fd, unsigned interest)
{
    enum wsp_err err = poller_add(&loop->poller, fd, interest, w);

    if (err == WSP_OK)
        w->fd = fd;
    return err;
}

enum wsp_err watch_modify(struct wsp_loop *loop, struct watch *w, unsigned interest)
{
    return poller_modify(&loop->poller, w->fd, interest, w);
}

/* Events of this round that are not delivered yet go to `to`, or nowhere. */
static void redirect(struct wsp_loop *loop, const struct watch *from, struct watch *to)
{
    for (size_t i = loop->batch_at; i < loop->batch_count; i++)
        if (loop->batch[i].data == from)
            loop->batch[i].data = to;
}

enum wsp_err watch_move(struct wsp_loop *loop, struct watch *to, struct watch *from,
                        unsigned interest)
{
    enum wsp_err err = poller_modify(&loop->poller, from->fd, interest, to);

    if (err != WSP_OK)
        return err;
    to->fd = from->fd;
    from->fd = -1;
    redirect(loop, from, to);
    return WSP_OK;
}

void watch_stop(struct wsp_loop *loop, struct watch *w)
{
    if (w->fd < 0)
        return;
    poller_remove(&loop->poller, w->fd);
    w->fd = -1;
    redirect(loop, w, NULL);
}

enum wsp_err timer_set(struct wsp_loop *loop, struct timer *t, uint64_t due_us)
{
    t->due_us = due_us;
    need_turn(loop);
    return timer_heap_put(&loop->heap, t);
}

void timer_clear(struct wsp_loop *loop, struct timer *t)
{
    timer_heap_remove(&loop->heap, t);
}

void task_init(struct task *t, void (*run)(struct task *t))
{
    list_init(&t->node);
    t->run = run;
}

void task_post(struct wsp_loop *loop, struct task *t)
{
    if (list_linked(&t->node))
        return;
    list_push(&loop->tasks, &t->node);
    need_turn(loop);
}

void task_cancel(struct task *t)
{
    list_remove(&t->node);
}

void loop_own(struct wsp_loop *loop, struct loop_owned *o)
{
    loop->owned_count++;
    list_push(&loop->owned, &o->node);
}

size_t loop_owned_count(const struct wsp_loop *loop)
{
    return loop->owned_count;
}

void loop_disown(struct wsp_loop *loop, struct loop_owned *o)
{
    loop->owned_count--;
    list_remove(&o->node);
}

uint64_t loop_catch_up(struct wsp_loop *loop)
{
    loop->now_us = loop_clock_us();
    return loop->now_us;
}

uint64_t loop_now(const struct wsp_loop *loop)
{
    return loop->in_turn ? loop->now_us : loop_clock_us();
}

struct pool *loop_pool(struct wsp_loop *loop)
{
    return &loop->pool;
}

struct log *loop_log(struct wsp_loop *loop)
{
    return &loop->log;
}

void loop_random(void *out, size_t len)
{
    if (RAND_bytes(out, (int)len) != 1)
        abort();
}
