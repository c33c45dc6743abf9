/*
 * Two channels joined: what one delivers, the other sends. A server bridges an open of one client
 * to the link that has registered the name; it never looks into the data. Dialect 0.10 is applied
 * to each side on its own: what has to wait there waits there.
 */
#ifndef CORE_BRIDGE_H
#define CORE_BRIDGE_H

#include "base/queue.h"
#include "core/link.h"

#define BRIDGE_QUEUE_MAX                                                     \
    (256 * 1024) /* bytes kept for a slow side before its source has to wait \
                  */

struct bridge;

struct bridge_end {
    struct chan chan;
    struct bridge *bridge;
    struct queue out; /* delivered by the other side, not yet sent */
    bool finishing;   /* the other side has ended: end once `out` is sent */
};

struct bridge {
    struct bridge_end opener, service;
    struct pool *pool; /* borrowed */
    /* The service has accepted. NULL lets that stand, else the text with which it is refused all
     * the same. */
    const char *(*on_answer)(struct bridge *b);
    /* Both channels are gone: free it. `why` is the text of a refused open, else empty. */
    void (*on_end)(struct bridge *b, struct slice why);
};

/* Joins nothing yet; pool and callbacks are set by the caller before. */
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
