/* A request on its way to the program's fallback handler. */
#ifndef API_REQUEST_H
#define API_REQUEST_H

#include "server/front.h"
#include "wsp/request.h"

/* For struct server.fallback: asks the program, and does what it said. */
void request_fall_back(struct front *f, const struct http1_head *head, struct slice behind);

#endif
