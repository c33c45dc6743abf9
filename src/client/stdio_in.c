#include "client/stdio_in.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/proxy_listener.h"
#include "client/tunnel.h"

enum {
    LOOK_US = 20000,    /* interval of looking for the link, and for the end */
    LINK_US = 20000000, /* for the link to come up */
};

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t part = write(fd, p, n);

        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return false;
        p += part;
        n -= (size_t)part;
    }
    return true;
}

/* Until the source ends. True when it ended properly. */
static bool carry(int from, int to)
{
    char bytes[65536];

    for (;;) {
        ssize_t n = read(from, bytes, sizeof(bytes));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        if (!write_all(to, bytes, (size_t)n))
            return false;
    }
}

static void *read_input(void *arg)
{
    struct stdio_in *s = arg;

    carry(STDIN_FILENO, s->far);
    shutdown(s->far, SHUT_WR);
    return NULL;
}

/* Whoever reads our output sees its end, though input may go on. The descriptor's number stays
 * taken, or it would soon be that of a socket. */
static void end_output(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
        close(STDOUT_FILENO);
    if (null >= 0)
        close(null);
}

static void *write_output(void *arg)
{
    struct stdio_in *s = arg;

    carry(s->far, STDOUT_FILENO);
    end_output();
    shutdown(s->far, SHUT_RD);
    wsp_loop_wake(s->client->loop);
    return NULL;
}

static bool start_threads(struct stdio_in *s)
{
    if (pthread_create(&s->writer, NULL, write_output, s) != 0)
        return false;
    s->started = true;
    if (pthread_create(&s->reader, NULL, read_input, s) != 0)
        return false;
    pthread_detach(s->reader); /* standard input may never end */
    return true;
}

static void begin(struct stdio_in *s)
{
    struct tunnel_start start = {
        .session = s->listener.session,
        .owner = &s->listener.owner,
        .to = proxy_listener_target(&s->listener, NULL, slice_of(NULL, 0), 0),
        .fd = s->near};

    s->near = -1;
    s->listener.listener.accepted = 1;
    if (!start_threads(s)) {
        close(start.fd);
        s->failed = true;
        s->on_end(s);
        return;
    }
    tunnel_open(&start);
}

static void on_timer(struct timer *t)
{
    struct stdio_in *s = container_of(t, struct stdio_in, timer);
    struct wsp_loop *loop = s->client->loop;

    if (s->near >= 0 && session_link(s->listener.session)) {
        begin(s);
    } else if (s->near >= 0 && loop_now(loop) >= s->deadline_us) {
        log_error(loop_log(loop), "wspc: no link to %s came up",
                  s->listener.session->config->server);
        s->failed = true;
        s->on_end(s);
        return;
    } else if (s->near < 0 && s->listener.listener.accepted == 0) {
        s->on_end(s);
        return;
    }
    timer_set(loop, &s->timer, loop_now(loop) + LOOK_US); /* set before: cannot fail */
}

enum wsp_err stdio_in_start(struct stdio_in *s, struct client *c, char *channel, char *password)
{
    int pair[2];

    *s = (struct stdio_in){.client = c, .near = -1, .far = -1, .on_end = s->on_end};
    s->timer.fire = on_timer;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return WSP_ERR_SYSTEM;
    s->near = pair[0];
    s->far = pair[1];
    s->listener = (struct proxy_listener){
        .session = session_at(c->sessions.next),
        .owner = proxy_listener_owner,
        .config = {.kind = WSPC_LOCAL, .channel = channel, .password = password, .path = channel}};
    s->deadline_us = loop_now(c->loop) + LINK_US;
    return timer_set(c->loop, &s->timer, loop_now(c->loop));
}

void stdio_in_fini(struct stdio_in *s)
{
    timer_clear(s->client->loop, &s->timer);
    if (s->near >= 0)
        close(s->near);
    if (s->started)
        pthread_join(s->writer, NULL);
    s->failed = s->listener.opened == 0;
}
