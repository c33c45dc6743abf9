#include "http/upstream.h"

#include <stdlib.h>

enum {
    RECENT_US = 2000000, /* servers keep an idle connection longer than this */
    FLUSH_US = 60000000, /* for a user that takes nothing of the last bytes */
};

static struct upstream *upstream_of(struct chan *ch)
{
    return container_of(ch, struct upstream, tls.chan);
}

static void on_opened(struct chan *ch, struct slice bound)
{
    struct upstream *u = upstream_of(ch);

    (void)bound;
    if (u->user)
        u->user->opened(u->user);
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct upstream *u = upstream_of(ch);
    struct upstream_user *user = u->user;

    u->user = NULL;
    if (user)
        user->closed(user, end, text);
    upstream_free(u);
}

static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct upstream *u = upstream_of(ch);

    if (u->user)
        return u->user->deliver(u->user, data, len);
    upstream_free(u);
    return len;
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct upstream *u = upstream_of(ch);

    if (u->user)
        return u->user->pull(u->user, out, cap);
    return (struct chan_pull){0, CHAN_THEN_IDLE};
}

static void on_finished(struct chan *ch)
{
    struct upstream *u = upstream_of(ch);

    if (u->user && u->user->finished(u->user))
        return;
    chan_abort(ch);
    on_closed(ch, CHAN_END_PEER, slice_of(NULL, 0));
}

static void set_flush(struct upstream *u)
{
    u->flush_bytes = upstream_chan(u)->held.bytes;
    if (timer_set(u->loop, &u->idle, loop_now(u->loop) + FLUSH_US) != WSP_OK)
        log_error(loop_log(u->loop), "http: out of memory for a deadline");
}

static void on_flushing(struct chan *ch)
{
    set_flush(upstream_of(ch));
}

static const struct chan_ops ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .pull = on_pull,
    .finished = on_finished,
    .flushing = on_flushing,
};

static void on_idle(struct timer *t)
{
    struct upstream *u = container_of(t, struct upstream, idle);

    if (!u->user) {
        upstream_free(u);
    } else if (upstream_chan(u)->held.bytes != u->flush_bytes) {
        set_flush(u);
    } else {
        chan_abort(upstream_chan(u));
        on_closed(upstream_chan(u), CHAN_END_STALLED, slice_of(NULL, 0));
    }
}

static struct slice lead_of(const struct upstream *u)
{
    return slice_of(u->lead, u->lead_len);
}

/* All but the channel. */
static struct upstream *make(struct wsp_loop *loop, struct upstream_user *user, struct slice lead)
{
    struct upstream *u = calloc(1, sizeof(*u));

    if (!u)
        return NULL;
    if (lead.len)
        memcpy(u->lead, lead.p, lead.len);
    u->lead_len = lead.len;
    u->loop = loop;
    u->user = user;
    u->idle.fire = on_idle;
    list_init(&u->node);
    return u;
}

struct upstream *upstream_new(struct wsp_loop *loop, struct upstream_user *user, struct slice lead)
{
    struct upstream *u = make(loop, user, lead);

    if (!u)
        return NULL;
    tls_chan_init_plain(&u->tls, &ops);
    upstream_chan(u)->lead = lead_of(u);
    return u;
}

struct upstream *upstream_new_tls(struct wsp_loop *loop, struct upstream_user *user,
                                  struct slice lead, struct tls_context *context,
                                  const char *server_name)
{
    struct upstream *u = make(loop, user, lead);

    if (!u || tls_chan_init(&u->tls, &ops, context, server_name) != WSP_OK) {
        free(u);
        return NULL;
    }
    upstream_chan(u)->lead = lead_of(u);
    return u;
}

void upstream_free(struct upstream *u)
{
    if (!u)
        return;
    chan_abort(upstream_chan(u));
    tls_chan_fini(&u->tls);
    timer_clear(u->loop, &u->idle);
    list_remove(&u->node);
    free(u);
}

void upstream_park(struct upstream *u, struct list *pool, uint64_t idle_us)
{
    u->user = NULL;
    u->reused = true;
    u->parked_us = loop_now(u->loop);
    list_push(pool, &u->node);
    if (timer_set(u->loop, &u->idle, loop_now(u->loop) + idle_us) != WSP_OK)
        upstream_free(u);
}

static struct upstream *find_last(struct list *pool, struct slice lead)
{
    for (struct list *n = pool->prev; n != pool; n = n->prev) {
        struct upstream *u = container_of(n, struct upstream, node);

        if (slice_eq(lead_of(u), lead))
            return u;
    }
    return NULL;
}

struct upstream *upstream_take(struct list *pool, enum upstream_choice choice, struct slice lead,
                               struct upstream_user *user)
{
    struct upstream *u;

    while (choice != UPSTREAM_NEW && (u = find_last(pool, lead))) {
        if (choice == UPSTREAM_RECENT && loop_now(u->loop) - u->parked_us > RECENT_US)
            return NULL;
        list_remove(&u->node);
        if (!upstream_is_open(u)) {
            upstream_free(u);
            continue;
        }
        timer_clear(u->loop, &u->idle);
        u->user = user;
        return u;
    }
    return NULL;
}

void upstream_free_led(struct list *pool, struct slice lead)
{
    struct upstream *u;

    while ((u = find_last(pool, lead)))
        upstream_free(u);
}
