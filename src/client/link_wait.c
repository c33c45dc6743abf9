#include "client/link_wait.h"

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

static void on_timer(struct timer *t)
{
    done(container_of(t, struct link_wait, timer), WSP_ERR_REFUSED, "no link to the server");
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
