#include "client/registration.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/uplink.h"

enum {
    ANSWER_US = 5000000,
    BACKOFF_MIN_US = 5000000,
    BACKOFF_MAX_US = 60000000,
};

static void ask_next(struct session *s);

static struct registration *registration_of(struct chan *ch)
{
    return container_of(ch, struct registration, chan);
}

static struct wsp_loop *loop_of(const struct session *s)
{
    return s->client->loop;
}

/* What a person can do about a refusal. */
static const char *hint(struct slice text)
{
    static const struct {
        const char *part, *hint;
    } hints[] = {
        {"already registered", "another client holds this name: choose another value, or end it"},
        {"does not set host", "set \"host\" in the server's wsps.json, or use mode=path"},
        {"same path as wsps", "choose a value other than the server's \"path\""},
        {"same domain as wsps", "choose a domain other than the server's \"host\""},
        {"illegal or empty", "change the mode or the value of this entry"},
        {"unsupported http mode", "use mode=path or mode=domain"},
        {"not supported", "a newer wsps is needed"},
    };

    for (size_t i = 0; i < sizeof(hints) / sizeof(*hints); i++)
        if (text.len && memmem(text.p, text.len, hints[i].part, strlen(hints[i].part)))
            return hints[i].hint;
    return NULL;
}

static void refused(struct registration *r, struct slice text)
{
    struct session *s = r->session;
    const char *what = hint(text);

    snprintf(r->error, sizeof(r->error), "%.*s", SLICE_FMT(text));
    r->state = REGISTRATION_REFUSED;
    r->backoff_us = r->backoff_us ? r->backoff_us * 2 : BACKOFF_MIN_US;
    if (r->backoff_us > BACKOFF_MAX_US)
        r->backoff_us = BACKOFF_MAX_US;
    timer_set(loop_of(s), &r->timer, loop_now(loop_of(s)) + r->backoff_us);
    log_warn(loop_log(loop_of(s)), "%s: remote %s: not registered: %.*s%s%s; next try in %u s",
             s->name, r->remote->redacted, SLICE_FMT(text), what ? ": " : "", what ? what : "",
             (unsigned)(r->backoff_us / 1000000));
    ask_next(s);
}

static void on_opened(struct chan *ch, struct slice bound)
{
    struct registration *r = registration_of(ch);
    struct session *s = r->session;

    (void)bound;
    if (link_speaks(ch->link) == LINK_0_10)
        chan_forget(ch);
    timer_clear(loop_of(s), &r->timer);
    r->state = REGISTRATION_DONE;
    r->backoff_us = 0;
    log_info(loop_log(loop_of(s)), "%s: registered %s for %s", s->name, r->remote->name,
             r->remote->redacted);
    ask_next(s);
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct registration *r = registration_of(ch);

    timer_clear(loop_of(r->session), &r->timer);
    if (end == CHAN_END_FAILED)
        refused(r, text);
    else if (end == CHAN_END_LINK_LOST || r->session->client->draining)
        r->state = REGISTRATION_WANTED; /* asked for again on another link */
    else
        refused(r, slice_str("the server has withdrawn it"));
}

static const struct chan_ops ops = {.opened = on_opened, .closed = on_closed};

static void ask(struct registration *r)
{
    struct session *s = r->session;
    struct msg_request request = {.type = MSG_REMOTE, .url = slice_str(r->remote->url)};
    struct link *l = session_link(s);

    chan_init(&r->chan, &ops);
    r->chan.mute = true;
    r->link = l;
    r->state = REGISTRATION_ASKED;
    if (link_open(l, &r->chan, &request) != WSP_OK ||
        timer_set(loop_of(s), &r->timer, loop_now(loop_of(s)) + ANSWER_US) != WSP_OK) {
        chan_forget(&r->chan);
        r->state = REGISTRATION_REFUSED;
        snprintf(r->error, sizeof(r->error), "it cannot be asked for: a limit is reached");
        timer_set(loop_of(s), &r->timer, loop_now(loop_of(s)) + BACKOFF_MIN_US);
    }
}

/* One at a time, as the original does. */
static void ask_next(struct session *s)
{
    struct registration *next = NULL;

    if (!session_link(s) || s->client->draining)
        return;
    for (size_t i = s->config->remote_count; i-- > 0;) {
        if (s->registration[i].state == REGISTRATION_ASKED)
            return;
        if (s->registration[i].state == REGISTRATION_WANTED)
            next = &s->registration[i];
    }
    if (next)
        ask(next);
}

static void on_timer(struct timer *t)
{
    struct registration *r = container_of(t, struct registration, timer);

    if (r->state == REGISTRATION_ASKED) {
        r->state = REGISTRATION_LATE;
        log_warn(loop_log(loop_of(r->session)), "%s: remote %s: no answer yet", r->session->name,
                 r->remote->redacted);
        ask_next(r->session);
    } else {
        r->state = REGISTRATION_WANTED;
        ask_next(r->session);
    }
}

enum wsp_err registrations_init(struct session *s)
{
    size_t count = s->config->remote_count;

    s->registration = calloc(count ? count : 1, sizeof(*s->registration));
    if (!s->registration)
        return WSP_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct registration *r = &s->registration[i];

        chan_init(&r->chan, &ops);
        r->session = s;
        r->remote = &s->config->remote[i];
        r->timer.fire = on_timer;
    }
    return WSP_OK;
}

void registrations_fini(struct session *s)
{
    for (size_t i = 0; s->registration && i < s->config->remote_count; i++) {
        chan_forget(&s->registration[i].chan);
        timer_clear(loop_of(s), &s->registration[i].timer);
    }
    free(s->registration);
    s->registration = NULL;
}

/* Its link has gone, or takes no opens any more and thus holds no names. */
static bool is_lost(struct session *s, const struct registration *r)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->uplinks) {
        const struct uplink *u = container_of(node, struct uplink, node);

        if (&u->carrier.link == r->link)
            return !uplink_takes_opens(u);
    }
    return true;
}

void registrations_go_on(struct session *s)
{
    for (size_t i = 0; i < s->config->remote_count; i++) {
        struct registration *r = &s->registration[i];

        if (!is_lost(s, r))
            continue;
        chan_abort(&r->chan);
        timer_clear(loop_of(s), &r->timer);
        r->state = REGISTRATION_WANTED;
        r->backoff_us = 0;
    }
    ask_next(s);
}

const struct wspc_remote *registration_find(const struct session *s, struct slice name)
{
    for (size_t i = 0; i < s->config->remote_count; i++)
        if (slice_eq_str(name, s->config->remote[i].name))
            return &s->config->remote[i];
    return NULL;
}
