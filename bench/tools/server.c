/*
 * The target of all loads.
 *
 *     server HOST:PORT          (0: any port)
 *
 * Prints "port N" and serves until its standard input ends. A connection begins with two bytes:
 * what it wants and a number n from '0' on.
 *
 *     D   bytes without end
 *     U   takes what comes; one byte back for every 2^n bytes
 *     E   everything back; meant for small messages with an answer each
 *
 * Bulk has a thread of its own, so that no echo waits behind it.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "opening.h"

enum {
    EVENTS = 64,
    ACKS_MAX = 4096,
};

struct client {
    int fd;
    uint8_t command[COMMAND_SIZE];
    size_t command_len;
    uint64_t received;
};

static uint8_t block[BLOCK_SIZE]; /* what is sent to everybody */
static int bulk_epoll;

static void watch(int epoll, int fd, uint32_t events, void *data)
{
    struct epoll_event event = {.events = events, .data.ptr = data};

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        die("epoll_ctl: %s", strerror(errno));
}

/* True when the connection goes on. */
static bool acknowledge(struct client *c, size_t n)
{
    static const char acks[ACKS_MAX];
    unsigned shift = (unsigned)(c->command[1] - '0') & 63;
    uint64_t due = ((c->received + n) >> shift) - (c->received >> shift);

    c->received += n;
    return due == 0 || (due <= ACKS_MAX && send(c->fd, acks, due, MSG_NOSIGNAL) == (ssize_t)due);
}

static bool serve_bulk(struct client *c)
{
    static uint8_t sunk[BLOCK_SIZE];
    ssize_t n;

    if (c->command[0] == OP_DOWN)
        n = send(c->fd, block, sizeof(block), MSG_NOSIGNAL);
    else
        n = recv(c->fd, sunk, sizeof(sunk), 0);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    return c->command[0] == OP_DOWN || acknowledge(c, (size_t)n);
}

static bool serve_echo(struct client *c)
{
    uint8_t data[4096];
    ssize_t n = recv(c->fd, data, sizeof(data), 0);

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    return send(c->fd, data, (size_t)n, MSG_NOSIGNAL) == n;
}

static bool read_command(struct client *c, int epoll)
{
    ssize_t n = recv(c->fd, c->command + c->command_len, COMMAND_SIZE - c->command_len, 0);

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    c->command_len += (size_t)n;
    if (c->command_len == COMMAND_SIZE && c->command[0] != OP_ECHO) {
        epoll_ctl(epoll, EPOLL_CTL_DEL, c->fd, NULL);
        watch(bulk_epoll, c->fd, c->command[0] == OP_DOWN ? EPOLLOUT : EPOLLIN, c);
    }
    return true;
}

static void end(struct client *c)
{
    close(c->fd);
    free(c);
}

static void *bulk_thread(void *unused)
{
    struct epoll_event events[EVENTS];

    for (;;) {
        int n = epoll_wait(bulk_epoll, events, EVENTS, -1);

        for (int i = 0; i < n; i++)
            if (!serve_bulk(events[i].data.ptr))
                end(events[i].data.ptr);
    }
    return unused;
}

static void accept_all(int listener, int epoll)
{
    int fd, one = 1;

    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct client *c = calloc(1, sizeof(*c));

        if (!c)
            die("no memory");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        c->fd = fd;
        watch(epoll, fd, EPOLLIN, c);
    }
    if (errno != EAGAIN && errno != ECONNABORTED)
        die("accept: %s", strerror(errno));
}

static int listen_at(struct sockaddr_in *address)
{
    socklen_t size = sizeof(*address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd < 0 || bind(fd, (struct sockaddr *)address, size) != 0 || listen(fd, SOMAXCONN) != 0 ||
        getsockname(fd, (struct sockaddr *)address, &size) != 0)
        die("cannot listen: %s", strerror(errno));
    return fd;
}

static void run(int listener, int epoll)
{
    static struct client input; /* its events tell of the end of standard input */
    struct epoll_event events[EVENTS];

    watch(epoll, listener, EPOLLIN, NULL);
    watch(epoll, STDIN_FILENO, EPOLLIN, &input);
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;

            if (c == &input)
                return;
            if (!c)
                accept_all(listener, epoll);
            else if (c->command_len < COMMAND_SIZE ? !read_command(c, epoll) : !serve_echo(c))
                end(c);
        }
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address;
    pthread_t thread;
    int listener, epoll;

    if (argc != 2)
        die("usage: server HOST:PORT (port 0: any)");
    prepare();
    address_parse(&address, argv[1], '\0');
    listener = listen_at(&address);
    epoll = new_epoll();
    bulk_epoll = new_epoll();
    memset(block, 'x', sizeof(block));
    if (pthread_create(&thread, NULL, bulk_thread, NULL) != 0)
        die("no thread");
    say("port %u", ntohs(address.sin_port));
    run(listener, epoll);
    return 0;
}
