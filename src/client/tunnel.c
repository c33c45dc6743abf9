#include "client/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TUNNEL_REFUSAL_MAX = 256 }; /* bytes of the text of a refusal that the owner is told */

struct tunnel {
    struct relay relay;
    struct session_user user;
    struct tunnel_owner *owner;
    struct timer timer; /* for the answer to our open */
    struct buf early;   /* until the relay starts */
    tunnel_answer *answer;
};

static void tunnel_end(struct tunnel *t, enum wsp_err why, const char *text)
{
    struct tunnel_owner *owner = t->owner;
    bool opened = t->relay.started;

    timer_clear(t->relay.stream.loop, &t->timer);
    relay_fini(&t->relay);
    buf_fini(&t->early);
    session_leave(&t->user);
    free(t);
    owner->ended(owner, opened ? WSP_OK : why, opened ? "ended" : text);
}

static void out_of_resources(struct tunnel *t)
{
    tunnel_end(t, WSP_ERR_REFUSED, "out of resources");
}

static void on_done(struct relay *r)
{
    tunnel_end(container_of(r, struct tunnel, relay), WSP_OK, "");
}

static void on_session_end(struct session_user *u)
{
    tunnel_end(container_of(u, struct tunnel, user), WSP_ERR_LOST, "the client has ended");
}

static bool send_answer(struct tunnel *t, enum failure f, struct slice bound)
{
    uint8_t out[TUNNEL_ANSWER_MAX];
    struct iovec iov = {out, 0};

    if (!t->answer)
        return true;
    iov.iov_len = t->answer(f, bound, out);
    return stream_send(&t->relay.stream, &iov, 1) == (ssize_t)iov.iov_len;
}

static void fail(struct tunnel *t, enum failure f, const char *text)
{
    send_answer(t, f, slice_of(NULL, 0));
    if (t->answer)
        stream_linger(&t->relay.stream);
    else
        stream_reset(&t->relay.stream);
    tunnel_end(t, WSP_ERR_REFUSED, text);
}

static void on_timer(struct timer *timer)
{
    fail(container_of(timer, struct tunnel, timer), FAILURE_TIMEOUT, "no answer in time");
}

/* Where the exit does not tell its bound address, ours on the way there stands for it. */
static struct slice bound_or_own(struct tunnel *t, struct slice bound, char own[ADDRESS_TEXT_MAX])
{
    struct address a = {.len = sizeof(a.storage)};

    if (bound.len || getsockname(t->relay.stream.watch.fd, &a.sa, &a.len) != 0)
        return bound;
    address_text(&a, own);
    return slice_str(own);
}

static void on_opened(struct chan *ch, struct slice bound)
{
    struct tunnel *t = container_of(ch, struct tunnel, relay.chan);
    char own[ADDRESS_TEXT_MAX];

    timer_clear(t->relay.stream.loop, &t->timer);
    if (!send_answer(t, FAILURE_NONE, bound_or_own(t, bound, own)) ||
        relay_start(&t->relay, buf_slice(&t->early)) != WSP_OK) {
        out_of_resources(t);
        return;
    }
    buf_fini(&t->early);
    if (t->owner->opened)
        t->owner->opened(t->owner);
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct tunnel *t = container_of(ch, struct tunnel, relay.chan);
    char why[TUNNEL_REFUSAL_MAX];

    if (t->relay.started) {
        relay_closed(ch, end, text);
    } else if (end == CHAN_END_FAILED) {
        snprintf(why, sizeof(why), "%.*s", SLICE_FMT(text));
        fail(t, failure_of_text(text), why);
    } else {
        fail(t, FAILURE_NO_LINK, failure_text(FAILURE_NO_LINK));
    }
}

static const struct chan_ops tunnel_ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = relay_deliver,
    .deliver_iov = relay_deliver_iov,
    .pull = relay_pull,
    .finished = relay_finished,
    .flushing = relay_flushing,
};

/* Until the relay starts, what comes waits in the kernel, be it an end; one that broke off has no
 * use for the answer. */
static void on_early_event(struct stream *s)
{
    if (s->broken)
        tunnel_end(container_of(s, struct tunnel, relay.stream), WSP_ERR_LOST,
                   "the connection broke before it was used");
}

static enum failure failure_of_open(enum wsp_err err)
{
    if (err == WSP_OK)
        return FAILURE_NONE;
    return err == WSP_ERR_REFUSED ? FAILURE_NO_LINK : FAILURE_GENERAL;
}

static bool take_stream(struct tunnel *t, const struct tunnel_start *start)
{
    struct stream *to = &t->relay.stream;

    if (!start->stream)
        return stream_init(to, to->loop, start->fd, on_early_event) == WSP_OK;
    if (stream_move(to, start->stream, on_early_event) == WSP_OK)
        return true;
    stream_close(start->stream);
    return false;
}

static struct tunnel *tunnel_new(const struct tunnel_start *start)
{
    struct tunnel *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->owner = start->owner;
    t->answer = start->answer;
    t->timer.fire = on_timer;
    session_join(start->session, &t->user, on_session_end);
    relay_init(&t->relay, start->session->client->loop, &tunnel_ops, on_done);
    return t;
}

void tunnel_open(const struct tunnel_start *start)
{
    struct session *s = start->session;
    struct wsp_loop *loop = s->client->loop;
    struct tunnel *t = tunnel_new(start);
    enum failure f;

    if (!t) {
        if (start->stream)
            stream_close(start->stream);
        else
            close(start->fd);
        start->owner->ended(start->owner, WSP_ERR_REFUSED, "out of memory");
        return;
    }
    if (!take_stream(t, start) ||
        buf_append(&t->early, start->early.p, start->early.len) != WSP_OK ||
        timer_set(loop, &t->timer, loop_now(loop) + s->client->config->time.open_us) != WSP_OK) {
        out_of_resources(t);
        return;
    }
    f = failure_of_open(session_open(s, &t->relay.chan, &start->to));
    if (f != FAILURE_NONE)
        fail(t, f, failure_text(f));
}
