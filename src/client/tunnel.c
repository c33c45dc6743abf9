#include "client/tunnel.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/proxy_listener.h"

struct tunnel {
    struct relay relay;
    struct session_user user;
    struct proxy_listener *listener;
    struct timer timer; /* for the answer to our open */
    struct buf early;   /* until the relay starts */
    tunnel_answer *answer;
};

static void tunnel_free(struct tunnel *t)
{
    struct wsp_loop *loop = t->listener->session->client->loop;

    timer_clear(loop, &t->timer);
    relay_fini(&t->relay);
    buf_fini(&t->early);
    session_leave(&t->user);
    proxy_listener_release(t->listener);
    free(t);
}

static void on_done(struct relay *r)
{
    tunnel_free(container_of(r, struct tunnel, relay));
}

static void on_session_end(struct session_user *u)
{
    tunnel_free(container_of(u, struct tunnel, user));
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

static void fail(struct tunnel *t, enum failure f)
{
    send_answer(t, f, slice_of(NULL, 0));
    if (t->answer)
        stream_linger(&t->relay.stream);
    else
        stream_reset(&t->relay.stream);
    tunnel_free(t);
}

static void on_timer(struct timer *timer)
{
    fail(container_of(timer, struct tunnel, timer), FAILURE_TIMEOUT);
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
    t->listener->opened++;
    if (!send_answer(t, FAILURE_NONE, bound_or_own(t, bound, own)) ||
        relay_start(&t->relay, buf_slice(&t->early)) != WSP_OK) {
        tunnel_free(t);
        return;
    }
    buf_fini(&t->early);
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct tunnel *t = container_of(ch, struct tunnel, relay.chan);

    if (t->relay.started) {
        relay_closed(ch, end, text);
        return;
    }
    if (!t->answer && end == CHAN_END_FAILED) /* the log is the only place to say it */
        log_warn(loop_log(t->relay.stream.loop), "%s: channel %s: %.*s", t->listener->session->name,
                 t->listener->config.channel, SLICE_FMT(text));
    fail(t, end == CHAN_END_FAILED ? failure_of_text(text) : FAILURE_NO_LINK);
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
        tunnel_free(container_of(s, struct tunnel, relay.stream));
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

void tunnel_open(const struct tunnel_start *start)
{
    struct session *s = start->listener->session;
    struct wsp_loop *loop = s->client->loop;
    struct tunnel *t = calloc(1, sizeof(*t));
    enum failure f;

    if (!t) {
        if (start->stream)
            stream_close(start->stream);
        else
            close(start->fd);
        proxy_listener_release(start->listener);
        return;
    }
    t->listener = start->listener;
    t->answer = start->answer;
    t->timer.fire = on_timer;
    session_join(s, &t->user, on_session_end);
    relay_init(&t->relay, loop, &tunnel_ops, on_done);
    if (!take_stream(t, start) ||
        buf_append(&t->early, start->early.p, start->early.len) != WSP_OK ||
        timer_set(loop, &t->timer, loop_now(loop) + s->client->config->time.open_us) != WSP_OK) {
        tunnel_free(t);
        return;
    }
    f = failure_of_open(
        session_open(start->listener, &t->relay.chan, start->scheme, start->host, start->port));
    if (f != FAILURE_NONE)
        fail(t, f);
}
