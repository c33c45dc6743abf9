/* A connection after the 101 that was asked for: bytes of any kind, each direction with an end of
 * its own. */
#include "http/conn_parts.h"

struct chan_pull upgraded_pull(struct http_conn *c, uint8_t *out, size_t cap)
{
    size_t n = c->reader.in.len < cap ? c->reader.in.len : cap;
    ssize_t got;

    if (n) {
        memcpy(out, buf_slice(&c->reader.in).p, n);
        buf_consume(&c->reader.in, n);
        return (struct chan_pull){n, CHAN_THEN_MORE};
    }
    if (!c->stream.readable)
        return (struct chan_pull){0, CHAN_THEN_IDLE};
    got = stream_recv(&c->stream, out, cap);
    if (got > 0)
        return (struct chan_pull){(size_t)got,
                                  c->stream.readable ? CHAN_THEN_MORE : CHAN_THEN_IDLE};
    if (got == STREAM_EOF)
        return (struct chan_pull){0, CHAN_THEN_END};
    return (struct chan_pull){0, got == STREAM_AGAIN ? CHAN_THEN_IDLE : CHAN_THEN_RESET};
}

bool upgraded_finished(struct http_conn *c)
{
    if (c->state != HTTP_CONN_UPGRADED)
        return false;
    c->far_finished = true;
    if (c->out.bytes == 0)
        stream_finish(&c->stream);
    return true;
}

/* There is no room for what came before the break, and nobody waits for it. */
static bool is_stuck(const struct http_conn *c, const struct chan *ch)
{
    return !c->far_finished && !ch->credit && chan_can_send(ch);
}

bool upgraded_broken(struct http_conn *c)
{
    struct chan *ch = upstream_chan(c->up);

    if (is_stuck(c, ch))
        chan_reset(ch);
    else if (ch->state != CHAN_SENT) /* there, nothing is read that could show the break */
        return false;
    conn_end(c, true);
    return true;
}
