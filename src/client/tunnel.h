/*
 * A connection that becomes one channel: of SOCKS5 CONNECT and HTTP CONNECT after their request, of
 * a local listener, or of the program's own. It opens the channel, lets the protocol word the
 * answer, then relays.
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
    struct session *session;
    struct tunnel_owner *owner; /* borrowed until it was told of the end */
    struct session_target to;   /* borrowed for the call */
    struct stream *stream;      /* moved from; closed on failure; NULL: use `fd` */
    int fd;                     /* taken, when there is no stream */
    struct slice early;         /* read behind the request */
    tunnel_answer *answer;      /* NULL: nothing is said, a failure is a reset */
};

/* Takes the connection, whatever comes of it: the owner is told, be it before this returns. */
void tunnel_open(const struct tunnel_start *start);

#endif
