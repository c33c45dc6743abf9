#include "net/stream.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/guest.h"
#include "net/linger.h"
#include "net/tls_server.h"
#include "net/tls_stream.h"

/* What the session left unsent goes first. */
static void on_secure_event(struct stream *s)
{
    s->tls->arrived = s->readable;
    s->tls->hangup = s->hangup;
    if (s->writable && stream_holds(s) &&
        (!tls_stream_flush(s->tls, s->watch.fd) || stream_holds(s)))
        s->writable = false;
}

static void on_watch(struct watch *w, unsigned events)
{
    struct stream *s = container_of(w, struct stream, watch);

    if (events & POLLER_READ)
        s->readable = true;
    if (events & POLLER_WRITE)
        s->writable = true;
    if (events & POLLER_HANGUP)
        s->hangup = s->readable = true;
    if (events & POLLER_BROKEN)
        s->broken = true;
    if (s->tls)
        on_secure_event(s);
    s->on_event(s);
}

enum wsp_err stream_init(struct stream *s, struct wsp_loop *loop, int fd,
                         void (*on_event)(struct stream *s))
{
    *s = (struct stream){.loop = loop, .on_event = on_event, .writable = true};
    s->watch = (struct watch){.fd = -1, .on_event = on_watch};
    if (watch_start(loop, &s->watch, fd, POLLER_READ) != WSP_OK) {
        close(fd);
        return WSP_ERR_SYSTEM;
    }
    return WSP_OK;
}

enum wsp_err stream_init_lent(struct stream *s, struct wsp_guest *guest, int fd,
                              void (*on_event)(struct stream *s))
{
    enum wsp_err err = WSP_OK;

    if (fd >= 0)
        err = stream_init(s, guest->loop, fd, on_event);
    else
        *s = (struct stream){.loop = guest->loop,
                             .on_event = on_event,
                             .watch = {.fd = -1},
                             .readable = true,
                             .writable = true};
    if (err != WSP_OK)
        return err;
    s->guest = guest;
    guest->stream = s;
    return WSP_OK;
}

static bool is_by_calls(const struct stream *s)
{
    return s->guest && s->guest->by_calls;
}

static unsigned interest_of(const struct stream *s)
{
    return s->asks_writable ? POLLER_READ | POLLER_WRITE : POLLER_READ;
}

enum wsp_err stream_move(struct stream *to, struct stream *from, void (*on_event)(struct stream *s))
{
    struct watch *w = &from->watch;

    *to = *from;
    to->on_event = on_event;
    if (w->fd >= 0 && watch_move(from->loop, &to->watch, w, interest_of(from)) != WSP_OK) {
        to->watch.fd = -1;
        to->tls = NULL;
        to->guest = NULL;
        return WSP_ERR_SYSTEM;
    }
    if (to->guest)
        to->guest->stream = to;
    from->readable = from->writable = false;
    from->tls = NULL;
    from->guest = NULL;
    return WSP_OK;
}

enum wsp_err stream_secure(struct stream *s, struct tls_context *context, const char *server_name)
{
    return tls_stream_new(context, server_name, loop_pool(s->loop), &s->tls);
}

const char *stream_why(const struct stream *s)
{
    return s->tls && s->tls->failed ? s->tls->why : strerror(errno);
}

bool stream_is_ready(const struct stream *s)
{
    return !s->tls || s->tls->established;
}

bool stream_is_mute(const struct stream *s)
{
    return s->tls && !s->tls->heard;
}

const char *stream_peer_fault(const struct stream *s)
{
    return s->tls ? tls_server_client_fault(s->tls->context, s->tls->ssl) : NULL;
}

bool stream_met_http(struct stream *s)
{
    if (!s->tls || !s->tls->speaks_http)
        return false;
    tls_stream_free(s->tls);
    s->tls = NULL;
    return true;
}

/* Most streams are never full: being told that they can be written to would be so many wake-ups. */
static bool wait_writable(struct stream *s)
{
    s->writable = false;
    if (s->asks_writable)
        return true;
    s->asks_writable = true;
    return watch_modify(s->loop, &s->watch, interest_of(s)) == WSP_OK;
}

/* Behind every call of the session: it may have answered the peer. */
static bool wait_pending(struct stream *s)
{
    return !stream_holds(s) || wait_writable(s);
}

enum wsp_err stream_handshake(struct stream *s)
{
    enum wsp_err err = s->tls ? tls_stream_handshake(s->tls, s->watch.fd) : WSP_OK;

    return !s->tls || wait_pending(s) ? err : WSP_ERR_REFUSED;
}

static ssize_t recv_secure(struct stream *s, void *out, size_t cap)
{
    ssize_t n = tls_stream_recv(s->tls, s->watch.fd, out, cap);

    s->readable = n != STREAM_ERROR && !s->tls->idle;
    return wait_pending(s) ? n : (ssize_t)STREAM_ERROR;
}

/* No edge tells of more: it is readable until the program has said that there is none. */
static ssize_t recv_by_calls(struct stream *s, void *out, size_t cap)
{
    ssize_t n = guest_recv(s->guest, out, cap);

    s->readable = n >= 0;
    if (n == STREAM_EOF)
        s->hangup = true;
    return n;
}

ssize_t stream_recv(struct stream *s, void *out, size_t cap)
{
    ssize_t n;

    if (s->tls)
        return recv_secure(s, out, cap);
    if (is_by_calls(s))
        return recv_by_calls(s, out, cap);
    do
        n = recv(s->watch.fd, out, cap, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        s->readable = false;
        return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_ERROR;
    }
    if ((size_t)n < cap && !s->hangup)
        s->readable = false; /* emptied: the next arrival is a new edge */
    return n;
}

static ssize_t send_secure(struct stream *s, const struct iovec *iov, int count)
{
    ssize_t n = tls_stream_send(s->tls, s->watch.fd, iov, count);

    if (n == STREAM_ERROR)
        s->writable = false;
    return n == STREAM_ERROR || wait_pending(s) ? n : (ssize_t)STREAM_ERROR;
}

ssize_t stream_send(struct stream *s, const struct iovec *iov, int count)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
    size_t total = 0;
    ssize_t n;

    if (s->tls)
        return send_secure(s, iov, count);
    for (int i = 0; i < count; i++)
        total += iov[i].iov_len;
    if (is_by_calls(s)) {
        n = guest_send(s->guest, iov, count);
        s->writable = n == (ssize_t)total;
        return n;
    }
    do
        n = sendmsg(s->watch.fd, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
        s->writable = false;
        return STREAM_ERROR;
    }
    if ((n < 0 || (size_t)n < total) && !wait_writable(s))
        return STREAM_ERROR;
    return n < 0 ? STREAM_AGAIN : n;
}

ssize_t stream_peek(struct stream *s)
{
    char byte;
    ssize_t n;

    if (s->tls) {
        n = tls_stream_peek(s->tls, s->watch.fd);
        return wait_pending(s) ? n : (ssize_t)STREAM_ERROR;
    }
    if (is_by_calls(s))
        return guest_peek(s->guest);
    do
        n = recv(s->watch.fd, &byte, 1, MSG_PEEK);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? STREAM_AGAIN : STREAM_ERROR;
    return n;
}

bool stream_holds(const struct stream *s)
{
    return s->tls && !s->tls->failed && tls_stream_pending(s->tls);
}

size_t stream_unacked(const struct stream *s)
{
    int n = 0;

    if (is_by_calls(s) || ioctl(s->watch.fd, SIOCOUTQ, &n) < 0 || n < 0)
        n = 0;
    return (size_t)n + (s->tls ? tls_stream_pending(s->tls) : 0);
}

/* How a connection that is not ours is set up is not our affair. */
static void set_option(struct stream *s, int level, int name, const void *value, socklen_t len)
{
    if (!is_by_calls(s))
        setsockopt(s->watch.fd, level, name, value, len);
}

void stream_quickack(struct stream *s)
{
    int one = 1;

    set_option(s, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
}

void stream_set_hard_end(struct stream *s, bool on)
{
    struct linger hard = {.l_onoff = on, .l_linger = 0};

    set_option(s, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

void stream_set_lowat(struct stream *s, unsigned bytes)
{
    set_option(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

/* The descriptor, out of the loop; -1 when there is none. */
static int release(struct stream *s, struct wsp_guest **guest)
{
    int fd = s->watch.fd;

    watch_stop(s->loop, &s->watch);
    s->readable = s->writable = false;
    *guest = s->guest;
    s->guest = NULL;
    return fd;
}

void stream_finish(struct stream *s)
{
    if (!stream_is_open(s))
        return;
    if (is_by_calls(s)) {
        guest_finish(s->guest);
        return;
    }
    if (!s->tls) {
        shutdown(s->watch.fd, SHUT_WR);
        return;
    }
    tls_stream_finish(s->tls, s->watch.fd);
    wait_pending(s);
}

int stream_release(struct stream *s)
{
    struct wsp_guest *nobody;

    stream_set_lowat(s, 0); /* the system's own */
    return release(s, &nobody);
}

/* Ends the session; what it has not sent yet goes to `rest`, the caller's. */
static void end_session(struct stream *s, struct buf *rest)
{
    buf_init(rest);
    if (!s->tls)
        return;
    if (stream_is_open(s))
        tls_stream_end(s->tls, s->watch.fd, rest);
    tls_stream_free(s->tls);
    s->tls = NULL;
}

void stream_close(struct stream *s)
{
    struct wsp_guest *guest;
    struct buf rest;
    int fd;

    end_session(s, &rest);
    fd = release(s, &guest);
    if (fd >= 0 && rest.len)
        linger_start(s->loop, fd, rest);
    else if (fd >= 0)
        close(fd);
    guest_end(guest, false);
}

void stream_reset(struct stream *s)
{
    struct wsp_guest *guest;
    int fd;

    if (stream_is_open(s))
        stream_set_hard_end(s, true);
    tls_stream_free(s->tls);
    s->tls = NULL;
    fd = release(s, &guest);
    if (fd >= 0)
        close(fd);
    guest_end(guest, true);
}

void stream_linger(struct stream *s)
{
    struct wsp_guest *guest;
    struct buf rest;
    int fd;

    end_session(s, &rest);
    fd = release(s, &guest);
    if (fd >= 0 && guest) {
        linger_start_lent(s->loop, fd, guest);
        return;
    }
    if (fd >= 0)
        linger_start(s->loop, fd, rest);
    if (guest) { /* what was sent is the program's to bring over */
        guest_finish(guest);
        guest_end(guest, false);
    }
}
