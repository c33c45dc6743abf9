#include "client/registration.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/uplink.h"
#include "config/wspc_same.h"

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

static struct registration *registration_at(struct list *node)
{
    return container_of(node, struct registration, node);
}

static struct wsp_loop *loop_of(const struct session *s)
{
    return s->client->loop;
}

static void tell(struct registration *r, enum wsp_event_kind kind, struct slice why)
{
    char text[REGISTRATION_ERROR_MAX];
    struct wsp_event e = {.kind = kind, .link = r->link_name, .name = r->remote.name, .text = text};

    snprintf(text, sizeof(text), "%.*s", SLICE_FMT(why));
    client_tell(r->session->client, &e);
}

/* Leaves DONE, if it was there. */
static void set_gone(struct registration *r, enum registration_state next)
{
    bool was_done = r->state == REGISTRATION_DONE && !r->unwanted;

    r->state = next;
    if (was_done)
        tell(r, WSP_NAME_GONE, slice_str(""));
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
             s->name, r->remote.redacted, SLICE_FMT(text), what ? ": " : "", what ? what : "",
             (unsigned)(r->backoff_us / 1000000));
    tell(r, WSP_NAME_REFUSED, text);
    ask_next(s);
}

/* The program's part of it is over. */
static void forget_served(struct registration *r)
{
    if (r->served)
        r->served->registration = NULL;
    r->served = NULL;
}

static void registration_free(struct registration *r)
{
    forget_served(r);
    chan_forget(&r->chan);
    timer_clear(loop_of(r->session), &r->timer);
    list_remove(&r->node);
    wspc_remote_fini(&r->remote);
    free(r);
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
    log_info(loop_log(loop_of(s)), "%s: registered %s for %s", s->name, r->remote.name,
             r->remote.redacted);
    if (!r->unwanted)
        tell(r, WSP_NAME_REGISTERED, slice_str(""));
    ask_next(s);
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct registration *r = registration_of(ch);
    struct session *s = r->session;

    timer_clear(loop_of(s), &r->timer);
    set_gone(r, REGISTRATION_WANTED);
    if (r->unwanted) {
        registration_free(r);
        ask_next(s);
    } else if (end == CHAN_END_FAILED) {
        refused(r, text);
    } else if (end != CHAN_END_LINK_LOST && !s->draining) {
        refused(r, slice_str("the server has withdrawn it"));
    } /* else it is asked for again on another link */
}

static const struct chan_ops ops = {.opened = on_opened, .closed = on_closed};

static void ask(struct registration *r)
{
    struct session *s = r->session;
    struct msg_request request = {.type = MSG_REMOTE, .url = slice_str(r->remote.url)};
    struct link *l = session_link(s);

    chan_init(&r->chan, &ops);
    r->chan.mute = true;
    r->link = l;
    memcpy(r->link_name, l->name, sizeof(r->link_name));
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
static struct registration *next_wanted(struct session *s)
{
    struct registration *next = NULL;
    struct list *node, *tmp;

    list_each (node, tmp, &s->registrations) {
        struct registration *r = registration_at(node);

        if (r->state == REGISTRATION_ASKED)
            return NULL;
        if (r->state == REGISTRATION_WANTED && !next)
            next = r;
    }
    return next;
}

/* In 0.10 the server would refuse a name that this link has, and goes on with what it knows of it.
 */
static bool inherit(struct registration *r)
{
    struct session *s = r->session;
    struct list *node, *tmp;

    list_each (node, tmp, &s->registrations) {
        struct registration *old = registration_at(node);

        if (old->unwanted && old->state == REGISTRATION_DONE &&
            strcmp(old->remote.name, r->remote.name) == 0) {
            r->state = REGISTRATION_DONE;
            r->link = old->link;
            memcpy(r->link_name, old->link_name, sizeof(r->link_name));
            registration_free(old);
            tell(r, WSP_NAME_REGISTERED, slice_str(""));
            log_info(loop_log(loop_of(s)),
                     "%s: %s is registered already, now for %s: the server, which speaks dialect "
                     "0.10, learns of it with the next link",
                     s->name, r->remote.name, r->remote.redacted);
            return true;
        }
    }
    return false;
}

static void ask_next(struct session *s)
{
    struct registration *next;

    if (!session_link(s) || s->draining)
        return;
    do
        next = next_wanted(s);
    while (next && inherit(next));
    if (next)
        ask(next);
}

static void on_timer(struct timer *t)
{
    struct registration *r = container_of(t, struct registration, timer);

    if (r->state == REGISTRATION_ASKED) {
        r->state = REGISTRATION_LATE;
        log_warn(loop_log(loop_of(r->session)), "%s: remote %s: no answer yet", r->session->name,
                 r->remote.redacted);
        ask_next(r->session);
    } else {
        r->state = REGISTRATION_WANTED;
        ask_next(r->session);
    }
}

/* ---- what there is */

static struct registration *take(struct session *s, struct wspc_remote *from)
{
    struct registration *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    chan_init(&r->chan, &ops);
    r->session = s;
    r->remote = *from;
    *from = (struct wspc_remote){0};
    r->timer.fire = on_timer;
    list_push(&s->registrations, &r->node);
    return r;
}

enum wsp_err registrations_take(struct session *s)
{
    for (size_t i = 0; i < s->config->remote_count; i++)
        if (s->config->remote[i].url && !take(s, &s->config->remote[i]))
            return WSP_ERR_NOMEM;
    return WSP_OK;
}

/* In 0.10 nothing can be said: who asks for it is refused, as for a name that we never had. */
static void withdraw(struct registration *r)
{
    bool live = chan_live(&r->chan);
    bool can_say = live && link_speaks(r->chan.link) == LINK_WSP_1;

    forget_served(r);
    log_info(loop_log(loop_of(r->session)), "%s: %s is offered no more", r->session->name,
             r->remote.redacted);
    if (can_say)
        chan_withdraw(&r->chan);
    if (!can_say && (live || r->state == REGISTRATION_DONE)) {
        set_gone(r, r->state);
        r->unwanted = true;
    } else {
        set_gone(r, REGISTRATION_WANTED);
        registration_free(r);
    }
}

enum wsp_err registration_serve(struct session *s, struct wspc_remote *remote, struct served *sv)
{
    struct registration *r = take(s, remote);

    if (!r)
        return WSP_ERR_NOMEM;
    r->served = sv;
    sv->registration = r;
    return WSP_OK;
}

void registration_withdraw(struct served *sv)
{
    struct session *s = sv->registration->session;

    withdraw(sv->registration);
    ask_next(s); /* it may have been the one whose answer was waited for */
}

void registrations_withdraw_all(struct session *s)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->registrations)
        if (!registration_at(node)->unwanted)
            withdraw(registration_at(node));
}

/* The entry's equal, or NULL. */
static struct wspc_remote *find(const struct wspc_client *entry, const struct wspc_remote *like)
{
    for (size_t i = 0; i < entry->remote_count; i++)
        if (entry->remote[i].url && wspc_remote_same(&entry->remote[i], like))
            return &entry->remote[i];
    return NULL;
}

void registrations_withdraw_others(struct session *s, struct wspc_client *entry)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->registrations) {
        struct registration *r = registration_at(node);
        struct wspc_remote *same;

        if (r->unwanted || r->served)
            continue;
        same = find(entry, &r->remote);
        if (same)
            wspc_remote_fini(same);
        else
            withdraw(r);
    }
}

void registrations_fini(struct session *s)
{
    struct list *node;

    while ((node = list_shift(&s->registrations))) {
        set_gone(registration_at(node), REGISTRATION_WANTED);
        registration_free(registration_at(node));
    }
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

/* Where it was registered has gone. */
static void start_over(struct registration *r)
{
    chan_abort(&r->chan);
    timer_clear(loop_of(r->session), &r->timer);
    set_gone(r, REGISTRATION_WANTED);
    r->backoff_us = 0;
}

void registrations_go_on(struct session *s)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->registrations) {
        struct registration *r = registration_at(node);

        if (is_lost(s, r) && r->unwanted)
            registration_free(r);
        else if (is_lost(s, r))
            start_over(r);
    }
    ask_next(s);
}

const struct registration *registration_find(const struct session *s, struct slice name)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->registrations) {
        const struct registration *r = registration_at(node);

        if (!r->unwanted && slice_eq_str(name, r->remote.name))
            return r;
    }
    return NULL;
}
