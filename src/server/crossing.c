#include "server/crossing.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    ANSWER_US = 5000000, /* 0.10 openers do not wait longer */
    WRONG_MAX = 10,      /* wrong passwords of one link in a minute */
    WRONG_WINDOW_US = 60000000,
};

static const char guessing[] = "too many wrong passwords, try again in a minute";

static struct crossing *crossing_of_bridge(struct bridge *b)
{
    return container_of(b, struct crossing, bridge);
}

/* Without the channels. */
static void forget(struct crossing *x)
{
    struct server *s = x->server;

    timer_clear(s->loop, &x->timer);
    list_remove(&x->node);
    list_remove(&x->user.node);
    free(x);
    server_use_ended(s);
}

void crossing_free(struct crossing *x)
{
    bridge_abort(&x->bridge, slice_str("interrupted"));
    forget(x);
}

static bool is_guessing(const struct peer *p)
{
    return p->wrong_passwords >= WRONG_MAX &&
           loop_now(p->server->loop) - p->wrong_since_us < WRONG_WINDOW_US;
}

/* Nor is one who sent many at once told any more which of them was right: all get the same. */
static const char *on_answer(struct bridge *b, bool accepted)
{
    struct crossing *x = crossing_of_bridge(b);

    (void)accepted;
    timer_clear(x->server->loop, &x->timer);
    return is_guessing(x->opener) ? guessing : NULL;
}

/* The service's client judges the password: all that is seen here is its answer. */
static void count_wrong(struct peer *p, struct slice why)
{
    static const char text[] = "password is incorrect";
    uint64_t now = loop_now(p->server->loop);

    if (!memmem(why.p, why.len, text, sizeof(text) - 1))
        return;
    if (now - p->wrong_since_us >= WRONG_WINDOW_US) {
        p->wrong_since_us = now;
        p->wrong_passwords = 0;
    }
    p->wrong_passwords++;
}

static void on_end(struct bridge *b, struct slice why)
{
    struct crossing *x = crossing_of_bridge(b);

    if (why.len) /* a refusal by the service: the opener's link lives */
        count_wrong(x->opener, why);
    forget(x);
}

static void on_timeout(struct timer *t)
{
    struct crossing *x = container_of(t, struct crossing, timer);

    bridge_abort(&x->bridge, slice_str("timeout"));
    forget(x);
}

/* What is open goes on without the name. */
static void on_service_end(struct service_user *u, bool gently)
{
    (void)gently;
    list_remove(&u->node);
}

static struct crossing *crossing_new(struct peer *opener, struct service *to)
{
    struct server *s = opener->server;
    struct crossing *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    bridge_init(&x->bridge);
    x->bridge.on_answer = on_answer;
    x->bridge.on_end = on_end;
    x->timer.fire = on_timeout;
    x->server = s;
    x->opener = opener;
    x->user.end = on_service_end;
    list_push(&s->crossings, &x->node);
    list_push(&to->users, &x->user.node);
    return x;
}

/* The service that the URL names, or NULL with `text` set. */
static struct service *find(struct peer *opener, struct slice url, char *text, size_t cap)
{
    struct forward f;
    char name[SERVICE_NAME_MAX];
    struct service *s;
    size_t len;

    if (forward_parse(url, &f, text, cap) != WSP_OK)
        return NULL;
    if (forward_open_name(&f, name, sizeof(name), &len) != WSP_OK)
        len = 0;
    s = service_named(opener->server, slice_of(name, len));
    if (s && s->kind == SERVICE_CHANNEL)
        return s;
    snprintf(text, cap, "channel %.*s not registered", (int)len, name);
    return NULL;
}

void crossing_open(struct peer *opener, struct link *l, struct slice id,
                   const struct msg_request *request)
{
    struct wsp_loop *loop = opener->server->loop;
    char text[SERVICE_NAME_MAX + 64];
    enum wsp_err err = WSP_ERR_NOMEM;
    struct service *s;
    struct crossing *x;
    struct link *to;

    if (is_guessing(opener)) {
        link_refuse(l, id, guessing);
        return;
    }
    s = find(opener, request->url, text, sizeof(text));
    if (!s) {
        link_refuse(l, id, text);
        return;
    }
    to = s->instance ? instance_link(s->instance) : NULL;
    if (!to) {
        link_refuse(l, id, "interrupted");
        return;
    }
    x = crossing_new(opener, s);
    if (!x || timer_set(loop, &x->timer, loop_now(loop) + ANSWER_US) != WSP_OK ||
        (err = bridge_open(&x->bridge, l, id, to, request)) != WSP_OK) {
        link_refuse(l, id, err == WSP_ERR_LIMIT ? "limit" : "out of resources");
        if (x)
            forget(x);
    }
}
