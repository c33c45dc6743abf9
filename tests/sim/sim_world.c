#include "sim/sim_world.h"

#include "sim/sim_random.h"

enum { SETTLE_STEPS = 300000 };

#define END_LIMIT (30 * SECOND) /* the longest that the last of all ends may take */

/* ---- start and stop */

/* The two links are set to the same dialect, or the server's waits for what comes. */
static void vary_dialects(struct wire_options *opt)
{
    static const enum link_dialect pairs[][2] = {{LINK_0_10, LINK_0_10},
                                                 {LINK_WSP_1, LINK_WSP_1},
                                                 {LINK_0_10, LINK_EITHER},
                                                 {LINK_WSP_1, LINK_EITHER},
                                                 {LINK_WSP_1, LINK_WSP_1_AWAITED}};
    const enum link_dialect *pair = pairs[any(5)];

    opt->dialect[0] = pair[0];
    opt->dialect[1] = pair[1];
}

static void connect_wire(struct world *w, unsigned i)
{
    struct wire_options opt = {.process = {&w->process[i], &w->process[WORLD_SERVER]},
                               .connect = w->connect,
                               .now = &w->sim.now,
                               .max_channels = (size_t)2 * WORLD_LIVE_MAX,
                               .memory_max = one_in(2) ? 0 : 65536 + any(2000000),
                               .window_max = one_in(2) ? 0 : 262144 + any(2000000),
                               .pipe_max = one_in(2) ? (size_t)PIPE_MAX : 1 + any(PIPE_MAX),
                               .stall_us = SECOND / 5};

    vary_dialects(&opt);
    wire_start(&w->wire[i], &opt);
}

void world_start(struct world *w, unsigned wires)
{
    sim_start(&w->sim);
    w->sim.wild = one_in(2);
    w->sim.bulk = one_in(2);
    w->settling = false;
    w->wires = wires;
    for (unsigned i = 0; i <= WORLD_SERVER; i++)
        process_start(&w->process[i], one_in(2) ? SIZE_MAX : 20000 + any(2000000));
    for (unsigned i = 0; i < wires; i++)
        connect_wire(w, i);
}

void world_stop(struct world *w)
{
    for (unsigned i = 0; i < w->wires; i++)
        wire_stop(&w->wire[i]);
    sim_stop(&w->sim);
    for (unsigned i = 0; i <= WORLD_SERVER; i++)
        process_stop(&w->process[i]);
}

/* ---- one step */

static size_t any_size(void)
{
    return 1 + (size_t)any(one_in(2) ? 100 : 40000);
}

/* Some of what is on the way still arrives, at one side or at both. Or nobody is told. */
static void cut(struct world *w, struct wire *wire)
{
    w->sim.cuts++;
    wire->mute = one_in(4);
    wire->cut = !wire->mute;
    for (unsigned i = 0; wire->cut && i < 2; i++)
        wire->side[i].pipe.len = (size_t)any(wire->side[i].pipe.len + 1);
}

/* Each owner hears of it in its own time; then there is a new wire. */
static void step_cut(struct world *w, unsigned i)
{
    struct wire *wire = &w->wire[i];

    if (wire->mute)
        w->sim.now += any(2 * SECOND);
    else if (one_in(30))
        side_down(&wire->side[any(2)]);
    if (!wire_is_down(wire))
        return;
    wire_stop(wire);
    connect_wire(w, i);
}

static void random_open(const struct world *w, struct link *l)
{
    if (l->channels.count < WORLD_LIVE_MAX && link_is_settled(l))
        w->open(l);
}

static void random_event(struct world *w, struct side *s)
{
    if (one_in(4000))
        cut(w, s->wire);
    else if (one_in(300))
        s->freeze_end_us = w->sim.now + any(100000);
    else if (one_in(8000))
        link_goaway(&s->link);
    else if (one_in(12))
        random_open(w, &s->link);
}

static void step_wire(struct world *w, unsigned i)
{
    struct wire *wire = &w->wire[i];
    struct side *s = &wire->side[any(2)];

    if (wire->cut || wire->mute)
        step_cut(w, i);
    else if (!w->settling)
        random_event(w, s);
    side_send(s, any_size());
    side_receive(side_other(s), any_size());
    if (one_in(3))
        s->acked = s->taken;
}

static void check_process(const struct world *w, unsigned i)
{
    size_t links = 0;
    size_t flushing = flushing_ends(&w->sim, &w->process[i]);

    for (unsigned k = 0; k < w->wires; k++)
        if (i == k || i == WORLD_SERVER)
            links += w->wire[k].side[i == WORLD_SERVER].link.cap.used;
    if (i == WORLD_SERVER && w->flushing)
        flushing += w->flushing(&w->process[i]);
    check_memory(&w->process[i], links, flushing);
}

void world_step(struct world *w)
{
    sim_steps++;
    w->sim.now += w->settling ? any(100) : one_in(20) ? any(30000) : any(1000);
    for (unsigned i = 0; i < w->wires; i++)
        wire_tick(&w->wire[i]);
    step_wire(w, (unsigned)any(w->wires));
    if (w->sim.live_count)
        end_step(w->sim.live[any(w->sim.live_count)]);
    for (unsigned i = 0; i < w->wires; i++)
        check_wire(&w->wire[i]);
    for (unsigned i = 0; i <= WORLD_SERVER; i++)
        check_process(w, i);
    check_credit(&w->sim);
}

/* ---- to the end */

static bool is_quiet(const struct world *w)
{
    for (unsigned i = 0; i < w->wires; i++)
        if (!wire_is_quiet(&w->wire[i]) || w->wire[i].cut || w->wire[i].mute)
            return false;
    return true;
}

static bool nothing_moves(const struct world *w)
{
    for (unsigned i = 0; i < w->wires; i++)
        for (unsigned k = 0; k < 2; k++)
            if (w->wire[i].side[k].pipe.len || w->wire[i].side[k].link.out.bytes)
                return false;
    return true;
}

/* Until nothing moves any more. */
static void rest(struct world *w, const char *what)
{
    int left = SETTLE_STEPS;

    do {
        world_step(w);
        if (nothing_moves(w))
            w->sim.now += any(SECOND / 10);
        check(--left, what);
    } while (!is_quiet(w));
}

/* Every channel is open, and nobody came after calm_down. */
static bool is_calm(const struct world *w)
{
    for (size_t i = 0; i < w->sim.live_count; i++) {
        const struct end *e = w->sim.live[i];
        enum chan_state state = e->ch->state;

        if (!e->calm || state == CHAN_ASKED || state == CHAN_OPENING || state == CHAN_FLUSHING)
            return false;
    }
    return true;
}

/* Nobody ends by itself any more, or sends; everybody takes what comes. */
static void calm_down(struct world *w)
{
    for (size_t i = w->sim.live_count; i-- > 0;) {
        struct end *e = w->sim.live[i];

        e->calm = true;
        e->frozen = false;
        e->burst = 0;
        e->to_send = FOREVER;
        end_take(e, SIZE_MAX);
    }
}

static void come_to_rest(struct world *w, const char *what)
{
    do {
        calm_down(w);
        rest(w, what);
    } while (!is_calm(w));
    check_rest(&w->sim);
}

/* What is open still carries, also what is open one way only. */
static void carry_on(struct world *w)
{
    size_t live = w->sim.live_count;

    for (size_t i = 0; i < w->sim.live_count; i++)
        if (chan_can_send(w->sim.live[i]->ch))
            end_send(w->sim.live[i], (size_t)any(100000));
    rest(w, "an open channel does not carry");
    check(w->sim.live_count == live, "an open channel has ended by itself");
    check_rest(&w->sim);
}

static void end_all(struct world *w)
{
    uint64_t begin = w->sim.now;

    for (size_t i = w->sim.live_count; i-- > 0;)
        end_act(w->sim.live[i], ACT_END);
    rest(w, "an end is stuck");
    check(w->sim.live_count == 0, "both have ended, but the channel has not");
    check(w->sim.now - begin < END_LIMIT, "ending takes too long");
}

void world_settle(struct world *w)
{
    w->settling = true;
    come_to_rest(w, "something is stuck");
    carry_on(w);
    end_all(w);
}
