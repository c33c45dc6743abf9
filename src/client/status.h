/* What `wspc --status` shows: links, listeners, registrations, as JSON. */
#ifndef CLIENT_STATUS_H
#define CLIENT_STATUS_H

#include "base/json_out.h"
#include "client/client.h"

/* Members of the document's root. No secrets; channels are at most STATUS_LIST_MAX, the other lists
 * as long as the configuration says. */
void client_status_write(struct client *c, struct json_out *j);

#endif
