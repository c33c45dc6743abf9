#include "sim/sim_rig.h"

#include "sim/sim_check.h"
#include "sim/sim_random.h"

const struct path rig_paths[RIG_PATHS] = {
    {"0.10", 1, {LINK_0_10, LINK_0_10}},          {"wsp.1", 1, {LINK_WSP_1, LINK_WSP_1}},
    {"0.10 | 0.10", 2, {LINK_0_10, LINK_0_10}},   {"0.10 | wsp.1", 2, {LINK_0_10, LINK_WSP_1}},
    {"wsp.1 | 0.10", 2, {LINK_WSP_1, LINK_0_10}}, {"wsp.1 | wsp.1", 2, {LINK_WSP_1, LINK_WSP_1}},
};

struct rig rig;

static void on_connect(struct link *l, struct slice id, const struct msg_request *request)
{
    if (l->opt.server && rig.path->wires == 2) {
        server_bridge(&rig.server, l, id, &rig.wire[1].side[1].link, request);
        return;
    }
    rig.end[1] = end_adopt(&rig.sim, l, id, request);
    if (!rig.end[1])
        return;
    end_accept(rig.end[1]);
    end_act(rig.end[1], rig.at_once);
}

static void connect_wire(unsigned i)
{
    struct wire_options opt = {
        .dialect = {rig.path->dialect[i], rig.path->dialect[i]},
        .process = {&rig.process[i], &rig.process[2]},
        .connect = on_connect,
        .now = &rig.sim.now,
        .max_channels = 4,
        .pipe_max = PIPE_MAX,
        .stall_us = 30 * SECOND,
    };

    wire_start(&rig.wire[i], &opt);
}

void rig_start(const struct path *path, enum act at_once, bool memory_fails)
{
    sim_reseed((uint64_t)(path - rig_paths));
    rig = (struct rig){.path = path, .at_once = at_once};
    sim_start(&rig.sim);
    rig.sim.memory_fails = memory_fails;
    server_start(&rig.server, &rig.sim);
    for (unsigned i = 0; i < 3; i++)
        process_start(&rig.process[i], SIZE_MAX);
    for (unsigned i = 0; i < path->wires; i++)
        connect_wire(i);
    rig.end[0] = end_new(&rig.sim);
    rig.end[0]->bridged = path->wires == 2;
    rig.end[0]->whole = path->dialect[0] == LINK_WSP_1;
    end_open(rig.end[0], &rig.wire[0].side[0].link);
}

void rig_stop(void)
{
    for (unsigned i = 0; i < rig.path->wires; i++)
        wire_stop(&rig.wire[i]);
    server_stop(&rig.server);
    sim_stop(&rig.sim);
    for (unsigned i = 0; i < 3; i++)
        process_stop(&rig.process[i]);
}

void rig_lose(struct wire *wire)
{
    rig.sim.cuts++;
    wire->cut = true;
    side_down(&wire->side[0]);
    side_down(&wire->side[1]);
}

/* A link that failed without memory is given up by both owners, and another because of that. */
static void lose_failed(void)
{
    for (unsigned i = 0; i < 2 * rig.path->wires; i++) {
        struct wire *w = &rig.wire[i % rig.path->wires];

        if (!w->cut && (w->side[0].link.failed || w->side[1].link.failed))
            rig_lose(w);
    }
}

static void check_rig(void)
{
    size_t links[3] = {0};

    for (unsigned i = 0; i < rig.path->wires; i++) {
        check_wire(&rig.wire[i]);
        links[i] = rig.wire[i].side[0].link.cap.used;
        links[2] += rig.wire[i].side[1].link.cap.used;
    }
    for (unsigned i = 0; i < 3; i++) {
        const struct process *p = &rig.process[i];

        check_memory(p, links[i], flushing_ends(&rig.sim, p) + server_flushing(&rig.server, p));
    }
}

size_t rig_flow(void)
{
    size_t moved = 0;

    for (unsigned i = 0; i < rig.path->wires; i++)
        moved += wire_flow(&rig.wire[i]);
    if (moved)
        rig.moved_us = rig.sim.now;
    if (rig.sim.memory_fails)
        lose_failed();
    check_rig();
    return moved;
}

void rig_run(uint64_t time_us)
{
    uint64_t end = rig.sim.now + time_us;

    for (;;) {
        uint64_t due = NEVER;

        if (rig_flow())
            continue;
        for (unsigned i = 0; i < rig.path->wires; i++)
            if (wire_deadline(&rig.wire[i]) < due)
                due = wire_deadline(&rig.wire[i]);
        if (due > end)
            break;
        if (due > rig.sim.now)
            rig.sim.now = due;
        for (unsigned i = 0; i < rig.path->wires; i++)
            wire_tick(&rig.wire[i]);
    }
    rig.sim.now = end;
}
