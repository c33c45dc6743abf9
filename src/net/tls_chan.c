#include "net/tls_chan.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "core/link.h"

enum {
    RECORD_MAX = SSL3_RT_MAX_PLAIN_LENGTH,
    OVERHEAD = 128, /* more than any cipher adds to a record, and an answered key update */
    ROOM_MIN = 2048 /* with less room, no further record is begun */
};

static struct tls_chan *tls_of(struct chan *ch)
{
    return container_of(ch, struct tls_chan, chan);
}

/*
 * Below, WSP_ERR_MORE means that more ciphertext is needed, and WSP_ERR_REFUSED that the channel
 * has ended and `t` may be gone.
 */
static enum wsp_err fail(struct tls_chan *t, const char *text)
{
    if (t->chan.link)
        log_debug(t->chan.link->opt.log, "%s chan %.*s: %s", t->chan.link->name,
                  SLICE_FMT(t->chan.node.key), text);
    chan_abort(&t->chan);
    t->inner->closed(&t->chan, CHAN_END_FAILED, slice_str(text));
    return WSP_ERR_REFUSED;
}

static enum wsp_err close_notify(struct tls_chan *t)
{
    if (t->ended) /* both have: what was sent last still needs its time before INTERRUPT */
        return WSP_ERR_MORE;
    chan_abort(&t->chan);
    t->inner->closed(&t->chan, CHAN_END_PEER, slice_of(NULL, 0));
    return WSP_ERR_REFUSED;
}

/* What follows from a call of OpenSSL that returned `ret` <= 0. */
static enum wsp_err not_done(struct tls_chan *t, int ret)
{
    char text[TLS_TEXT_MAX];

    switch (SSL_get_error(t->ssl, ret)) {
    case SSL_ERROR_WANT_READ:
        return WSP_ERR_MORE;
    case SSL_ERROR_ZERO_RETURN:
        if (t->established)
            return close_notify(t);
        return fail(t, "tls: handshake failed: the service closed it");
    default:
        tls_context_explain(t->context, t->ssl, t->established ? "connection" : "handshake", text,
                            sizeof(text));
        return fail(t, text);
    }
}

/* Answers of the session to the peer have to be pulled. */
static void announce_output(struct tls_chan *t)
{
    if (t->bio.out.len)
        chan_ready(&t->chan);
}

static enum wsp_err handshake(struct tls_chan *t)
{
    bool gone = false;
    int ret;

    ERR_clear_error();
    ret = SSL_do_handshake(t->ssl);
    announce_output(t);
    if (ret <= 0)
        return not_done(t, ret);
    t->established = true;
    chan_ready(&t->chan); /* the owner may have said so before: nothing could be pulled then */
    t->gone = &gone;
    t->inner->opened(&t->chan, slice_of(NULL, 0));
    if (gone)
        return WSP_ERR_REFUSED;
    t->gone = NULL;
    return chan_live(&t->chan) ? WSP_OK : WSP_ERR_REFUSED;
}

/* Hands plaintext over; *taken tells how much of it was taken. False when `t` is gone. */
static bool hand_over(struct tls_chan *t, uint8_t *data, size_t len, size_t *taken)
{
    bool gone = false;

    t->gone = &gone;
    *taken = t->inner->deliver(&t->chan, data, len);
    if (gone)
        return false;
    t->gone = NULL;
    return true;
}

static enum wsp_err read_record(struct tls_chan *t)
{
    uint8_t plain[RECORD_MAX];
    size_t len, taken;
    int ret;

    ERR_clear_error();
    ret = SSL_read(t->ssl, plain, sizeof(plain));
    announce_output(t);
    if (ret <= 0)
        return not_done(t, ret);
    len = (size_t)ret;
    if (!hand_over(t, plain, len, &taken) || !chan_live(&t->chan))
        return WSP_ERR_REFUSED;
    if (taken < len && buf_append(&t->kept, plain + taken, len - taken) != WSP_OK)
        return fail(t, "tls: out of memory");
    return WSP_OK;
}

/* Offers again what the owner has not taken. False when `t` is gone. */
static bool give_kept(struct tls_chan *t)
{
    struct buf kept = t->kept; /* the owner may free `t` before it has read all of it */
    size_t taken;

    if (kept.len == 0)
        return true;
    buf_init(&t->kept);
    if (!hand_over(t, kept.mem + kept.off, kept.len, &taken)) {
        buf_fini(&kept);
        return false;
    }
    buf_consume(&kept, taken);
    if (kept.len == 0)
        buf_fini(&kept);
    t->kept = kept;
    return true;
}

static void on_opened(struct chan *ch, struct slice bound)
{
    (void)bound;
    handshake(tls_of(ch));
}

/*
 * While plaintext is kept, no ciphertext is taken, and the link holds back what it has. For that it
 * must have something: when all of it has been read by then, its last byte is left to it, to be
 * skipped when it comes again.
 */
static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct tls_chan *t = tls_of(ch);
    enum wsp_err err = WSP_OK;
    size_t left;

    if (!give_kept(t) || !chan_live(ch))
        return len;
    t->bio.in = slice_of(data + t->skip, len - t->skip);
    t->skip = false;
    while (err == WSP_OK && t->kept.len == 0)
        err = t->established ? read_record(t) : handshake(t);
    if (err == WSP_ERR_REFUSED)
        return len;
    left = t->kept.len ? t->bio.in.len : 0;
    t->bio.in = slice_of(NULL, 0);
    if (t->kept.len && left == 0) {
        t->skip = true;
        left = 1;
    }
    return len - left;
}

static bool encrypt(struct tls_chan *t, const uint8_t *plain, size_t len)
{
    ERR_clear_error();
    return SSL_write(t->ssl, plain, (int)len) == (int)len;
}

/* How much plaintext becomes a record that fits; when next to nothing would, a little: what is too
 * much waits in the BIO. */
static size_t plain_room(size_t room)
{
    if (room < (size_t)2 * OVERHEAD)
        return OVERHEAD;
    return room - OVERHEAD < RECORD_MAX ? room - OVERHEAD : RECORD_MAX;
}

static enum chan_then pull_records(struct tls_chan *t)
{
    uint8_t plain[RECORD_MAX];
    struct chan_pull p;

    do {
        p = t->inner->pull(&t->chan, plain, plain_room(t->bio.room));
        if (p.len && !encrypt(t, plain, p.len))
            return CHAN_THEN_RESET;
    } while (p.len && p.then == CHAN_THEN_MORE && t->bio.room >= ROOM_MIN);
    if (p.then == CHAN_THEN_END || p.then == CHAN_THEN_CLOSE) {
        ERR_clear_error();
        SSL_shutdown(t->ssl);
        t->ended = true;
    }
    return p.then;
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct tls_chan *t = tls_of(ch);
    struct chan_pull p = {0, CHAN_THEN_IDLE};

    t->bio.to = out;
    t->bio.room = cap;
    tls_bio_drain(&t->bio);
    if (t->established && !t->ended && t->bio.out.len == 0)
        p.then = pull_records(t);
    p.len = cap - t->bio.room;
    t->bio.to = NULL;
    t->bio.room = 0;
    if (p.then == CHAN_THEN_RESET)
        return p;
    if (t->bio.out.len)
        p.then = CHAN_THEN_MORE;
    else if (t->ended)
        p.then = CHAN_THEN_END;
    return p;
}

static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct tls_chan *t = tls_of(ch);

    if (end == CHAN_END_PEER && !t->established) {
        fail(t, "tls: handshake failed: the service closed the connection");
        return;
    }
    if (end == CHAN_END_PEER_RESET && !t->established) {
        fail(t, "tls: handshake failed: the service reset the connection");
        return;
    }
    if ((end == CHAN_END_PEER || end == CHAN_END_SENT) && !give_kept(t))
        return;
    if (end == CHAN_END_PEER && !t->ended) {
        fail(t, "tls: connection failed: it ended without close_notify");
        return;
    }
    t->inner->closed(ch, end, text);
}

static void on_flushing(struct chan *ch)
{
    struct tls_chan *t = tls_of(ch);

    if (t->inner->flushing)
        t->inner->flushing(ch);
}

static const struct chan_ops tls_ops = {
    .opened = on_opened,
    .closed = on_closed,
    .deliver = on_deliver,
    .pull = on_pull,
    .flushing = on_flushing,
};

void tls_chan_init_plain(struct tls_chan *t, const struct chan_ops *ops)
{
    *t = (struct tls_chan){0};
    chan_init(&t->chan, ops);
}

enum wsp_err tls_chan_init(struct tls_chan *t, const struct chan_ops *ops,
                           struct tls_context *context, const char *server_name)
{
    enum wsp_err err;

    tls_chan_init_plain(t, &tls_ops);
    err = tls_context_session(context, server_name, &t->bio, &t->ssl);
    if (err != WSP_OK)
        return err;
    t->inner = ops;
    t->context = tls_context_ref(context);
    return WSP_OK;
}

void tls_chan_fini(struct tls_chan *t)
{
    if (t->gone)
        *t->gone = true;
    SSL_free(t->ssl);
    buf_fini(&t->bio.out);
    buf_fini(&t->kept);
    tls_context_unref(t->context);
    *t = (struct tls_chan){.chan = t->chan};
}
