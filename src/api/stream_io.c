/* What the program calls on a stream that it has. */
#include <limits.h>

#include "api/stream.h"

enum { VECTORS = 16 };

enum wsp_err wsp_stream_set_events(struct wsp_stream *st, const struct wsp_stream_events *events,
                                   void *ctx)
{
    if (!stream_is_usable(st))
        return WSP_ERR_USAGE;
    st->events = events ? *events : (struct wsp_stream_events){.opened = NULL};
    st->ctx = ctx;
    memset(&st->told, 0, sizeof(st->told));
    if (st->stage != STAGE_SHOWN)
        stream_tell(st);
    return WSP_OK;
}

/* ---- reading */

/* The channel may be over by that. */
static size_t take_held(struct wsp_stream *st, uint8_t *out, size_t cap)
{
    struct iovec iov[VECTORS];
    int count = chan_held(&st->chan, iov, VECTORS);
    size_t n = 0;

    for (int i = 0; i < count && n < cap; i++) {
        size_t part = iov[i].iov_len < cap - n ? iov[i].iov_len : cap - n;

        memcpy(out + n, iov[i].iov_base, part);
        n += part;
    }
    chan_took(&st->chan, n);
    chan_settle(&st->chan);
    return n;
}

ssize_t wsp_stream_read(struct wsp_stream *st, void *out, size_t cap)
{
    if (!stream_is_usable(st) || !out || cap == 0)
        return WSP_ERR_USAGE;
    if (st->chan.held.bytes)
        return (ssize_t)take_held(st, out, cap < SSIZE_MAX ? cap : SSIZE_MAX);
    if (st->stage == STAGE_OVER)
        return st->why;
    if (st->heard_end)
        return 0;
    st->told.readable = false;
    return WSP_ERR_MORE;
}

/* ---- writing */

/* What the link does not take at once waits here, as far as there is room; without memory there is
 * none. Either way the link asks for more when it has room, and the program is told. */
static size_t keep(struct wsp_stream *st, struct slice data)
{
    size_t room = STREAM_UNSENT_MAX - st->unsent.len;
    size_t n = data.len < room ? data.len : room;

    if (n && buf_append(&st->unsent, data.p, n) != WSP_OK)
        n = 0;
    chan_ready(&st->chan);
    return n;
}

static void fell_short(struct wsp_stream *st)
{
    st->short_write = true;
    st->told.writable = false;
}

/* Why nothing can be written, or WSP_OK. */
static enum wsp_err may_write(const struct wsp_stream *st)
{
    if (st->finishing)
        return WSP_ERR_USAGE;
    if (st->stage == STAGE_OVER)
        return st->why == WSP_OK ? WSP_ERR_LOST : st->why;
    if (st->stage != STAGE_OPEN)
        return WSP_ERR_MORE;
    return chan_can_send(&st->chan) ? WSP_OK : WSP_ERR_LOST;
}

ssize_t wsp_stream_write(struct wsp_stream *st, const void *data, size_t len)
{
    struct slice rest = slice_of(data, len < SSIZE_MAX ? len : SSIZE_MAX);
    size_t taken = 0;
    enum wsp_err err;

    if (!stream_is_usable(st) || (!data && len))
        return WSP_ERR_USAGE;
    err = may_write(st);
    if (err == WSP_ERR_MORE)
        fell_short(st);
    if (err != WSP_OK || len == 0)
        return err;
    if (st->unsent.len == 0)
        taken = chan_send(&st->chan, rest);
    slice_advance(&rest, taken);
    if (rest.len)
        taken += keep(st, rest);
    st->short_write = false;
    if (taken < len)
        fell_short(st);
    return taken ? (ssize_t)taken : WSP_ERR_MORE;
}

enum wsp_err wsp_stream_finish(struct wsp_stream *st)
{
    if (!stream_is_usable(st))
        return WSP_ERR_USAGE;
    if (st->stage == STAGE_OVER)
        return WSP_OK;
    if (st->stage != STAGE_OPEN)
        return WSP_ERR_MORE;
    if (st->finishing || !chan_can_send(&st->chan))
        return WSP_OK;
    st->finishing = true;
    if (st->unsent.len)
        chan_ready(&st->chan);
    else
        chan_finish(&st->chan);
    return WSP_OK;
}

void wsp_stream_counts(const struct wsp_stream *st, uint64_t *sent, uint64_t *received)
{
    bool usable = stream_is_usable(st);

    if (sent)
        *sent = usable ? st->chan.sent : 0;
    if (received)
        *received = usable ? st->chan.received : 0;
}
