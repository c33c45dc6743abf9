#include "conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"

enum {
    HEAD_MAX = 2048,
    SOCKS_REPLY_MIN = 10, /* with an IPv4 address; with an IPv6 address 12 more */
};

/* ---- routes */

const char *address_parse(struct sockaddr_in *out, const char *text, char end)
{
    const char *stop = strchr(text, end), *colon = strchr(text, ':');
    char host[64], port[16];

    if (!stop)
        stop = text + strlen(text);
    if (!colon || colon >= stop || colon - text >= (long)sizeof(host) ||
        stop - colon > (long)sizeof(port))
        die("'%s' is not HOST:PORT", text);
    snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
    snprintf(port, sizeof(port), "%.*s", (int)(stop - colon - 1), colon + 1);
    memset(out, 0, sizeof(*out));
    out->sin_family = AF_INET;
    out->sin_port = htons((uint16_t)number(port, "port", 65535));
    if (inet_pton(AF_INET, host, &out->sin_addr) != 1)
        die("'%s' is not an IPv4 address", host);
    return stop;
}

void route_parse(struct route *r, const char *text)
{
    memset(r, 0, sizeof(*r));
    if (strncmp(text, "tcp:", 4) == 0) {
        r->via = VIA_TCP;
        address_parse(&r->address, text + 4, '\0');
    } else if (strncmp(text, "socks5:", 7) == 0) {
        const char *target = address_parse(&r->address, text + 7, '/');

        r->via = VIA_SOCKS5;
        address_parse(&r->target, *target ? target + 1 : target, '\0');
    } else if (strncmp(text, "ws:", 3) == 0) {
        r->via = VIA_WS;
        r->path = address_parse(&r->address, text + 3, '/');
    } else {
        die("'%s' is not a route", text);
    }
}

/* ---- start and end */

bool conn_start(struct conn *c, const struct route *r, int epoll)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.ptr = c};
    int one = 1;

    memset(c, 0, sizeof(*c));
    c->route = r;
    c->epoll = epoll;
    c->random = (uint64_t)now_ns() | 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (r->receive_bytes)
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &r->receive_bytes, sizeof(r->receive_bytes));
    if (connect(c->fd, (const struct sockaddr *)&r->address, sizeof(r->address)) != 0 &&
        errno != EINPROGRESS)
        goto fail;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        goto fail;
    return true;

fail:
    conn_close(c);
    return false;
}

void conn_watch(struct conn *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};

    if (epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

void conn_leave(struct conn *c)
{
    epoll_ctl(c->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    c->epoll = -1;
}

void conn_join(struct conn *c, int epoll, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};

    c->epoll = epoll;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

void conn_close(struct conn *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    free(c->frame);
    c->frame = NULL;
}

/* ---- handshakes */

/* What opens a handshake is shorter than any fresh socket's buffer. */
static enum conn_step speak(struct conn *c, const void *data, size_t len, enum conn_state next)
{
    if (send(c->fd, data, len, MSG_NOSIGNAL) != (ssize_t)len)
        return CONN_FAILED;
    if (c->state == CONN_CONNECTING)
        conn_watch(c, EPOLLIN);
    c->state = next;
    return CONN_WAIT;
}

static enum conn_step ask_upgrade(struct conn *c)
{
    char text[512];
    int len = snprintf(text, sizeof(text),
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
                       "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: binary\r\n"
                       "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n",
                       *c->route->path ? c->route->path : "/", ntohs(c->route->address.sin_port));

    return speak(c, text, (size_t)len, CONN_WS_HEAD);
}

static enum conn_step after_connect(struct conn *c)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error)
        return CONN_FAILED;
    if (c->route->via == VIA_SOCKS5)
        return speak(c, "\5\1\0", 3, CONN_SOCKS_METHOD);
    if (c->route->via == VIA_WS)
        return ask_upgrade(c);
    conn_watch(c, EPOLLIN);
    c->state = CONN_OPEN;
    return CONN_DONE;
}

static enum conn_step after_method(struct conn *c)
{
    uint8_t text[SOCKS_REPLY_MIN] = {5, 1, 0, 1};

    if (recv(c->fd, text, 2, 0) != 2 || text[0] != 5 || text[1] != 0)
        return CONN_FAILED;
    text[1] = 1;
    memcpy(text + 4, &c->route->target.sin_addr, 4);
    memcpy(text + 8, &c->route->target.sin_port, 2);
    return speak(c, text, sizeof(text), CONN_SOCKS_REPLY);
}

/* The length of a complete answer at the start of `data`, 0: more to come, -1: a refusal. */
static ssize_t answer_length(const struct conn *c, const char *data, size_t len)
{
    const char *end;
    size_t whole;

    if (c->state == CONN_WS_HEAD) {
        end = memmem(data, len, "\r\n\r\n", 4);
        if (len >= 12 && memcmp(data + 8, " 101", 4) != 0)
            return -1;
        return end ? end + 4 - data : 0;
    }
    if (len < 4)
        return 0;
    if (data[1] != 0 || (data[3] != 1 && data[3] != 4))
        return -1;
    whole = data[3] == 1 ? SOCKS_REPLY_MIN : SOCKS_REPLY_MIN + 12;
    return len < whole ? 0 : (ssize_t)whole;
}

/* Takes the answer alone: what is behind it belongs to the stream. */
static enum conn_step after_answer(struct conn *c)
{
    char data[HEAD_MAX];
    ssize_t n = recv(c->fd, data, sizeof(data), MSG_PEEK), whole;

    if (n < 0 && errno == EAGAIN)
        return CONN_WAIT;
    whole = n > 0 ? answer_length(c, data, (size_t)n) : -1;
    if (whole < 0 || (whole == 0 && n == sizeof(data)))
        return CONN_FAILED;
    if (whole == 0)
        return CONN_WAIT;
    if (recv(c->fd, data, (size_t)whole, 0) != whole)
        return CONN_FAILED;
    c->state = CONN_OPEN;
    return CONN_DONE;
}

enum conn_step conn_handshake(struct conn *c)
{
    switch (c->state) {
    case CONN_CONNECTING:
        return after_connect(c);
    case CONN_SOCKS_METHOD:
        return after_method(c);
    case CONN_SOCKS_REPLY:
    case CONN_WS_HEAD:
        return after_answer(c);
    case CONN_OPEN:
        break;
    }
    return CONN_DONE;
}

/* ---- the stream */

/* True when nothing of a frame is left to send. */
static bool flush_frame(struct conn *c)
{
    while (c->frame_at < c->frame_len) {
        ssize_t n = send(c->fd, c->frame + c->frame_at, c->frame_len - c->frame_at, MSG_NOSIGNAL);

        if (n < 0)
            return false;
        c->frame_at += (size_t)n;
    }
    return true;
}

static ssize_t send_frame(struct conn *c, const void *data, size_t len)
{
    if (!c->frame && !(c->frame = malloc(WS_HEAD_MAX + WS_PAYLOAD_MAX)))
        die("no memory");
    if (!flush_frame(c))
        return -1;
    if (len > WS_PAYLOAD_MAX)
        len = WS_PAYLOAD_MAX;
    c->frame_len = ws_frame(c->frame, data, len, &c->random);
    c->frame_at = 0;
    if (!flush_frame(c) && errno != EAGAIN)
        return -1;
    return (ssize_t)len;
}

ssize_t conn_send(struct conn *c, const void *data, size_t len)
{
    if (c->route->via == VIA_WS)
        return send_frame(c, data, len);
    return send(c->fd, data, len, MSG_NOSIGNAL);
}

ssize_t conn_recv(struct conn *c)
{
    static uint8_t block[BLOCK_SIZE];
    ssize_t n = recv(c->fd, block, sizeof(block), 0), payload;

    if (n <= 0 || c->route->via != VIA_WS)
        return n;
    payload = ws_count(&c->reader, block, (size_t)n);
    if (payload == 0) /* a part of a frame's head, or a ping */
        errno = EAGAIN;
    else if (payload < 0)
        errno = EPROTO;
    return payload > 0 ? payload : -1;
}
