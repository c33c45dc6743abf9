#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    ACCEPT_BURST = 64, /* connections taken before others get their turn */
    RETRY_US = 100000, /* after running out of descriptors or memory */
    BACKLOG = 1024,
};

/* What cannot be asked for now is asked for again: else nobody would ever be accepted any more. */
static void want(struct listener *l, bool on)
{
    unsigned interest = on ? POLLER_READ | POLLER_LEVEL : POLLER_LEVEL;
    bool done = true;

    for (size_t i = 0; i < l->socket_count; i++)
        done = watch_modify(l->loop, &l->socket[i].watch, interest) == WSP_OK && done;
    if (!done && on)
        timer_set(l->loop, &l->retry, loop_now(l->loop) + RETRY_US);
}

/* Out of descriptors or memory: the connection waits in the backlog, what runs goes on. */
static void shortage(struct listener *l)
{
    if (log_limit_ok(&l->noise, loop_now(l->loop)))
        log_error(loop_log(l->loop), "listener: accept: %s; trying again", strerror(errno));
    if (timer_set(l->loop, &l->retry, loop_now(l->loop) + RETRY_US) == WSP_OK)
        want(l, false);
}

static void on_retry(struct timer *t)
{
    struct listener *l = container_of(t, struct listener, retry);

    want(l, l->accepted < l->limit);
}

/* Takes up to `burst` connections. */
static void accept_some(struct listener_socket *s, int burst)
{
    struct listener *l = s->listener;

    for (int i = 0; i < burst && s->watch.fd >= 0; i++) {
        struct address peer = {.len = sizeof(peer.storage)};
        int fd;

        if (listener_is_full(l)) {
            if (log_limit_ok(&l->noise, loop_now(l->loop)))
                log_warn(loop_log(l->loop), "listener: %zu connections, more have to wait",
                         l->accepted);
            want(l, false);
            return;
        }
        fd = accept4(s->watch.fd, &peer.sa, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == ECONNABORTED || errno == EINTR))
            continue;
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                shortage(l);
            return;
        }
        l->accepted++;
        l->on_accept(l, fd, &peer);
    }
}

static void on_event(struct watch *w, unsigned events)
{
    (void)events;
    accept_some(container_of(w, struct listener_socket, watch), ACCEPT_BURST);
}

/* Another socket of this user's may listen at the same port, if it shares it as well. */
static void share_port(int fd, bool share)
{
    int on = share;

    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
}

static int open_socket(const struct addrinfo *ai, bool share)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int one = 1, zero = 0;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    share_port(fd, share);
    address_set_tcp_options(fd);
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

/* Names are resolved here with the system's resolver: when a listener opens, waiting is allowed. */
static int open_first(const char *bind, unsigned port, bool share, char error[LISTENER_ERROR_MAX])
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list;
    char service[8];
    int fd, err;

    snprintf(service, sizeof(service), "%u", port);
    hints.ai_family = bind ? AF_UNSPEC : AF_INET6;
    err = getaddrinfo(bind, service, &hints, &list);
    if (err) {
        snprintf(error, LISTENER_ERROR_MAX, "listen on %s:%u: %s", bind ? bind : "", port,
                 gai_strerror(err));
        return -1;
    }
    fd = open_socket(list, share);
    freeaddrinfo(list);
    if (fd < 0 && !bind && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
        return open_first("0.0.0.0", port, share, error); /* no IPv6 here */
    if (fd < 0)
        snprintf(error, LISTENER_ERROR_MAX, "listen on %s:%u: %s", bind ? bind : "", port,
                 strerror(errno));
    return fd;
}

/* A socket that nobody listens on any more: a daemon that was killed left it behind. Other files
 * refuse connections as well. */
static bool is_stale(const struct sockaddr_un *a)
{
    struct stat st;
    bool stale;
    int fd;

    if (lstat(a->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    stale = connect(fd, (const struct sockaddr *)a, sizeof(*a)) < 0 && errno == ECONNREFUSED;
    close(fd);
    return stale;
}

/* For its owner alone: whoever may connect is who may write to it. */
static int bind_unix(const struct sockaddr_un *a)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0)
        return -1;
    if (fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)a, sizeof(*a)) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int open_unix(const char *path, char error[LISTENER_ERROR_MAX])
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(a.sun_path)) {
        snprintf(error, LISTENER_ERROR_MAX, "listen on a unix socket: the path is too long");
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path));
    fd = bind_unix(&a);
    if (fd < 0 && errno == EADDRINUSE && is_stale(&a) && unlink(path) == 0)
        fd = bind_unix(&a);
    if (fd < 0)
        snprintf(error, LISTENER_ERROR_MAX, "listen on %.150s: %s", path, strerror(errno));
    return fd;
}

bool listener_address(const struct listener *l, size_t i, struct address *out)
{
    out->len = sizeof(out->storage);
    return i < l->socket_count && getsockname(l->socket[i].watch.fd, &out->sa, &out->len) == 0;
}

/* `fd` is taken. */
static enum wsp_err watch_socket(struct wsp_loop *loop, struct watch *w, int fd,
                                 char error[LISTENER_ERROR_MAX])
{
    *w = (struct watch){.fd = -1, .on_event = on_event};
    if (watch_start(loop, w, fd, POLLER_READ | POLLER_LEVEL) == WSP_OK)
        return WSP_OK;
    snprintf(error, LISTENER_ERROR_MAX, "listen: %s", strerror(errno));
    close(fd);
    return WSP_ERR_SYSTEM;
}

/* `fd` is taken. */
static enum wsp_err add_socket(struct listener *l, int fd, char error[LISTENER_ERROR_MAX])
{
    struct listener_socket *s = &l->socket[l->socket_count];
    enum wsp_err err;

    s->listener = l;
    err = watch_socket(l->loop, &s->watch, fd, error);
    if (err == WSP_OK)
        l->socket_count++;
    return err;
}

/* They come as whoever opened them left them. */
static enum wsp_err take_passed(struct listener *l, const struct listener_sockets *passed,
                                char error[LISTENER_ERROR_MAX])
{
    enum wsp_err err = WSP_OK;

    l->passed = true;
    for (size_t i = 0; i < passed->count; i++) {
        int fd = passed->fd[i];

        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        fcntl(fd, F_SETFD, FD_CLOEXEC);
        address_set_tcp_options(fd);
        if (err == WSP_OK)
            err = add_socket(l, fd, error);
        else
            close(fd);
    }
    return err;
}

void listener_sockets_close(const struct listener_sockets *sockets)
{
    for (size_t i = 0; sockets && i < sockets->count; i++)
        close(sockets->fd[i]);
}

static enum wsp_err open_sockets(struct listener *l, const struct listener_options *options,
                                 char error[LISTENER_ERROR_MAX])
{
    int fd;

    if (options->passed && options->passed->count)
        return take_passed(l, options->passed, error);
    if (options->nowhere)
        return WSP_OK;
    fd = options->path ? open_unix(options->path, error)
                       : open_first(options->bind, options->port, false, error);
    return fd >= 0 ? add_socket(l, fd, error) : WSP_ERR_SYSTEM;
}

enum wsp_err listener_start(struct listener *l, struct wsp_loop *loop,
                            const struct listener_options *options, char error[LISTENER_ERROR_MAX])
{
    enum wsp_err err;

    l->loop = loop;
    l->limit = options->limit;
    l->accepted = l->socket_count = 0;
    l->passed = false;
    l->path = NULL;
    l->retry.fire = on_retry;
    l->noise = (struct log_limit){.window_us = 10000000, .burst = 1};
    err = open_sockets(l, options, error);
    if (err == WSP_OK && options->path && !l->passed)
        l->path = strdup(options->path);
    if (err == WSP_OK)
        listener_address(l, 0, &l->local);
    else
        listener_stop(l);
    return err;
}

enum wsp_err listener_move(struct listener *l, const struct listener_options *options,
                           char error[LISTENER_ERROR_MAX])
{
    bool share = options->port == address_port(&l->local);
    struct listener_socket *s = &l->socket[0];
    struct watch next;
    int old = s->watch.fd, fd;

    share_port(old, share);
    fd = open_first(options->bind, options->port, share, error);
    share_port(old, false);
    if (fd < 0 || watch_socket(l->loop, &next, fd, error) != WSP_OK)
        return WSP_ERR_SYSTEM;
    share_port(fd, false);
    accept_some(s, BACKLOG); /* or those who wait at the old one would be reset */
    timer_clear(l->loop, &l->retry);
    watch_stop(l->loop, &s->watch);
    close(old);
    watch_move(l->loop, &s->watch, &next, POLLER_READ | POLLER_LEVEL); /* watched: cannot fail */
    listener_address(l, 0, &l->local);
    listener_set_limit(l, l->limit);
    return WSP_OK;
}

void listener_set_limit(struct listener *l, size_t limit)
{
    l->limit = limit;
    if (!timer_is_set(&l->retry))
        want(l, l->accepted < limit);
}

bool listener_is_full(const struct listener *l)
{
    return l->accepted >= l->limit;
}

bool listener_take(struct listener *l)
{
    if (listener_is_full(l))
        return false;
    l->accepted++;
    return true;
}

void listener_release(struct listener *l)
{
    l->accepted--;
    if (l->accepted + 1 == l->limit)
        want(l, true);
}

void listener_stop(struct listener *l)
{
    if (l->loop)
        timer_clear(l->loop, &l->retry);
    if (l->path) /* before the close: who finds nobody there puts his own socket in its place */
        unlink(l->path);
    while (l->socket_count > 0) {
        struct watch *w = &l->socket[--l->socket_count].watch;
        int fd = w->fd;

        watch_stop(l->loop, w);
        close(fd);
    }
    free(l->path);
    l->path = NULL;
}
