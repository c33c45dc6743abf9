#include "core/channel.h"

#include "core/link_parts.h"

static const char *const state_names[] = {"idle", "opening", "asked", "open", "draining", "closed"};

void chan_init(struct chan *ch, const struct chan_ops *ops)
{
    *ch = (struct chan){.ops = ops, .state = CHAN_IDLE};
    list_init(&ch->ready_node);
    list_init(&ch->hazard_node);
}

void chan_set_state(struct chan *ch, enum chan_state state)
{
    if (ch->link)
        log_trace(ch->link->opt.log, "%s chan %.*s: %s -> %s", ch->link->name,
                  SLICE_FMT(ch->node.key), state_names[ch->state], state_names[state]);
    ch->state = state;
}

/* Out of the table and of every place of the link that points at it. */
static void detach(struct chan *ch)
{
    struct link *l = ch->link;

    chan_set_state(ch, CHAN_CLOSED);
    map_remove(&l->channels, &ch->node);
    list_remove(&ch->ready_node);
    hazard_cancel(ch);
    if (l->rx_chan == ch)
        l->rx_chan = NULL;
    if (l->blocked == ch) {
        l->blocked = NULL;
        l->opt.ops->wake(l);
    }
    ch->ready = false;
    ch->link = NULL;
}

void chan_close(struct chan *ch, enum chan_end end, struct slice text)
{
    detach(ch);
    ch->ops->closed(ch, end, text);
}

static bool may_pull(const struct chan *ch)
{
    return ch->state == CHAN_OPEN && ch->hazard == CHAN_NO_HAZARD && !ch->ended;
}

void chan_ready(struct chan *ch)
{
    ch->ready = true;
    if (!ch->link || !may_pull(ch) || list_linked(&ch->ready_node))
        return;
    list_push(&ch->link->ready, &ch->ready_node);
    ch->link->opt.ops->wake(ch->link);
}

size_t chan_send(struct chan *ch, struct slice data)
{
    struct link *l = ch->link;
    size_t taken = 0;

    /* While others wait for their turn, this one has to wait as well. */
    if (!l || !may_pull(ch) || !list_empty(&l->ready))
        return 0;
    while (taken < data.len && l->out.bytes < LINK_OUTPUT_TARGET && !l->failed) {
        size_t n = data.len - taken < MSG_DATA_MAX ? data.len - taken : MSG_DATA_MAX;

        link_put(l, ch->node.key, MSG_TRANSFER, slice_of(data.p + taken, n));
        taken += n;
    }
    if (taken)
        ch->mark = l->out_total;
    return taken;
}

void chan_resume(struct chan *ch)
{
    struct link *l = ch->link;

    if (!l || l->blocked != ch)
        return;
    l->blocked = NULL;
    l->opt.ops->wake(l);
}

void chan_accept(struct chan *ch, struct slice bound)
{
    struct msg_response r = {.success = true, .bound = bound};
    struct link *l = ch->link;

    chan_set_state(ch, CHAN_OPEN);
    link_respond(l, ch->node.key, &r);
    ch->mark = l->out_total;
    hazard_wait(ch, CHAN_GATE);
}

void chan_refuse(struct chan *ch, struct slice text)
{
    struct msg_response r = {.success = false, .error = text};

    link_respond(ch->link, ch->node.key, &r);
    detach(ch);
}

void chan_finish(struct chan *ch)
{
    if (ch->state != CHAN_OPEN || ch->ended)
        return;
    ch->ended = true;
    list_remove(&ch->ready_node);
    chan_set_state(ch, CHAN_DRAINING);
    if (ch->hazard == CHAN_NO_HAZARD)
        hazard_wait(ch, CHAN_INTERRUPT);
}

static void interrupt(struct chan *ch, const char *word)
{
    if (!ch->link)
        return;
    if (ch->state == CHAN_ASKED) {
        chan_refuse(ch, slice_str("canceled"));
        return;
    }
    link_put(ch->link, ch->node.key, MSG_INTERRUPT, slice_str(word));
    detach(ch);
}

void chan_abort(struct chan *ch)
{
    interrupt(ch, "");
}

void chan_reset(struct chan *ch)
{
    interrupt(ch, INTERRUPT_RESET);
}

void chan_forget(struct chan *ch)
{
    if (ch->link)
        detach(ch);
}

void chan_pulled(struct chan *ch, enum chan_then then)
{
    switch (then) {
    case CHAN_THEN_MORE:
        chan_ready(ch);
        break;
    case CHAN_THEN_IDLE:
        break;
    case CHAN_THEN_END:
        chan_finish(ch);
        break;
    case CHAN_THEN_RESET:
        link_put(ch->link, ch->node.key, MSG_INTERRUPT, slice_str(INTERRUPT_RESET));
        chan_close(ch, CHAN_END_RESET, slice_of(NULL, 0));
        break;
    }
}

void chan_hazard_over(struct chan *ch)
{
    ch->hazard = CHAN_NO_HAZARD;
    if (ch->ended) {
        log_debug(ch->link->opt.log, "%s chan %.*s: INTERRUPT sent", ch->link->name,
                  SLICE_FMT(ch->node.key));
        link_put(ch->link, ch->node.key, MSG_INTERRUPT, slice_of(NULL, 0));
        chan_close(ch, CHAN_END_SENT, slice_of(NULL, 0));
    } else if (ch->ready) {
        chan_ready(ch);
    }
}

void chan_answered(struct chan *ch, const struct msg_response *r)
{
    if (!r->success) {
        chan_close(ch, CHAN_END_FAILED, r->error);
        return;
    }
    chan_set_state(ch, CHAN_OPEN);
    ch->mark = ch->link->out_total;
    if (ch->ready)
        chan_ready(ch);
    ch->ops->opened(ch, r->bound);
}
