/* Channels that the program serves: wsp_client_serve. */
#ifndef API_SERVE_H
#define API_SERVE_H

#include "api/client.h"
#include "client/registration.h"

struct serving {
    struct list node; /* on wsp_client->servings */
    struct wsp_client *client;
    struct served served; /* its registration */
    char *channel;        /* owned */
    char *password;       /* owned; NULL: none */
    size_t server;
    bool (*accept)(void *ctx, struct wsp_stream *stream);
    void *ctx; /* borrowed */
};

/* After a reload: those whose session has ended are registered in the one that has its place. */
void servings_go_on(struct wsp_client *c);

/* The client is freed. */
void servings_fini(struct wsp_client *c);

#endif
