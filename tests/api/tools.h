/* What the programs of this folder share. They know of wsp no more than <wsp/wsp.h>. */
#ifndef TESTS_API_TOOLS_H
#define TESTS_API_TOOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <wsp/wsp.h>

/* Ends the process when `what` does not hold; in any thread, and within callbacks. */
#define REQUIRE(what) ((what) ? (void)0 : give_up(#what, __FILE__, __LINE__))
void give_up(const char *what, const char *file, int line) __attribute__((noreturn));

/* Where something listens on the loopback interface. */
struct place {
    int fd; /* to be taken by a server */
    unsigned port;
};

struct place place_listen(void);
int place_connect(unsigned port); /* a connected socket, blocking */

/* A configuration out of a JSON text, owned by the caller. */
struct wsp_config *config_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Times that are short enough for a test; a member of either configuration. */
#define SHORT_TIMES                                                                           \
    "\"time\": {\"dial\": 5, \"open\": 5, \"reconnect_min\": 0.01, \"reconnect_max\": 0.05, " \
    "\"drain\": 5}"

/* A server on `place`, whose socket it takes, and a client of it; never NULL. */
struct wsp_server *server_at(struct wsp_loop *loop, struct place place, wsp_event_handler *event,
                             void *ctx);
struct wsp_client *client_of(struct wsp_loop *loop, unsigned port, wsp_event_handler *event,
                             void *ctx);

/* Turns the loop until `done` says so; false after half a minute. */
bool until(struct wsp_loop *loop, bool (*done)(const void *what), const void *what);

/* Turns it as long as there is something to do at once. */
void settle(struct wsp_loop *loop);

/* Open descriptors of the process. */
size_t descriptors(void);

#endif
