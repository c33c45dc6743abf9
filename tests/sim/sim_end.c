#include "sim/sim_end_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "sim/sim_random.h"

/* ---- life */

void sim_start(struct sim *s)
{
    *s = (struct sim){.now = 100000000};
}

void sim_stop(struct sim *s)
{
    check(s->live_count == 0, "an end that has not ended");
    for (size_t i = 0; i < s->ends; i++)
        free(s->end[i]);
    free(s->end);
    free(s->live);
}

static struct end **grown(struct end **old, size_t count, size_t cap)
{
    struct end **new = sim_alloc(cap * sizeof(struct end *));

    if (count)
        memcpy(new, old, count * sizeof(struct end *));
    free(old);
    return new;
}

static void end_list(struct end *e)
{
    struct sim *s = e->sim;

    if (s->ends == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->end = grown(s->end, s->ends, s->cap);
        s->live = grown(s->live, s->live_count, s->cap);
    }
    s->end[s->ends++] = e;
    e->live_index = s->live_count;
    s->live[s->live_count++] = e;
}

void end_over(struct end *e)
{
    struct sim *s = e->sim;
    struct end *last = s->live[--s->live_count];

    check(!e->over, "over twice");
    e->over = true;
    s->live[e->live_index] = last;
    last->live_index = e->live_index;
    check(!chan_live(e->ch), "over, but its channel lives");
    free(container_of(e->ch, struct body, chan));
    e->ch = NULL;
}

/* ---- what it does */

/* As a bridge does it: it does not wait to be asked. */
static void push(struct end *e)
{
    uint8_t data[3000];
    size_t n = (size_t)any(sizeof(data));

    if (e->burst < n)
        e->burst = n;
    if (n > e->to_send)
        n = (size_t)e->to_send;
    stream_fill(data, n, e->stream, e->sent);
    end_makes(e, data, chan_send(e->ch, slice_of(data, n)));
    chan_ready(e->ch);
}

/* As a relay does it: it takes what is held by itself. */
static void take_held(struct end *e)
{
    while (e->room && e->ch->held.bytes) {
        struct iovec iov[3];
        int n = chan_held(e->ch, iov, 3);
        size_t taken = 0;

        for (int i = 0; i < n && e->room; i++) {
            size_t part = iov[i].iov_len < e->room ? iov[i].iov_len : e->room;

            end_got(e, iov[i].iov_base, part);
            taken += part;
        }
        chan_took(e->ch, taken);
    }
    chan_settle(e->ch);
}

struct end *end_new(struct sim *s)
{
    struct end *e = sim_alloc(sizeof(*e));
    struct body *b = sim_alloc(sizeof(*b));

    *e = (struct end){.sim = s, .ch = &b->chan, .stream = s->ends, .room = SIZE_MAX};
    e->to_send = FOREVER;
    e->then = CHAN_THEN_END;
    b->end = e;
    chan_init(e->ch, &end_ops);
    end_list(e);
    return e;
}

static size_t any_burst(const struct sim *s)
{
    return s->bulk && one_in(2) ? SIZE_MAX : (size_t)any(3000);
}

void end_vary(struct end *e)
{
    static const enum chan_then thens[] = {CHAN_THEN_END, CHAN_THEN_END, CHAN_THEN_END,
                                           CHAN_THEN_CLOSE, CHAN_THEN_RESET};

    e->then = thens[any(5)];
    if (one_in(4))
        e->to_send = any(300000);
    else if (!one_in(4))
        e->to_send = any(2000);
    e->frozen = one_in(40);
    e->room = one_in(4) || e->frozen ? any(5000) : SIZE_MAX;
    e->burst = any_burst(e->sim);
    e->decide_us = e->sim->now + any(3) * any(20000);
    e->ch->patient = one_in(4);
    e->ch->peeks = one_in(3);
    e->ch->ops = one_in(6) ? &end_plain_ops : one_in(2) ? &end_gather_ops : &end_ops;
}

enum wsp_err end_open(struct end *e, struct link *l)
{
    struct msg_request request = {.type = MSG_DYNAMIC};
    char url[32];
    enum wsp_err err;

    snprintf(url, sizeof(url), "%llu", (unsigned long long)e->stream);
    request.url = slice_of(url, strlen(url) + 1);
    err = link_open(l, e->ch, &request);
    if (err != WSP_OK)
        end_over(e);
    return err;
}

struct end *end_asking(const struct sim *s, const struct msg_request *request)
{
    unsigned long long index = strtoull((const char *)request->url.p, NULL, 10);

    check(index < s->ends, "CONNECT of nobody");
    return s->end[index];
}

struct end *end_adopt(struct sim *s, struct link *l, struct slice id,
                      const struct msg_request *request)
{
    struct end *opener = end_asking(s, request);
    struct end *e = end_new(s);

    if (link_adopt(l, e->ch, id) != WSP_OK) {
        link_refuse(l, id, "limit");
        end_over(e);
        return NULL;
    }
    check(!opener->peer, "adopted twice");
    e->peer = opener;
    e->whole = opener->whole = opener->whole && link_speaks(l) == LINK_WSP_1;
    e->bridged = opener->bridged;
    opener->peer = e;
    return e;
}

void end_accept(struct end *e)
{
    e->accepted = true;
    e->last_us = e->sim->now;
    chan_accept(e->ch, slice_of(NULL, 0));
    chan_ready(e->ch);
}

void end_refuse(struct end *e)
{
    chan_refuse(e->ch, slice_str("no"));
    end_over(e);
}

static void drop(struct end *e, bool reset)
{
    e->broke = e->broke || reset;
    e->ended = e->closed = true;
    if (reset)
        chan_reset(e->ch);
    else
        chan_abort(e->ch);
    end_over(e);
}

void end_act(struct end *e, enum act act)
{
    if (e->over || act == ACT_NOTHING)
        return;
    if (act == ACT_ABORT || (act == ACT_RESET && !chan_can_send(e->ch))) {
        drop(e, act == ACT_RESET);
        return;
    }
    e->to_send = 0;
    e->then = act == ACT_END ? CHAN_THEN_END : act == ACT_CLOSE ? CHAN_THEN_CLOSE : CHAN_THEN_RESET;
    chan_ready(e->ch);
}

void end_send(struct end *e, size_t n)
{
    e->burst += n;
    chan_ready(e->ch);
}

void end_take(struct end *e, size_t room)
{
    e->room = room;
    if (one_in(2))
        chan_resume(e->ch);
    else
        take_held(e);
}

static void finish(struct end *e)
{
    if (!chan_can_send(e->ch))
        return;
    end_note(e, CHAN_THEN_END);
    chan_finish(e->ch);
}

static void answer(struct end *e)
{
    if (e->sim->now < e->decide_us)
        return;
    if (one_in(5))
        end_refuse(e);
    else
        end_accept(e);
}

void end_step(struct end *e)
{
    uint64_t what = any(400);

    if (e->ch->state == CHAN_ASKED && (what > 1 || e->calm)) {
        answer(e);
    } else if (what >= 300 && !e->frozen) {
        end_take(e, one_in(3) && !e->calm ? any(3000) : SIZE_MAX);
    } else if (e->calm) {
        return;
    } else if (what < 2) {
        drop(e, what);
    } else if (what < 6) {
        finish(e);
    } else if (what < 150 && chan_can_send(e->ch)) {
        push(e);
    } else {
        e->burst = any_burst(e->sim);
        chan_ready(e->ch);
    }
}
