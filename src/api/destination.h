/* What a program wants opened: checked, and copied for the time until there is a link. */
#ifndef API_DESTINATION_H
#define API_DESTINATION_H

#include "api/client.h"
#include "client/session.h"

struct destination {
    char *channel, *password, *host; /* owned; NULL as in struct wsp_target */
    unsigned port;
};

/* *session gets the one to open it in. WSP_OK; WSP_ERR_USAGE or WSP_ERR_NOMEM with a line in
 * `error` (may be NULL), and nothing to be freed. */
enum wsp_err destination_init(struct destination *d, const struct wsp_client *c,
                              const struct wsp_target *target, struct session **session,
                              char *error);

/* For session_open; borrows from `d`. */
struct session_target destination_target(const struct destination *d);

/* Safe when zero. */
void destination_fini(struct destination *d);

/* Why session_open could not ask for it. */
const char *destination_refusal(enum wsp_err err);

#endif
