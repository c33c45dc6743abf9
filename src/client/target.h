/* Opens that come from the server: connections to what this client has registered. */
#ifndef CLIENT_TARGET_H
#define CLIENT_TARGET_H

#include "client/session.h"

/* Answers the CONNECT `id` of the session's link, at once or once the target is dialled. */
void target_open(struct session *s, struct link *l, struct slice id,
                 const struct msg_request *request);

#endif
