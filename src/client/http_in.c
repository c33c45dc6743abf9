#include "client/http_in.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/proxy_listener.h"
#include "client/tunnel.h"
#include "http/conn.h"
#include "http/rewrite.h"
#include "proto/handshake.h"

enum { ORIGIN_IDLE_US = 30000000 }; /* a channel to an origin is kept so long without a request */

struct http_in {
    struct http_conn conn;
    struct session_user user;
    struct proxy_listener *listener;
    struct list spare; /* the channel to `host`, while no request is under way */
    char host[SOCKS5_HOST_MAX];
    unsigned port;
};

static struct http_in *in_of(struct http_conn *c)
{
    return container_of(c, struct http_in, conn);
}

static struct session *session_of(const struct http_in *in)
{
    return in->listener->session;
}

static void drop_spare(struct http_in *in)
{
    struct list *node;

    while ((node = list_shift(&in->spare)))
        upstream_free(container_of(node, struct upstream, node));
}

/* Without the place in the listener. */
static void forget(struct http_in *in)
{
    http_conn_fini(&in->conn);
    drop_spare(in);
    session_leave(&in->user);
    free(in);
}

static void on_end(struct http_conn *c)
{
    struct http_in *in = in_of(c);

    proxy_listener_release(in->listener);
    forget(in);
}

static void on_session_end(struct session_user *u)
{
    on_end(&container_of(u, struct http_in, user)->conn);
}

static void on_session_drain(struct session_user *u)
{
    http_conn_drain(&container_of(u, struct http_in, user)->conn);
}

/* Basic credentials (RFC 7617 section 2), compared in constant time. */
static bool authorized(const struct http_in *in, const struct http1_head *head)
{
    const struct wspc_client *config = session_of(in)->config;
    const struct http1_header *h = http1_find(head, "Proxy-Authorization");
    char plain[1024], expected[2048];
    struct slice given;
    int n;

    if (!config->dynamic_user)
        return true;
    if (!h || http1_count(head, "Proxy-Authorization") != 1 || h->value.len < 6 ||
        !slice_eq_nocase(slice_of(h->value.p, 6), slice_str("Basic ")))
        return false;
    n = snprintf(plain, sizeof(plain), "%s:%s", config->dynamic_user, config->dynamic_password);
    if (n < 0 || (size_t)n >= sizeof(plain))
        return false;
    EVP_EncodeBlock((unsigned char *)expected, (const unsigned char *)plain, n);
    given = slice_trim(slice_of(h->value.p + 6, h->value.len - 6));
    return slice_eq_secret(given, slice_str(expected));
}

static size_t word_connect_answer(enum failure f, struct slice bound,
                                  uint8_t out[TUNNEL_ANSWER_MAX])
{
    struct handshake_verdict v = {.status = failure_http_status(f), .extra = ""};
    size_t len;

    (void)bound;
    if (f == FAILURE_NONE)
        return (size_t)snprintf((char *)out, TUNNEL_ANSWER_MAX,
                                "HTTP/1.1 200 Connection established\r\n\r\n");
    snprintf(v.body, sizeof(v.body), "%s\n", failure_text(f));
    if (handshake_refusal_write(&v, (char *)out, TUNNEL_ANSWER_MAX, &len) != WSP_OK)
        return 0;
    return len;
}

static void on_connect_request(struct http_in *in, const struct http1_head *head,
                               struct slice behind)
{
    struct slice host;
    int port;
    struct tunnel_start start = {.session = session_of(in),
                                 .owner = &in->listener->owner,
                                 .stream = &in->conn.stream,
                                 .early = behind,
                                 .answer = word_connect_answer};

    if (http1_authority_parse(head->target, &host, &port) != WSP_OK || port <= 0) {
        http_conn_refuse(&in->conn, 400, "", "CONNECT needs host:port");
        return;
    }
    start.to = proxy_listener_target(in->listener, "http", host, (unsigned)port);
    tunnel_open(&start);
    forget(in);
}

struct target {
    struct slice authority, host, path;
    int port;
};

/* Splits the target and checks what a proxy has to check; NULL when it is fine. */
static const char *split(const struct http1_head *head, struct target *t)
{
    struct slice scheme;

    if (http1_absolute_split(head->target, &scheme, &t->authority, &t->path) != WSP_OK)
        return "this is a proxy: the request target must be a whole URL";
    if (!slice_eq_nocase(scheme, slice_str("http")))
        return "only http:// targets; use CONNECT for others";
    if (http1_authority_parse(t->authority, &t->host, &t->port) != WSP_OK || t->port == 0 ||
        t->host.len >= SOCKS5_HOST_MAX)
        return "bad authority in the request target";
    if (http1_count(head, "Host") > 1)
        return "more than one Host field";
    return NULL;
}

/* A spare channel is of use for the same origin only. */
static void set_origin(struct http_in *in, const struct target *t)
{
    unsigned port = t->port < 0 ? 80 : (unsigned)t->port;

    if (port == in->port && slice_eq_nocase(t->host, slice_str(in->host)))
        return;
    drop_spare(in);
    memcpy(in->host, t->host.p, t->host.len);
    in->host[t->host.len] = '\0';
    in->port = port;
}

static void on_plain_request(struct http_in *in, const struct http1_head *head)
{
    struct target t;
    const char *wrong = split(head, &t);
    struct http_rewrite r;

    if (wrong) {
        http_conn_refuse(&in->conn, 400, "", wrong);
        return;
    }
    r = http_rewrite_for_origin(head, t.authority, t.path);
    if (http_rewrite_request(head, &r, &in->conn.request_head) != WSP_OK) {
        http_conn_refuse(&in->conn, 503, "", "out of memory");
        return;
    }
    set_origin(in, &t);
    http_conn_exchange(&in->conn);
}

static void on_request(struct http_conn *c, const struct http1_head *head, struct slice behind)
{
    struct http_in *in = in_of(c);

    if (!authorized(in, head))
        http_conn_refuse(c, 407, "Proxy-Authenticate: Basic realm=\"wsp\"\r\n",
                         "proxy credentials required");
    else if (slice_eq_str(head->method, "CONNECT"))
        on_connect_request(in, head, behind);
    else
        on_plain_request(in, head);
}

static struct upstream *on_upstream(struct http_conn *c, enum upstream_choice choice,
                                    enum failure *why)
{
    struct http_in *in = in_of(c);
    const struct slice none = {NULL, 0};
    struct session_target to =
        proxy_listener_target(in->listener, "http", slice_str(in->host), in->port);
    struct upstream *u;
    enum wsp_err err;

    u = upstream_take(&in->spare, choice, none, &c->user);
    if (u)
        return u;
    drop_spare(in);
    u = upstream_new(c->stream.loop, &c->user, none);
    if (!u)
        return NULL;
    err = session_open(session_of(in), upstream_chan(u), &to);
    if (err == WSP_OK)
        return u;
    *why = err == WSP_ERR_REFUSED ? FAILURE_NO_LINK : FAILURE_GENERAL;
    upstream_free(u);
    return NULL;
}

static void on_spare(struct http_conn *c, struct upstream *u)
{
    upstream_park(u, &in_of(c)->spare, ORIGIN_IDLE_US);
}

static const struct http_conn_ops ops = {
    .on_request = on_request,
    .upstream = on_upstream,
    .spare = on_spare,
    .on_end = on_end,
};

void http_in_accept(struct proxy_listener *p, int fd)
{
    const struct config_time *time = &p->session->client->config->time;
    struct http_in *in = calloc(1, sizeof(*in));

    if (!in) {
        close(fd);
        proxy_listener_release(p);
        return;
    }
    in->listener = p;
    list_init(&in->spare);
    in->conn.head_us = time->handshake_us;
    in->conn.open_us = time->open_us;
    if (http_conn_start(&in->conn, p->session->client->loop, fd, &ops) != WSP_OK) {
        proxy_listener_release(p);
        free(in);
        return;
    }
    session_join(p->session, &in->user, on_session_end);
    in->user.drain = on_session_drain;
}
