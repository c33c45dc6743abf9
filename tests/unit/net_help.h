/* For tests of what hangs off a loop: waiting without sleeping, and connected sockets. */
#ifndef UNIT_NET_HELP_H
#define UNIT_NET_HELP_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/loop.h"

enum { WAIT_MS = 10000 };

static inline uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* Waits for the loop or for input at `fd` (-1: none), then turns the loop. */
static inline void wait_step(struct wsp_loop *loop, int fd)
{
    struct pollfd fds[2] = {{wsp_loop_fd(loop), POLLIN, 0}, {fd, POLLIN, 0}};

    poll(fds, 2, 1000);
    wsp_loop_turn(loop);
}

/* Turns the loop until `cond` is true; the test fails when that takes too long. */
#define wait_for(loop, fd, cond)                                                        \
    for (uint64_t until_ = now_ms() + WAIT_MS; !(cond); assert_true(now_ms() < until_)) \
    wait_step(loop, fd)

static inline bool loop_is_ready(struct wsp_loop *loop)
{
    struct pollfd pfd = {wsp_loop_fd(loop), POLLIN, 0};

    return poll(&pfd, 1, 0) == 1;
}

/* Turns the loop until nothing is left to do but to wait. */
static inline void turn_until_idle(struct wsp_loop *loop)
{
    for (int i = 0; i < 1000 && loop_is_ready(loop); i++)
        wsp_loop_turn(loop);
    assert_false(loop_is_ready(loop));
}

static inline void set_nonblocking(int fd)
{
    assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* Two ends of a unix stream; the first is for the loop. */
static inline void unix_pair(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

/* Two ends of a TCP connection over loopback with buffers of about `buffer` bytes (0: default). */
static inline void tcp_pair(int fds[2], int buffer)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    fds[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (buffer) { /* before the connection, so that the window follows; both are inherited */
        setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
        setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    }
    assert_int_equal(bind(listener, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len), 0);
    assert_int_equal(connect(fds[1], (struct sockaddr *)&a, len), 0);
    fds[0] = accept(listener, NULL, NULL);
    assert_true(fds[0] >= 0);
    close(listener);
    set_nonblocking(fds[0]);
    set_nonblocking(fds[1]);
}

/* What a peer has sent so far and how it ended. */
struct received {
    size_t len;    /* of the counting sequence: byte i is pattern_at(i) */
    bool eof;      /* ended properly */
    bool reset;    /* ended by a reset */
    bool mismatch; /* some byte was wrong */
};

static inline uint8_t pattern_at(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8));
}

static inline void pattern_fill(uint8_t *p, size_t from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = pattern_at(from + i);
}

/* Reads what is there, at most up to `max` bytes in total; true once it has ended. */
static inline bool receive_some(int fd, struct received *r, size_t max)
{
    uint8_t piece[8192];

    while (!r->eof && !r->reset && r->len < max) {
        size_t want = max - r->len < sizeof(piece) ? max - r->len : sizeof(piece);
        ssize_t n = recv(fd, piece, want, 0);

        if (n < 0 && errno == EAGAIN)
            break;
        r->eof = n == 0;
        r->reset = n < 0;
        for (ssize_t i = 0; i < n; i++)
            r->mismatch = r->mismatch || piece[i] != pattern_at(r->len++);
    }
    return r->eof || r->reset;
}

/* Sends up to `n` bytes of the sequence from `from` on; returns how many fitted. */
static inline size_t send_pattern(int fd, size_t from, size_t n)
{
    uint8_t piece[8192];
    size_t sent = 0;

    while (sent < n) {
        size_t want = n - sent < sizeof(piece) ? n - sent : sizeof(piece);
        ssize_t got;

        pattern_fill(piece, from + sent, want);
        got = send(fd, piece, want, MSG_NOSIGNAL);
        if (got < 0)
            break;
        sent += (size_t)got;
    }
    return sent;
}

#endif
