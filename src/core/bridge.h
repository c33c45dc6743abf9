/*
 * Two channels joined: what one delivers, the other sends. A server bridges an open of one client
 * to the link that has registered the name; it never looks into the data. Each side speaks its
 * link's dialect; where one of them has no half-close, ends follow the table in docs/protocol.md.
 */
#ifndef CORE_BRIDGE_H
#define CORE_BRIDGE_H

#include "core/link.h"

struct bridge;

struct bridge_end {
    struct chan chan;
    struct bridge *bridge;
    enum chan_then then; /* what follows once all that the other side holds is sent */
};

struct bridge {
    struct bridge_end opener, service;
    /* The service has accepted, or refused. NULL lets that stand, else the text with which the open
     * is refused all the same. */
    const char *(*on_answer)(struct bridge *b, bool accepted);
    /* Both channels are gone: free it. `why` is the text of a refused open, else empty. */
    void (*on_end)(struct bridge *b, struct slice why);
};

/* Joins nothing yet; the callbacks are set by the caller before. */
void bridge_init(struct bridge *b);

/*
 * From `connect` of `from`: takes the CONNECT `id` and asks `to` with the same bytes. WSP_OK: the
 * answer goes back by itself. On error nothing is live and nothing has been answered.
 */
enum wsp_err bridge_open(struct bridge *b, struct link *from, struct slice id, struct link *to,
                         const struct msg_request *request);

/* Ends both sides at once, the opener with `text` when it still waits for an answer. No callback.
 */
void bridge_abort(struct bridge *b, struct slice text);

#endif
