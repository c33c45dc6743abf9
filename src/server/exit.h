/* DYNAMIC opens: the server dials the target and relays. */
#ifndef SERVER_EXIT_H
#define SERVER_EXIT_H

#include "core/link.h"
#include "net/dialer.h"
#include "net/relay.h"
#include "server/server.h"

struct exit_conn {
    struct relay relay;
    struct list node; /* on server->exits */
    struct server *server;
    struct dial dial;
    unsigned port;
    char host[]; /* the target's, as the client gave it */
};

static inline struct exit_conn *exit_of(struct list *node)
{
    return container_of(node, struct exit_conn, node);
}

/* Answers the CONNECT `id` of link `l`, at once or once the target is dialled. */
void exit_open(struct server *s, struct link *l, struct slice id, struct slice url);

/* Ends it at once. */
void exit_free(struct exit_conn *e);

#endif
