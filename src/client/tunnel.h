/*
 * A client's connection that becomes one channel: SOCKS5 CONNECT and HTTP CONNECT after their
 * request. It opens the channel, lets the protocol word the answer, then relays.
 */
#ifndef CLIENT_TUNNEL_H
#define CLIENT_TUNNEL_H

#include "client/session.h"
#include "http/failure.h"
#include "net/relay.h"

#define TUNNEL_ANSWER_MAX 512

/* Words the answer; returns its bytes. `bound` is "host:port" or empty, for FAILURE_NONE. */
typedef size_t tunnel_answer(enum failure f, struct slice bound, uint8_t out[TUNNEL_ANSWER_MAX]);

struct tunnel_start {
    struct proxy_listener *listener; /* its place there goes along */
    struct stream *stream;           /* moved from; closed on failure; NULL: use `fd` */
    int fd;                          /* taken, when there is no stream */
    struct slice early;              /* read behind the request */
    const char *scheme;              /* "socks5" or "http" */
    struct slice host;
    unsigned port;
    tunnel_answer *answer; /* NULL: nothing is said, a failure is a reset */
};

/* Takes the connection, whatever comes of it. */
void tunnel_open(const struct tunnel_start *start);

#endif
