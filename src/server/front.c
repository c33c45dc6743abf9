#include "server/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/link_request.h"
#include "server/reverse.h"
#include "server/route.h"
#include "server/visitor.h"
#include "server/ws_wrap.h"

static struct front *front_of_conn(struct http_conn *c)
{
    return container_of(c, struct front, conn);
}

static void on_service_end(struct service_user *u, bool gently)
{
    (void)gently;
    front_use(container_of(u, struct front, user), NULL);
}

void front_use(struct front *f, struct service *service)
{
    list_remove(&f->user.node);
    f->service = service;
    if (service)
        list_push(&service->users, &f->user.node);
}

size_t front_proxy_header(struct front *f, enum proxy_version version, uint8_t out[PROXY_WRITE_MAX])
{
    struct proxy_header h;

    if (version == PROXY_NONE)
        return 0;
    if (f->local.len == 0) {
        f->local.len = sizeof(f->local.storage);
        getsockname(f->conn.stream.watch.fd, &f->local.sa, &f->local.len);
    }
    h.known = address_ip_port(&f->visitor, &h.from);
    address_ip_port(&f->local, &h.to); /* over a unix socket: to 0.0.0.0, but by him all the same */
    return proxy_header_write(&h, version, out);
}

void front_left(struct front *f)
{
    struct server *s = f->server;

    reverse_leave(f);
    front_use(f, NULL);
    http_conn_fini(&f->conn);
    list_remove(&f->node);
    free(f);
    server_use_ended(s);
}

void front_free(struct front *f)
{
    listener_release(&f->server->listener);
    front_left(f);
}

static void on_end(struct http_conn *c)
{
    front_free(front_of_conn(c));
}

/* The request becomes a link: 101, then the stream is the link's. */
static void upgrade(struct front *f, const struct handshake_verdict *v, struct slice behind)
{
    char out[512];
    bool wsp_1 = link_request_selects_wsp_1(f->server, v);
    struct peer_start start = {
        .early = behind, .dialect = link_request_dialect(f->server, v), .address = &f->visitor};
    struct iovec iov = {out, 0};
    size_t len;

    if (handshake_accept_write(v, wsp_1, out, sizeof(out), &len) != WSP_OK) {
        front_free(f);
        return;
    }
    iov.iov_len = len;
    if (stream_send(&f->conn.stream, &iov, 1) != (ssize_t)len) {
        front_free(f);
        return;
    }
    start.stream = &f->conn.stream;
    peer_start(f->server, &start);
    front_left(f);
}

static void on_link_request(struct front *f, const struct http1_head *head, struct slice behind)
{
    struct handshake_verdict v;

    link_request_check(f->server, head, link_request_fault(f->server, &f->conn.stream), &v);
    if (v.status == 101) {
        upgrade(f, &v, behind);
        return;
    }
    link_request_refused(f->server, &f->visitor, &v);
    v.body[strcspn(v.body, "\n")] = '\0';
    http_conn_refuse(&f->conn, v.status, v.extra, v.body);
}

/* What nobody here wants: the program that we are in may. */
static void fall_back(struct front *f, const struct http1_head *head, struct slice behind)
{
    if (f->server->fallback)
        f->server->fallback(f, head, behind);
    else
        http_conn_refuse(&f->conn, 404, "", "not found");
}

static void to_service(struct front *f, const struct http1_head *head, struct slice behind,
                       const struct route *r)
{
    if (!f->service->instance)
        http_conn_refuse(&f->conn, 503, "Retry-After: 5\r\n",
                         "the service is offline: its client is not connected");
    else if (f->service->kind != SERVICE_TCP)
        reverse_request(f, head, r->rest, r->query);
    else if (ws_wrap_request(f, head, behind))
        front_left(f);
}

static void on_request(struct http_conn *c, const struct http1_head *head, struct slice behind)
{
    struct front *f = front_of_conn(c);
    struct route r;

    route_find(f->server, head, &r);
    front_use(f, r.service);
    if (f->by_proxy)
        f->visitor = visitor_of_request(&f->server->config->proxies, &f->peer, head);
    switch (r.kind) {
    case ROUTE_LINK:
    case ROUTE_LINK_UPGRADE:
        on_link_request(f, head, behind);
        break;
    case ROUTE_LINK_PATH:
        if (f->server->fallback)
            fall_back(f, head, behind);
        else
            on_link_request(f, head, behind);
        break;
    case ROUTE_SERVICE:
        to_service(f, head, behind, &r);
        break;
    case ROUTE_CONNECT:
        http_conn_refuse(c, 405, "Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n",
                         "this is not a forward proxy");
        break;
    case ROUTE_WRONG:
        http_conn_refuse(c, 400, "", r.wrong);
        break;
    case ROUTE_MISTYPED:
        http_conn_refuse(c, 404, "", "not found");
        break;
    case ROUTE_NONE:
        fall_back(f, head, behind);
        break;
    }
}

static void on_broken(struct http_conn *c, const char *why)
{
    struct front *f = front_of_conn(c);
    char address[ADDRESS_TEXT_MAX];

    if (!log_limit_ok(&f->server->noise, loop_now(f->server->loop)))
        return;
    address_text(&f->peer, address);
    log_info(loop_log(f->server->loop), "front %s: %s", address, why);
}

static const struct http_conn_ops ops = {
    .on_request = on_request,
    .on_broken = on_broken,
    .upstream = reverse_upstream,
    .on_failed = reverse_failed,
    .spare = reverse_spare,
    .on_end = on_end,
};

/* What comes from here is the work of many, or of nobody from outside. */
static bool is_exempt(const struct server *s, const struct address *peer)
{
    return address_is_loopback(peer) || visitor_is_proxy(&s->config->proxies, peer);
}

static bool too_many_of(struct server *s, const struct address *peer)
{
    char text[ADDRESS_TEXT_MAX];

    if (is_exempt(s, peer) || rate_table_take(&s->rate, peer, loop_now(s->loop)))
        return false;
    s->connections_refused++;
    if (log_limit_ok(&s->flood, loop_now(s->loop))) {
        address_text(peer, text);
        log_info(loop_log(s->loop),
                 "front %s: closed: more than %ld connections a second from its address (%u others "
                 "since the last such line)",
                 text, s->config->max_rate, s->flood.dropped);
        s->flood.dropped = 0;
    }
    return true;
}

static struct front *front_new(struct server *s, const struct address *peer,
                               const struct address *local)
{
    struct front *f = calloc(1, sizeof(*f));

    if (!f)
        return NULL;
    f->server = s;
    f->peer = f->visitor = *peer;
    f->by_proxy = visitor_is_proxy(&s->config->proxies, peer);
    f->local = *local;
    f->user.end = on_service_end;
    list_init(&f->user.node);
    f->conn.head_us = s->config->time.handshake_us;
    f->conn.open_us = s->config->time.open_us;
    return f;
}

void front_accept(struct server *s, int fd, const struct address *peer, const struct address *local)
{
    struct front *f = too_many_of(s, peer) ? NULL : front_new(s, peer, local);

    if (!f) {
        close(fd);
        listener_release(&s->listener);
        return;
    }
    if (http_conn_start(&f->conn, s->loop, fd, &ops) != WSP_OK) {
        listener_release(&s->listener);
        free(f);
        return;
    }
    list_push(&s->fronts, &f->node);
    f->secure = s->certificates.tls != NULL;
    if (f->secure && stream_secure(&f->conn.stream, s->certificates.tls, NULL) != WSP_OK)
        front_free(f);
}

enum wsp_err front_start(struct server *s, const struct front_start *with)
{
    struct address unasked = {.len = 0};
    struct front *f = front_new(s, &with->peer, &unasked);
    enum wsp_err err;

    if (!f) {
        stream_close(with->stream);
        return WSP_ERR_NOMEM;
    }
    f->secure = with->secure;
    f->conn.last = true; /* the program has judged this request alone */
    err = http_conn_start_on(&f->conn, with->stream, with->early, &ops);
    if (err == WSP_OK)
        list_push(&s->fronts, &f->node);
    else
        free(f);
    return err;
}

void fronts_drain(struct server *s)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->fronts) {
        http_conn_drain(&front_of(node)->conn);
    }
}
