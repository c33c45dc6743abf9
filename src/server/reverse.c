#include "server/reverse.h"

#include <stdio.h>

#include "http/rewrite.h"
#include "server/service_tls.h"

enum {
    POOL_IDLE_US = 60000000, /* a channel to a service is kept so long without a request */
    POOL_MAX = 64,           /* idle channels of one service */
    CHAIN_MAX = 2 * ADDRESS_TEXT_MAX + 2,
};

static struct front *front_of_conn(struct http_conn *c)
{
    return container_of(c, struct front, conn);
}

/* An upgrade that can be passed on: HTTP/2 cannot, its connection would not be ours to read. */
static bool wants_upgrade(const struct http1_head *head)
{
    return head->minor == 1 && http1_has_token(head, "Connection", "upgrade") &&
           http1_count(head, "Upgrade") == 1 && !http1_has_token(head, "Upgrade", "h2c") &&
           !http1_has_token(head, "Upgrade", "h2");
}

/* What is appended to X-Forwarded-For: whose connection it is. When there is nothing to append to,
 * the visitor that X-Real-IP names stands before that. */
static void chain_text(const struct front *f, const struct http1_head *head, char out[CHAIN_MAX])
{
    bool starts = f->by_proxy && !http1_find(head, "X-Forwarded-For");
    char visitor[ADDRESS_TEXT_MAX], peer[ADDRESS_TEXT_MAX];

    address_host_text(&f->visitor, visitor);
    address_host_text(&f->peer, peer);
    if (starts && strcmp(visitor, peer) != 0)
        snprintf(out, CHAIN_MAX, "%s, %s", visitor, peer);
    else
        snprintf(out, CHAIN_MAX, "%s", peer);
}

void reverse_request(struct front *f, const struct http1_head *head, struct slice rest,
                     struct slice query)
{
    const struct service *s = f->service;
    const struct http1_header *host = http1_find(head, "Host");
    char chain[CHAIN_MAX];
    struct http_rewrite r = {.target = {s->base, rest, query},
                             .proto = f->secure ? "https" : "http",
                             .believed = f->by_proxy};

    if (s->base.len && (http1_has_dot_segment(rest) || slice_eq_str(rest, "*"))) {
        http_conn_refuse(&f->conn, 400, "", "this target would leave the base path");
        return;
    }
    if (rest.len == 0 && (s->base_slash || s->base.len == 0))
        r.target[1] = slice_str("/");
    chain_text(f, head, chain);
    r.forwarded_for = slice_str(chain);
    if (host)
        r.public_host = host->value;
    r.keep_upgrade = f->conn.upgrade_asked = wants_upgrade(head);
    if (http_rewrite_request(head, &r, &f->conn.request_head) != WSP_OK) {
        http_conn_refuse(&f->conn, 503, "", "out of memory");
        return;
    }
    http_conn_exchange(&f->conn);
}

static struct upstream *new_upstream(struct service *s, struct http_conn *c, struct slice lead)
{
    struct tls_context *context;
    char host[256];

    if (s->kind != SERVICE_HTTPS)
        return upstream_new(c->stream.loop, &c->user, lead);
    context = service_tls(s);
    if (!context || s->host.len >= sizeof(host))
        return NULL;
    memcpy(host, s->host.p, s->host.len);
    host[s->host.len] = '\0';
    return upstream_new_tls(c->stream.loop, &c->user, lead, context, host);
}

/* Where the service is told the visitor's address, a connection to it serves him alone. */
struct upstream *reverse_upstream(struct http_conn *c, enum upstream_choice choice,
                                  enum failure *why)
{
    struct front *f = front_of_conn(c);
    struct service *s = f->service;
    uint8_t header[PROXY_WRITE_MAX];
    struct slice lead;
    struct upstream *u;
    enum wsp_err err;

    *why = FAILURE_NO_LINK;
    if (!s)
        return NULL;
    lead = slice_of(header, front_proxy_header(f, s->proxy, header));
    u = upstream_take(&s->pool, choice, lead, &c->user);
    if (u)
        return u;
    u = new_upstream(s, c, lead);
    if (!u) {
        *why = FAILURE_GENERAL;
        return NULL;
    }
    err = service_open(s, upstream_chan(u));
    if (err == WSP_OK)
        return u;
    *why = err == WSP_ERR_REFUSED ? FAILURE_NO_LINK : FAILURE_GENERAL;
    upstream_free(u);
    return NULL;
}

void reverse_failed(struct http_conn *c, struct slice text)
{
    struct front *f = front_of_conn(c);
    struct server *s = f->server;

    if (f->service && log_limit_ok(&s->noise, loop_now(s->loop)))
        log_info(loop_log(s->loop), "service %.*s: %.*s", SLICE_FMT(f->service->name),
                 SLICE_FMT(text));
}

void reverse_spare(struct http_conn *c, struct upstream *u)
{
    struct service *s = front_of_conn(c)->service;
    size_t idle = 0;

    if (!s) {
        upstream_free(u);
        return;
    }
    for (struct list *n = s->pool.next; n != &s->pool; n = n->next)
        idle++;
    if (idle >= POOL_MAX)
        upstream_free(container_of(s->pool.next, struct upstream, node));
    upstream_park(u, &s->pool, POOL_IDLE_US);
}

void reverse_leave(struct front *f)
{
    struct service *s = f->service;
    uint8_t header[PROXY_WRITE_MAX];

    if (s && s->proxy != PROXY_NONE && f->local.len)
        upstream_free_led(&s->pool, slice_of(header, front_proxy_header(f, s->proxy, header)));
}
