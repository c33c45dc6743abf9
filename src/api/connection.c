#include "wsp/connection.h"

#include <fcntl.h>
#include <unistd.h>

#include "api/head.h"
#include "api/server.h"
#include "net/guest.h"
#include "server/front.h"
#include "server/route.h"

enum wsp_match wsp_server_match(struct wsp_server *s, const struct wsp_request_head *head)
{
    enum wsp_match match = WSP_MATCH_NONE;
    struct http1_head parsed;
    struct route route;
    struct buf text;

    if (!server_is_usable(s) || !head)
        return WSP_MATCH_NONE;
    buf_init(&text);
    if (head_write(head, &text, &parsed) == WSP_OK) {
        route_find(&s->server, &parsed, &route);
        if (route.kind == ROUTE_LINK || route.kind == ROUTE_LINK_UPGRADE ||
            route.kind == ROUTE_MISTYPED)
            match = WSP_MATCH_LINK;
        else if (route.kind == ROUTE_SERVICE)
            match = WSP_MATCH_SERVICE;
    }
    buf_fini(&text);
    return match;
}

void wsp_guest_ready(struct wsp_guest *guest, unsigned events)
{
    if (guest)
        guest_ready(guest, events & WSP_READABLE, events & WSP_WRITABLE);
}

/* ---- taking a connection over */

/* A connection on its way into the server. */
struct arrival {
    int fd;                  /* owned; -1: there is none, or it is the stream's */
    struct stream stream;    /* once it is open */
    struct wsp_guest *guest; /* whose it is; NULL: the server's alone */
    struct address peer;     /* empty: not known */
    bool placed;             /* it has a place in the listener */
};

static bool is_by_calls(const struct wsp_connection *c)
{
    return c->recv || c->send;
}

/* Undoes what was done; the program is told by the error alone. */
static void turn_away(struct wsp_server *s, struct arrival *a)
{
    if (a->fd >= 0)
        close(a->fd);
    if (a->guest)
        guest_forget(a->guest);
    if (a->placed)
        listener_release(&s->server.listener);
}

static bool is_usable(const struct wsp_connection *c, struct wsp_guest **guest)
{
    if (!c->early && c->early_len)
        return false;
    if (is_by_calls(c))
        return c->recv && c->send && c->closed && guest && c->fd < 0;
    return c->fd >= 0;
}

static enum wsp_err find_peer(const struct wsp_connection *c, struct address *out)
{
    *out = (struct address){.len = 0};
    if (c->peer)
        return address_parse_text(slice_str(c->peer), out) ? WSP_OK : WSP_ERR_USAGE;
    if (c->fd < 0)
        return WSP_OK;
    out->len = sizeof(out->storage);
    return getpeername(c->fd, &out->sa, &out->len) == 0 ? WSP_OK : WSP_ERR_SYSTEM;
}

static enum wsp_err admit(struct wsp_server *s, const struct wsp_connection *c,
                          struct wsp_guest **guest, struct arrival *a)
{
    enum wsp_err err;

    if (!server_is_usable(s) || !is_usable(c, guest))
        return WSP_ERR_USAGE;
    err = find_peer(c, &a->peer);
    if (err != WSP_OK)
        return err;
    if (s->drains)
        return WSP_ERR_REFUSED;
    a->placed = listener_take(&s->server.listener);
    return a->placed ? WSP_OK : WSP_ERR_LIMIT;
}

/* The descriptor that will be the stream's own, if it has one. */
static enum wsp_err prepare_descriptor(const struct wsp_connection *c, struct arrival *a)
{
    int flags;

    if (is_by_calls(c))
        return WSP_OK;
    if (a->fd < 0)
        a->fd = fcntl(c->fd, F_DUPFD_CLOEXEC, 0);
    flags = fcntl(a->fd, F_GETFL);
    if (flags < 0 || fcntl(a->fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fcntl(a->fd, F_SETFD, FD_CLOEXEC) < 0)
        return WSP_ERR_SYSTEM;
    address_set_tcp_options(a->fd);
    return WSP_OK;
}

static enum wsp_err open_stream(struct wsp_server *s, const struct wsp_connection *c,
                                struct arrival *a)
{
    struct guest_calls calls = {
        .recv = c->recv, .send = c->send, .finish = c->finish, .closed = c->closed, .ctx = c->ctx};
    enum wsp_err err = prepare_descriptor(c, a);
    int fd = a->fd;

    if (err != WSP_OK)
        return err;
    if (c->closed) {
        a->guest = guest_new(s->loop, &s->guests, &calls);
        if (!a->guest)
            return WSP_ERR_NOMEM;
    }
    a->fd = -1;
    return a->guest ? stream_init_lent(&a->stream, a->guest, fd, NULL)
                    : stream_init(&a->stream, s->loop, fd, NULL);
}

/* With WSP_OK the stream is open and has its place; else all is as before, but for a descriptor
 * that was to be taken. */
static enum wsp_err arrive(struct wsp_server *s, const struct wsp_connection *c,
                           struct wsp_guest **guest, struct arrival *a)
{
    enum wsp_err err;

    *a = (struct arrival){.fd = c->closed || is_by_calls(c) ? -1 : c->fd};
    err = admit(s, c, guest, a);
    if (err == WSP_OK)
        err = open_stream(s, c, a);
    if (err != WSP_OK)
        turn_away(s, a);
    return err;
}

/* The handle is for those who have calls. */
static void lend_handle(struct wsp_guest **guest, const struct arrival *a)
{
    if (guest)
        *guest = a->guest && a->guest->by_calls ? a->guest : NULL;
}

/* Head and all that was read behind it, into `out`. */
static enum wsp_err collect(const struct wsp_request_head *head, const struct wsp_connection *c,
                            struct buf *out)
{
    struct slice early = slice_of(c->early, c->early_len);
    struct http1_head parsed;
    enum wsp_err err;

    if (!early.p && early.len)
        return WSP_ERR_USAGE;
    if (!head) {
        err = http1_request_parse(&early, &parsed);
        if (err != WSP_OK && err != WSP_ERR_MORE)
            return err;
    } else {
        err = head_write(head, out, &parsed);
        if (err != WSP_OK)
            return err;
    }
    return buf_append(out, c->early, c->early_len);
}

static enum wsp_err start_front(struct wsp_server *s, const struct wsp_connection *c,
                                struct slice early, struct wsp_guest **guest)
{
    struct arrival a;
    enum wsp_err err = arrive(s, c, guest, &a);
    struct front_start start = {.stream = &a.stream, .early = early, .secure = c->is_secure};

    if (err != WSP_OK)
        return err;
    start.peer = a.peer;
    err = front_start(&s->server, &start);
    if (err == WSP_OK)
        lend_handle(guest, &a);
    else
        turn_away(s, &a);
    return err;
}

/* It cannot be taken over: a descriptor that was given away is closed all the same. */
static void drop(const struct wsp_connection *c)
{
    if (c->fd >= 0 && !c->closed && !is_by_calls(c))
        close(c->fd);
}

enum wsp_err wsp_server_take(struct wsp_server *s, const struct wsp_request_head *head,
                             const struct wsp_connection *c, struct wsp_guest **guest)
{
    struct buf early;
    enum wsp_err err;

    if (!c)
        return WSP_ERR_USAGE;
    buf_init(&early);
    err = collect(head, c, &early);
    if (err == WSP_OK)
        err = start_front(s, c, buf_slice(&early), guest);
    else
        drop(c);
    buf_fini(&early);
    return err;
}

enum wsp_err wsp_server_take_upgraded(struct wsp_server *s, const struct wsp_upgrade *upgrade,
                                      const struct wsp_connection *c, struct wsp_guest **guest)
{
    struct peer_start start = {.early = {.len = 0}};
    struct arrival a;
    enum wsp_err err;

    if (!c)
        return WSP_ERR_USAGE;
    if (!upgrade || upgrade->status != 101 || upgrade->dialect > LINK_WSP_1_AWAITED) {
        drop(c);
        return WSP_ERR_USAGE;
    }
    if (server_is_usable(s) && s->server.peer_count >= (size_t)s->config.max_links) {
        drop(c);
        return WSP_ERR_LIMIT;
    }
    err = arrive(s, c, guest, &a);
    if (err != WSP_OK)
        return err;
    start.stream = &a.stream;
    start.early = slice_of(c->early, c->early_len);
    start.dialect = (enum link_dialect)upgrade->dialect;
    start.address = &a.peer;
    err = peer_start(&s->server, &start);
    if (err == WSP_OK) {
        lend_handle(guest, &a);
    } else {
        a.placed = false;
        turn_away(s, &a);
    }
    return err;
}
