/*
 * A reload: each session gets the entry of the new configuration that is the same connection, if
 * there is one, and compares its listeners and registrations with that. Sessions without one drain,
 * entries without one become sessions.
 */
#include "client/proxy_listener.h"
#include "client/registration.h"
#include "client/session.h"
#include "config/wspc_same.h"

/* ---- which is which */

static bool has_common(const struct session *s, const struct wspc_client *entry)
{
    struct list *node, *tmp;

    list_each (node, tmp, &s->listeners)
        for (size_t i = 0; i < entry->listener_count; i++)
            if (wspc_listener_same(&container_of(node, struct proxy_listener, node)->config,
                                   &entry->listener[i]))
                return true;
    list_each (node, tmp, &s->registrations)
        for (size_t i = 0; i < entry->remote_count; i++)
            if (wspc_remote_same(&container_of(node, struct registration, node)->remote,
                                 &entry->remote[i]))
                return true;
    return false;
}

static struct session *find(struct client *c, const struct wspc_client *entry, bool common)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->sessions) {
        struct session *s = session_at(node);

        if (!s->draining && !s->wanted && wspc_client_same_connection(s->config, entry) &&
            (!common || has_common(s, entry)))
            return s;
    }
    return NULL;
}

static struct session *owner_of(struct client *c, const struct wspc_client *entry)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->sessions)
        if (session_at(node)->wanted == entry)
            return session_at(node);
    return NULL;
}

/* Several entries can be the same connection: those first that have something in common. */
static void match(struct client *c, struct wspc_config *with, bool common)
{
    for (size_t i = 0; i < with->client_count; i++) {
        struct session *s =
            owner_of(c, &with->client[i]) ? NULL : find(c, &with->client[i], common);

        if (s)
            s->wanted = &with->client[i];
    }
}

/* Its entry was taken when it was made. */
static bool is_new(const struct session *s)
{
    return s->wanted && !s->wanted->server;
}

static void undo(struct client *c)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->sessions) {
        if (is_new(session_at(node)))
            session_free(session_at(node));
        else
            session_at(node)->wanted = NULL;
    }
}

/* A session for each entry. Nothing shows outside yet. */
static enum wsp_err prepare(struct client *c, struct wspc_config *with,
                            char error[CONFIG_ERROR_MAX])
{
    match(c, with, true);
    match(c, with, false);
    for (size_t i = 0; i < with->client_count; i++) {
        struct wspc_client *entry = &with->client[i];
        struct session *s = owner_of(c, entry);

        if (!s)
            s = session_new(c, entry, error);
        if (!s) {
            undo(c);
            return WSP_ERR_CONFIG;
        }
        s->wanted = entry;
    }
    return WSP_OK;
}

/* ---- from one to the other */

static void give_up(struct session *s)
{
    log_info(loop_log(s->client->loop),
             "%s: configured no more, ending once open connections have finished", s->name);
    registrations_withdraw_all(s);
    session_drain(s);
}

/* First of all, so that others can have the addresses and names. */
static void close_unwanted(struct client *c)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->sessions) {
        struct session *s = session_at(node);

        if (s->wanted && !is_new(s))
            proxy_listeners_close_others(s, s->wanted);
        else if (!s->wanted && !s->draining)
            give_up(s);
    }
}

static void adopt(struct session *s)
{
    struct client *c = s->client;
    struct wspc_client old = *s->config;

    registrations_withdraw_others(s, s->wanted);
    *s->config = *s->wanted;
    *s->wanted = old;
    s->targets.dial_us = s->exits.dial_us = c->config->time.dial_us;
    proxy_listeners_set_limit(s, (size_t)c->config->max_connections);
    if (registrations_take(s) != WSP_OK || proxy_listeners_take(s) != WSP_OK)
        log_error(loop_log(c->loop), "%s: out of memory: some of its entries are missing", s->name);
    registrations_go_on(s);
}

/* Sessions stand as their entries do. */
static void sort(struct client *c)
{
    for (size_t i = 0; i < c->config->client_count; i++) {
        struct session *s = owner_of(c, &c->config->client[i]);

        list_remove(&s->node);
        list_push(&c->sessions, &s->node);
    }
}

static void take_over(struct client *c)
{
    struct list *node, *tmp;

    close_unwanted(c);
    sort(c);
    list_each (node, tmp, &c->sessions) {
        struct session *s = session_at(node);

        if (!s->wanted)
            continue;
        if (is_new(s) && session_connect(s) != WSP_OK)
            log_error(loop_log(c->loop), "%s: out of memory for a link", s->name);
        if (!is_new(s))
            adopt(s);
        proxy_listeners_open_missing(s);
        s->wanted = NULL;
    }
}

enum wsp_err client_reload(struct client *c, struct wspc_config *with, char error[CONFIG_ERROR_MAX])
{
    struct wspc_config old = *c->config;

    if (prepare(c, with, error) != WSP_OK)
        return WSP_ERR_CONFIG;
    *c->config = *with;
    *with = old;
    c->memory.max = (size_t)c->config->memory.process_bytes;
    take_over(c);
    return WSP_OK;
}
