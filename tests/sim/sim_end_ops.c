/* What ends are told by their channels, and what they say to that. */
#include "sim/sim_end_parts.h"
#include "sim/sim_random.h"

static struct end *end_of(struct chan *ch)
{
    return container_of(ch, struct body, chan)->end;
}

/* Whether it acts inside of a callback. */
static bool is_wild(const struct end *e, uint64_t n)
{
    return e->sim->wild && !e->calm && one_in(n);
}

/* ---- what it is told */

static void see(struct end *e, char what)
{
    size_t n = strlen(e->seen);

    check(n + 1 < sizeof(e->seen), "too many callbacks");
    e->seen[n] = what;
    e->seen_us = e->sim->now;
}

/* Whether the peer's last byte must have arrived here. */
static void check_complete(struct end *e)
{
    check(e->peer && e->got == e->peer->sent, "a proper end, but not everything has arrived");
    e->sim->proper++;
}

static void on_opened(struct chan *ch, struct slice bound)
{
    struct end *e = end_of(ch);

    (void)bound;
    check(e->peer && e->peer->accepted, "opened, but not accepted");
    if (is_wild(e, 100))
        end_act(e, ACT_ABORT);
    else
        chan_ready(ch);
}

static void on_finished(struct chan *ch)
{
    struct end *e = end_of(ch);

    see(e, 'f');
    check(!e->told && !e->closed, "finished, but that was known");
    check(e->whole && e->peer->ended, "finished by nobody");
    check_complete(e);
    e->told = true;
    e->sim->halves++;
    if (is_wild(e, 20))
        end_act(e, (enum act)(ACT_END + any(4)));
}

static void on_flushing(struct chan *ch)
{
    check(ch->held.bytes > 0, "flushing nothing");
}

/* The peer has ended as well. Behind a bridge of 0.10, an end may cross with another, and both are
 * told that it was the other. */
static void closed_by_peer(struct end *e)
{
    const struct end *p = e->peer;

    check(p, "ended by nobody");
    if (p->denied)
        return;
    check(p->ended || (e->ended && (p->over || e->bridged)), "ended by a peer that goes on");
    if (!e->ended || e->whole || !e->bridged)
        check_complete(e);
}

static void closed_by_us(struct end *e)
{
    check(e->ended, "our end, but we have not ended");
    if (!e->whole && !e->bridged)
        check(e->sim->now - e->last_us >= 5000, "INTERRUPT too close to TRANSFER");
    if (e->whole && !e->closed)
        check_complete(e);
}

static void closed_by_reset(struct end *e)
{
    const struct end *p = e->peer;

    e->sim->resets++;
    if (e->sim->memory_fails || (e->bridged && (!e->whole || e->sim->cuts)))
        return;
    check(p && (p->broke || p->how == CHAN_END_STALLED), "reset by nobody");
}

static void check_failed(const struct end *e)
{
    e->sim->failed++;
    check(e->bridged || !e->peer || !e->peer->accepted, "refused, but it was accepted");
}

static void check_closed(struct end *e)
{
    switch (e->how) {
    case CHAN_END_PEER:
        closed_by_peer(e);
        break;
    case CHAN_END_PEER_RESET:
        closed_by_reset(e);
        break;
    case CHAN_END_SENT:
        closed_by_us(e);
        break;
    case CHAN_END_FAILED:
        check_failed(e);
        break;
    case CHAN_END_RESET:
        check(e->broke || e->sim->memory_fails, "broken, but not by us");
        break;
    case CHAN_END_STALLED:
        e->sim->stalled++;
        check(!e->whole && e->room == 0, "stalled, but it would have taken more");
        break;
    case CHAN_END_LINK_LOST:
        e->sim->lost++;
        check(e->sim->cuts, "no link was lost");
        break;
    }
}

static void on_closed(struct chan *ch, enum chan_end how, struct slice text)
{
    static const char letters[] = {'p', 'r', 's', '!', 'x', 't', 'l'};
    struct end *e = end_of(ch);

    check((how == CHAN_END_FAILED) == (text.len > 0), "a text at the wrong end");
    e->how = how;
    see(e, letters[how]);
    check_closed(e);
    end_over(e);
}

/* ---- bytes */

void end_got(struct end *e, const uint8_t *data, size_t n)
{
    check(e->got + n <= e->peer->sent, "more has arrived than was sent");
    check(stream_matches(data, n, e->peer->stream, e->got), "wrong byte");
    e->got += n;
    e->got_us = e->sim->now;
    e->room -= n;
    e->sim->delivered += n;
}

static size_t on_deliver(struct chan *ch, uint8_t *data, size_t len)
{
    struct end *e = end_of(ch);
    size_t n = len < e->room ? len : e->room;

    check(len > 0 && !e->told, "delivery of nothing, or behind the end");
    end_got(e, data, n);
    if (one_in(3))
        memset(data, 0, n);
    if (is_wild(e, 1000))
        end_act(e, (enum act)(ACT_END + any(4)));
    return n;
}

/* Several pieces at once, where frames of one channel follow each other. */
static size_t on_deliver_iov(struct chan *ch, const struct iovec *iov, int count)
{
    struct end *e = end_of(ch);
    size_t taken = 0;

    check(count > 0 && count <= LINK_GATHER_MAX && !e->told, "an impossible delivery");
    check(link_speaks(ch->link) == LINK_WSP_1, "several pieces without windows");
    for (int i = 0; i < count; i++) {
        size_t n = iov[i].iov_len < e->room ? iov[i].iov_len : e->room;

        check(iov[i].iov_len > 0, "an empty piece");
        end_got(e, iov[i].iov_base, n);
        taken += n;
    }
    if (is_wild(e, 1000))
        end_act(e, (enum act)(ACT_END + any(4)));
    return taken;
}

void end_makes(struct end *e, uint8_t *out, size_t n)
{
    stream_fill(out, n, e->stream, e->sent);
    e->sent += n;
    if (e->to_send != FOREVER)
        e->to_send -= n;
    if (e->burst != SIZE_MAX)
        e->burst -= n;
    if (n)
        e->last_us = e->sim->now;
}

/* Says what it is about to say to its channel. */
enum chan_then end_note(struct end *e, enum chan_then then)
{
    e->broke = e->broke || then == CHAN_THEN_RESET;
    e->ended = e->ended || then == CHAN_THEN_END || then == CHAN_THEN_CLOSE;
    e->closed = e->closed || then == CHAN_THEN_CLOSE;
    return then;
}

static void check_pull(const struct end *e, size_t cap)
{
    const struct chan *ch = e->ch;

    check(ch->link->out.bytes < LINK_OUTPUT_TARGET, "a pull above the target");
    check(cap <= MSG_DATA_MAX && cap <= ch->credit, "a pull of an impossible size");
    check(cap > 0 || (ch->peeks && ch->credit == 0), "a pull of nothing");
    check(chan_can_send(ch), "a pull from a channel that cannot send");
    if (link_speaks(ch->link) == LINK_0_10 && e->sent == 0 && e->accepted)
        check(e->sim->now - e->last_us >= 5000, "TRANSFER too close to RESPOND");
}

static struct chan_pull on_pull(struct chan *ch, uint8_t *out, size_t cap)
{
    struct end *e = end_of(ch);
    size_t n = cap < e->burst ? cap : e->burst;

    check_pull(e, cap);
    if (n > e->to_send)
        n = (size_t)e->to_send;
    end_makes(e, out, n);
    if (e->to_send == 0)
        return (struct chan_pull){n, end_note(e, e->then)};
    return (struct chan_pull){n, e->burst ? CHAN_THEN_MORE : CHAN_THEN_IDLE};
}

/* ---- three kinds of endpoints */

const struct chan_ops end_ops = {.opened = on_opened,
                                 .closed = on_closed,
                                 .deliver = on_deliver,
                                 .pull = on_pull,
                                 .finished = on_finished,
                                 .flushing = on_flushing};

/* Of an endpoint that takes several frames at once. */
const struct chan_ops end_gather_ops = {.opened = on_opened,
                                        .closed = on_closed,
                                        .deliver = on_deliver,
                                        .deliver_iov = on_deliver_iov,
                                        .pull = on_pull,
                                        .finished = on_finished,
                                        .flushing = on_flushing};

/* Of an endpoint that cannot half-close. */
const struct chan_ops end_plain_ops = {
    .opened = on_opened, .closed = on_closed, .deliver = on_deliver, .pull = on_pull};
