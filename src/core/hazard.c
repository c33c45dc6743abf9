/*
 * The receiver of the original implementation hands CONNECT, RESPOND, TRANSFER and INTERRUPT to
 * tasks that run side by side: what follows too closely overtakes. So the first TRANSFER waits
 * after RESPOND, and INTERRUPT after the last TRANSFER, until the earlier message has left our
 * queue, the peer's kernel has acknowledged it, and 5 ms more have passed.
 */
#include "core/link_parts.h"

enum { ACK_POLL_MIN_US = 1000, ACK_POLL_MAX_US = 16000 };

void hazard_wait(struct chan *ch, enum chan_hazard hazard)
{
    struct link *l = ch->link;

    ch->hazard = hazard;
    ch->wait_us = 0;
    list_push(&l->unacked, &ch->hazard_node);
    l->ack_poll_us = ACK_POLL_MIN_US;
    l->ack_next_us = 0;
    l->opt.ops->wake(l);
}

void hazard_cancel(struct chan *ch)
{
    list_remove(&ch->hazard_node);
    ch->hazard = CHAN_NO_HAZARD;
}

uint64_t hazard_deadline(const struct link *l)
{
    uint64_t due = UINT64_MAX;

    if (!list_empty(&l->settling))
        due = container_of(l->settling.next, struct chan, hazard_node)->due_us;
    if (!list_empty(&l->unacked) && l->ack_next_us < due)
        due = l->ack_next_us;
    return due;
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

void hazard_tick(struct link *l, uint64_t now)
{
    if (!list_empty(&l->unacked) && now >= l->ack_next_us)
        look_for_acks(l, now);
    while (!list_empty(&l->settling)) {
        struct chan *ch = container_of(l->settling.next, struct chan, hazard_node);

        if (ch->due_us > now)
            break;
        list_remove(&ch->hazard_node);
        chan_hazard_over(ch);
    }
}
