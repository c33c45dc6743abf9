#include "net/tls_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/stream.h"

enum {
    RECORD_MAX = SSL3_RT_MAX_PLAIN_LENGTH,
    OVERHEAD = 256,  /* more than any cipher adds to a record */
    STRAYS_MAX = 64, /* messages of the session that nothing else came between */
    DATA_MIN = 1024, /* of a record that counts as something else */
};

enum wsp_err tls_stream_new(struct tls_context *context, const char *server_name, struct pool *pool,
                            struct tls_stream **out)
{
    struct tls_stream *t = calloc(1, sizeof(*t));
    enum wsp_err err;

    if (!t)
        return WSP_ERR_NOMEM;
    t->pool = pool;
    t->arrived = true;
    err = tls_context_session(context, server_name, &t->bio, &t->ssl);
    if (err != WSP_OK) {
        free(t);
        return err;
    }
    SSL_clear_mode(t->ssl, SSL_MODE_AUTO_RETRY); /* a read ends at a message of the session */
    t->context = tls_context_ref(context);
    *out = t;
    return WSP_OK;
}

void tls_stream_free(struct tls_stream *t)
{
    if (!t)
        return;
    SSL_free(t->ssl);
    tls_context_unref(t->context);
    pool_put(t->pool, t->in);
    pool_put(t->pool, t->out);
    buf_fini(&t->bio.out);
    free(t);
}

/* ---- the socket */

static int pending_iov(const struct tls_stream *t, struct iovec iov[2])
{
    struct slice rest = buf_slice(&t->bio.out);
    int count = 0;

    if (t->out)
        iov[count++] = (struct iovec){t->out->data + t->out->off, t->out->len};
    if (rest.len)
        iov[count++] = (struct iovec){(void *)rest.p, rest.len};
    return count;
}

static void consume_pending(struct tls_stream *t, size_t n)
{
    if (t->out) {
        size_t part = n < t->out->len ? n : t->out->len;

        t->out->off += part;
        t->out->len -= part;
        n -= part;
        if (t->out->len == 0) {
            pool_put(t->pool, t->out);
            t->out = NULL;
        }
    }
    buf_consume(&t->bio.out, n);
    if (t->bio.out.len == 0)
        buf_fini(&t->bio.out);
}

static ssize_t broken(struct tls_stream *t)
{
    t->failed = true;
    if (!t->why[0])
        snprintf(t->why, sizeof(t->why), "%s", strerror(errno));
    return STREAM_ERROR;
}

bool tls_stream_flush(struct tls_stream *t, int fd)
{
    while (tls_stream_pending(t)) {
        struct iovec iov[2];
        struct msghdr msg = {.msg_iov = iov};
        ssize_t n;

        msg.msg_iovlen = (size_t)pending_iov(t, iov);
        n = sendmsg(fd, &msg, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return true;
        if (n < 0) {
            broken(t);
            return false;
        }
        consume_pending(t, (size_t)n);
    }
    if (t->ends) {
        t->ends = false;
        shutdown(fd, SHUT_WR);
    }
    return true;
}

/* Once more ciphertext: its count, or as stream_recv. The block is empty. */
static ssize_t refill(struct tls_stream *t, int fd)
{
    ssize_t n;

    if (!t->arrived)
        return STREAM_AGAIN;
    if (!t->in)
        t->in = pool_get(t->pool);
    if (!t->in) {
        errno = ENOMEM;
        return broken(t);
    }
    t->in->off = 0;
    do
        n = recv(fd, t->in->data, t->in->cap, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        t->heard = true;
        t->in->len = (size_t)n;
        t->arrived = (size_t)n == t->in->cap || t->hangup; /* else the next one is a new edge */
        return n;
    }
    if (n == 0)
        return STREAM_EOF;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return broken(t);
    t->arrived = false;
    return STREAM_AGAIN;
}

/* ---- the session */

/* Lets the session read from what was received. */
static void lend(struct tls_stream *t)
{
    t->bio.in = t->in ? slice_of(t->in->data + t->in->off, t->in->len) : slice_of(NULL, 0);
    ERR_clear_error();
}

static void take_back(struct tls_stream *t)
{
    if (!t->in)
        return;
    t->in->off += t->in->len - t->bio.in.len;
    t->in->len = t->bio.in.len;
    if (t->in->len)
        return;
    pool_put(t->pool, t->in);
    t->in = NULL;
}

/* The session wants more than the socket has. */
static ssize_t want(struct tls_stream *t, int fd)
{
    ssize_t n = refill(t, fd);

    if (n == STREAM_EOF) {
        snprintf(t->why, sizeof(t->why), "tls: %s",
                 t->established ? "the connection ended without close_notify"
                                : "handshake failed: the peer closed the connection");
        errno = ECONNRESET;
        return broken(t);
    }
    if (n <= 0 && t->in) {
        pool_put(t->pool, t->in);
        t->in = NULL;
    }
    if (n == STREAM_AGAIN)
        t->strays = 0;
    return n;
}

/* The session has read a message of its own, such as a key update, and there is more. Each can cost
 * as much as a megabyte of data: a peer that sends nothing else would hold the loop. */
static ssize_t stray(struct tls_stream *t)
{
    if (++t->strays <= STRAYS_MAX)
        return 1;
    snprintf(t->why, sizeof(t->why), "tls: connection failed: too many messages without data");
    errno = EPROTO;
    return broken(t);
}

/* What follows from a call of the session that returned `ret` <= 0: as of stream_recv, or a
 * positive number when it is to be repeated. */
static ssize_t not_done(struct tls_stream *t, int fd, int ret)
{
    switch (SSL_get_error(t->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        return t->in ? stray(t) : want(t, fd);
    case SSL_ERROR_ZERO_RETURN:
        if (t->established)
            return STREAM_EOF;
        snprintf(t->why, sizeof(t->why), "tls: handshake failed: the peer closed it");
        break;
    default:
        t->speaks_http = tls_context_met_http();
        tls_context_explain(t->context, t->ssl, t->established ? "connection" : "handshake", t->why,
                            sizeof(t->why));
    }
    tls_stream_flush(t, fd); /* the alert */
    errno = EPROTO;
    return broken(t);
}

enum wsp_err tls_stream_handshake(struct tls_stream *t, int fd)
{
    ssize_t then = t->failed ? STREAM_ERROR : 1;

    while (!t->established && then > 0) {
        int ret;

        lend(t);
        ret = SSL_do_handshake(t->ssl);
        take_back(t);
        t->established = ret > 0;
        if (!tls_stream_flush(t, fd))
            then = STREAM_ERROR;
        else if (ret <= 0)
            then = not_done(t, fd, ret);
    }
    if (t->established && !t->failed)
        return WSP_OK;
    return then == STREAM_AGAIN ? WSP_ERR_MORE : WSP_ERR_REFUSED;
}

static ssize_t read_all(struct tls_stream *t, int fd, uint8_t *out, size_t cap,
                        int (*read)(SSL *ssl, void *out, int len))
{
    ssize_t then = 1;
    size_t got = 0;

    while (got < cap && then > 0) {
        int ret;

        lend(t);
        ret = read(t->ssl, out + got, (int)(cap - got));
        take_back(t);
        if (ret >= DATA_MIN)
            t->strays = 0;
        if (ret > 0)
            got += (size_t)ret;
        else
            then = not_done(t, fd, ret);
    }
    t->idle = then == STREAM_AGAIN;
    return got ? (ssize_t)got : then;
}

static ssize_t receive(struct tls_stream *t, int fd, uint8_t *out, size_t cap,
                       int (*read)(SSL *ssl, void *out, int len))
{
    ssize_t n;

    if (t->failed || tls_stream_handshake(t, fd) == WSP_ERR_REFUSED)
        return STREAM_ERROR;
    t->idle = true;
    n = t->established ? read_all(t, fd, out, cap, read) : (ssize_t)STREAM_AGAIN;
    /* Answers of the session, to a key update for example. */
    return tls_stream_flush(t, fd) || n > 0 ? n : (ssize_t)STREAM_ERROR;
}

ssize_t tls_stream_recv(struct tls_stream *t, int fd, void *out, size_t cap)
{
    return receive(t, fd, out, cap < INT32_MAX ? cap : INT32_MAX, SSL_read);
}

ssize_t tls_stream_peek(struct tls_stream *t, int fd)
{
    uint8_t byte;
    ssize_t n = receive(t, fd, &byte, 1, SSL_peek);

    t->idle = n == STREAM_AGAIN;
    return n;
}

/* ---- sending */

/* Where in the vectors we are. */
struct cursor {
    const struct iovec *iov;
    int count;
    size_t off; /* in the first */
};

static void skip_empty(struct cursor *c)
{
    while (c->count && c->off == c->iov->iov_len) {
        c->iov++;
        c->count--;
        c->off = 0;
    }
}

/* What goes into the next record: a piece of the first vector, or of several, copied together. */
static struct slice next_record(struct cursor *c, uint8_t scratch[RECORD_MAX])
{
    const uint8_t *first = (const uint8_t *)c->iov->iov_base + c->off;
    size_t n = c->iov->iov_len - c->off;
    size_t len = 0;

    if (n >= RECORD_MAX || c->count == 1) {
        n = n < RECORD_MAX ? n : (size_t)RECORD_MAX;
        c->off += n;
        skip_empty(c);
        return slice_of(first, n);
    }
    while (c->count && len < RECORD_MAX) {
        n = c->iov->iov_len - c->off;
        if (n > RECORD_MAX - len)
            n = RECORD_MAX - len;
        memcpy(scratch + len, (const uint8_t *)c->iov->iov_base + c->off, n);
        len += n;
        c->off += n;
        skip_empty(c);
    }
    return slice_of(scratch, len);
}

/* Records of what comes next, as many as fit one block; returns their plaintext, 0 on failure. */
static size_t encrypt(struct tls_stream *t, struct cursor *c)
{
    uint8_t scratch[RECORD_MAX];
    size_t taken = 0;

    t->out = pool_get(t->pool);
    if (!t->out)
        return 0;
    t->bio.to = t->out->data;
    t->bio.room = t->out->cap;
    while (c->count && t->bio.room >= RECORD_MAX + OVERHEAD) {
        struct slice plain = next_record(c, scratch);

        ERR_clear_error();
        if (SSL_write(t->ssl, plain.p, (int)plain.len) != (int)plain.len) {
            taken = 0;
            break;
        }
        taken += plain.len;
    }
    t->out->len = t->out->cap - t->bio.room;
    t->bio.to = NULL;
    t->bio.room = 0;
    return taken;
}

ssize_t tls_stream_send(struct tls_stream *t, int fd, const struct iovec *iov, int count)
{
    struct cursor c = {iov, count, 0};
    size_t taken = 0, n;

    if (t->failed || t->ended || !t->established) {
        errno = EPIPE;
        return STREAM_ERROR;
    }
    skip_empty(&c);
    if (!tls_stream_flush(t, fd))
        return STREAM_ERROR;
    while (c.count && !tls_stream_pending(t)) {
        n = encrypt(t, &c);
        taken += n;
        if (n == 0) {
            errno = EPROTO;
            return broken(t);
        }
        if (!tls_stream_flush(t, fd))
            return STREAM_ERROR;
    }
    return taken || !count ? (ssize_t)taken : (ssize_t)STREAM_AGAIN;
}

/* ---- ending */

static void close_notify(struct tls_stream *t)
{
    if (!t->established || t->ended || t->failed)
        return;
    ERR_clear_error();
    SSL_shutdown(t->ssl);
    t->ended = true;
}

void tls_stream_finish(struct tls_stream *t, int fd)
{
    close_notify(t);
    t->ends = true;
    tls_stream_flush(t, fd);
}

void tls_stream_end(struct tls_stream *t, int fd, struct buf *rest)
{
    struct iovec iov[2];
    int count;

    close_notify(t);
    count = !t->failed && tls_stream_flush(t, fd) ? pending_iov(t, iov) : 0;
    for (int i = 0; i < count; i++)
        if (buf_append(rest, iov[i].iov_base, iov[i].iov_len) != WSP_OK)
            break;
}
