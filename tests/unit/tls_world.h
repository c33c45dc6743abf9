/*
 * Two links in memory: at the near one the TLS channel under test with its owner, at the far one a
 * channel to a TLS service made with OpenSSL. Include it behind cmocka.h.
 */
#ifndef TESTS_UNIT_TLS_WORLD_H
#define TESTS_UNIT_TLS_WORLD_H

#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/link.h"
#include "net/tls_chan.h"
#include "tls_certs.h"

#define SECOND ((uint64_t)1000000)

static uint64_t rng; /* link_ops.random has no context */

static inline void random_bytes(void *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        ((uint8_t *)out)[i] = (uint8_t)(rng >> 56);
    }
}

/* The byte at `pos` of a stream: no two streams agree for long. */
static inline uint8_t byte_at(uint64_t stream, uint64_t pos)
{
    return (uint8_t)((pos * 0x9e37 + (pos >> 8) + stream * 0x85eb) >> 3);
}

/* In which callback the owner ends itself, and how. */
enum leave { STAY, IN_OPENED, IN_DELIVER, IN_CLOSED };

struct world;

struct owner {
    struct tls_chan tls;
    struct world *w;
    enum leave leave;
    size_t room;      /* bytes it takes now */
    uint64_t to_send; /* bytes of its stream left */
    uint64_t sent;
    enum chan_then then; /* behind them */
    bool early;          /* chan_ready was called before `opened` only */
};

/* What became of the owner: outlives it. */
struct record {
    unsigned opened, closed, delivered;
    uint64_t got;
    enum chan_end how;
    char text[TLS_TEXT_MAX];
};

struct service {
    struct chan ch;
    SSL *ssl; /* owned; NULL: speaks no TLS */
    BIO *in, *out;
    const char *clear; /* what one that speaks no TLS says */
    uint64_t to_send, sent, got;
    bool ends;       /* behind to_send */
    uint64_t awaits; /* bytes from the owner before it ends */
    bool cuts;       /* without close_notify */
    bool got_notify;
    bool accepted, spoilt;
    enum chan_end how;
    bool closed;
};

struct side {
    struct link link;
    struct buf rx;
    size_t visible; /* bytes at the front of rx that have arrived */
};

struct world {
    struct pool pool;
    struct side near, far;
    struct owner *owner; /* owned; NULL when it has freed itself */
    struct record seen;
    struct service service;
    bool refuse;     /* the open */
    size_t first;    /* bytes that arrive near at first; 0: all */
    size_t chunk;    /* bytes that arrive near at a time */
    uint64_t pumped; /* bytes that have arrived near */
    uint64_t now;
};

/* ---- the owner */

static inline struct owner *owner_of(struct chan *ch)
{
    return container_of(ch, struct owner, tls.chan);
}

static inline void owner_free(struct owner *o)
{
    if (!o)
        return;
    o->w->owner = NULL;
    chan_abort(&o->tls.chan);
    tls_chan_fini(&o->tls);
    free(o);
}

static inline void owner_opened(struct chan *ch, struct slice bound)
{
    struct owner *o = owner_of(ch);

    o->w->seen.opened++;
    assert_true(!bound.len || !o->tls.ssl);
    assert_true(tls_chan_is_open(&o->tls));
    if (o->leave == IN_OPENED)
        owner_free(o);
    else if (!o->early)
        chan_ready(ch);
}

static inline void owner_closed(struct chan *ch, enum chan_end how, struct slice text)
{
    struct owner *o = owner_of(ch);
    struct record *seen = &o->w->seen;

    assert_false(chan_live(ch));
    assert_int_equal(ch->state, CHAN_CLOSED);
    seen->closed++;
    seen->how = how;
    if (o->leave == IN_CLOSED)
        owner_free(o);
    snprintf(seen->text, sizeof(seen->text), "%.*s", SLICE_FMT(text));
}

static inline size_t owner_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct owner *o = owner_of(ch);
    struct record *seen = &o->w->seen;
    size_t n = len < o->room ? len : o->room;
    bool leave = o->leave == IN_DELIVER;

    assert_true(len > 0 && seen->closed == 0);
    seen->delivered++;
    o->room -= n;
    if (leave)
        owner_free(o);
    for (size_t i = 0; i < n; i++)
        if (data[i] != byte_at(1, seen->got + i))
            fail_msg("byte %zu of the service's stream is wrong", (size_t)seen->got + i);
    seen->got += n;
    return n;
}

static inline struct chan_pull owner_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct owner *o = owner_of(ch);
    size_t n = cap < o->to_send ? cap : (size_t)o->to_send;

    assert_true(cap > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = byte_at(2, o->sent + i);
    o->sent += n;
    o->to_send -= n;
    return (struct chan_pull){n, o->to_send ? CHAN_THEN_MORE : o->then};
}

static const struct chan_ops owner_ops = {
    .opened = owner_opened, .closed = owner_closed, .deliver = owner_deliver, .pull = owner_pull};

/* ---- the service */

static inline struct service *service_of(struct chan *ch)
{
    return container_of(ch, struct service, ch);
}

static inline bool service_may_end(const struct service *s)
{
    return s->accepted && s->ends && s->to_send == 0 && s->got >= s->awaits;
}

/* Lets the session work on what has come. */
static inline void service_turn(struct service *s)
{
    uint8_t data[4096];
    int n;

    if (!s->accepted) {
        ERR_clear_error();
        n = SSL_accept(s->ssl);
        s->accepted = n == 1;
        s->spoilt |= n != 1 && SSL_get_error(s->ssl, n) != SSL_ERROR_WANT_READ;
    }
    while (s->accepted && (n = SSL_read(s->ssl, data, sizeof(data))) > 0) {
        for (int i = 0; i < n; i++)
            if (data[i] != byte_at(2, s->got + (uint64_t)i))
                fail_msg("byte %zu of the owner's stream is wrong", (size_t)s->got + (size_t)i);
        s->got += (uint64_t)n;
    }
    s->got_notify = (SSL_get_shutdown(s->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    chan_ready(&s->ch);
}

static inline size_t service_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct service *s = service_of(ch);

    if (s->ssl) {
        assert_int_equal(BIO_write(s->in, data, (int)len), len);
        service_turn(s);
    } else {
        chan_ready(ch);
    }
    return len;
}

/* Encrypts up to `cap` bytes of its stream, and its end. */
static inline void service_produce(struct service *s, size_t cap)
{
    uint8_t data[16 * 1024];
    size_t n = cap < sizeof(data) ? cap : sizeof(data);

    if (!s->accepted)
        return;
    n = n < s->to_send ? n : (size_t)s->to_send;
    for (size_t i = 0; i < n; i++)
        data[i] = byte_at(1, s->sent + i);
    if (n)
        assert_int_equal(SSL_write(s->ssl, data, (int)n), n);
    s->sent += n;
    s->to_send -= n;
    if (service_may_end(s) && !s->cuts)
        SSL_shutdown(s->ssl);
}

static inline struct chan_pull service_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct service *s = service_of(ch);
    int n;

    if (!s->ssl) {
        memcpy(out, s->clear, strlen(s->clear));
        return (struct chan_pull){strlen(s->clear), CHAN_THEN_IDLE};
    }
    if (BIO_pending(s->out) == 0)
        service_produce(s, cap);
    n = BIO_read(s->out, out, (int)cap);
    if (BIO_pending(s->out) || (s->accepted && s->to_send))
        return (struct chan_pull){n > 0 ? (size_t)n : 0, CHAN_THEN_MORE};
    return (struct chan_pull){n > 0 ? (size_t)n : 0,
                              service_may_end(s) ? CHAN_THEN_END : CHAN_THEN_IDLE};
}

static inline void service_opened(struct chan *ch, struct slice bound)
{
    (void)ch;
    (void)bound;
}

static inline void service_closed(struct chan *ch, enum chan_end how, struct slice text)
{
    (void)text;
    service_of(ch)->closed = true;
    service_of(ch)->how = how;
}

static const struct chan_ops service_ops = {.opened = service_opened,
                                            .closed = service_closed,
                                            .deliver = service_deliver,
                                            .pull = service_pull};

/* ---- the links */

static inline void world_connect(struct link *l, struct slice id, const struct msg_request *r)
{
    struct world *w = container_of(l, struct world, far.link);
    struct msg_response refused = {.error = slice_str("connection refused")};

    (void)r;
    if (w->refuse) {
        link_respond(l, id, &refused);
        return;
    }
    chan_init(&w->service.ch, &service_ops);
    assert_int_equal(link_adopt(l, &w->service.ch, id), WSP_OK);
    chan_accept(&w->service.ch, slice_str("bound"));
}

static inline void world_wake(struct link *l)
{
    (void)l;
}

static inline uint64_t world_acked(struct link *l)
{
    return l->out_sent;
}

/* Moves what one side has to send; true when there was something. */
static inline bool world_move(struct side *from, struct side *to)
{
    struct iovec iov;
    bool moved = false;

    link_fill(&from->link);
    while (link_iov(&from->link, &iov, 1)) {
        buf_append(&to->rx, iov.iov_base, iov.iov_len);
        link_sent(&from->link, iov.iov_len);
        moved = true;
    }
    return moved;
}

/* Presents what has arrived in a buffer of exactly its size. True when some was consumed. */
static inline bool world_input(struct world *w, struct side *s)
{
    uint8_t *exact = malloc(s->visible ? s->visible : 1);
    size_t used;

    if (s->visible)
        memcpy(exact, s->rx.mem + s->rx.off, s->visible);
    assert_int_equal(link_input(&s->link, exact, s->visible, &used, w->now), WSP_OK);
    if (s->visible)
        memcpy(s->rx.mem + s->rx.off, exact, s->visible);
    buf_consume(&s->rx, used);
    s->visible -= used;
    free(exact);
    return used > 0;
}

static inline bool world_arrive(struct world *w)
{
    size_t waiting = w->near.rx.len - w->near.visible;
    size_t n = w->pumped < w->first ? w->first - (size_t)w->pumped : w->chunk;

    n = n < waiting ? n : waiting;
    if (!link_wants_input(&w->near.link) && w->near.visible)
        return false;
    w->near.visible += n;
    w->pumped += n;
    return n > 0;
}

static inline bool world_step(struct world *w)
{
    bool moved = world_move(&w->near, &w->far);

    w->far.visible = w->far.rx.len;
    moved |= world_input(w, &w->far);
    moved |= world_move(&w->far, &w->near);
    moved |= world_arrive(w);
    moved |= world_input(w, &w->near);
    w->now += 100;
    link_tick(&w->near.link, w->now);
    link_tick(&w->far.link, w->now);
    return moved;
}

/* Until nothing moves any more, for 20 ms. */
static inline void world_run(struct world *w)
{
    for (int quiet = 0; quiet < 200; quiet++)
        if (world_step(w))
            quiet = 0;
}

static inline void world_link(struct world *w, struct link *l, bool server)
{
    static const struct link_ops ops = {
        .connect = world_connect, .wake = world_wake, .acked = world_acked, .random = random_bytes};
    struct link_options opt = {.server = server,
                               .name = server ? "near" : "far",
                               .ops = &ops,
                               .pool = &w->pool,
                               .max_channels = 4,
                               .ping_us = 1000 * SECOND,
                               .dead_us = 2000 * SECOND,
                               .probe_us = 1000 * SECOND,
                               .probe_answer_us = 1000 * SECOND,
                               .stall_us = 1000 * SECOND};

    assert_int_equal(link_init(l, &opt, w->now), WSP_OK);
}

/* `server` NULL: a service that speaks no TLS. */
static inline void world_start(struct world *w, SSL_CTX *server)
{
    memset(w, 0, sizeof(*w));
    rng = 1;
    w->now = 100 * SECOND;
    w->chunk = SIZE_MAX;
    pool_init(&w->pool, 2);
    world_link(w, &w->near.link, true);
    world_link(w, &w->far.link, false);
    w->owner = calloc(1, sizeof(*w->owner));
    assert_non_null(w->owner);
    *w->owner = (struct owner){.w = w, .room = SIZE_MAX, .then = CHAN_THEN_IDLE};
    if (!server)
        return;
    w->service.ssl = SSL_new(server);
    w->service.in = BIO_new(BIO_s_mem());
    w->service.out = BIO_new(BIO_s_mem());
    SSL_set_bio(w->service.ssl, w->service.in, w->service.out);
}

/* Opens the owner's channel with TLS, or plain when `x` is NULL. */
static inline void world_open(struct world *w, struct tls_context *x, const char *name)
{
    struct msg_request request = {.type = MSG_REMOTE, .url = slice_str("https://service.test")};
    struct owner *o = w->owner;

    if (x)
        assert_int_equal(tls_chan_init(&o->tls, &owner_ops, x, name), WSP_OK);
    else
        tls_chan_init_plain(&o->tls, &owner_ops);
    assert_int_equal(link_open(&w->near.link, &o->tls.chan, &request), WSP_OK);
    if (o->early)
        chan_ready(&o->tls.chan);
}

static inline void world_stop(struct world *w)
{
    owner_free(w->owner);
    link_fini(&w->near.link);
    link_fini(&w->far.link);
    SSL_free(w->service.ssl);
    buf_fini(&w->near.rx);
    buf_fini(&w->far.rx);
    assert_int_equal(pool_used(&w->pool), 0);
    pool_fini(&w->pool);
}

#endif
