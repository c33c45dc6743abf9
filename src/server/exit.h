/* DYNAMIC opens: what the server dials for its clients, as far as the egress rules allow. */
#ifndef SERVER_EXIT_H
#define SERVER_EXIT_H

#include "core/link.h"
#include "server/server.h"

/* Readies server->exits; the resolver is there already. */
void exit_init(struct server *s);

/* Answers the CONNECT `id` of link `l`, at once or once the target is dialled. */
void exit_open(struct server *s, struct link *l, struct slice id, struct slice url);

#endif
