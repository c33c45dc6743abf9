/* Waits until a session has a link on which channels can be opened. */
#ifndef CLIENT_LINK_WAIT_H
#define CLIENT_LINK_WAIT_H

#include "client/session.h"

/* Embedded in its owner. Zero-initialise and set on_done. */
struct link_wait {
    struct session_user user;
    struct timer timer;
    /* WSP_OK: `s` has one; `text` is borrowed for the call. Else WSP_ERR_REFUSED or WSP_ERR_LOST,
     * and why there will be none. It has left the session, and the owner may free it. */
    void (*on_done)(struct link_wait *w, struct session *s, enum wsp_err why, const char *text);
};

/* For as long as an answer may take (time.open). WSP_OK or WSP_ERR_NOMEM. */
enum wsp_err link_wait_start(struct link_wait *w, struct session *s);

/* Without on_done. Safe when it does not wait. */
void link_wait_cancel(struct link_wait *w);

#endif
