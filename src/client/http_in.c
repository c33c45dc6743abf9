#include "client/http_in.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/http_rewrite.h"
#include "client/tunnel.h"
#include "proto/handshake.h"

enum { KEEP_ALIVE_US = 60000000, FLUSH_US = 60000000 };

static struct session *session_of(struct http_in *c)
{
    return c->listener->session;
}

static struct wsp_loop *loop_of(struct http_in *c)
{
    return session_of(c)->client->loop;
}

void http_in_timer(struct http_in *c, uint64_t delay_us)
{
    timer_set(loop_of(c), &c->timer, loop_now(loop_of(c)) + delay_us); /* set before: cannot fail */
}

/* Without the stream and the place in the listener. */
static void forget(struct http_in *c)
{
    chan_abort(&c->origin);
    timer_clear(loop_of(c), &c->timer);
    session_leave(&c->user);
    queue_clear(&c->out, loop_pool(loop_of(c)));
    head_reader_fini(&c->reader);
    buf_fini(&c->request_head);
    buf_fini(&c->response_head);
    free(c);
}

void http_in_end(struct http_in *c, bool reset)
{
    if (reset)
        stream_reset(&c->stream);
    else
        stream_linger(&c->stream);
    listener_release(&c->listener->listener);
    forget(c);
}

static void on_session_end(struct session_user *u)
{
    http_in_end(container_of(u, struct http_in, user), true);
}

bool http_in_flush(struct http_in *c)
{
    while (c->out.bytes && c->stream.writable) {
        struct iovec iov[4];
        ssize_t n = stream_send(&c->stream, iov, queue_iov(&c->out, iov, 4));

        if (n == STREAM_ERROR) {
            http_in_end(c, true);
            return false;
        }
        if (n > 0)
            queue_consume(&c->out, loop_pool(loop_of(c)), (size_t)n);
    }
    if (c->state == HTTP_IN_FLUSHING && c->out.bytes == 0) {
        http_in_end(c, false);
        return false;
    }
    return true;
}

void http_in_finish(struct http_in *c)
{
    c->state = HTTP_IN_FLUSHING;
    http_in_timer(c, FLUSH_US);
    http_in_flush(c);
}

static void answer(struct http_in *c, const struct handshake_verdict *v)
{
    char out[1024];
    size_t len;
    bool ok = handshake_refusal_write(v, out, sizeof(out), &len) == WSP_OK;

    if (ok && c->head_method)
        len -= strlen(v->body);
    if (!ok || queue_append(&c->out, loop_pool(loop_of(c)), slice_of(out, len)) != WSP_OK) {
        http_in_end(c, true);
        return;
    }
    http_in_finish(c);
}

void http_in_refuse(struct http_in *c, unsigned status, const char *text)
{
    struct handshake_verdict v = {.status = status, .extra = ""};

    snprintf(v.body, sizeof(v.body), "%s\n", text);
    answer(c, &v);
}

static void ask_for_credentials(struct http_in *c)
{
    struct handshake_verdict v = {.status = 407,
                                  .extra = "Proxy-Authenticate: Basic realm=\"wsp\"\r\n",
                                  .body = "proxy credentials required\n"};

    answer(c, &v);
}

/* Basic credentials (RFC 7617 section 2), compared in constant time. */
static bool authorized(const struct http_in *c, const struct http1_head *head)
{
    const struct wspc_client *config = c->listener->session->config;
    const struct http1_header *h = http1_find(head, "Proxy-Authorization");
    char plain[1024], expected[2048];
    struct slice given;
    int n;

    if (!config->proxy_user)
        return true;
    if (!h || http1_count(head, "Proxy-Authorization") != 1 || h->value.len < 6 ||
        !slice_eq_nocase(slice_of(h->value.p, 6), slice_str("Basic ")))
        return false;
    n = snprintf(plain, sizeof(plain), "%s:%s", config->proxy_user, config->proxy_password);
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

static void on_connect_request(struct http_in *c, const struct http1_head *head, size_t head_len)
{
    struct slice host;
    int port;
    struct tunnel_start start = {.listener = c->listener,
                                 .stream = &c->stream,
                                 .early = buf_slice(&c->reader.in),
                                 .scheme = "http",
                                 .answer = word_connect_answer};

    if (http1_authority_parse(head->target, &host, &port) != WSP_OK || port <= 0) {
        http_in_refuse(c, 400, "CONNECT needs host:port");
        return;
    }
    start.host = host;
    start.port = (unsigned)port;
    slice_advance(&start.early, head_len);
    tunnel_open(&start);
    forget(c);
}

/* Splits the target and checks what a proxy has to check; NULL when it is fine. */
static const char *split(const struct http1_head *head, struct slice *authority, struct slice *host,
                         int *port, struct slice *path)
{
    struct slice scheme;

    if (http1_absolute_split(head->target, &scheme, authority, path) != WSP_OK)
        return "this is a proxy: the request target must be a whole URL";
    if (!slice_eq_nocase(scheme, slice_str("http")))
        return "only http:// targets; use CONNECT for others";
    if (http1_authority_parse(*authority, host, port) != WSP_OK || *port == 0 ||
        host->len >= SOCKS5_HOST_MAX)
        return "bad authority in the request target";
    if (http1_count(head, "Host") > 1)
        return "more than one Host field";
    return NULL;
}

/* Idempotent and without a body (RFC 9110 section 9.2.2). */
static bool is_retryable(const struct http_in *c, const struct http1_head *head)
{
    static const char *const methods[] = {"GET", "HEAD", "OPTIONS", "TRACE"};

    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
        if (slice_eq_str(head->method, methods[i]))
            return c->request.framing == HTTP1_NO_BODY || c->request.done;
    return false;
}

static void on_plain_request(struct http_in *c, const struct http1_head *head, size_t head_len)
{
    struct slice authority, host, path;
    int port;
    const char *wrong = split(head, &authority, &host, &port, &path);

    if (!wrong && http1_request_body(head, &c->request) != WSP_OK)
        wrong = "bad message framing";
    if (wrong) {
        http_in_refuse(c, 400, wrong);
        return;
    }
    c->retryable = is_retryable(c, head);
    c->is_1_0 = head->minor == 0;
    c->keep_alive = head->minor == 1 && http1_keep_alive(head) &&
                    !http1_has_token(head, "Proxy-Connection", "close");
    c->request_head.off = c->request_head.len = 0;
    if (http_rewrite_request(head, authority, path, &c->request_head) != WSP_OK) {
        http_in_end(c, true);
        return;
    }
    c->user.idle = false;
    buf_consume(&c->reader.in, head_len); /* moves no bytes: `host` still points into it */
    http_exchange_begin(c, host, port < 0 ? 80 : (unsigned)port);
}

static void on_head(struct http_in *c, const struct http1_head *head, size_t head_len)
{
    c->head_method = slice_eq_str(head->method, "HEAD");
    if (!authorized(c, head))
        ask_for_credentials(c);
    else if (slice_eq_str(head->method, "CONNECT"))
        on_connect_request(c, head, head_len);
    else
        on_plain_request(c, head, head_len);
}

static void read_head(struct http_in *c)
{
    struct http1_head head;
    size_t head_len;
    bool idle = c->reader.in.len == 0;

    switch (head_reader_request(&c->reader, &c->stream, &head, &head_len)) {
    case WSP_OK:
        on_head(c, &head, head_len);
        break;
    case WSP_ERR_MORE:
        if (idle && c->reader.in.len)
            http_in_timer(c, session_of(c)->client->config->time.handshake_us);
        break;
    case WSP_ERR_MALFORMED:
        http_in_refuse(c, 400, "bad request");
        break;
    case WSP_ERR_LIMIT:
        http_in_refuse(c, 431, "request head too large");
        break;
    default:
        http_in_finish(c);
    }
}

void http_in_next(struct http_in *c)
{
    if (session_of(c)->client->draining) {
        http_in_finish(c);
        return;
    }
    c->user.idle = true;
    c->state = HTTP_IN_HEAD;
    http_in_timer(c, c->reader.in.len ? session_of(c)->client->config->time.handshake_us
                                      : (uint64_t)KEEP_ALIVE_US);
    read_head(c);
}

static void on_event(struct stream *s)
{
    struct http_in *c = container_of(s, struct http_in, stream);

    if (!http_in_flush(c))
        return;
    if (c->state == HTTP_IN_HEAD)
        read_head(c);
    else if (c->state == HTTP_IN_EXCHANGE)
        http_exchange_event(c);
}

static void on_timer(struct timer *t)
{
    struct http_in *c = container_of(t, struct http_in, timer);

    if (c->state == HTTP_IN_OPENING)
        http_in_refuse(c, 504, failure_text(FAILURE_TIMEOUT));
    else if (c->state == HTTP_IN_HEAD && c->reader.in.len)
        http_in_refuse(c, 408, "request head not finished in time");
    else
        http_in_end(c, c->state != HTTP_IN_HEAD);
}

void http_in_accept(struct proxy_listener *p, int fd)
{
    struct wsp_loop *loop = p->session->client->loop;
    struct http_in *c = calloc(1, sizeof(*c));

    if (!c) {
        close(fd);
        listener_release(&p->listener);
        return;
    }
    c->listener = p;
    c->timer.fire = on_timer;
    session_join(p->session, &c->user, on_session_end);
    c->user.idle = true;
    chan_init(&c->origin, NULL);
    if (stream_init(&c->stream, loop, fd, on_event) != WSP_OK ||
        timer_set(loop, &c->timer,
                  loop_now(loop) + p->session->client->config->time.handshake_us) != WSP_OK)
        http_in_end(c, false);
}
