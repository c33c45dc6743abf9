#include <stdlib.h>

#include "api/config.h"
#include "api/stream.h"

static void on_link(struct link_wait *w, struct session *s, enum wsp_err why, const char *text)
{
    struct wsp_stream *st = container_of(w, struct wsp_stream, wait);

    if (why == WSP_OK) {
        enum wsp_err err = stream_ask(st, s, &st->to);

        why = err == WSP_OK ? WSP_OK : WSP_ERR_REFUSED;
        text = destination_refusal(err);
    }
    destination_fini(&st->to);
    if (why != WSP_OK)
        stream_over(st, why, text);
}

/* At once, or when there is a link. */
static enum wsp_err begin(struct wsp_stream *st, struct session *s)
{
    enum wsp_err err;

    if (!session_link(s))
        return link_wait_start(&st->wait, s);
    err = stream_ask(st, s, &st->to);
    destination_fini(&st->to);
    return err;
}

struct wsp_stream *wsp_client_open(struct wsp_client *c, const struct wsp_target *target,
                                   const struct wsp_stream_events *events, void *ctx,
                                   char error[WSP_ERROR_MAX])
{
    struct destination to;
    struct session *s;
    struct wsp_stream *st;
    enum wsp_err err;

    if (destination_init(&to, c, target, &s, error) != WSP_OK)
        return NULL;
    st = stream_new(c);
    if (!st) {
        destination_fini(&to);
        error_set(error, "out of memory");
        return NULL;
    }
    st->to = to;
    st->wait.on_done = on_link;
    if (events)
        st->events = *events;
    st->ctx = ctx;
    err = begin(st, s);
    if (err == WSP_OK)
        return st;
    stream_discard(st);
    error_set(error, "%s", destination_refusal(err));
    return NULL;
}
