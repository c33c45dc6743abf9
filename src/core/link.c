#include "core/link.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/dialect.h"

#define NOISE_WINDOW_US 10000000 /* per link: 10 lines about the peer's faults in 10 s */
#define NOISE_BURST 10
#define FULL_TICK_US 1000000 /* interval of looking whether full output moves */

enum wsp_err link_init(struct link *l, const struct link_options *opt, uint64_t now)
{
    uint64_t seed[2];

    *l = (struct link){.opt = *opt, .last_rx_us = now, .now_us = now, .began_us = now};
    snprintf(l->name, sizeof(l->name), "%s", opt->name);
    l->opt.name = l->name;
    opt->ops->random(seed, sizeof(seed));
    map_init(&l->channels, seed);
    l->dialect = opt->dialect == LINK_WSP_1 ? &dialect_wsp_1 : &dialect_0_10;
    l->cap = (struct credit_cap){.max = opt->memory_max ? opt->memory_max : SIZE_MAX,
                                 .parent = opt->memory};
    l->peer = (struct msg_settings){.window = CREDIT_WINDOW_MIN, .transfer = MSG_DATA_MAX};
    list_init(&l->flushing);
    list_init(&l->fresh);
    list_init(&l->ready);
    list_init(&l->unacked);
    list_init(&l->settling);
    list_init(&l->quiet);
    l->noise = (struct log_limit){.window_us = NOISE_WINDOW_US, .burst = NOISE_BURST};
    if (opt->dialect == LINK_WSP_1)
        wsp_1_begin(l);
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
    struct list *node, *tmp;

    link_lost(l);
    list_each (node, tmp, &l->flushing) {
        chan_flushed(container_of(node, struct chan, flushing_node));
    }
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
    if (!l->blocked && l->out.bytes >= LINK_OUTPUT_MAX)
        return l->full_tick_us + FULL_TICK_US;
    return l->dialect->deadline(l);
}

uint64_t link_deadline(const struct link *l)
{
    uint64_t due, hazard;

    if (l->failed)
        return UINT64_MAX;
    due = life_deadline(l);
    hazard = hazard_deadline(l);
    return hazard < due ? hazard : due;
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
    l->now_us = now;
    if (l->failed)
        return;
    hazard_tick(l, now);
    if (!l->blocked && l->out.bytes >= LINK_OUTPUT_MAX)
        full_tick(l, now);
    else
        l->dialect->tick(l, now);
}

void link_ask_life(struct link *l, uint64_t now)
{
    l->now_us = now;
    l->dialect->ask_life(l, now);
}

uint64_t link_now(const struct link *l)
{
    return l->opt.ops->now ? l->opt.ops->now(l) : l->now_us;
}

enum link_dialect link_speaks(const struct link *l)
{
    return l->dialect == &dialect_wsp_1 ? LINK_WSP_1 : LINK_0_10;
}

uint64_t link_rtt_us(const struct link *l)
{
    if (!l->rtt_us || (l->rtt_old_us && l->rtt_old_us < l->rtt_us))
        return l->rtt_old_us;
    return l->rtt_us;
}

struct chan *link_find(const struct link *l, struct slice id)
{
    struct map_node *n = map_find(&l->channels, id);

    return n ? container_of(n, struct chan, node) : NULL;
}
