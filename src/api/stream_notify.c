/* What the program is told of a stream, and asked: always from a task of the loop. */
#include "api/serve.h"
#include "api/stream.h"

/* Whether it is accepted is the program's word; it may also have freed the stream or the client. */
static void offer(struct wsp_stream *st)
{
    struct serving *sv = st->serving;
    bool accepted = false;

    st->stage = STAGE_SHOWN;
    st->serving = NULL;
    if (sv)
        accepted = sv->accept(sv->ctx, st);
    if (!accepted) {
        if (!st->dying && chan_live(&st->chan))
            chan_refuse(&st->chan, slice_str(sv ? "refused" : "served no more"));
        wsp_stream_free(st);
        return;
    }
    if (st->stage != STAGE_SHOWN || st->dying)
        return;
    st->stage = STAGE_OPEN;
    chan_accept(&st->chan, slice_of(NULL, 0));
    stream_tell(st);
}

static void tell_opened(struct wsp_stream *st)
{
    if (!st->opened || st->told.opened)
        return;
    st->told.opened = true;
    if (st->events.opened)
        st->events.opened(st, st->ctx);
}

static bool is_readable(const struct wsp_stream *st)
{
    if (st->stage == STAGE_OVER)
        return st->why == WSP_OK;
    return st->chan.held.bytes || st->heard_end;
}

static void tell_readable(struct wsp_stream *st)
{
    if (!is_readable(st) || st->told.readable)
        return;
    st->told.readable = true;
    if (st->events.readable)
        st->events.readable(st, st->ctx);
}

static bool has_room(const struct wsp_stream *st)
{
    return st->stage == STAGE_OPEN && chan_can_send(&st->chan) && !st->finishing &&
           st->unsent.len == 0;
}

static void tell_writable(struct wsp_stream *st)
{
    if (!st->short_write || st->told.writable || !has_room(st))
        return;
    st->told.writable = true;
    if (st->events.writable)
        st->events.writable(st, st->ctx);
}

static void tell_closed(struct wsp_stream *st)
{
    if (st->stage != STAGE_OVER || st->told.closed)
        return;
    st->told.closed = true;
    if (st->events.closed)
        st->events.closed(st, st->why, st->text, st->ctx);
}

void stream_notify(struct task *t)
{
    static void (*const tell[])(struct wsp_stream * st) = {tell_opened, tell_readable,
                                                           tell_writable, tell_closed};
    struct wsp_stream *st = container_of(t, struct wsp_stream, notify);

    if (st->stage == STAGE_OFFERED) {
        offer(st);
        return;
    }
    for (size_t i = 0; i < sizeof(tell) / sizeof(*tell); i++)
        if (!st->dying && !st->silent)
            tell[i](st);
}
