/*
 * Listens on a port in clear and carries each connection by TLS to another one, ends and resets
 * included, so that tests that know nothing of TLS can be run through it.
 *
 *     tls_bridge PORT TARGET-PORT CA-FILE
 *
 * Both ports are on 127.0.0.1. It says "ready" once it listens, and runs until it is killed.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/listener.h"
#include "net/stream.h"
#include "net/tls_context.h"

enum { CONNECTIONS_MAX = 100000, ROOM = 64 * 1024 };

struct way {
    struct stream *from, *to;
    uint8_t data[ROOM];
    size_t off, len;
    bool ended;    /* all of `from` has been read */
    bool finished; /* and passed on, the end included */
};

struct bridge {
    struct stream clear, secure;
    struct way up, down;
};

static struct listener listener;
static struct address target;
static struct tls_context *context;

static void bridge_end(struct bridge *b, bool hard)
{
    if (hard) {
        stream_reset(&b->clear);
        stream_reset(&b->secure);
    } else {
        stream_linger(&b->clear);
        stream_linger(&b->secure);
    }
    listener_release(&listener);
    free(b);
}

/* False when one of the two is broken. */
static bool give(struct way *w)
{
    while (w->len && w->to->writable) {
        struct iovec iov = {w->data + w->off, w->len};
        ssize_t n = stream_send(w->to, &iov, 1);

        if (n == STREAM_ERROR)
            return false;
        if (n > 0) {
            w->off += (size_t)n;
            w->len -= (size_t)n;
        }
    }
    if (w->ended && w->len == 0 && !w->finished) {
        w->finished = true;
        stream_finish(w->to);
    }
    return true;
}

static bool pump(struct way *w)
{
    while (give(w) && w->len == 0 && !w->ended && w->from->readable) {
        ssize_t n = stream_recv(w->from, w->data, ROOM);

        if (n == STREAM_ERROR)
            return false;
        if (n == STREAM_EOF)
            w->ended = true;
        if (n > 0) {
            w->off = 0;
            w->len = (size_t)n;
        }
    }
    return give(w);
}

/* One that has ended, so that nothing is read there any more, and has gone now. */
static bool is_deserted(const struct way *w, const struct way *back)
{
    return w->ended && w->from->broken && !back->finished;
}

static void bridge_run(struct bridge *b)
{
    enum wsp_err err = stream_handshake(&b->secure);

    if (err == WSP_ERR_MORE)
        return;
    if (err != WSP_OK) {
        fprintf(stderr, "%s\n", stream_why(&b->secure));
        bridge_end(b, true);
    } else if (!pump(&b->up) || !pump(&b->down) || is_deserted(&b->up, &b->down) ||
               is_deserted(&b->down, &b->up)) {
        bridge_end(b, true);
    } else if (b->up.finished && b->down.finished) {
        bridge_end(b, false);
    }
}

static void on_clear(struct stream *s)
{
    bridge_run(container_of(s, struct bridge, clear));
}

static void on_secure(struct stream *s)
{
    bridge_run(container_of(s, struct bridge, secure));
}

/* Over loopback, connecting takes no time worth waiting for. */
static int dial(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, &target.sa, target.len) == 0 &&
        fcntl(fd, F_SETFL, O_NONBLOCK) == 0) {
        address_set_tcp_options(fd);
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static void refuse(struct listener *l, int fd)
{
    struct linger hard = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    close(fd);
    listener_release(l);
}

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    int far = dial();
    struct bridge *b;

    (void)peer;
    if (far < 0) {
        refuse(l, fd);
        return;
    }
    b = calloc(1, sizeof(*b));
    if (!b || stream_init(&b->clear, l->loop, fd, on_clear) != WSP_OK ||
        stream_init(&b->secure, l->loop, far, on_secure) != WSP_OK ||
        stream_secure(&b->secure, context, "127.0.0.1") != WSP_OK)
        exit(1);
    b->up = (struct way){.from = &b->clear, .to = &b->secure};
    b->down = (struct way){.from = &b->secure, .to = &b->clear};
    bridge_run(b);
}

static int fail(const char *text)
{
    fprintf(stderr, "tls_bridge: %s\n", text);
    return 1;
}

static void run(struct wsp_loop *loop)
{
    struct pollfd pfd = {wsp_loop_fd(loop), POLLIN, 0};

    puts("ready");
    fflush(stdout);
    for (;;) {
        poll(&pfd, 1, -1);
        wsp_loop_turn(loop);
    }
}

int main(int argc, char **argv)
{
    struct listener_options options = {.bind = "127.0.0.1", .limit = CONNECTIONS_MAX};
    struct tls_options trust = {.ca_file = argc == 4 ? argv[3] : NULL};
    struct wsp_loop *loop = wsp_loop_new();
    char error[LISTENER_ERROR_MAX];

    if (argc != 4 || !loop)
        return fail("expected PORT TARGET-PORT CA-FILE");
    options.port = (unsigned)strtoul(argv[1], NULL, 10);
    address_parse(slice_str("127.0.0.1"), (unsigned)strtoul(argv[2], NULL, 10), &target);
    context = tls_context_new(&trust, error, sizeof(error));
    listener.on_accept = on_accept;
    if (!context || listener_start(&listener, loop, &options, error) != WSP_OK)
        return fail(error);
    run(loop);
    return 0;
}
