/* What `wsps --status` shows: links, names, visitors, as JSON. */
#ifndef SERVER_STATUS_H
#define SERVER_STATUS_H

#include "base/json_out.h"
#include "server/server.h"

/* Members of the document's root. No secrets, and no list is longer than STATUS_LIST_MAX. */
void server_status_write(struct server *s, struct json_out *j);

#endif
