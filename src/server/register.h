/* REMOTE CONNECTs: a client registers a service or a channel. */
#ifndef SERVER_REGISTER_H
#define SERVER_REGISTER_H

#include "server/service.h"

struct register_result {
    struct service *service;     /* registered */
    struct service *holder;      /* refused: who has the name; NULL when that is not the reason */
    char name[SERVICE_NAME_MAX]; /* what it asks for; "" when that cannot be told */
    char text[SERVICE_NAME_MAX + 64];
};

/* Registers a URL for a client. NULL, or the text of the refusal, that of docs/protocol.md; it may
 * be in `r`. */
const char *register_url(struct peer *p, struct slice url, struct register_result *r);

/* Notes, for the log and the program, that a registration was refused. `name` may be "". */
void register_refused(struct peer *p, const char *name, const char *why);

/* Answers a REMOTE CONNECT of `p`; when another client holds the name, once it has shown whether it
 * lives. */
void register_request(struct peer *p, struct link *l, struct slice id, struct slice url);

#endif
