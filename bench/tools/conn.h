/*
 * A connection to the load server by one of the routes that are compared:
 *
 *     tcp:HOST:PORT                   plain, also for forwarded ports
 *     socks5:HOST:PORT/HOST:PORT      the proxy, then the load server as the proxy sees it
 *     ws:HOST:PORT/PATH               a WebSocket; its payload is the stream
 *
 * Hosts are IPv4 addresses. Nothing blocks. What arrives is counted and thrown away.
 */
#ifndef BENCH_CONN_H
#define BENCH_CONN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ws.h"

enum via {
    VIA_TCP,
    VIA_SOCKS5,
    VIA_WS,
};

struct route {
    enum via via;
    struct sockaddr_in address, target;
    const char *path;  /* borrowed from the text */
    int receive_bytes; /* SO_RCVBUF, 0: the system's */
};

/* HOST:PORT up to `end`; returns the character behind it. Ends the program when it is none. */
const char *address_parse(struct sockaddr_in *out, const char *text, char end);

/* Ends the program when it is none. */
void route_parse(struct route *r, const char *text);

enum conn_state {
    CONN_CONNECTING,
    CONN_SOCKS_METHOD,
    CONN_SOCKS_REPLY,
    CONN_WS_HEAD,
    CONN_OPEN,
};

struct conn {
    int fd;    /* -1: closed */
    int epoll; /* borrowed; the set it is in, or -1 */
    const struct route *route;
    enum conn_state state;
    struct ws_reader reader;
    uint64_t random;
    uint8_t *frame; /* owned; VIA_WS: what was not sent yet of a frame */
    size_t frame_at, frame_len;
    size_t sent, counted; /* for the owner */
};

enum conn_step {
    CONN_WAIT,
    CONN_DONE,
    CONN_FAILED,
};

/* Starts it in that epoll set; its events carry the conn. False: no descriptor, no route. */
bool conn_start(struct conn *c, const struct route *r, int epoll);

/* Goes on with the handshakes after an event. CONN_DONE: it is open; EPOLLIN is watched. */
enum conn_step conn_handshake(struct conn *c);

/* EPOLLIN, EPOLLOUT, both or none. */
void conn_watch(struct conn *c, uint32_t events);

/* Takes it out of its set, and puts it into another one. */
void conn_leave(struct conn *c);
void conn_join(struct conn *c, int epoll, uint32_t events);

/* Returns how many bytes were taken, -1 with errno otherwise (EAGAIN: later). */
ssize_t conn_send(struct conn *c, const void *data, size_t len);

/* Returns how many bytes arrived, 0 at the end, -1 with errno otherwise (EAGAIN: none now). */
ssize_t conn_recv(struct conn *c);

void conn_close(struct conn *c);

#endif
