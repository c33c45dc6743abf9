/* Two servers and three clients on one loop, each client with both servers: names, and streams
 * across. */
#ifndef TESTS_API_TOWN_H
#define TESTS_API_TOWN_H

#include "api/echo.h"

enum { SERVERS = 2, CLIENTS = 3, CALLERS = SERVERS * CLIENTS };

/* Events of one kind, by `enum wsp_event_kind`. */
struct seen {
    unsigned count[WSP_CHANNEL_CLOSED + 1];
    uint64_t sent, received; /* of channels that were closed */
};

struct town {
    struct wsp_loop *loop;
    struct wsp_server *server[SERVERS];
    struct wsp_client *client[CLIENTS];
    unsigned port[SERVERS];
    struct echo_service service[CLIENTS];
    struct caller caller[CALLERS]; /* each client calls another one through each server */
    struct seen at_server[SERVERS], at_client[CLIENTS];
};

/* All links are up and all names registered when it returns; each caller is to send `bytes`. */
void town_open(struct town *t, size_t bytes);

/* All callers call. */
void town_call(struct town *t);

/* Until all callers have what they have sent; or until bytes have come to each. */
void town_finish(struct town *t);
void town_begin(struct town *t);

/*
 * Frees all of it, in this order: L is the loop, 0 and 1 are servers, a to c clients, s the streams
 * of the callers, e those of the services; between two of them the loop is turned where there is a
 * '.'.
 */
void town_free(struct town *t, const char *order);

#endif
