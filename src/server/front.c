#include "server/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/handshake.h"
#include "server/peer.h"

/* Takes it off the server; the stream and the place in the listener go where the caller says. */
static void front_forget(struct front *f)
{
    list_remove(&f->node);
    timer_clear(f->server->loop, &f->timer);
    head_reader_fini(&f->reader);
    free(f);
}

void front_free(struct front *f)
{
    stream_close(&f->stream);
    listener_release(&f->server->listener);
    front_forget(f);
}

static void answer(struct front *f, const struct handshake_verdict *v)
{
    char out[1024];
    size_t len;
    struct iovec iov = {out, 0};

    if (handshake_refusal_write(v, out, sizeof(out), &len) == WSP_OK) {
        iov.iov_len = f->no_body ? len - strlen(v->body) : len;
        stream_send(&f->stream, &iov, 1); /* a fresh connection has room for it */
    }
    stream_linger(&f->stream);
    front_free(f);
}

static void refuse(struct front *f, unsigned status, const char *text)
{
    struct handshake_verdict v = {.status = status, .extra = ""};

    snprintf(v.body, sizeof(v.body), "%s\n", text);
    answer(f, &v);
}

static void log_refusal(struct front *f, const struct handshake_verdict *v)
{
    char address[ADDRESS_TEXT_MAX];
    struct server *s = f->server;

    if (!log_limit_ok(&s->noise, loop_now(s->loop)))
        return;
    address_text(&f->peer, address);
    log_info(loop_log(s->loop), "front %s: link refused with %u: %.*s", address, v->status,
             (int)strcspn(v->body, "\n"), v->body);
}

/* The request becomes a link: 101, then the stream is the link's. */
static void upgrade(struct front *f, const struct handshake_verdict *v, struct slice behind)
{
    struct server *s = f->server;
    char out[512];
    size_t len;
    struct iovec iov = {out, 0};

    if (handshake_accept_write(v, false, out, sizeof(out), &len) != WSP_OK) {
        front_free(f);
        return;
    }
    iov.iov_len = len;
    if (stream_send(&f->stream, &iov, 1) != (ssize_t)len) {
        front_free(f);
        return;
    }
    peer_start(s, stream_release(&f->stream), behind, &f->peer);
    front_forget(f);
}

static void on_link_path(struct front *f, const struct http1_head *head, struct slice behind)
{
    struct server *s = f->server;
    const char *auth = s->config->auth ? s->config->auth : "";
    struct handshake_verdict v;

    handshake_check(head, slice_str(auth), &v);
    if (v.status == 101 && s->peer_count >= (size_t)s->config->max_links)
        v = (struct handshake_verdict){
            .status = 503, .extra = "Retry-After: 30\r\n", .body = "too many links\n"};
    if (v.status == 101) {
        upgrade(f, &v, behind);
    } else {
        log_refusal(f, &v);
        answer(f, &v);
    }
}

static void route(struct front *f, const struct http1_head *head, struct slice behind)
{
    struct slice path = head->target;
    struct http1_body body;
    const uint8_t *query = memchr(path.p, '?', path.len);

    f->no_body = slice_eq_str(head->method, "HEAD");
    if (query)
        path.len = (size_t)(query - path.p);
    if (http1_request_body(head, &body) != WSP_OK)
        refuse(f, 400, "bad message framing");
    else if (slice_eq_str(path, f->server->config->path))
        on_link_path(f, head, behind);
    else
        refuse(f, 404, "not found");
}

static void on_event(struct stream *stream)
{
    struct front *f = container_of(stream, struct front, stream);
    struct http1_head head;
    size_t head_len;
    struct slice behind;

    switch (head_reader_request(&f->reader, stream, &head, &head_len)) {
    case WSP_OK:
        behind = buf_slice(&f->reader.in);
        slice_advance(&behind, head_len);
        route(f, &head, behind);
        break;
    case WSP_ERR_MORE:
        break;
    case WSP_ERR_MALFORMED:
        refuse(f, 400, "bad request");
        break;
    case WSP_ERR_LIMIT:
        refuse(f, 431, "request head too large");
        break;
    default:
        front_free(f);
    }
}

static void on_timeout(struct timer *t)
{
    struct front *f = container_of(t, struct front, timer);

    if (f->reader.in.len)
        refuse(f, 408, "request head not finished in time");
    else
        front_free(f);
}

void front_accept(struct server *s, int fd, const struct address *peer)
{
    struct front *f = calloc(1, sizeof(*f));

    if (!f) {
        close(fd);
        listener_release(&s->listener);
        return;
    }
    f->server = s;
    f->peer = *peer;
    f->timer.fire = on_timeout;
    list_push(&s->fronts, &f->node);
    if (stream_init(&f->stream, s->loop, fd, on_event) != WSP_OK ||
        timer_set(s->loop, &f->timer, loop_now(s->loop) + s->config->time.handshake_us) != WSP_OK)
        front_free(f);
}
