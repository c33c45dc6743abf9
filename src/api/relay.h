/* Sockets of the program's that are relayed: wsp_client_relay. */
#ifndef API_RELAY_H
#define API_RELAY_H

#include "api/client.h"

/* The client is freed: nobody is told of their ends any more. */
void relays_silence(struct wsp_client *c);

#endif
