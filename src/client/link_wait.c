#include "client/link_wait.h"

#include <stdio.h>

#include "client/uplink.h"

static struct link_wait *wait_of(struct session_user *u)
{
    return container_of(u, struct link_wait, user);
}

void link_wait_cancel(struct link_wait *w)
{
    struct session *s = w->user.session;

    if (!s)
        return;
    timer_clear(s->client->loop, &w->timer);
    session_leave(&w->user);
    w->user.session = NULL;
}

static void done(struct link_wait *w, enum wsp_err why, const char *text)
{
    struct session *s = w->user.session;

    link_wait_cancel(w);
    w->on_done(w, s, why, text);
}

/* With what came of the last attempt, which the program may see nowhere else. */
static void on_timer(struct timer *t)
{
    struct link_wait *w = container_of(t, struct link_wait, timer);
    struct session *s = w->user.session;
    const char *last = "";
    char text[UPLINK_ERROR_MAX + 32];

    if (!list_empty(&s->uplinks))
        last = container_of(s->uplinks.next, struct uplink, node)->error;
    snprintf(text, sizeof(text), "no link to the server%s%s", *last ? ": " : "", last);
    done(w, WSP_ERR_REFUSED, text);
}

static void on_link(struct session_user *u)
{
    done(wait_of(u), WSP_OK, "");
}

static void on_drain(struct session_user *u)
{
    done(wait_of(u), WSP_ERR_REFUSED, "the client is shutting down");
}

static void on_session_end(struct session_user *u)
{
    done(wait_of(u), WSP_ERR_LOST, "the client has ended");
}

enum wsp_err link_wait_start(struct link_wait *w, struct session *s)
{
    struct client *c = s->client;

    w->timer.fire = on_timer;
    if (timer_set(c->loop, &w->timer, loop_now(c->loop) + c->config->time.open_us) != WSP_OK)
        return WSP_ERR_NOMEM;
    session_join(s, &w->user, on_session_end);
    w->user.link_up = on_link;
    w->user.drain = on_drain;
    return WSP_OK;
}
