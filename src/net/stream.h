/*
 * A connected, non-blocking byte stream in the loop, plain or secured by TLS. Readiness is
 * edge-triggered and kept in flags: read or write until the flag is clear, then wait for on_event.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <sys/types.h>
#include <sys/uio.h>

#include "base/slice.h"
#include "net/loop.h"

struct tls_context;
struct tls_stream;
struct wsp_guest;

struct stream {
    struct watch watch; /* watch.fd is owned; -1 when closed, or without a descriptor */
    struct wsp_loop *loop;
    struct tls_stream *tls;             /* owned; NULL: plain */
    struct wsp_guest *guest;            /* who has lent it (net/guest.h); NULL: it is ours */
    void (*on_event)(struct stream *s); /* a flag was set; may close or free the stream */
    bool readable;
    bool writable;
    bool asks_writable; /* the loop watches for it: from the first send on that was short */
    bool hangup;        /* FIN or an error is behind what can be read */
    bool broken;        /* an error, or both directions have ended */
};

/* Results of stream_recv and stream_send beside a byte count. */
enum {
    STREAM_EOF = 0,    /* recv only */
    STREAM_AGAIN = -1, /* nothing now: on_event will tell */
    STREAM_ERROR = -2, /* broken; errno, and stream_why */
};

/* `fd` is taken, even on failure. WSP_OK or WSP_ERR_SYSTEM. */
enum wsp_err stream_init(struct stream *s, struct wsp_loop *loop, int fd,
                         void (*on_event)(struct stream *s));

/* One that is lent by the program: of a duplicate of its descriptor, as above, or through its calls
 * (fd -1), which are tried at once. Not to be secured. */
enum wsp_err stream_init_lent(struct stream *s, struct wsp_guest *guest, int fd,
                              void (*on_event)(struct stream *s));

/*
 * From here on it is TLS in the role of the context. A server's handshake is done by stream_recv; a
 * client, of `server_name`, calls stream_handshake. WSP_OK, or as tls_stream_new: then it is plain
 * still.
 */
enum wsp_err stream_secure(struct stream *s, struct tls_context *context, const char *server_name);

/* WSP_OK when it can be used, WSP_ERR_MORE: wait for on_event, WSP_ERR_REFUSED: see stream_why. */
enum wsp_err stream_handshake(struct stream *s);

/* Why it failed, for the log; borrowed, until the stream is used again. */
const char *stream_why(const struct stream *s);

/* Plain, or the handshake is complete. */
bool stream_is_ready(const struct stream *s);

/* Secured, and the peer has not sent a byte yet: a check whether we listen, when it ends so. */
bool stream_is_mute(const struct stream *s);

/* What is wrong with the certificate of the client of a secured stream; NULL: nothing, or it is not
 * asked for one (tls_server_client_fault). */
const char *stream_peer_fault(const struct stream *s);

/* The handshake failed since the peer speaks HTTP without TLS: true, and from here on it is plain,
 * so that it can be told. */
bool stream_met_http(struct stream *s);

static inline bool stream_is_open(const struct stream *s)
{
    return s->watch.fd >= 0 || s->guest;
}

/* Moves an open stream, with its flags, to `to` (closed); events go to the new place. WSP_OK, or
 * WSP_ERR_SYSTEM: nothing has moved. */
enum wsp_err stream_move(struct stream *to, struct stream *from,
                         void (*on_event)(struct stream *s));

/* A peer of a secured stream that ends without saying so in TLS gives an error: something may have
 * been cut off. */
ssize_t stream_recv(struct stream *s, void *out, size_t cap);
ssize_t stream_send(struct stream *s, const struct iovec *iov, int count);

/* As stream_recv of one byte, which stays to be read. */
ssize_t stream_peek(struct stream *s);

/* Of what was sent, TLS still has some that the kernel did not take; on_event tells when that
 * changes. Who closes it hands that to linger, which does not outlive the process. */
bool stream_holds(const struct stream *s);

/* Bytes sent that the peer's kernel has not acknowledged. */
size_t stream_unacked(const struct stream *s);

/* Acknowledges what has been received now, and not in the kernel's own time (40 ms on Linux). */
void stream_quickack(struct stream *s);

/* While `on`, every close is a reset, the kernel's at the end of a killed process included: nobody
 * takes a part for the whole. */
void stream_set_hard_end(struct stream *s, bool on);

/* Keep less than this unsent in the kernel, so that what is urgent need not queue there. */
void stream_set_lowat(struct stream *s, unsigned bytes);

/* Sends our end; the peer can still be heard. Safe when closed. */
void stream_finish(struct stream *s);

/* Gives the descriptor away, out of the loop, of one that is plain and ours. */
int stream_release(struct stream *s);

/* Closes it. Safe when closed. */
void stream_close(struct stream *s);

/* Closes it so that the peer sees a reset, not an end. Safe when closed. */
void stream_reset(struct stream *s);

/*
 * Closes it so that everything sent still arrives: our end first, then input is read and dropped
 * until the peer's end or a few seconds have passed, since closing on unread input would reset the
 * connection and could take sent bytes with it (RFC 9112 section 9.6). Safe when closed.
 */
void stream_linger(struct stream *s);

#endif
