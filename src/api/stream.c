#include "api/stream.h"

#include <stdio.h>
#include <stdlib.h>

enum { REST_IDLE_US = 60000000 }; /* a far side that takes nothing of the rest so long is reset */

static struct wsp_stream *stream_of(struct chan *ch)
{
    return container_of(ch, struct wsp_stream, chan);
}

/* ---- life */

static void destroy(struct wsp_stream *st)
{
    struct wsp_loop *loop = st->loop;

    task_cancel(&st->notify);
    task_cancel(&st->end);
    list_remove(&st->node);
    buf_fini(&st->unsent);
    destination_fini(&st->to);
    free(st);
    loop_unref(loop);
}

static void on_end(struct task *t)
{
    destroy(container_of(t, struct wsp_stream, end));
}

/* Until the turn is over, who frees it may still hold it. */
static void release(struct wsp_stream *st)
{
    st->dying = true;
    list_remove(&st->node);
    task_cancel(&st->notify);
    if (loop_in_turn(st->loop))
        loop_end_later(st->loop, &st->end);
    else
        destroy(st);
}

void stream_tell(struct wsp_stream *st)
{
    if (!st->silent && !st->dying)
        task_post(st->loop, &st->notify);
}

/* It waits for nothing any more, and the session not for it. */
static void leave(struct wsp_stream *st)
{
    timer_clear(st->loop, &st->timer);
    link_wait_cancel(&st->wait);
    if (st->user.session)
        session_leave(&st->user);
    st->user.session = NULL;
}

/* It can be a peer's. */
static void set_text(struct wsp_stream *st, const char *text)
{
    snprintf(st->text, sizeof(st->text), "%s", text);
    log_disarm(st->text, strlen(st->text));
}

void stream_over(struct wsp_stream *st, enum wsp_err why, const char *text)
{
    bool unseen = st->stage == STAGE_OFFERED;

    leave(st);
    buf_fini(&st->unsent);
    st->stage = STAGE_OVER;
    st->why = why;
    set_text(st, text);
    if (st->dying || unseen)
        release(st);
    else
        stream_tell(st);
}

static void cut_off(struct wsp_stream *st, const char *text)
{
    chan_reset(&st->chan);
    stream_over(st, WSP_ERR_LOST, text);
}

static void on_session_end(struct session_user *u)
{
    cut_off(container_of(u, struct wsp_stream, user), "the client has ended");
}

static void on_timer(struct timer *t)
{
    struct wsp_stream *st = container_of(t, struct wsp_stream, timer);

    if (st->stage == STAGE_OPENING) {
        chan_abort(&st->chan);
        stream_over(st, WSP_ERR_REFUSED, "no answer in time");
    } else {
        cut_off(st, "the far side takes nothing");
    }
}

/* ---- the channel's side: nothing here calls the program */

static void on_opened(struct chan *ch, struct slice bound)
{
    struct wsp_stream *st = stream_of(ch);

    (void)bound;
    timer_clear(st->loop, &st->timer);
    st->stage = STAGE_OPEN;
    st->opened = true;
    stream_tell(st);
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    static const char *const lost[] = {[CHAN_END_PEER_RESET] = "reset by the far side",
                                       [CHAN_END_RESET] = "out of memory",
                                       [CHAN_END_STALLED] = "not read for too long",
                                       [CHAN_END_LINK_LOST] = "link lost"};
    struct wsp_stream *st = stream_of(ch);
    char why[STREAM_TEXT_MAX];

    switch (end) {
    case CHAN_END_PEER:
    case CHAN_END_SENT:
        stream_over(st, WSP_OK, "ended");
        break;
    case CHAN_END_FAILED:
        snprintf(why, sizeof(why), "%.*s", SLICE_FMT(text));
        stream_over(st, WSP_ERR_REFUSED, why);
        break;
    default:
        stream_over(st, WSP_ERR_LOST, lost[end]);
    }
}

/* The channel holds it until the program reads. Of the rest of a stream, nothing is read. */
static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct wsp_stream *st = stream_of(ch);

    (void)data;
    stream_tell(st);
    return st->dying ? len : 0;
}

static void wait_for_progress(struct wsp_stream *st)
{
    if (st->dying) /* set before: cannot fail */
        timer_set(st->loop, &st->timer, loop_now(st->loop) + REST_IDLE_US);
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct wsp_stream *st = stream_of(ch);
    size_t n = st->unsent.len < cap ? st->unsent.len : cap;

    if (n) {
        memcpy(out, buf_slice(&st->unsent).p, n);
        buf_consume(&st->unsent, n);
        wait_for_progress(st);
    }
    if (st->unsent.len)
        return (struct chan_pull){n, CHAN_THEN_MORE};
    buf_fini(&st->unsent);
    if (st->short_write)
        stream_tell(st);
    return (struct chan_pull){n, st->finishing ? CHAN_THEN_END : CHAN_THEN_IDLE};
}

static void on_finished(struct chan *ch)
{
    struct wsp_stream *st = stream_of(ch);

    st->heard_end = true;
    stream_tell(st);
}

static const struct chan_ops ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .pull = on_pull,
    .finished = on_finished,
};

/* ---- beginning */

struct wsp_stream *stream_new(struct wsp_client *c)
{
    struct wsp_stream *st = calloc(1, sizeof(*st));

    if (!st)
        return NULL;
    st->loop = c->loop;
    loop_ref(st->loop);
    chan_init(&st->chan, &ops);
    st->chan.peeks = true;
    st->timer.fire = on_timer;
    task_init(&st->notify, stream_notify);
    task_init(&st->end, on_end);
    list_init(&st->node);
    list_push(&c->streams, &st->node);
    return st;
}

void stream_discard(struct wsp_stream *st)
{
    leave(st);
    destroy(st);
}

enum wsp_err stream_ask(struct wsp_stream *st, struct session *s, const struct destination *to)
{
    uint64_t due_us = loop_now(st->loop) + s->client->config->time.open_us;
    struct session_target target = destination_target(to);
    enum wsp_err err = timer_set(st->loop, &st->timer, due_us);

    if (err == WSP_OK)
        err = session_open(s, &st->chan, &target);
    if (err != WSP_OK) {
        timer_clear(st->loop, &st->timer);
        return err;
    }
    session_join(s, &st->user, on_session_end);
    st->stage = STAGE_OPENING;
    return WSP_OK;
}

void stream_offer(struct wsp_client *c, struct serving *sv, struct session *s, struct link *l,
                  struct slice id)
{
    struct wsp_stream *st = stream_new(c);

    if (!st || link_adopt(l, &st->chan, id) != WSP_OK) {
        link_refuse(l, id, "the client is out of resources");
        if (st)
            stream_discard(st);
        return;
    }
    session_join(s, &st->user, on_session_end);
    st->serving = sv;
    st->stage = STAGE_OFFERED;
    stream_tell(st);
}

/* ---- ending */

/* Our end is on its way, and nothing of the far side's is left to be read: what was written may go
 * out without the program. In 0.10, our end is that of both. */
static bool has_rest(const struct wsp_stream *st)
{
    bool both = st->chan.link && link_speaks(st->chan.link) == LINK_0_10;

    return st->stage == STAGE_OPEN && st->finishing && st->chan.link && !st->chan.held.bytes &&
           (st->heard_end || both);
}

static bool leave_rest(struct wsp_stream *st)
{
    uint64_t due_us = loop_now(st->loop) + REST_IDLE_US;

    if (!has_rest(st) || timer_set(st->loop, &st->timer, due_us) != WSP_OK)
        return false;
    st->dying = true;
    list_remove(&st->node);
    task_cancel(&st->notify);
    return true;
}

void wsp_stream_free(struct wsp_stream *st)
{
    if (!stream_is_usable(st) || leave_rest(st))
        return;
    if (st->stage == STAGE_OPENING)
        chan_abort(&st->chan);
    else if (st->chan.state == CHAN_FLUSHING)
        chan_forget(&st->chan);
    else
        chan_reset(&st->chan);
    leave(st);
    release(st);
}

void streams_orphan(struct wsp_client *c)
{
    struct list *node;

    while ((node = list_shift(&c->streams))) {
        struct wsp_stream *st = container_of(node, struct wsp_stream, node);

        st->silent = true;
        task_cancel(&st->notify);
        if (st->stage != STAGE_OVER)
            cut_off(st, "the client was freed");
    }
}

void streams_forget_serving(struct wsp_client *c, const struct serving *sv)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->streams) {
        struct wsp_stream *st = container_of(node, struct wsp_stream, node);

        if (st->serving == sv)
            st->serving = NULL;
    }
}
