#include "sim/sim_check.h"

#include "core/link_parts.h"
#include "sim/sim_random.h"

enum {
    HELD_MAX_0_10 = 256 * 1024,
    OUTPUT_SLACK = 64 * 1024, /* what one call may queue above the mark: answers, grants, opens */
};

/* ---- one link */

/* Of the TRANSFER that is coming in for a channel: announced, but not here yet. */
static uint64_t still_to_come(const struct link *l, const struct chan *ch)
{
    if (l->rx_chan != ch)
        return 0;
    return l->rx == LINK_RX_REPLAY ? l->message.len : l->frame.len - l->frame_pos;
}

static void check_window(const struct link *l, const struct chan *ch)
{
    const struct credit_window *w = &ch->window;
    size_t max = l->opt.window_max ? l->opt.window_max : (size_t)CREDIT_WINDOW_FIRST;

    check(w->left + w->held + w->owed == w->size, "a window that does not add up");
    check(w->size >= CREDIT_WINDOW_MIN && w->size <= max, "a window of an impossible size");
    check(w->held == ch->held.bytes + still_to_come(l, ch), "more or less is held than counted");
}

static void check_held(const struct link *l, const struct chan *ch)
{
    (void)l;
    check(ch->window.size == ch->held.bytes, "what is held is not set aside");
    check(ch->held.bytes <= HELD_MAX_0_10, "too much is held");
}

static void check_turn(const struct link *l, const struct chan *ch)
{
    bool may = chan_can_send(ch) && ch->hazard == CHAN_NO_HAZARD;
    bool can = may && ch->credit > 0;

    check(ch->link == l, "a channel in a foreign table");
    check(!list_linked(&ch->ready_node) || can || (may && ch->peeks),
          "a turn for a channel that cannot send");
    check(!(ch->ready && can) || list_linked(&ch->ready_node), "ready, but without a turn");
    check(chan_live(ch) && ch->state != CHAN_FLUSHING, "a channel that is over, in the table");
}

static void check_input(const struct link *l)
{
    bool windows = link_speaks(l) == LINK_WSP_1;

    check(!l->blocked || (!windows && l->blocked == l->rx_chan), "blocked by nobody");
    check(!l->blocked || l->blocked->link == l, "blocked by a foreign channel");
    check(l->message.cap <= 64 * 1024 || l->message.len, "a large buffer is kept");
}

static size_t length(const struct list *list)
{
    size_t n = 0;

    for (const struct list *node = list->next; node != list; node = node->next)
        n++;
    return n;
}

static void check_link(const struct link *l)
{
    bool windows = link_speaks(l) == LINK_WSP_1;
    size_t aside = 0;

    for (struct map_node *n = map_next(&l->channels, NULL); n; n = map_next(&l->channels, n)) {
        const struct chan *ch = container_of(n, struct chan, node);

        check_turn(l, ch);
        if (windows)
            check_window(l, ch);
        else
            check_held(l, ch);
        aside += ch->window.size;
    }
    check(aside == l->cap.used, "what is set aside does not add up");
    check(l->cap.used <= l->cap.max, "a link over its cap");
    check(l->channels.count + l->flushing_count <= l->opt.max_channels, "too many channels");
    check(length(&l->flushing) == l->flushing_count, "flushing channels are miscounted");
    check(l->out.bytes < LINK_OUTPUT_MAX + OUTPUT_SLACK, "the output queue is too long");
    check_input(l);
}

void check_wire(const struct wire *w)
{
    for (unsigned i = 0; i < 2; i++) {
        const struct side *s = &w->side[i];

        check(!s->link.failed || w->cut || w->mute, "a link has failed");
        check_link(&s->link);
    }
}

/* ---- processes */

size_t check_flushing(const struct chan *ch, const struct credit_cap *memory)
{
    if (ch->state != CHAN_FLUSHING)
        return 0;
    check(!ch->link, "flushing, but still on a link");
    check(ch->held.bytes > 0 && ch->window.size == ch->held.bytes, "flushing without memory");
    return ch->cap == memory ? ch->window.size : 0;
}

void check_memory(const struct process *p, size_t links, size_t flushing)
{
    check(p->memory.used == links + flushing, "the memory of a process does not add up");
    check(p->memory.used <= p->memory.max, "a process over its cap");
}

size_t flushing_ends(const struct sim *s, const struct process *p)
{
    size_t sum = 0;

    for (size_t i = 0; i < s->live_count; i++)
        sum += check_flushing(s->live[i]->ch, &p->memory);
    return sum;
}

/* ---- pairs of ends */

/* Whether credit of `e` is still a matter of both. */
static bool has_credit(const struct end *e)
{
    const struct end *p = e->peer;

    if (e->over || !p || p->over || !e->whole || e->bridged)
        return false;
    return chan_can_send(e->ch) && chan_receives(p->ch);
}

/* What `e` has sent and may still send, against what its peer has got and has room for. */
static uint64_t out_of(const struct end *e)
{
    return e->sent + e->ch->credit;
}

static uint64_t into(const struct end *p)
{
    return p->got + p->ch->window.held + p->ch->window.left;
}

void check_credit(const struct sim *s)
{
    for (size_t i = 0; i < s->live_count; i++) {
        const struct end *e = s->live[i];

        check(!has_credit(e) || out_of(e) <= into(e->peer), "more credit than room");
    }
}

void check_rest(const struct sim *s)
{
    for (size_t i = 0; i < s->live_count; i++) {
        const struct end *e = s->live[i];

        if (!has_credit(e))
            continue;
        check(out_of(e) == into(e->peer), "credit got lost");
        check(e->sent == e->peer->got, "bytes got stuck");
    }
}
