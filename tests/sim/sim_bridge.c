#include "sim/sim_bridge.h"

#include <stdlib.h>

#include "core/bridge.h"
#include "sim/sim_check.h"
#include "sim/sim_random.h"

struct crossing {
    struct bridge bridge;
    struct list node;
    struct server *server; /* borrowed */
    struct end *opener;    /* borrowed */
};

static struct crossing *crossing_of(struct bridge *b)
{
    return container_of(b, struct crossing, bridge);
}

void server_start(struct server *s, struct sim *sim)
{
    *s = (struct server){.sim = sim};
    list_init(&s->crossings);
}

void server_stop(const struct server *s)
{
    check(list_empty(&s->crossings), "a bridge that has not ended");
}

static const char *on_answer(struct bridge *b, bool accepted)
{
    struct crossing *c = crossing_of(b);

    if (!accepted || !c->server->refuse_one_in || !one_in(c->server->refuse_one_in))
        return NULL;
    c->opener->denied = true;
    c->server->refused++;
    return "no longer";
}

static void crossing_free(struct crossing *c)
{
    check(!chan_live(&c->bridge.opener.chan) && !chan_live(&c->bridge.service.chan),
          "a bridge has ended, but one of its channels has not");
    list_remove(&c->node);
    free(c);
}

static void on_end(struct bridge *b, struct slice why)
{
    (void)why;
    crossing_free(crossing_of(b));
}

void server_bridge(struct server *s, struct link *from, struct slice id, struct link *to,
                   const struct msg_request *request)
{
    struct crossing *c = sim_alloc(sizeof(*c));

    *c = (struct crossing){.server = s, .opener = end_asking(s->sim, request)};
    c->bridge.on_answer = on_answer;
    c->bridge.on_end = on_end;
    bridge_init(&c->bridge);
    list_push(&s->crossings, &c->node);
    if (bridge_open(&c->bridge, from, id, to, request) != WSP_OK) {
        crossing_free(c);
        link_refuse(from, id, "limit");
        return;
    }
    s->opened++;
    s->mixed += link_speaks(from) != link_speaks(to);
}

size_t server_flushing(const struct server *s, const struct process *p)
{
    size_t sum = 0;

    for (struct list *node = s->crossings.next; node != &s->crossings; node = node->next) {
        const struct bridge *b = &container_of(node, struct crossing, node)->bridge;

        sum += check_flushing(&b->opener.chan, &p->memory);
        sum += check_flushing(&b->service.chan, &p->memory);
    }
    return sum;
}
