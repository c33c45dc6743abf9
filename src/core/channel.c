#include "core/channel.h"

#include "core/dialect.h"

static const char *const state_names[] = {"idle", "opening", "asked",    "open",  "draining",
                                          "sent", "heard",   "flushing", "closed"};

/* By enum chan_end: for who watches the link. */
static const char *const end_names[] = {"ended", "reset",   "ended",    "refused",
                                        "reset", "stalled", "link lost"};

static const struct slice nothing = {NULL, 0};

const char *chan_state_name(enum chan_state state)
{
    return state_names[state];
}

void chan_init(struct chan *ch, const struct chan_ops *ops)
{
    *ch = (struct chan){.ops = ops, .state = CHAN_IDLE};
    list_init(&ch->ready_node);
    list_init(&ch->hazard_node);
    list_init(&ch->flushing_node);
}

void chan_set_state(struct chan *ch, enum chan_state state)
{
    if (ch->link)
        log_trace(ch->link->opt.log, "%s chan %.*s: %s -> %s", ch->link->name,
                  SLICE_FMT(ch->node.key), state_names[ch->state], state_names[state]);
    ch->state = state;
}

static void tell(const struct chan *ch, const char *how)
{
    if (ch->link && ch->link->opt.on_channel && !ch->mute)
        ch->link->opt.on_channel(ch->link, ch, how);
}

/* To be called while its state still says whether it was open. */
static void tell_end(const struct chan *ch, const char *how)
{
    if (ch->state >= CHAN_OPEN && ch->state <= CHAN_HEARD)
        tell(ch, how);
}

/* Out of the table and of every place of the link that points at it. */
static void leave(struct chan *ch)
{
    struct link *l = ch->link;

    map_remove(&l->channels, &ch->node);
    list_remove(&ch->ready_node);
    hazard_cancel(ch);
    if (l->rx_chan == ch)
        l->rx_chan = NULL;
    if (l->gathering == ch)
        l->gathering = NULL;
    if (l->blocked == ch) {
        l->blocked = NULL;
        l->opt.ops->wake(l);
    }
    ch->ready = false;
    ch->link = NULL;
}

void chan_flushed(struct chan *ch)
{
    if (ch->left)
        ch->left->flushing_count--;
    ch->left = NULL;
    list_remove(&ch->flushing_node);
}

static void drop(struct chan *ch, const char *how)
{
    tell_end(ch, how);
    chan_set_state(ch, CHAN_CLOSED);
    chan_drop_input(ch);
    if (ch->link)
        leave(ch);
    chan_flushed(ch);
    if (ch->gone)
        *ch->gone = true;
    ch->gone = NULL;
}

void chan_close(struct chan *ch, enum chan_end end, struct slice text)
{
    drop(ch, end_names[end]);
    ch->ops->closed(ch, end, text);
}

void chan_over(struct chan *ch, enum chan_end end)
{
    if (ch->held.bytes == 0) {
        chan_close(ch, end, nothing);
        return;
    }
    tell_end(ch, end_names[end]);
    chan_set_state(ch, CHAN_FLUSHING);
    chan_keep_held(ch);
    ch->left = ch->link;
    ch->left->flushing_count++;
    list_push(&ch->left->flushing, &ch->flushing_node);
    leave(ch);
    ch->over = end;
    if (ch->ops->flushing)
        ch->ops->flushing(ch);
}

/* ---- sending */

static bool may_pull(const struct chan *ch)
{
    return chan_can_send(ch) && ch->hazard == CHAN_NO_HAZARD && (ch->credit > 0 || ch->peeks);
}

/* Deficit round robin (Shreedhar and Varghese): a channel that has not used its share of the round
 * is served before those that have. */
static void line_up(struct chan *ch)
{
    struct link *l = ch->link;

    if (ch->round != l->round) {
        ch->round = l->round;
        ch->deficit = LINK_QUANTUM;
    }
    list_push(ch->deficit > 0 ? &l->fresh : &l->ready, &ch->ready_node);
}

void chan_ready(struct chan *ch)
{
    ch->ready = true;
    if (!ch->link || !may_pull(ch) || list_linked(&ch->ready_node))
        return;
    line_up(ch);
    ch->link->opt.ops->wake(ch->link);
}

size_t chan_share(const struct chan *ch, size_t cap)
{
    size_t max = ch->link->peer.transfer < MSG_DATA_MAX ? (size_t)ch->link->peer.transfer
                                                        : (size_t)MSG_DATA_MAX;

    if (cap > max)
        cap = max;
    return ch->credit < cap ? (size_t)ch->credit : cap;
}

size_t chan_send(struct chan *ch, struct slice data)
{
    struct link *l = ch->link;
    size_t taken = 0;

    /* While others wait for their turn, this one has to wait as well. */
    if (!l || !may_pull(ch) || !ch->credit || !list_empty(&l->ready) || !list_empty(&l->fresh))
        return 0;
    while (taken < data.len && l->out.bytes < LINK_OUTPUT_TARGET && !l->failed && ch->credit) {
        size_t n = chan_share(ch, data.len - taken);

        link_put(l, ch->node.key, MSG_TRANSFER, slice_of(data.p + taken, n));
        ch->credit -= n;
        taken += n;
    }
    ch->sent += taken;
    if (taken)
        ch->mark = l->out_total;
    return taken;
}

void chan_credit(struct chan *ch, uint64_t credit)
{
    ch->credit += credit;
    if (ch->ready)
        chan_ready(ch);
}

/* ---- opening */

static void set_open(struct chan *ch)
{
    chan_set_state(ch, CHAN_OPEN);
    if (!ch->mute)
        ch->link->opened++;
    tell(ch, NULL);
}

void chan_accept(struct chan *ch, struct slice bound)
{
    struct msg_response r = {.success = true, .bound = bound};
    struct link *l = ch->link;

    if (l->dialect->windows)
        r.window = ch->window.size;
    set_open(ch);
    link_respond(l, ch->node.key, &r);
    ch->mark = l->out_total;
    if (l->dialect->hazards)
        hazard_wait(ch, CHAN_GATE);
    else if (ch->ready)
        chan_ready(ch);
}

void chan_refuse(struct chan *ch, struct slice text)
{
    struct msg_response r = {.success = false, .error = text};

    link_respond(ch->link, ch->node.key, &r);
    drop(ch, end_names[CHAN_END_FAILED]);
}

void chan_answered(struct chan *ch, const struct msg_response *r)
{
    struct link *l = ch->link;

    if (!r->success) {
        l->refused++;
        chan_close(ch, CHAN_END_FAILED, r->error);
        return;
    }
    if (l->dialect->windows)
        ch->credit = r->window ? r->window : l->peer.window;
    set_open(ch);
    ch->mark = l->out_total;
    if (ch->ready || ch->lead.len)
        chan_ready(ch);
    ch->ops->opened(ch, r->bound);
}

/* ---- ending */

static void finish(struct chan *ch, bool both)
{
    if (!chan_can_send(ch))
        return;
    ch->ended = true;
    list_remove(&ch->ready_node);
    ch->link->dialect->finish(ch, both);
}

void chan_finish(struct chan *ch)
{
    finish(ch, false);
}

static void interrupt(struct chan *ch, enum msg_reason why)
{
    if (ch->state == CHAN_ASKED) {
        chan_refuse(ch, slice_str("canceled"));
        return;
    }
    if (ch->link)
        ch->link->dialect->interrupt(ch->link, ch->node.key, why);
    if (chan_live(ch))
        drop(ch, end_names[why == MSG_RESET ? CHAN_END_RESET : CHAN_END_PEER]);
}

void chan_abort(struct chan *ch)
{
    interrupt(ch, MSG_CLOSED);
}

void chan_reset(struct chan *ch)
{
    interrupt(ch, MSG_RESET);
}

void chan_withdraw(struct chan *ch)
{
    interrupt(ch, MSG_WITHDRAWN);
}

void chan_forget(struct chan *ch)
{
    if (chan_live(ch))
        drop(ch, end_names[CHAN_END_PEER]);
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
        finish(ch, false);
        break;
    case CHAN_THEN_CLOSE:
        finish(ch, true);
        break;
    case CHAN_THEN_RESET:
        chan_reset(ch);
        ch->ops->closed(ch, CHAN_END_RESET, nothing);
        break;
    }
}
