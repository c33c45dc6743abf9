#include "core/link.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/link_parts.h"

#define NOISE_WINDOW_US 10000000 /* per link: 10 lines about the peer's faults in 10 s */
#define NOISE_BURST 10
#define FULL_TICK_US 1000000 /* interval of looking whether full output moves */

enum wsp_err link_init(struct link *l, const struct link_options *opt, uint64_t now)
{
    uint64_t seed[2];

    *l = (struct link){.opt = *opt, .last_rx_us = now};
    snprintf(l->name, sizeof(l->name), "%s", opt->name);
    l->opt.name = l->name;
    opt->ops->random(seed, sizeof(seed));
    map_init(&l->channels, seed);
    list_init(&l->ready);
    list_init(&l->unacked);
    list_init(&l->settling);
    l->noise = (struct log_limit){.window_us = NOISE_WINDOW_US, .burst = NOISE_BURST};
    return WSP_OK;
}

void link_lost(struct link *l)
{
    struct map_node *n;

    l->failed = true;
    while ((n = map_any(&l->channels)))
        chan_close(container_of(n, struct chan, node), CHAN_END_LINK_LOST, slice_of(NULL, 0));
}

void link_fini(struct link *l)
{
    link_lost(l);
    map_fini(&l->channels);
    buf_fini(&l->message);
    queue_clear(&l->out, l->opt.pool);
    pool_put(l->opt.pool, l->spare);
    l->spare = NULL;
}

void link_close(struct link *l, unsigned code, const char *why)
{
    uint8_t payload[WS_CONTROL_MAX];
    size_t len = ws_close_write(code, slice_str(why), payload);

    if (!l->error[0])
        snprintf(l->error, sizeof(l->error), "%s", why);
    if (!l->closing)
        link_put_frame(l, WS_CLOSE, slice_of(payload, len));
    l->closing = true;
    l->failed = true;
    l->close_code = code;
    l->opt.ops->wake(l);
}

void link_fail(struct link *l, unsigned code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(l->error, sizeof(l->error), fmt, ap);
    va_end(ap);
    if (code)
        link_close(l, code, l->error);
    l->failed = true;
    l->opt.ops->wake(l);
}

bool link_wants_input(const struct link *l)
{
    return !l->failed && !l->blocked && l->out.bytes < LINK_OUTPUT_MAX;
}

static uint64_t life_deadline(const struct link *l)
{
    if (l->blocked)
        return l->beat_us + l->opt.ping_us;
    if (l->out.bytes >= LINK_OUTPUT_MAX)
        return l->full_tick_us + FULL_TICK_US;
    if (l->opt.server)
        return l->asked_us ? l->asked_us + l->opt.probe_answer_us : l->last_rx_us + l->opt.probe_us;
    if (!l->asked_us)
        return l->last_rx_us + l->opt.ping_us;
    if (l->asked_us + l->opt.ping_us < l->last_rx_us + l->opt.dead_us)
        return l->asked_us + l->opt.ping_us;
    return l->last_rx_us + l->opt.dead_us;
}

uint64_t link_deadline(const struct link *l)
{
    uint64_t due, hazard;

    if (l->failed)
        return UINT64_MAX;
    due = life_deadline(l);
    hazard = hazard_deadline(l);
    if (l->blocked && l->blocked_us + l->opt.stall_us < due)
        due = l->blocked_us + l->opt.stall_us;
    return hazard < due ? hazard : due;
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
void link_ask_life(struct link *l, uint64_t now)
{
    static const char hex[] = "0123456789abcdef";
    uint8_t random[13];
    char id[2 * sizeof(random)];

    l->opt.ops->random(random, sizeof(random));
    for (size_t i = 0; i < sizeof(random); i++) {
        id[2 * i] = hex[random[i] >> 4];
        id[2 * i + 1] = hex[random[i] & 15];
    }
    link_put(l, slice_of(id, sizeof(id)), MSG_TRANSFER, slice_str("?"));
    if (!l->asked_us)
        l->asked_us = now;
}

static void server_life(struct link *l, uint64_t now)
{
    if (!l->asked_us && now - l->last_rx_us >= l->opt.probe_us)
        link_ask_life(l, now);
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
    link_put(l, ch->node.key, MSG_INTERRUPT, slice_str(INTERRUPT_RESET));
    chan_close(ch, CHAN_END_STALLED, slice_of(NULL, 0));
}

/* With so much unsent that nothing is read, the peer lives while it takes some of it. */
static void full_tick(struct link *l, uint64_t now)
{
    l->full_tick_us = now;
    if (l->out_sent != l->moved_sent || !l->moved_us) {
        l->moved_sent = l->out_sent;
        l->moved_us = now;
        l->last_rx_us = now;
        l->asked_us = 0;
    } else if (now - l->moved_us >= l->opt.dead_us) {
        link_fail(l, 0, "takes nothing for %u s", (unsigned)((now - l->moved_us) / 1000000));
    }
}

void link_tick(struct link *l, uint64_t now)
{
    if (l->failed)
        return;
    hazard_tick(l, now);
    stall_tick(l, now);
    if (!l->blocked && l->out.bytes >= LINK_OUTPUT_MAX) {
        full_tick(l, now);
    } else if (!link_wants_input(l)) {
        l->last_rx_us = now; /* silence does not count while we do not listen */
        l->asked_us = 0;
        beat(l, now);
    } else if (l->opt.server) {
        server_life(l, now);
    } else {
        client_life(l, now);
    }
}

static enum wsp_err enter(struct link *l, struct chan *ch, enum chan_state state)
{
    enum wsp_err err;

    if (l->failed)
        return WSP_ERR_REFUSED;
    if (l->channels.count >= l->opt.max_channels)
        return WSP_ERR_LIMIT;
    err = map_add(&l->channels, &ch->node);
    if (err != WSP_OK)
        return err;
    ch->link = l;
    ch->ended = false;
    ch->mark = l->out_total;
    chan_set_state(ch, state);
    return WSP_OK;
}

/* 27 letters and digits, as the original's ids look; a bridging server of the original uses one id
 * on both its links, so ids have to be unique among all its clients. */
static void new_id(struct link *l, struct chan *ch)
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
    ch->node.key = slice_of(ch->id, ID_LEN);
}

enum wsp_err link_open(struct link *l, struct chan *ch, const struct msg_request *request)
{
    uint8_t data[4096 + 64];
    size_t len;
    enum wsp_err err = msg_request_write(request, data, sizeof(data), &len);

    if (err == WSP_OK && l->out.bytes >= LINK_OUTPUT_MAX)
        err = WSP_ERR_LIMIT; /* the peer takes nothing: asking more would only pile up */
    if (err != WSP_OK)
        return err;
    new_id(l, ch);
    err = enter(l, ch, CHAN_OPENING);
    if (err != WSP_OK)
        return err;
    log_debug(l->opt.log, "%s chan %.*s: CONNECT sent", l->name, SLICE_FMT(ch->node.key));
    link_put(l, ch->node.key, MSG_CONNECT, slice_of(data, len));
    return WSP_OK;
}

enum wsp_err link_adopt(struct link *l, struct chan *ch, struct slice id)
{
    if (id.len)
        memcpy(ch->id, id.p, id.len);
    ch->node.key = slice_of(ch->id, id.len);
    return enter(l, ch, CHAN_ASKED);
}

void link_respond(struct link *l, struct slice id, const struct msg_response *response)
{
    uint8_t data[2048];
    struct msg_response r = *response;
    size_t len;

    if (r.error.len > 1024)
        r.error.len = 1024;
    while (r.error.len && !slice_is_utf8(r.error))
        r.error.len--; /* a proto3 string must be UTF-8 */
    if (msg_response_write(&r, data, sizeof(data), &len) != WSP_OK)
        return;
    log_debug(l->opt.log, "%s chan %.*s: RESPOND %s%.*s sent", l->name, SLICE_FMT(id),
              r.success ? "SUCCESS" : "FAILED ", SLICE_FMT(r.error));
    link_put(l, id, MSG_RESPOND, slice_of(data, len));
}

void link_refuse(struct link *l, struct slice id, const char *text)
{
    struct msg_response failed = {.success = false, .error = slice_str(text)};

    link_respond(l, id, &failed);
}
