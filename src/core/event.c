#include "core/event.h"

struct wsp_event channel_event(const struct link *l, const struct chan *ch, const char *how,
                               char id[CHANNEL_TEXT_MAX])
{
    struct slice key = ch->node.key;

    for (size_t i = 0; i < key.len; i++)
        id[i] = (char)(key.p[i] ? key.p[i] : '?');
    id[key.len] = '\0';
    return (struct wsp_event){.kind = how ? WSP_CHANNEL_CLOSED : WSP_CHANNEL_OPENED,
                              .link = l->name,
                              .channel = id,
                              .text = how,
                              .sent = how ? ch->sent : 0,
                              .received = how ? ch->received : 0};
}
