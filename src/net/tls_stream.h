/*
 * TLS on the socket of a stream (net/stream.h), which its owner reads and writes as before. Both
 * roles. Within net only: a stream calls this with its descriptor.
 */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/pool.h"
#include "net/tls_context.h"

struct tls_stream {
    struct tls_context *context; /* a reference */
    struct ssl_st *ssl;          /* owned */
    struct pool *pool;           /* borrowed */
    struct tls_bio bio;
    struct block *in;  /* owned: ciphertext received and not read yet; NULL when there is none */
    struct block *out; /* owned: ciphertext not sent yet, before what is in bio.out; NULL: none */
    unsigned strays;   /* messages of the session since data came, or nothing */
    bool heard;        /* the peer has sent something */
    bool arrived;      /* the socket may have more */
    bool hangup;       /* and behind that its end */
    bool idle;         /* neither the socket nor the session has anything to read */
    bool established;  /* the handshake is complete */
    bool ended;        /* our close_notify is written */
    bool ends;         /* the socket's end is to follow what is not sent yet */
    bool failed;       /* nothing can be read or written any more */
    bool speaks_http;  /* it failed since the peer speaks HTTP without TLS */
    char why[TLS_TEXT_MAX];
};

/* A session of the context's role; `server_name` is a client's. WSP_OK, or as
 * tls_context_session. */
enum wsp_err tls_stream_new(struct tls_context *context, const char *server_name, struct pool *pool,
                            struct tls_stream **out);

/* Accepts NULL. */
void tls_stream_free(struct tls_stream *t);

/* Bytes of ciphertext that the socket did not take. */
static inline size_t tls_stream_pending(const struct tls_stream *t)
{
    return (t->out ? t->out->len : 0) + t->bio.out.len;
}

/* WSP_OK once the handshake is complete, WSP_ERR_MORE: wait for an event, WSP_ERR_REFUSED: `why`
 * tells. */
enum wsp_err tls_stream_handshake(struct tls_stream *t, int fd);

/* As stream_recv and stream_send; recv does the handshake as well. An end without close_notify is
 * an error, since something may have been cut off. */
ssize_t tls_stream_recv(struct tls_stream *t, int fd, void *out, size_t cap);
ssize_t tls_stream_send(struct tls_stream *t, int fd, const struct iovec *iov, int count);

/* As stream_recv of one byte that stays. */
ssize_t tls_stream_peek(struct tls_stream *t, int fd);

/* Sends what is pending, as far as the socket takes it. False when it is broken. */
bool tls_stream_flush(struct tls_stream *t, int fd);

/* Our close_notify, then the socket's end. */
void tls_stream_finish(struct tls_stream *t, int fd);

/* Our close_notify, and everything before it: what the socket does not take is moved to `rest`, as
 * far as there is memory for it. */
void tls_stream_end(struct tls_stream *t, int fd, struct buf *rest);

#endif
