#include "server/takeover.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LOOK_US = 100000,      /* interval of looking for the sign */
    PATIENCE_US = 3000000, /* 0.10 newcomers wait 5 s for their answer */
};

struct takeover {
    struct chan chan; /* the newcomer's CONNECT, not answered yet */
    struct server *server;
    struct peer *newcomer; /* borrowed: lives while the channel does */
    struct peer *holder;   /* to be compared only: it may be gone */
    struct timer timer;
    uint64_t asked_us;
    struct slice name; /* in memory, as the url */
    struct slice url;
    char memory[];
};

/* Without the channel. */
static void forget(struct takeover *t)
{
    timer_clear(t->server->loop, &t->timer);
    free(t);
}

/* The newcomer has gone, or does not want it any more. */
static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    (void)end;
    (void)text;
    forget(container_of(ch, struct takeover, chan));
}

static const struct chan_ops ops = {.closed = on_closed};

static void answer(struct takeover *t, const char *why)
{
    struct msg_response ok = {.success = true};
    struct link *l = t->chan.link;

    if (why) {
        log_info(l->opt.log, "%s: registration refused: %s", l->name, why);
        chan_refuse(&t->chan, slice_str(why));
    } else {
        link_respond(l, t->chan.node.key, &ok);
        chan_forget(&t->chan);
    }
    forget(t);
}

static void take(struct takeover *t, struct service *held)
{
    struct link *dead = &held->peer->carrier.link;
    struct register_result r;

    log_info(loop_log(t->server->loop), "%s: shows no sign of life, %.*s goes to %s", dead->name,
             SLICE_FMT(t->name), t->chan.link->name);
    service_free(held);
    answer(t, register_url(t->newcomer, t->url, &r));
    link_close(dead, WS_CLOSE_POLICY, "no sign of life");
}

static void on_timer(struct timer *timer)
{
    struct takeover *t = container_of(timer, struct takeover, timer);
    struct service *held = service_named(t->server, t->name);
    uint64_t now = loop_now(t->server->loop);
    struct register_result r;

    if (!held || !held->peer) {
        answer(t, register_url(t->newcomer, t->url, &r));
    } else if (held->peer != t->holder || held->peer->carrier.link.blocked ||
               held->peer->carrier.link.last_rx_us > t->asked_us) {
        snprintf(r.text, sizeof(r.text), "channel %.*s already registered", SLICE_FMT(t->name));
        answer(t, r.text);
    } else if (now - t->asked_us >= PATIENCE_US) {
        take(t, held);
    } else {
        timer_set(t->server->loop, &t->timer, now + LOOK_US); /* set before: cannot fail */
    }
}

static struct takeover *takeover_new(struct peer *newcomer, struct slice url,
                                     const struct service *holder)
{
    struct takeover *t = calloc(1, sizeof(*t) + url.len + holder->name.len);

    if (!t)
        return NULL;
    chan_init(&t->chan, &ops);
    t->server = newcomer->server;
    t->newcomer = newcomer;
    t->holder = holder->peer;
    t->timer.fire = on_timer;
    t->asked_us = loop_now(t->server->loop);
    memcpy(t->memory, holder->name.p, holder->name.len);
    memcpy(t->memory + holder->name.len, url.p, url.len);
    t->name = slice_of(t->memory, holder->name.len);
    t->url = slice_of(t->memory + holder->name.len, url.len);
    return t;
}

bool takeover_start(struct peer *newcomer, struct slice id, struct slice url,
                    struct service *holder)
{
    struct takeover *t = takeover_new(newcomer, url, holder);

    if (!t)
        return false;
    if (timer_set(t->server->loop, &t->timer, t->asked_us + LOOK_US) != WSP_OK ||
        link_adopt(&newcomer->carrier.link, &t->chan, id) != WSP_OK) {
        forget(t);
        return false;
    }
    link_ask_life(&holder->peer->carrier.link, t->asked_us);
    return true;
}
