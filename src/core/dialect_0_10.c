/* Dialect 0.10, as the original implementation speaks it (docs/protocol.md sections 4 to 6). */
#include "core/dialect.h"

/* Ours, in the data of INTERRUPT: other peers do not look at it. */
#define INTERRUPT_RESET "reset"

static void unknown_id(struct link *l, struct slice id)
{
    link_put(l, id, MSG_INTERRUPT, slice_str("connection does not exist"));
}

static void interrupt(struct link *l, struct slice id, enum msg_reason why)
{
    link_put(l, id, MSG_INTERRUPT, slice_str(why == MSG_CLOSED ? "" : INTERRUPT_RESET));
}

static void on_connect(struct link *l, const struct msg *m)
{
    if (link_find(l, m->id))
        link_refuse(l, m->id, "channel id is in use");
    else
        link_on_connect(l, m);
}

static void on_respond(struct link *l, const struct msg *m)
{
    struct chan *ch = link_find(l, m->id);

    if (!ch)
        unknown_id(l, m->id);
    else if (ch->state == CHAN_OPENING)
        link_on_respond(l, ch, m);
}

static void on_interrupt(struct link *l, const struct msg *m)
{
    struct chan *ch = link_find(l, m->id);

    if (!ch)
        return;
    log_debug(l->opt.log, "%s chan %.*s: INTERRUPT", l->name, SLICE_FMT(m->id));
    if (ch->state == CHAN_OPENING) {
        chan_close(ch, CHAN_END_FAILED, slice_str("interrupted"));
        return;
    }
    if (chan_receives(ch))
        link_put(l, m->id, MSG_INTERRUPT, slice_of(NULL, 0));
    if (slice_eq_str(m->data, INTERRUPT_RESET))
        chan_close(ch, CHAN_END_PEER_RESET, slice_of(NULL, 0));
    else
        chan_over(ch, CHAN_END_PEER);
}

static void message(struct link *l, const struct msg *m)
{
    switch (m->cmd) {
    case MSG_CONNECT:
        on_connect(l, m);
        break;
    case MSG_RESPOND:
        on_respond(l, m);
        break;
    case MSG_INTERRUPT:
        on_interrupt(l, m);
        break;
    default:
        link_note(l, "%s: unknown command %d ignored", l->name, (int)m->cmd);
    }
}

static struct chan *transfer(struct link *l, struct slice id, uint64_t len)
{
    struct chan *ch = link_find(l, id);

    (void)len;
    if (chan_receives(ch))
        return ch;
    unknown_id(l, id);
    return NULL;
}

static void pong(struct link *l, struct slice payload)
{
    (void)l;
    (void)payload;
}

/* 27 letters and digits, as the original's ids look; a bridging server of the original uses one id
 * on both its links, so ids have to be unique among all its clients. */
static size_t new_id(struct link *l, struct chan *ch)
{
    static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    enum { ID_LEN = 27 };
    uint8_t random[64];
    size_t n = 0;

    while (n < ID_LEN) {
        l->opt.ops->random(random, sizeof(random));
        for (size_t i = 0; i < sizeof(random) && n < ID_LEN; i++)
            if ((random[i] & 63) < 62)
                ch->id[n++] = (uint8_t)alphabet[random[i] & 63];
    }
    return ID_LEN;
}

/* There is no half-close: INTERRUPT ends both ways. Someone patient lets the peer speak first. */
static void finish(struct chan *ch, bool both)
{
    if (both)
        ch->patient = false;
    chan_set_state(ch, CHAN_DRAINING);
    if (ch->hazard == CHAN_NO_HAZARD)
        hazard_wait(ch, ch->patient ? CHAN_QUIET : CHAN_INTERRUPT);
}

/* ---- life */

static uint64_t life_deadline(const struct link *l)
{
    if (l->blocked)
        return l->beat_us + l->opt.ping_us;
    if (l->opt.server)
        return l->asked_us ? l->asked_us + l->opt.probe_answer_us : l->last_rx_us + l->opt.probe_us;
    if (!l->asked_us)
        return l->last_rx_us + l->opt.ping_us;
    if (l->asked_us + l->opt.ping_us < l->last_rx_us + l->opt.dead_us)
        return l->asked_us + l->opt.ping_us;
    return l->last_rx_us + l->opt.dead_us;
}

static uint64_t deadline(const struct link *l)
{
    uint64_t due = life_deadline(l);

    if (l->blocked && l->blocked_us + l->opt.stall_us < due)
        due = l->blocked_us + l->opt.stall_us;
    return due;
}

/* Only the client pings a 0.10 peer, and only in silence: the original's pong can break a data
 * frame that is being sent. */
static void client_life(struct link *l, uint64_t now)
{
    if (now - l->last_rx_us >= l->opt.dead_us) {
        link_fail(l, 0, "silent for %u s", (unsigned)((now - l->last_rx_us) / 1000000));
        return;
    }
    if (now - (l->asked_us ? l->asked_us : l->last_rx_us) < l->opt.ping_us)
        return;
    link_put_frame(l, WS_PING, slice_of(NULL, 0));
    l->asked_us = now;
}

/* A TRANSFER with an id that no channel has: every 0.10 peer answers it with INTERRUPT. */
static void ask_life(struct link *l, uint64_t now)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t random[13];
    char id[2 * sizeof(random)];

    if (l->asked_us)
        return;
    l->opt.ops->random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        id[2 * i] = hex[random[i] >> 4];
        id[2 * i + 1] = hex[random[i] & 15];
    }
    link_put(l, slice_of(id, sizeof(id)), MSG_TRANSFER, slice_str("?"));
    l->asked_us = now;
}

static void server_life(struct link *l, uint64_t now)
{
    if (!l->asked_us && now - l->last_rx_us >= l->opt.probe_us)
        ask_life(l, now);
    else if (l->asked_us && now - l->asked_us >= l->opt.probe_answer_us)
        link_fail(l, 0, "no sign of life for %u s", (unsigned)((now - l->last_rx_us) / 1000000));
}

/* While we do not read, we answer nothing either: a pong that nobody asked for shows life (RFC 6455
 * section 5.5.3). */
static void beat(struct link *l, uint64_t now)
{
    if (!l->blocked || now - l->beat_us < l->opt.ping_us)
        return;
    l->beat_us = now;
    link_put_frame(l, WS_PONG, slice_of(NULL, 0));
}

/* A full channel may hold up the link, but not for ever: what others send or ask waits behind its
 * data, where we cannot see it. */
static void stall_tick(struct link *l, uint64_t now)
{
    struct chan *ch = l->blocked;

    if (!ch || now - l->blocked_us < l->opt.stall_us)
        return;
    log_info(l->opt.log, "%s chan %.*s: interrupted, its reader held up the link for %u s", l->name,
             SLICE_FMT(ch->node.key), (unsigned)(l->opt.stall_us / 1000000));
    interrupt(l, ch->node.key, MSG_TIMEOUT);
    chan_close(ch, CHAN_END_STALLED, slice_of(NULL, 0));
}

static void tick(struct link *l, uint64_t now)
{
    stall_tick(l, now);
    if (!link_wants_input(l)) {
        l->last_rx_us = now; /* silence does not count while we do not listen */
        l->asked_us = 0;
        beat(l, now);
    } else if (l->opt.server) {
        server_life(l, now);
    } else {
        client_life(l, now);
    }
}

const struct dialect dialect_0_10 = {
    .name = "0.10",
    .hazards = true,
    .message = message,
    .transfer = transfer,
    .pong = pong,
    .new_id = new_id,
    .finish = finish,
    .interrupt = interrupt,
    .deadline = deadline,
    .tick = tick,
    .ask_life = ask_life,
};
