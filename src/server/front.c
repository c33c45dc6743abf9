#include "server/front.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/handshake.h"
#include "server/reverse.h"
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

/* All but the place in the listener. */
static void forget(struct front *f)
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
    forget(f);
}

static void on_end(struct http_conn *c)
{
    front_free(front_of_conn(c));
}

static void log_refusal(struct front *f, const struct handshake_verdict *v)
{
    char address[ADDRESS_TEXT_MAX];
    struct server *s = f->server;

    if (!log_limit_ok(&s->noise, loop_now(s->loop)))
        return;
    address_text(&f->visitor, address);
    log_info(loop_log(s->loop), "front %s: link refused with %u: %.*s", address, v->status,
             (int)strcspn(v->body, "\n"), v->body);
}

static enum link_dialect link_dialect_of(const struct server *s, bool selected)
{
    if (!selected)
        return LINK_0_10;
    return s->config->dialect == CONFIG_DIALECT_WSP_1 ? LINK_WSP_1_AWAITED : LINK_EITHER;
}

/* The request becomes a link: 101, then the stream is the link's. */
static void upgrade(struct front *f, const struct handshake_verdict *v, struct slice behind)
{
    char out[512];
    bool wsp_1 = v->offered_wsp_1 && f->server->config->dialect != CONFIG_DIALECT_0_10;
    struct peer_start start = {
        .early = behind, .dialect = link_dialect_of(f->server, wsp_1), .address = &f->visitor};
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
    forget(f);
}

/* Whoever visits services needs none; a link does, where links are asked for certificates. */
static void check_certificate(const struct front *f, struct handshake_verdict *v)
{
    const char *fault = stream_peer_fault(&f->conn.stream);

    if (!fault)
        return;
    *v = (struct handshake_verdict){.status = 403, .extra = ""};
    snprintf(v->body, sizeof(v->body), "client certificate: %s\n", fault);
}

static void on_link_request(struct front *f, const struct http1_head *head, struct slice behind)
{
    struct server *s = f->server;
    const char *auth = s->config->auth ? s->config->auth : "";
    struct handshake_verdict v;

    handshake_check(head, slice_str(auth), &v);
    if (v.status == 101)
        check_certificate(f, &v);
    if (v.status == 101 && s->peer_count >= (size_t)s->config->max_links)
        v = (struct handshake_verdict){
            .status = 503, .extra = "Retry-After: 30\r\n", .body = "too many links\n"};
    if (v.status == 101 && s->config->dialect == CONFIG_DIALECT_WSP_1 && !v.offered_wsp_1)
        v = (struct handshake_verdict){
            .status = 400, .extra = "", .body = "this server needs dialect wsp.1\n"};
    if (v.status == 101) {
        upgrade(f, &v, behind);
        return;
    }
    s->links_refused++;
    log_refusal(f, &v);
    v.body[strcspn(v.body, "\n")] = '\0';
    http_conn_refuse(&f->conn, v.status, v.extra, v.body);
}

/* A request in one of the forms of RFC 9112 section 3.2, taken apart. */
struct destination {
    struct slice host; /* without port */
    struct slice path;
    struct slice query; /* with its '?', or empty */
    struct slice rest;  /* of the path, behind the service's part */
};

static struct slice cut_query(struct slice *target)
{
    const uint8_t *mark = memchr(target->p, '?', target->len);
    struct slice query = slice_of(NULL, 0);

    if (mark) {
        query = slice_of(mark, target->len - (size_t)(mark - target->p));
        target->len -= query.len;
    }
    return query;
}

/* Empty is allowed (RFC 9110 section 7.2), and so is a colon without a port. */
static bool parse_host(struct slice value, struct slice *host)
{
    int port;

    if (value.len > 1 && value.p[value.len - 1] == ':')
        value.len--;
    return value.len == 0 || http1_authority_parse(value, host, &port) == WSP_OK;
}

/* Host and target must agree on where the request goes; NULL when they do. */
static const char *take_apart(const struct http1_head *head, struct destination *d)
{
    const struct http1_header *host = http1_find(head, "Host");
    struct slice scheme, authority;

    *d = (struct destination){.path = head->target};
    if (http1_count(head, "Host") > 1 || (!host && head->minor == 1))
        return "exactly one Host field is needed";
    if (host && !parse_host(host->value, &d->host))
        return "bad Host";
    if (http1_absolute_split(head->target, &scheme, &authority, &d->path) == WSP_OK) {
        if (!host || !slice_eq_nocase(authority, host->value))
            return "Host differs from the request target";
    } else if (head->target.p[0] != '/' && !slice_eq_str(head->target, "*")) {
        return "bad request target";
    }
    d->query = cut_query(&d->path);
    return NULL;
}

static bool is_link_shaped(const struct http1_head *head)
{
    return http1_has_token(head, "Upgrade", "websocket") &&
           (http1_find(head, "Proto") || http1_has_token(head, "Sec-WebSocket-Protocol", "wsp.1"));
}

static void to_service(struct front *f, const struct http1_head *head, struct slice behind,
                       const struct destination *d)
{
    if (!f->service->instance)
        http_conn_refuse(&f->conn, 503, "Retry-After: 5\r\n",
                         "the service is offline: its client is not connected");
    else if (f->service->kind != SERVICE_TCP)
        reverse_request(f, head, d->rest, d->query);
    else if (ws_wrap_request(f, head, behind))
        forget(f);
}

static bool find_service(struct front *f, struct destination *d)
{
    front_use(f, service_find(f->server, d->host, d->path, &d->rest));
    return f->service != NULL;
}

/* A link is a link whatever its Host; then come domains, paths, and the link's path again for what
 * only looks like a link. */
static void on_request(struct http_conn *c, const struct http1_head *head, struct slice behind)
{
    struct front *f = front_of_conn(c);
    struct destination d;
    const char *wrong = take_apart(head, &d);
    bool on_link_path = slice_eq_str(d.path, f->server->config->path);

    front_use(f, NULL);
    if (f->by_proxy)
        f->visitor = visitor_of_request(&f->server->config->proxies, &f->peer, head);
    if (on_link_path && is_link_shaped(head)) {
        on_link_request(f, head, behind);
    } else if (is_link_shaped(head) && http1_find(head, "Auth")) {
        /* a mistyped path must not show the server's secret to somebody's service */
        http_conn_refuse(c, 404, "", "not found");
    } else if (slice_eq_str(head->method, "CONNECT")) {
        http_conn_refuse(c, 405, "Allow: GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS\r\n",
                         "this is not a forward proxy");
    } else if (wrong) {
        http_conn_refuse(c, 400, "", wrong);
    } else if (find_service(f, &d)) {
        to_service(f, head, behind, &d);
    } else if (on_link_path) {
        on_link_request(f, head, behind);
    } else {
        http_conn_refuse(c, 404, "", "not found");
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

void front_accept(struct server *s, int fd, const struct address *peer, const struct address *local)
{
    struct front *f = too_many_of(s, peer) ? NULL : calloc(1, sizeof(*f));

    if (!f) {
        close(fd);
        listener_release(&s->listener);
        return;
    }
    f->server = s;
    f->peer = f->visitor = *peer;
    f->by_proxy = visitor_is_proxy(&s->config->proxies, peer);
    f->local = *local;
    f->user.end = on_service_end;
    list_init(&f->user.node);
    f->conn.head_us = s->config->time.handshake_us;
    f->conn.open_us = s->config->time.open_us;
    if (http_conn_start(&f->conn, s->loop, fd, &ops) != WSP_OK) {
        listener_release(&s->listener);
        free(f);
        return;
    }
    list_push(&s->fronts, &f->node);
    if (s->certificates.tls && stream_secure(&f->conn.stream, s->certificates.tls, NULL) != WSP_OK)
        front_free(f);
}

void fronts_drain(struct server *s)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->fronts) {
        http_conn_drain(&front_of(node)->conn);
    }
}
