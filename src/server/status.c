#include "server/status.h"

#include "server/claim.h"

static void listeners_write(const struct server *s, struct json_out *j)
{
    char text[ADDRESS_TEXT_MAX];
    struct address address;

    json_out_array(j, "listeners");
    for (size_t i = 0; listener_address(&s->listener, i, &address); i++) {
        address_text(&address, text);
        json_out_object(j, NULL);
        json_out_text(j, "address", text);
        json_out_text(j, "path", s->config->path);
        json_out_end_object(j);
    }
    json_out_end_array(j);
}

static void limits_write(const struct wsps_config *c, struct json_out *j)
{
    json_out_object(j, "limits");
    json_out_uint(j, "links", (uint64_t)c->max_links);
    json_out_uint(j, "channels_per_link", (uint64_t)c->max_channels);
    json_out_uint(j, "connections", (uint64_t)c->max_connections);
    json_out_uint(j, "handshakes_per_second", (uint64_t)c->max_rate);
    json_out_uint(j, "memory", (uint64_t)c->memory.process_bytes);
    json_out_uint(j, "link_memory", (uint64_t)c->memory.link_bytes);
    json_out_uint(j, "channel_memory", (uint64_t)c->memory.channel_bytes);
    json_out_end_object(j);
}

static void usage_write(struct server *s, struct json_out *j)
{
    struct list *node, *tmp;
    size_t channels = 0, held = 0;

    list_each (node, tmp, &s->peers) {
        struct link_usage usage = link_usage(&peer_of(node)->carrier.link);

        channels += usage.channels;
        held += usage.held_bytes;
    }
    json_out_object(j, "usage");
    json_out_uint(j, "links", s->peer_count);
    json_out_uint(j, "channels", channels);
    json_out_uint(j, "connections", s->listener.accepted);
    json_out_uint(j, "names", s->services.count - s->offline_count);
    json_out_uint(j, "names_offline", s->offline_count);
    json_out_uint(j, "http", list_count(&s->fronts));
    json_out_uint(j, "websockets", list_count(&s->wraps));
    json_out_uint(j, "forwarded", list_count(&s->exits.all));
    json_out_uint(j, "crossings", list_count(&s->crossings));
    json_out_uint(j, "held_bytes", held);
    json_out_end_object(j);
}

static void totals_write(struct server *s, struct json_out *j)
{
    struct link_totals totals = s->ended;
    struct list *node, *tmp;

    list_each (node, tmp, &s->peers)
        link_totals_add(&totals, &peer_of(node)->carrier.link);
    json_out_object(j, "totals");
    link_totals_write(&totals, j);
    json_out_uint(j, "links_refused", s->links_refused);
    json_out_uint(j, "connections_refused", s->connections_refused);
    json_out_end_object(j);
}

static void instance_write(const struct instance *i, struct json_out *j)
{
    char text[INSTANCE_TEXT_MAX] = "";

    if (i)
        instance_text(i, text);
    json_out_text(j, "instance", text[0] ? text : NULL);
}

static void links_write(struct server *s, struct json_out *j)
{
    char text[ADDRESS_TEXT_MAX];
    struct list *node, *tmp;
    size_t room = STATUS_LIST_MAX;

    json_out_array(j, "links");
    list_each (node, tmp, &s->peers) {
        struct peer *p = peer_of(node);

        if (room-- == 0)
            break;
        address_text(&p->address, text);
        json_out_object(j, NULL);
        json_out_text(j, "name", p->carrier.link.name);
        json_out_text(j, "address", text);
        instance_write(p->instance, j);
        link_status_write(&p->carrier.link, j, loop_now(s->loop));
        json_out_end_object(j);
    }
    json_out_end_array(j);
}

/* Where a name was registered: in wsp.1 on the link of its claim, in 0.10 on the only one. */
static const char *link_name_of(const struct service *s)
{
    const struct link *l = claim_link(s->claim);

    if (!l && s->instance && !list_empty(&s->instance->peers))
        l = &container_of(s->instance->peers.next, struct peer, instance_node)->carrier.link;
    return l ? l->name : NULL;
}

static void name_write(struct service *s, struct json_out *j)
{
    static const char *const kinds[] = {[SERVICE_HTTP] = "http",
                                        [SERVICE_HTTPS] = "https",
                                        [SERVICE_TCP] = "tcp",
                                        [SERVICE_CHANNEL] = "channel"};

    json_out_object(j, NULL);
    json_out_string(j, "name", s->name);
    json_out_text(j, "kind", kinds[s->kind]);
    json_out_string(j, "value", s->value);
    json_out_bool(j, "online", s->instance != NULL);
    json_out_text(j, "link", link_name_of(s));
    instance_write(s->instance, j);
    json_out_uint(j, "users", list_count(&s->users));
    json_out_uint(j, "idle", list_count(&s->pool));
    json_out_end_object(j);
}

static void names_write(struct server *s, struct json_out *j)
{
    size_t room = STATUS_LIST_MAX;

    json_out_array(j, "names");
    for (struct map_node *n = NULL; room-- && (n = map_next(&s->services, n));)
        name_write(container_of(n, struct service, node), j);
    json_out_end_array(j);
}

static void channels_write(struct server *s, struct json_out *j)
{
    struct list *node, *tmp;
    size_t room = STATUS_LIST_MAX;

    json_out_array(j, "channels");
    list_each (node, tmp, &s->peers)
        channels_status_write(&peer_of(node)->carrier.link, j, &room);
    json_out_end_array(j);
}

void server_status_write(struct server *s, struct json_out *j)
{
    memory_status_write(loop_pool(s->loop), &s->memory, j);
    listeners_write(s, j);
    limits_write(s->config, j);
    usage_write(s, j);
    totals_write(s, j);
    links_write(s, j);
    names_write(s, j);
    channels_write(s, j);
}
