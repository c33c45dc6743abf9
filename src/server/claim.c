#include "server/claim.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    LOOK_US = 100000,      /* interval of looking for the sign */
    PATIENCE_US = 3000000, /* 0.10 newcomers wait 5 s for their answer */
};

struct claim {
    struct chan chan;
    struct service *service; /* held; NULL while it is contested */
    struct server *server;

    /* while it is contested */
    struct peer *newcomer;         /* borrowed: lives while the channel does */
    const struct instance *holder; /* to be compared only: it may be gone */
    struct timer timer;
    uint64_t asked_us;
    struct slice name; /* in memory, as the url */
    struct slice url;
    char memory[];
};

/* Without the channel. */
static void forget(struct claim *c)
{
    timer_clear(c->server->loop, &c->timer);
    if (c->service)
        c->service->claim = NULL;
    free(c);
}

/* The client has withdrawn it or does not want it any more; with its link, the name is not lost: it
 * is the instance's. */
static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct claim *c = container_of(ch, struct claim, chan);
    struct service *s = c->service;

    (void)text;
    forget(c);
    if (!s || end == CHAN_END_LINK_LOST)
        return;
    if (log_limit_ok(&s->server->noise, loop_now(s->server->loop)))
        log_info(loop_log(s->server->loop), "%.*s: withdrawn by its client", SLICE_FMT(s->name));
    service_withdraw(s);
}

static const struct chan_ops ops = {.closed = on_closed};

static struct claim *claim_new(struct peer *p, struct slice id, struct slice name, struct slice url)
{
    struct claim *c = calloc(1, sizeof(*c) + url.len + name.len);

    if (!c)
        return NULL;
    chan_init(&c->chan, &ops);
    c->chan.mute = true;
    c->server = p->server;
    c->newcomer = p;
    if (name.len)
        memcpy(c->memory, name.p, name.len);
    if (url.len)
        memcpy(c->memory + name.len, url.p, url.len);
    c->name = slice_of(c->memory, name.len);
    c->url = slice_of(c->memory + name.len, url.len);
    if (link_adopt(&p->carrier.link, &c->chan, id) == WSP_OK)
        return c;
    free(c);
    return NULL;
}

/* SUCCESS: in wsp.1 the channel stays, in 0.10 the id is finished with the answer. */
static void hold(struct claim *c, struct service *s)
{
    struct msg_response ok = {.success = true};
    struct link *l = c->chan.link;

    service_registered(s, c->newcomer);
    if (link_speaks(l) == LINK_WSP_1) {
        chan_accept(&c->chan, slice_of(NULL, 0));
        c->service = s;
        s->claim = c;
        return;
    }
    link_respond(l, c->chan.node.key, &ok);
    chan_forget(&c->chan);
    forget(c);
}

void claim_grant(struct peer *p, struct slice id, struct service *s)
{
    struct claim *c = claim_new(p, id, slice_of(NULL, 0), slice_of(NULL, 0));

    if (c) {
        hold(c, s);
        return;
    }
    service_free(s);
    link_refuse(&p->carrier.link, id, "out of memory");
}

const struct link *claim_link(const struct claim *c)
{
    return c ? c->chan.link : NULL;
}

void claim_end(struct claim *c)
{
    if (!c)
        return;
    chan_withdraw(&c->chan);
    forget(c);
}

/* ---- contested */

static void refuse(struct claim *c, const char *why)
{
    char name[SERVICE_NAME_MAX];

    snprintf(name, sizeof(name), "%.*s", SLICE_FMT(c->name));
    register_refused(c->newcomer, name, why);
    chan_refuse(&c->chan, slice_str(why));
    forget(c);
}

/* The name is free, or has just become so. */
static void try_again(struct claim *c)
{
    struct register_result r;
    const char *why = register_url(c->newcomer, c->url, &r);

    if (why)
        refuse(c, why);
    else
        hold(c, r.service);
}

static void take(struct claim *c, struct service *held)
{
    struct instance *dead = held->instance;

    log_info(loop_log(c->server->loop), "%s: takes over %.*s, whose holder shows no sign of life",
             c->chan.link->name, SLICE_FMT(c->name));
    service_free(held);
    try_again(c);
    instance_close(dead, "no sign of life");
}

static void on_timer(struct timer *timer)
{
    struct claim *c = container_of(timer, struct claim, timer);
    struct service *held = service_named(c->server, c->name);
    uint64_t now = loop_now(c->server->loop);
    char text[SERVICE_NAME_MAX + 64];

    if (!held || !held->instance) {
        try_again(c);
    } else if (held->instance != c->holder || instance_lives(held->instance, c->asked_us)) {
        snprintf(text, sizeof(text), "channel %.*s already registered", SLICE_FMT(c->name));
        refuse(c, text);
    } else if (now - c->asked_us >= PATIENCE_US) {
        take(c, held);
    } else {
        timer_set(c->server->loop, &c->timer, now + LOOK_US); /* set before: cannot fail */
    }
}

bool claim_contest(struct peer *p, struct slice id, struct slice url, struct service *holder)
{
    struct wsp_loop *loop = p->server->loop;
    struct claim *c = claim_new(p, id, holder->name, url);

    if (!c)
        return false;
    c->holder = holder->instance;
    c->timer.fire = on_timer;
    c->asked_us = loop_now(loop);
    if (timer_set(loop, &c->timer, c->asked_us + LOOK_US) != WSP_OK) {
        chan_forget(&c->chan);
        free(c);
        return false;
    }
    instance_ask_life(holder->instance, c->asked_us);
    return true;
}
