/* The two ends of a stream: a channel that is served and sends back what comes, and a caller who
 * compares what comes back with what it has sent. */
#ifndef TESTS_API_ECHO_H
#define TESTS_API_ECHO_H

#include "api/tools.h"

struct echo; /* one stream that is served */

/* Zero-initialise; the context of echo_accept. */
struct echo_service {
    struct echo *first;
    unsigned accepted;
};

bool echo_accept(void *ctx, struct wsp_stream *stream);

/* Frees the streams that are not over. */
void echo_service_free(struct echo_service *s);

/* Serves a channel of this name at each of the client's first `servers` servers. */
void echo_serve(struct wsp_client *client, const char *channel, size_t servers,
                struct echo_service *s);

struct caller {
    struct wsp_stream *stream; /* owned */
    size_t size;               /* bytes to send */
    size_t sent, got;
    unsigned seed;    /* makes its bytes different from those of others */
    bool opened;      /* by the far side */
    bool ended;       /* the far side's end was read */
    bool closed;      /* it is over: */
    enum wsp_err why; /* as the stream said */
};

extern const struct wsp_stream_events caller_events;

/* Opens it, and sends all of it once it is open; its other members are zero before. */
void caller_open(struct caller *c, struct wsp_client *client, const struct wsp_target *target);
void caller_free(struct caller *c);

/* All has come back, and both directions have ended properly. */
bool caller_is_content(const struct caller *c);

#endif
