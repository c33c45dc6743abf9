#include "daemon/status_socket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/status_place.h"
#include "wsp/version.h"

enum {
    CLIENTS_MAX = 8, /* with documents that they have not taken; others wait in the backlog */
    CLIENT_US = 5000000,
};

struct status_client {
    struct list node; /* on status_socket.clients */
    struct status_socket *socket;
    struct watch watch;
    int fd; /* owned */
    struct timer timer;
    struct buf text; /* still to be sent */
};

/* ---- the document */

static enum wsp_err compose(struct status_socket *s, struct buf *out)
{
    struct json_out j = {0};

    json_out_object(&j, NULL);
    json_out_text(&j, "program", s->source.program);
    json_out_text(&j, "version", WSP_VERSION);
    json_out_uint(&j, "pid", (uint64_t)getpid());
    json_out_seconds(&j, "uptime_s", loop_now(s->loop) - s->began_us);
    json_out_text(&j, "config", s->file);
    s->source.write(s->source.ctx, &j);
    json_out_end_object(&j);
    *out = j.text;
    return j.failed ? WSP_ERR_NOMEM : buf_append(out, "\n", 1);
}

/* ---- a connection */

static void client_free(struct status_client *c)
{
    struct wsp_loop *loop = c->socket->loop;

    timer_clear(loop, &c->timer);
    watch_stop(loop, &c->watch);
    close(c->fd);
    list_remove(&c->node);
    buf_fini(&c->text);
    listener_release(&c->socket->listener);
    free(c);
}

static void give(struct status_client *c)
{
    ssize_t n = 1;

    while (c->text.len && n > 0) {
        n = send(c->fd, buf_slice(&c->text).p, c->text.len, MSG_NOSIGNAL);
        if (n > 0)
            buf_consume(&c->text, (size_t)n);
    }
    if (c->text.len == 0 || errno != EAGAIN)
        client_free(c);
}

static void on_event(struct watch *w, unsigned events)
{
    (void)events;
    give(container_of(w, struct status_client, watch));
}

static void on_timer(struct timer *t)
{
    client_free(container_of(t, struct status_client, timer));
}

/* The mode of the socket keeps others out already; this does where somebody has changed it. */
static bool may_ask(struct status_socket *s, int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
        if (peer.uid == 0 || peer.uid == geteuid())
            return true;
        if (log_limit_ok(&s->noise, loop_now(s->loop)))
            log_info(loop_log(s->loop), "status: refused to user %u", (unsigned)peer.uid);
    }
    return false;
}

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    struct status_socket *s = container_of(l, struct status_socket, listener);
    struct status_client *c = may_ask(s, fd) ? calloc(1, sizeof(*c)) : NULL;

    (void)peer;
    if (!c) {
        close(fd);
        listener_release(l);
        return;
    }
    c->socket = s;
    c->fd = fd;
    c->watch = (struct watch){.fd = -1, .on_event = on_event};
    c->timer.fire = on_timer;
    list_push(&s->clients, &c->node);
    if (compose(s, &c->text) != WSP_OK ||
        watch_start(l->loop, &c->watch, fd, POLLER_WRITE) != WSP_OK ||
        timer_set(l->loop, &c->timer, loop_now(l->loop) + CLIENT_US) != WSP_OK) {
        client_free(c);
        return;
    }
    give(c);
}

/* ---- life */

static enum wsp_err listen_at(struct status_socket *s, const char *path,
                              char error[CONFIG_ERROR_MAX])
{
    struct listener_options options = {.path = path, .limit = CLIENTS_MAX};
    char why[LISTENER_ERROR_MAX];

    if (listener_start(&s->listener, s->loop, &options, why) == WSP_OK) {
        log_debug(loop_log(s->loop), "status: listening on %s", path);
        return WSP_OK;
    }
    snprintf(error, CONFIG_ERROR_MAX, "status: %s", why);
    return WSP_ERR_SYSTEM;
}

static bool directory_is_writable(const char *path)
{
    char directory[STATUS_PATH_MAX];

    snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(path, '/') - path), path);
    return access(directory, W_OK | X_OK) == 0;
}

/* The first place whose directory can be written to. */
static bool usual_place(const char *program, char out[STATUS_PATH_MAX])
{
    for (unsigned i = 0; i < STATUS_PLACES; i++)
        if (status_place(i, program, out) && directory_is_writable(out))
            return true;
    return false;
}

static enum wsp_err listen_at_usual(struct status_socket *s)
{
    char path[STATUS_PATH_MAX], why[CONFIG_ERROR_MAX];

    if (!usual_place(s->source.program, path))
        log_info(loop_log(s->loop),
                 "status: no directory for a socket: set \"status\" to have one");
    else if (listen_at(s, path, why) != WSP_OK)
        log_info(loop_log(s->loop), "%s; this daemon has no status socket", why);
    return WSP_OK;
}

/* At s->path. */
static enum wsp_err open_socket(struct status_socket *s, char error[CONFIG_ERROR_MAX])
{
    if (!s->path)
        return listen_at_usual(s);
    return *s->path ? listen_at(s, s->path, error) : WSP_OK;
}

static void close_socket(struct status_socket *s)
{
    listener_stop(&s->listener);
    while (!list_empty(&s->clients))
        client_free(container_of(s->clients.next, struct status_client, node));
}

enum wsp_err status_socket_start(struct status_socket *s, struct wsp_loop *loop, const char *path,
                                 const struct status_source *source, char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err;

    *s = (struct status_socket){.loop = loop,
                                .source = *source,
                                .began_us = loop_now(loop),
                                .listener.on_accept = on_accept};
    list_init(&s->clients);
    s->noise = (struct log_limit){.window_us = 10000000, .burst = 1};
    s->file = source->file ? realpath(source->file, NULL) : NULL;
    s->path = path ? strdup(path) : NULL;
    err = open_socket(s, error);
    if (err != WSP_OK)
        status_socket_stop(s);
    return err;
}

enum wsp_err status_socket_move(struct status_socket *s, const char *path,
                                char error[CONFIG_ERROR_MAX])
{
    char *before = s->path, ignored[CONFIG_ERROR_MAX];
    enum wsp_err err;

    if (!s->loop || config_same_text(path, s->path))
        return WSP_OK;
    close_socket(s);
    s->path = path ? strdup(path) : NULL;
    err = open_socket(s, error);
    if (err == WSP_OK) {
        free(before);
        return WSP_OK;
    }
    free(s->path);
    s->path = before;
    open_socket(s, ignored);
    return err;
}

void status_socket_stop(struct status_socket *s)
{
    if (!s->loop)
        return;
    close_socket(s);
    free(s->file);
    free(s->path);
    *s = (struct status_socket){0};
}
