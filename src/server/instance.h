/*
 * A running client, seen from the server: the links that it has, and the names that it holds. With
 * dialect wsp.1 a client says who it is, so that several links are one instance; a 0.10 link is an
 * instance of its own.
 */
#ifndef SERVER_INSTANCE_H
#define SERVER_INSTANCE_H

#include "server/server.h"

struct peer;
struct service;

struct instance {
    struct map_node node; /* in server->instances, by id; only once it has one */
    uint8_t id[MSG_INSTANCE_LEN];
    struct server *server; /* borrowed */
    struct list peers;     /* struct peer.instance_node */
    struct list services;  /* struct service.instance_node */
    size_t service_count;
};

/* Puts a link into an instance of its own. WSP_OK or WSP_ERR_NOMEM. */
enum wsp_err instance_new(struct peer *p);

/* The link belongs to the instance with this id: with the others that have said so. Without memory
 * it stays on its own. */
void instance_join(struct peer *p, const uint8_t id[MSG_INSTANCE_LEN]);

/* The first digits of its id, for people: it is not all told, since who knows it can be part of the
 * instance. "" when it has none. */
#define INSTANCE_TEXT_MAX 9
void instance_text(const struct instance *i, char out[INSTANCE_TEXT_MAX]);

/* The link has ended; with the last one, the instance and its names do. */
void instance_leave(struct peer *p);

/* The link takes no opens any more. When none of the instance does, its names are free; what is
 * open may go on. */
void instance_retire(struct peer *p);

/* The link to open a channel on, that with the fewest; NULL when none takes opens. */
struct link *instance_link(struct instance *i);

/* Asks all its links for a sign of life; whether one has shown it since `since_us`; and what
 * follows when none has. */
void instance_ask_life(struct instance *i, uint64_t now);
bool instance_lives(const struct instance *i, uint64_t since_us);
void instance_close(struct instance *i, const char *why);

#endif
