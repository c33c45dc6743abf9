/* Dialect wsp.1 (docs/protocol.md section 7). */
#include <stdio.h>

#include "core/dialect.h"

enum {
    NUMBER_DIGITS = 18,  /* of the longest id */
    TRANSFER_MIN = 1024, /* a peer that accepts less is none */
    RTT_PERIOD_US = 300000000,
    RTT_EVERY_US = 10000000, /* while data comes, the round trip is looked at so often */
};

#define CREDIT_ONCE_MAX (((uint64_t)1 << 31) - 1) /* bytes of one WINDOW */

static const struct slice nothing = {NULL, 0};

/* ---- ids: decimal numbers that count up, the client's odd, the server's even */

/* 0 when it is none. */
static uint64_t number_of(struct slice id)
{
    uint64_t n = 0;

    if (id.len == 0 || id.len > NUMBER_DIGITS || id.p[0] == '0')
        return 0;
    for (size_t i = 0; i < id.len; i++) {
        if (id.p[i] < '0' || id.p[i] > '9')
            return 0;
        n = n * 10 + (uint64_t)(id.p[i] - '0');
    }
    return n;
}

static bool is_of_server(uint64_t number)
{
    return number % 2 == 0;
}

static size_t new_id(struct link *l, struct chan *ch)
{
    l->last_id = l->last_id ? l->last_id + 2 : 1 + (uint64_t)l->opt.server;
    return (size_t)snprintf((char *)ch->id, sizeof(ch->id), "%llu", (unsigned long long)l->last_id);
}

static bool was_opened(const struct link *l, uint64_t number)
{
    bool ours = is_of_server(number) == l->opt.server;

    return number && number <= (ours ? l->last_id : l->peer_last_id);
}

/* The channel that a message is for, NULL when it has ended meanwhile. An id that was never used
 * fails the link. */
static struct chan *channel_of(struct link *l, struct slice id)
{
    struct chan *ch = link_find(l, id);

    if (!ch && !was_opened(l, number_of(id)))
        link_fail(l, WS_CLOSE_PROTOCOL, "message for channel %.*s, which was never opened",
                  SLICE_FMT(id));
    return ch;
}

/* ---- what we send */

static void interrupt(struct link *l, struct slice id, enum msg_reason why)
{
    uint8_t reason = (uint8_t)why;

    log_debug(l->opt.log, "%s chan %.*s: INTERRUPT %u sent", l->name, SLICE_FMT(id), reason);
    link_put(l, id, MSG_INTERRUPT, slice_of(&reason, 1));
}

static void finish(struct chan *ch, bool both)
{
    struct link *l = ch->link;

    if (both && ch->state == CHAN_OPEN) {
        interrupt(l, ch->node.key, MSG_CLOSED);
        chan_over(ch, CHAN_END_SENT);
        return;
    }
    log_debug(l->opt.log, "%s chan %.*s: FINISH sent", l->name, SLICE_FMT(ch->node.key));
    link_put(l, ch->node.key, MSG_FINISH, nothing);
    if (ch->state == CHAN_HEARD)
        chan_over(ch, CHAN_END_SENT);
    else
        chan_set_state(ch, CHAN_SENT);
}

static void ping(struct link *l, uint64_t now)
{
    uint8_t payload[8];

    l->ping_seq++;
    memcpy(payload, &l->ping_seq, sizeof(payload));
    link_put_frame(l, WS_PING, slice_of(payload, sizeof(payload)));
    l->ping_us = l->asked_us = now;
}

static void put_goaway(struct link *l)
{
    char id[24] = "";

    if (l->peer_last_id)
        snprintf(id, sizeof(id), "%llu", (unsigned long long)l->peer_last_id);
    log_debug(l->opt.log, "%s: GOAWAY sent", l->name);
    link_put(l, nothing, MSG_GOAWAY, slice_str(id));
}

void link_goaway(struct link *l)
{
    if (l->going)
        return;
    l->going = true;
    if (l->dialect->windows)
        put_goaway(l);
}

void wsp_1_begin(struct link *l)
{
    struct msg_settings s = {.window = CREDIT_WINDOW_MIN, .transfer = MSG_DATA_MAX};
    uint8_t data[MSG_SETTINGS_MAX];

    memcpy(s.instance, l->opt.instance, sizeof(s.instance));
    link_put(l, nothing, MSG_SETTINGS, slice_of(data, msg_settings_write(&s, data)));
    ping(l, l->now_us);
    l->rtt_period_us = l->now_us;
    if (l->going)
        put_goaway(l);
}

/* ---- what comes */

static void on_settings(struct link *l, const struct msg *m)
{
    struct msg_settings s;

    if (l->settled || msg_settings_parse(m->data, &s) != WSP_OK ||
        (s.transfer && s.transfer < TRANSFER_MIN) || s.window > CREDIT_MAX) {
        link_fail(l, WS_CLOSE_PROTOCOL, "bad SETTINGS");
        return;
    }
    l->settled = true;
    if (!s.window)
        s.window = l->peer.window;
    if (!s.transfer)
        s.transfer = l->peer.transfer;
    l->peer = s;
    if (l->opt.ops->settled)
        l->opt.ops->settled(l);
}

static void on_connect(struct link *l, const struct msg *m)
{
    uint64_t number = number_of(m->id);

    if (number == 0 || is_of_server(number) == l->opt.server || number <= l->peer_last_id) {
        link_fail(l, WS_CLOSE_PROTOCOL, "channel %.*s cannot be opened", SLICE_FMT(m->id));
        return;
    }
    l->peer_last_id = number;
    if (l->going)
        link_refuse(l, m->id, "goaway");
    else
        link_on_connect(l, m);
}

static void on_respond(struct link *l, const struct msg *m)
{
    struct chan *ch = channel_of(l, m->id);

    if (ch && ch->state == CHAN_OPENING)
        link_on_respond(l, ch, m);
    else if (ch)
        link_fail(l, WS_CLOSE_PROTOCOL, "RESPOND for channel %.*s, which is open",
                  SLICE_FMT(m->id));
}

static void on_interrupt(struct link *l, const struct msg *m)
{
    struct chan *ch = channel_of(l, m->id);
    struct slice text;
    uint8_t reason = msg_reason_parse(m->data, &text);

    if (!ch)
        return;
    log_debug(l->opt.log, "%s chan %.*s: INTERRUPT %u", l->name, SLICE_FMT(m->id), reason);
    if (ch->state == CHAN_OPENING)
        chan_close(ch, CHAN_END_FAILED, text.len ? text : slice_str("interrupted"));
    else if (reason == MSG_CLOSED)
        chan_over(ch, CHAN_END_PEER);
    else
        chan_close(ch, CHAN_END_PEER_RESET, text);
}

/* True once it is open: before, neither side says anything but CONNECT, RESPOND and INTERRUPT. */
static bool is_open(struct link *l, const struct chan *ch)
{
    if (ch->state != CHAN_OPENING && ch->state != CHAN_ASKED)
        return true;
    link_fail(l, WS_CLOSE_PROTOCOL, "message for channel %.*s, which is not open yet",
              SLICE_FMT(ch->node.key));
    return false;
}

static void on_window(struct link *l, const struct msg *m)
{
    struct chan *ch = channel_of(l, m->id);
    uint64_t credit;

    if (l->failed)
        return;
    if (msg_credit_parse(m->data, &credit) != WSP_OK || credit > CREDIT_ONCE_MAX)
        link_fail(l, WS_CLOSE_PROTOCOL, "bad WINDOW");
    else if (ch && is_open(l, ch) && credit > CREDIT_MAX - ch->credit)
        link_fail(l, WS_CLOSE_PROTOCOL, "too much credit");
    else if (ch && !l->failed)
        chan_credit(ch, credit);
}

/* Against the rules of one channel only. */
static void break_channel(struct link *l, struct chan *ch)
{
    link_note(l, "%s chan %.*s: the peer goes on after its FINISH", l->name,
              SLICE_FMT(ch->node.key));
    interrupt(l, ch->node.key, MSG_PROTOCOL);
    chan_close(ch, CHAN_END_PEER_RESET, nothing);
}

static void on_finish(struct link *l, const struct msg *m)
{
    struct chan *ch = channel_of(l, m->id);

    if (!ch || !is_open(l, ch))
        return;
    log_debug(l->opt.log, "%s chan %.*s: FINISH", l->name, SLICE_FMT(m->id));
    if (chan_receives(ch))
        chan_heard_finish(ch);
    else
        break_channel(l, ch);
}

static void on_goaway(struct link *l)
{
    log_debug(l->opt.log, "%s: GOAWAY", l->name);
    if (l->peer_going)
        return;
    l->peer_going = true;
    if (l->opt.ops->goaway)
        l->opt.ops->goaway(l);
}

static void message(struct link *l, const struct msg *m)
{
    if (!l->settled && m->cmd != MSG_SETTINGS) {
        link_fail(l, WS_CLOSE_PROTOCOL, "no SETTINGS");
        return;
    }
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
    case MSG_WINDOW:
        on_window(l, m);
        break;
    case MSG_FINISH:
        on_finish(l, m);
        break;
    case MSG_GOAWAY:
        on_goaway(l);
        break;
    case MSG_SETTINGS:
        on_settings(l, m);
        break;
    default:
        link_note(l, "%s: unknown command %d ignored", l->name, (int)m->cmd);
    }
}

static struct chan *transfer(struct link *l, struct slice id, uint64_t len)
{
    struct chan *ch;

    if (!l->settled) {
        link_fail(l, WS_CLOSE_PROTOCOL, "no SETTINGS");
        return NULL;
    }
    ch = channel_of(l, id);
    if (!ch || len == 0 || !is_open(l, ch))
        return NULL;
    if (len > MSG_DATA_MAX)
        link_fail(l, WS_CLOSE_TOO_BIG, "TRANSFER over %d bytes", MSG_DATA_MAX);
    else if (!chan_receives(ch))
        break_channel(l, ch);
    else if (!credit_window_use(&ch->window, (size_t)len))
        link_fail(l, WS_CLOSE_PROTOCOL, "channel %.*s: more than was granted", SLICE_FMT(id));
    else
        return ch;
    return NULL;
}

/* ---- life and round trip */

static void next_period(struct link *l, uint64_t now)
{
    if (now - l->rtt_period_us < RTT_PERIOD_US)
        return;
    l->rtt_old_us = l->rtt_us;
    l->rtt_us = 0;
    l->rtt_period_us = now;
}

static void pong(struct link *l, struct slice payload)
{
    uint64_t sample;

    if (!l->ping_us || payload.len != sizeof(l->ping_seq) ||
        memcmp(payload.p, &l->ping_seq, sizeof(l->ping_seq)) != 0)
        return;
    sample = l->now_us - l->ping_us;
    l->ping_us = 0;
    next_period(l, l->now_us);
    if (!l->rtt_us || sample < l->rtt_us)
        l->rtt_us = sample ? sample : 1;
    l->rtt_next_us = l->now_us + RTT_EVERY_US;
}

static uint64_t last_sign_us(const struct link *l)
{
    return l->asked_us > l->last_rx_us ? l->asked_us : l->last_rx_us;
}

static uint64_t deadline(const struct link *l)
{
    uint64_t ping_us = last_sign_us(l) + l->opt.ping_us;
    uint64_t dead_us = l->last_rx_us + l->opt.dead_us;

    return ping_us < dead_us ? ping_us : dead_us;
}

static void tick(struct link *l, uint64_t now)
{
    if (now - l->last_rx_us >= l->opt.dead_us)
        link_fail(l, 0, "silent for %u s", (unsigned)((now - l->last_rx_us) / 1000000));
    else if (now - last_sign_us(l) >= l->opt.ping_us)
        ping(l, now);
}

static void ask_life(struct link *l, uint64_t now)
{
    if (!l->asked_us)
        ping(l, now);
}

void wsp_1_measure(struct link *l)
{
    if (!l->ping_us && l->now_us >= l->rtt_next_us)
        ping(l, l->now_us);
}

const struct dialect dialect_wsp_1 = {
    .name = "wsp.1",
    .windows = true,
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
