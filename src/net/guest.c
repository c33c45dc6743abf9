#include "net/guest.h"

#include <errno.h>
#include <stdlib.h>

#include "net/linger.h"

static void on_task(struct task *t);

struct wsp_guest *guest_new(struct wsp_loop *loop, struct list *owner,
                            const struct guest_calls *calls)
{
    struct wsp_guest *g = calloc(1, sizeof(*g));

    if (!g)
        return NULL;
    g->loop = loop;
    g->calls = *calls;
    g->by_calls = calls->recv != NULL;
    task_init(&g->task, on_task);
    list_init(&g->node);
    list_push(owner, &g->node);
    return g;
}

void guest_forget(struct wsp_guest *g)
{
    task_cancel(&g->task);
    list_remove(&g->node);
    free(g);
}

/* ---- reading and writing */

/* At most `cap` bytes of the program's: as stream_recv. */
static ssize_t fetch(struct wsp_guest *g, void *out, size_t cap)
{
    ssize_t n;

    do
        n = g->calls.recv(g->calls.ctx, out, cap);
    while (n < 0 && errno == EINTR);
    if (n > 0 && (size_t)n <= cap)
        return n;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return STREAM_AGAIN;
    g->ended = n == 0;
    g->failed = n != 0;
    return n == 0 ? STREAM_EOF : STREAM_ERROR;
}

ssize_t guest_recv(struct wsp_guest *g, void *out, size_t cap)
{
    uint8_t *to = out;
    ssize_t n = STREAM_AGAIN;
    size_t ahead = g->has_ahead;

    if (g->muted) {
        errno = ECONNABORTED;
        return STREAM_ERROR;
    }
    if (ahead) {
        *to++ = g->ahead;
        cap--;
        g->has_ahead = false;
    }
    if (g->ended || g->failed)
        n = g->failed ? STREAM_ERROR : STREAM_EOF;
    else if (cap)
        n = fetch(g, to, cap);
    return n > 0 ? n + (ssize_t)ahead : ahead ? (ssize_t)ahead : n;
}

ssize_t guest_peek(const struct wsp_guest *g)
{
    if (g->has_ahead)
        return 1;
    if (g->failed || g->muted)
        return STREAM_ERROR;
    return g->ended ? (ssize_t)STREAM_EOF : (ssize_t)STREAM_AGAIN;
}

ssize_t guest_send(struct wsp_guest *g, const struct iovec *iov, int count)
{
    size_t taken = 0;

    for (int i = 0; i < count && !g->muted; i++) {
        for (size_t at = 0; at < iov[i].iov_len && !g->muted;) {
            size_t len = iov[i].iov_len - at;
            ssize_t n = g->calls.send(g->calls.ctx, (const char *)iov[i].iov_base + at, len);

            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)
                return STREAM_ERROR;
            if (n > 0 && (size_t)n > len)
                return STREAM_ERROR;
            if (n <= 0)
                return taken ? (ssize_t)taken : (ssize_t)STREAM_AGAIN;
            taken += (size_t)n;
            at += (size_t)n;
        }
    }
    if (!g->muted)
        return (ssize_t)taken;
    errno = ECONNABORTED;
    return STREAM_ERROR;
}

/* ---- what the program and the stream tell each other */

void guest_ready(struct wsp_guest *g, bool readable, bool writable)
{
    if (!g->by_calls || g->over)
        return;
    g->may_read |= readable;
    g->may_write |= writable;
    task_post(g->loop, &g->task);
}

/* The one byte tells at once that the other end has gone, as a socket's events do. */
static void look_ahead(struct wsp_guest *g, struct stream *s)
{
    ssize_t n = fetch(g, &g->ahead, 1);

    g->has_ahead = n > 0;
    if (n != STREAM_AGAIN)
        s->readable = true;
    if (n == STREAM_EOF)
        s->hangup = true;
    if (n == STREAM_ERROR)
        s->broken = true;
}

/* What the program does in its calls closes no stream: it is done when the turn ends. */
static void tell_stream(struct wsp_guest *g)
{
    struct stream *s = g->stream;
    bool may_read = g->may_read && !g->has_ahead && !g->ended && !g->failed;

    if (!s || g->muted || (!g->may_read && !g->may_write))
        return;
    if (g->may_write)
        s->writable = true;
    g->may_read = g->may_write = false;
    if (may_read)
        look_ahead(g, s);
    s->on_event(s);
}

static void finish_now(struct wsp_guest *g)
{
    g->finishing = false;
    if (g->calls.finish && !g->muted)
        g->calls.finish(g->calls.ctx);
}

static void end_now(struct wsp_guest *g)
{
    g->calls.closed(g->calls.ctx, g->reset);
    guest_forget(g);
}

static void on_task(struct task *t)
{
    struct wsp_guest *g = container_of(t, struct wsp_guest, task);

    if (g->finishing)
        finish_now(g);
    if (g->over)
        end_now(g);
    else
        tell_stream(g);
}

void guest_finish(struct wsp_guest *g)
{
    if (g->finished)
        return;
    g->finished = g->finishing = true;
    task_post(g->loop, &g->task);
}

void guest_end(struct wsp_guest *g, bool reset)
{
    if (!g)
        return;
    g->stream = NULL;
    g->lingerer = NULL;
    g->over = true;
    g->reset = reset;
    task_post(g->loop, &g->task);
}

void guest_mute(struct wsp_guest *g)
{
    g->muted = true;
}

void guest_finish_off(struct wsp_guest *g)
{
    if (g->lingerer)
        linger_end(g->lingerer);
    task_cancel(&g->task);
    end_now(g);
}
