/*
 * A connection of the program that we are in, lent to a stream until it is told that the stream is
 * closed. Either it moves the bytes itself, by its calls, or the stream has a duplicate of its
 * descriptor. All calls are made from tasks of the loop, but for recv and send, which are made
 * where the stream is read and written.
 */
#ifndef NET_GUEST_H
#define NET_GUEST_H

#include <sys/uio.h>

#include "net/stream.h"

struct lingerer;

/* As in struct wsp_connection (wsp/connection.h). */
struct guest_calls {
    ssize_t (*recv)(void *ctx, void *out, size_t cap); /* NULL, as send: there is a descriptor */
    ssize_t (*send)(void *ctx, const void *data, size_t len);
    void (*finish)(void *ctx); /* may be NULL */
    void (*closed)(void *ctx, bool reset);
    void *ctx; /* borrowed until `closed` has returned */
};

struct wsp_guest {
    struct list node; /* on its owner's list until `closed` has returned */
    struct wsp_loop *loop;
    struct guest_calls calls;
    struct stream *stream;     /* where it is now; NULL: closed */
    struct lingerer *lingerer; /* has the duplicate after the stream; NULL: none has */
    struct task task;
    bool by_calls;
    bool muted;               /* no call but `closed` */
    bool may_read, may_write; /* what the task is to tell the stream */
    bool finished, finishing; /* our end was asked for; the task is to call finish */
    bool over;                /* and then `closed` */
    bool reset;               /* with this */
    bool ended, failed;       /* what a read has shown, and every further one shows */
    bool has_ahead;           /* a byte was read to see whether the other end has gone */
    uint8_t ahead;
};

static inline struct wsp_guest *guest_of(struct list *node)
{
    return container_of(node, struct wsp_guest, node);
}

/* Puts it on the list of its owner, who calls guest_finish_off before it goes. NULL without memory.
 */
struct wsp_guest *guest_new(struct wsp_loop *loop, struct list *owner,
                            const struct guest_calls *calls);

/* Its stream was never used: no call is made. */
void guest_forget(struct wsp_guest *g);

/* The program can be read from or written to again; the stream hears of it from a task. */
void guest_ready(struct wsp_guest *g, bool readable, bool writable);

/* From now on no call is made but `closed`: the stream is broken. */
void guest_mute(struct wsp_guest *g);

/* Calls `closed` now, if it is due at all, and frees it. Its stream is closed. */
void guest_finish_off(struct wsp_guest *g);

/* ---- for stream.c and linger.c */

/* As stream_recv, stream_peek and stream_send. */
ssize_t guest_recv(struct wsp_guest *g, void *out, size_t cap);
ssize_t guest_peek(const struct wsp_guest *g);
ssize_t guest_send(struct wsp_guest *g, const struct iovec *iov, int count);

/* Our end, behind what was sent. */
void guest_finish(struct wsp_guest *g);

/* It is closed: the program hears of it. Accepts NULL. */
void guest_end(struct wsp_guest *g, bool reset);

#endif
