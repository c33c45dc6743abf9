/* What a channel's end or beginning is as an event for the program. */
#ifndef CORE_EVENT_H
#define CORE_EVENT_H

#include "core/link.h"
#include "wsp/event.h"

#define CHANNEL_TEXT_MAX (MSG_ID_MAX + 1)

/* With the arguments of a link_channel_hook. The event borrows its strings from `l`, `how` and
 * `id`, which gets the channel's id, as in the log. */
struct wsp_event channel_event(const struct link *l, const struct chan *ch, const char *how,
                               char id[CHANNEL_TEXT_MAX]);

#endif
