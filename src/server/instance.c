#include "server/instance.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/service.h"

enum { DOUBT_US = 1000000 };

static struct peer *peer_of_node(struct list *node)
{
    return container_of(node, struct peer, instance_node);
}

enum wsp_err instance_new(struct peer *p)
{
    struct instance *i = calloc(1, sizeof(*i));

    if (!i)
        return WSP_ERR_NOMEM;
    i->server = p->server;
    list_init(&i->peers);
    list_init(&i->services);
    list_push(&i->peers, &p->instance_node);
    p->instance = i;
    return WSP_OK;
}

static void drop(struct instance *i)
{
    if (i->node.key.len)
        map_remove(&i->server->instances, &i->node);
    free(i);
}

void instance_join(struct peer *p, const uint8_t id[MSG_INSTANCE_LEN])
{
    static const uint8_t unknown[MSG_INSTANCE_LEN];
    struct instance *own = p->instance;
    struct map_node *n;

    if (memcmp(id, unknown, sizeof(unknown)) == 0)
        return;
    n = map_find(&p->server->instances, slice_of(id, MSG_INSTANCE_LEN));
    if (n) {
        struct instance *i = container_of(n, struct instance, node);

        instance_ask_life(i, loop_now(p->server->loop)); /* the new one may replace one of them */
        list_remove(&p->instance_node);
        list_push(&i->peers, &p->instance_node);
        p->instance = i;
        drop(own);
        return;
    }
    memcpy(own->id, id, sizeof(own->id));
    own->node.key = slice_of(own->id, sizeof(own->id));
    if (map_add(&p->server->instances, &own->node) != WSP_OK)
        own->node.key.len = 0;
}

void instance_text(const struct instance *i, char out[INSTANCE_TEXT_MAX])
{
    out[0] = '\0';
    if (i->node.key.len)
        snprintf(out, INSTANCE_TEXT_MAX, "%02x%02x%02x%02x", i->id[0], i->id[1], i->id[2],
                 i->id[3]);
}

static void free_services(struct instance *i, bool gently)
{
    while (!list_empty(&i->services))
        service_offline(container_of(i->services.next, struct service, instance_node), gently);
}

void instance_leave(struct peer *p)
{
    struct instance *i = p->instance;

    list_remove(&p->instance_node);
    p->instance = NULL;
    if (list_empty(&i->peers)) {
        free_services(i, false);
        drop(i);
    } else if (!instance_link(i)) {
        free_services(i, true);
    }
}

void instance_retire(struct peer *p)
{
    struct list *node, *tmp;

    if (!instance_link(p->instance)) {
        free_services(p->instance, true);
        return;
    }
    list_each (node, tmp, &p->instance->services)
        service_leave_link(container_of(node, struct service, instance_node), &p->carrier.link);
}

/* Has not answered for a while: perhaps what a client that has come back left behind. */
static bool is_doubtful(const struct link *l, uint64_t now)
{
    return l->asked_us && now - l->asked_us > DOUBT_US;
}

static bool is_better(const struct link *l, const struct link *than, uint64_t now)
{
    if (is_doubtful(l, now) != is_doubtful(than, now))
        return is_doubtful(than, now);
    return l->channels.count < than->channels.count;
}

struct link *instance_link(struct instance *i)
{
    uint64_t now = loop_now(i->server->loop);
    struct link *best = NULL;
    struct list *node, *tmp;

    list_each (node, tmp, &i->peers) {
        struct link *l = &peer_of_node(node)->carrier.link;

        if (link_takes_opens(l) && (!best || is_better(l, best, now)))
            best = l;
    }
    return best;
}

void instance_ask_life(struct instance *i, uint64_t now)
{
    struct list *node, *tmp;

    list_each (node, tmp, &i->peers)
        link_ask_life(&peer_of_node(node)->carrier.link, now);
}

bool instance_lives(const struct instance *i, uint64_t since_us)
{
    struct list *node, *tmp;

    list_each (node, tmp, &i->peers) {
        const struct link *l = &peer_of_node(node)->carrier.link;

        if (l->blocked || l->last_rx_us > since_us)
            return true;
    }
    return false;
}

void instance_close(struct instance *i, const char *why)
{
    struct list *node, *tmp;

    list_each (node, tmp, &i->peers)
        link_close(&peer_of_node(node)->carrier.link, WS_CLOSE_POLICY, why);
}
