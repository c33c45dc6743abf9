/* What servers and clients tell the program about links, names and channels. */
#ifndef WSP_EVENT_H
#define WSP_EVENT_H

#include <stdint.h>
#include <wsp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

enum wsp_event_kind {
    WSP_LINK_UP,         /* link, peer */
    WSP_LINK_DOWN,       /* link, peer, text: why it ended */
    WSP_NAME_REGISTERED, /* link, name: "http:path:api", "http:domain:a.example", or a channel */
    WSP_NAME_REFUSED,    /* link, name as far as is known, text: why. A client tries again */
    WSP_NAME_GONE,       /* link, name: withdrawn, or its link has ended */
    WSP_CHANNEL_OPENED,  /* link, channel */
    WSP_CHANNEL_CLOSED,  /* link, channel, sent, received, text: how it ended */
};

/* Strings are borrowed for the call, and one line each: control bytes of peers are '?'. Those that
 * a kind does not have are "". */
struct wsp_event {
    enum wsp_event_kind kind;
    const char *link;    /* as in the log: "link 7" */
    const char *peer;    /* a server: the client's address; a client: the server's URL, no query */
    const char *name;    /* of what is registered */
    const char *channel; /* id of a channel, as in the log: unique on its link while it is open */
    const char *text;
    uint64_t sent;     /* bytes of data that went to the link's peer */
    uint64_t received; /* and that came from it */
};

/* Events come in the order in which things happened, some time behind them: see wsp/loop.h for what
 * the callback may do. */
typedef void wsp_event_handler(void *ctx, const struct wsp_event *event);

#ifdef __cplusplus
}
#endif
#endif
