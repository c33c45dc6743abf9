/*
 * A channel whose bytes are TLS, in the role of the client: its owner's callbacks see plaintext. Or
 * a plain one, so that one owner can have either.
 *
 * The owner embeds it, opens `chan` on a link and uses chan_ready, chan_resume, chan_abort on it as
 * on any channel. What is different with TLS:
 * - `opened` comes when the handshake is complete and the service is trusted; `bound` is empty.
 * - When handshake, certificate or a later record is not right, the channel is aborted and `closed`
 *   is called with CHAN_END_FAILED and a text "tls: …".
 * - The peer's close_notify ends the channel: `closed` with CHAN_END_PEER. An INTERRUPT without one
 *   may have cut something off: CHAN_END_FAILED, unless our side had ended before.
 * - CHAN_THEN_END sends close_notify. Do not call chan_finish, which would not.
 */
#ifndef NET_TLS_CHAN_H
#define NET_TLS_CHAN_H

#include "core/channel.h"
#include "net/tls_context.h"

struct tls_chan {
    struct chan chan;
    const struct chan_ops *inner; /* borrowed: the owner's; NULL without TLS */
    struct tls_context *context;  /* a reference; NULL without TLS */
    struct ssl_st *ssl;           /* owned; NULL without TLS */
    struct tls_bio bio;           /* ciphertext */
    struct buf kept;              /* plaintext the owner has not taken yet; at most a record */
    bool skip;                    /* the first byte of the next delivery has been read already */
    bool established;             /* the handshake is complete */
    bool ended;                   /* our close_notify is written */
    bool *gone;                   /* borrowed while a callback runs: fini sets it */
};

/* Without TLS: a channel with these callbacks. */
void tls_chan_init_plain(struct tls_chan *t, const struct chan_ops *ops);

/*
 * With TLS towards `server_name`. WSP_OK, WSP_ERR_NOMEM or WSP_ERR_REFUSED (the name is unusable);
 * then nothing is left to be freed. One tls_chan serves one opening of its channel.
 */
enum wsp_err tls_chan_init(struct tls_chan *t, const struct chan_ops *ops,
                           struct tls_context *context, const char *server_name);

/* Frees the TLS session; the channel is not live any more. From any callback but `pull`. */
void tls_chan_fini(struct tls_chan *t);

/* Bytes can flow: the channel is open, and the handshake is complete. */
static inline bool tls_chan_is_open(const struct tls_chan *t)
{
    return t->chan.state == CHAN_OPEN && !t->chan.ended && !t->ended && (!t->ssl || t->established);
}

#endif
