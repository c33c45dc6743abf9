/*
 * A scenario in which every kind of callback is called: a server with a visitor, a guest and a
 * status socket; a client that serves a channel, calls it and relays to it; and one
 * whose name is refused. What
 * a test wants to be done in a callback is done there.
 */
#ifndef TESTS_API_STAGE_H
#define TESTS_API_STAGE_H

#include "api/echo.h"

enum { EVENTS = WSP_CHANNEL_CLOSED + 1 };

/* The callbacks that there are. */
enum moment {
    SERVER_EVENT,                         /* and each kind of it */
    CLIENT_EVENT = SERVER_EVENT + EVENTS, /* likewise */
    ACCEPT = CLIENT_EVENT + EVENTS,
    OPENED,
    READABLE,
    WRITABLE,
    CLOSED,
    RELAY_ENDED,
    FALLBACK,
    GUEST_RECV,
    GUEST_SEND,
    GUEST_FINISH,
    GUEST_CLOSED,
    DOCUMENT,
    CLIENT_DRAINED,
    SERVER_DRAINED,
    MOMENTS,
};

/* All that there is; NULL what was freed. */
struct stage {
    struct wsp_loop *loop;
    struct wsp_server *server;
    struct wsp_client *client, *refused;
    struct wsp_status_socket *status;
    struct wsp_guest *guest;
    struct wsp_stream *accepting; /* in ACCEPT: the stream that is offered */
    struct echo_service service;
    struct caller caller;
    size_t asked; /* bytes of the guest's request that it has given */
    unsigned seen[MOMENTS];
    /* Set by who plays it: */
    void (*act)(struct stage *s);
    enum moment when; /* MOMENTS: always */
    bool is_over;     /* set by `act`: something is gone, so there is no use in going on */
};

/* Plays it until it is over, frees what is left, and checks that no descriptor is. */
void stage_play(struct stage *s);

#endif
