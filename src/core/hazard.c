/*
 * The receiver of the original implementation hands CONNECT, RESPOND, TRANSFER and INTERRUPT to
 * tasks that run side by side: what follows too closely overtakes. So the first TRANSFER waits
 * after RESPOND, and INTERRUPT after the last TRANSFER, until the earlier message has left our
 * queue, the peer's kernel has acknowledged it, and 5 ms more have passed.
 */
#include "core/dialect.h"

enum { ACK_POLL_MIN_US = 1000, ACK_POLL_MAX_US = 16000 };

void hazard_wait(struct chan *ch, enum chan_hazard hazard)
{
    struct link *l = ch->link;

    ch->hazard = hazard;
    ch->wait_us = 0;
    if (hazard == CHAN_QUIET) {
        ch->heard_us = link_now(l);
        ch->due_us = ch->heard_us + HAZARD_QUIET_US;
        list_push(&l->quiet, &ch->hazard_node);
    } else {
        list_push(&l->unacked, &ch->hazard_node);
        l->ack_poll_us = ACK_POLL_MIN_US;
        l->ack_next_us = 0;
    }
    l->opt.ops->wake(l);
}

void hazard_cancel(struct chan *ch)
{
    list_remove(&ch->hazard_node);
    ch->hazard = CHAN_NO_HAZARD;
}

static struct chan *first_of(const struct list *waiting)
{
    return container_of(waiting->next, struct chan, hazard_node);
}

uint64_t hazard_deadline(const struct link *l)
{
    uint64_t due = UINT64_MAX;

    if (!list_empty(&l->settling))
        due = first_of(&l->settling)->due_us;
    if (!list_empty(&l->unacked) && l->ack_next_us < due)
        due = l->ack_next_us;
    if (!list_empty(&l->quiet) && first_of(&l->quiet)->due_us < due)
        due = first_of(&l->quiet)->due_us;
    return due;
}

/* What it waited for has passed. */
static void hazard_over(struct chan *ch)
{
    enum chan_hazard was = ch->hazard;
    struct link *l = ch->link;

    ch->hazard = CHAN_NO_HAZARD;
    if (!ch->ended) {
        if (ch->ready)
            chan_ready(ch);
    } else if (was == CHAN_QUIET) {
        hazard_wait(ch, CHAN_INTERRUPT);
    } else if (was == CHAN_GATE && ch->patient) {
        hazard_wait(ch, CHAN_QUIET);
    } else {
        log_debug(l->opt.log, "%s chan %.*s: INTERRUPT sent", l->name, SLICE_FMT(ch->node.key));
        l->dialect->interrupt(l, ch->node.key, MSG_CLOSED);
        chan_over(ch, CHAN_END_SENT);
    }
}

static bool is_settled(const struct link *l, struct chan *ch, uint64_t acked, uint64_t now)
{
    if (ch->mark > l->out_sent)
        return false;
    if (ch->wait_us == 0)
        ch->wait_us = now;
    return ch->mark <= acked || now - ch->wait_us >= HAZARD_ACK_MAX_US;
}

static void look_for_acks(struct link *l, uint64_t now)
{
    uint64_t acked = l->opt.ops->acked(l);
    struct list *node, *tmp;

    list_each (node, tmp, &l->unacked) {
        struct chan *ch = container_of(node, struct chan, hazard_node);

        if (!is_settled(l, ch, acked, now))
            continue;
        ch->due_us = now + HAZARD_US;
        list_remove(node);
        list_push(&l->settling, node);
    }
    l->ack_next_us = now + l->ack_poll_us;
    if (l->ack_poll_us < ACK_POLL_MAX_US)
        l->ack_poll_us *= 2;
}

/* Those whose peer has said something meanwhile wait anew. */
static void look_for_quiet(struct link *l, uint64_t now)
{
    while (!list_empty(&l->quiet) && first_of(&l->quiet)->due_us <= now) {
        struct chan *ch = first_of(&l->quiet);

        list_remove(&ch->hazard_node);
        ch->due_us = ch->heard_us + HAZARD_QUIET_US;
        if (ch->due_us > now)
            list_push(&l->quiet, &ch->hazard_node);
        else
            hazard_over(ch);
    }
}

void hazard_tick(struct link *l, uint64_t now)
{
    look_for_quiet(l, now);
    if (!list_empty(&l->unacked) && now >= l->ack_next_us)
        look_for_acks(l, now);
    while (!list_empty(&l->settling)) {
        struct chan *ch = first_of(&l->settling);

        if (ch->due_us > now)
            break;
        list_remove(&ch->hazard_node);
        hazard_over(ch);
    }
}

void chan_hurry(struct chan *ch)
{
    if (ch->hazard != CHAN_QUIET)
        return;
    hazard_cancel(ch);
    hazard_wait(ch, CHAN_INTERRUPT);
}
