#include "wsp/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/config.h"
#include "base/json_out.h"
#include "base/status_place.h"
#include "net/listener.h"

enum {
    CLIENTS_MAX = 8, /* with documents that they have not taken; others wait in the backlog */
    CLIENT_US = 5000000,
};

struct wsp_status_socket {
    struct wsp_loop *loop; /* a reference */
    bool dying;
    struct task end; /* frees it when the turn is over */
    struct listener listener;
    unsigned openings;       /* of the listener; a document's callback may have moved it */
    char *program, *version; /* owned, as all strings here */
    char *path;              /* as it was given */
    char *file;              /* of the configuration, as an absolute path; NULL: none */
    char *(*document)(void *ctx);
    void *ctx;
    uint64_t began_us;
    struct list clients; /* that have not taken all of their document */
    struct log_limit noise;
};

struct status_client {
    struct list node; /* on its socket's clients */
    struct wsp_status_socket *socket;
    struct watch watch;
    int fd; /* owned */
    struct timer timer;
    struct buf text; /* still to be sent */
};

/* ---- the document */

static enum wsp_err compose(struct wsp_status_socket *s, struct buf *out)
{
    struct json_out j = {0};
    char *document = s->document(s->ctx);

    json_out_object(&j, NULL);
    json_out_text(&j, "program", s->program);
    json_out_text(&j, "version", s->version);
    json_out_uint(&j, "pid", (uint64_t)getpid());
    json_out_seconds(&j, "uptime_s", loop_now(s->loop) - s->began_us);
    json_out_text(&j, "config", s->file);
    if (document)
        json_out_members(&j, slice_str(document));
    json_out_end_object(&j);
    j.failed = j.failed || !document;
    free(document);
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

    while (c->text.len && (n > 0 || errno == EINTR)) {
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
static bool may_ask(struct wsp_status_socket *s, int fd)
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

/* `fd` is taken; `text`, too. */
static void answer(struct wsp_status_socket *s, int fd, struct buf *text)
{
    struct status_client *c = calloc(1, sizeof(*c));

    if (!c) {
        buf_fini(text);
        close(fd);
        listener_release(&s->listener);
        return;
    }
    c->socket = s;
    c->fd = fd;
    c->text = *text;
    c->watch = (struct watch){.fd = -1, .on_event = on_event};
    c->timer.fire = on_timer;
    list_push(&s->clients, &c->node);
    if (watch_start(s->loop, &c->watch, fd, POLLER_WRITE) != WSP_OK ||
        timer_set(s->loop, &c->timer, loop_now(s->loop) + CLIENT_US) != WSP_OK)
        client_free(c);
    else
        give(c);
}

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    struct wsp_status_socket *s = container_of(l, struct wsp_status_socket, listener);
    unsigned opening = s->openings;
    struct buf text = {0};

    (void)peer;
    if (may_ask(s, fd) && compose(s, &text) == WSP_OK && opening == s->openings) {
        answer(s, fd, &text);
        return;
    }
    buf_fini(&text);
    close(fd);
    if (opening == s->openings) /* else nothing that was accepted before counts any more */
        listener_release(l);
}

/* ---- where it is */

static enum wsp_err listen_at(struct wsp_status_socket *s, const char *path, char *error)
{
    struct listener_options options = {.path = path, .limit = CLIENTS_MAX};
    char why[LISTENER_ERROR_MAX];

    if (listener_start(&s->listener, s->loop, &options, why) == WSP_OK) {
        log_debug(loop_log(s->loop), "status: listening on %s", path);
        return WSP_OK;
    }
    error_set(error, "status: %s", why);
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

static enum wsp_err listen_at_usual(struct wsp_status_socket *s)
{
    char path[STATUS_PATH_MAX], why[WSP_ERROR_MAX];

    if (!usual_place(s->program, path))
        log_info(loop_log(s->loop),
                 "status: no directory for a socket: set \"status\" to have one");
    else if (listen_at(s, path, why) != WSP_OK)
        log_info(loop_log(s->loop), "%s; this daemon has no status socket", why);
    return WSP_OK;
}

/* At s->path. */
static enum wsp_err open_socket(struct wsp_status_socket *s, char *error)
{
    if (!s->path)
        return listen_at_usual(s);
    return *s->path ? listen_at(s, s->path, error) : WSP_OK;
}

static void close_socket(struct wsp_status_socket *s)
{
    s->openings++;
    listener_stop(&s->listener);
    while (!list_empty(&s->clients))
        client_free(container_of(s->clients.next, struct status_client, node));
}

/* ---- life */

static void socket_free(struct wsp_status_socket *s)
{
    struct wsp_loop *loop = s->loop;

    free(s->program);
    free(s->version);
    free(s->path);
    free(s->file);
    free(s);
    loop_unref(loop);
}

static void on_end(struct task *t)
{
    socket_free(container_of(t, struct wsp_status_socket, end));
}

static struct wsp_status_socket *socket_new(struct wsp_loop *loop,
                                            const struct wsp_status_options *options)
{
    struct wsp_status_socket *s = calloc(1, sizeof(*s));

    if (!s)
        return NULL;
    s->loop = loop;
    loop_ref(loop);
    task_init(&s->end, on_end);
    s->listener.on_accept = on_accept;
    s->document = options->document;
    s->ctx = options->ctx;
    s->began_us = loop_now(loop);
    s->noise = (struct log_limit){.window_us = 10000000, .burst = 1};
    list_init(&s->clients);
    s->file = options->file ? realpath(options->file, NULL) : NULL;
    if (config_copy_text(&s->program, options->program) &&
        config_copy_text(&s->version, options->version) &&
        config_copy_text(&s->path, options->path))
        return s;
    socket_free(s);
    return NULL;
}

struct wsp_status_socket *wsp_status_open(struct wsp_loop *loop,
                                          const struct wsp_status_options *options,
                                          char error[WSP_ERROR_MAX])
{
    struct wsp_status_socket *s;

    if (!loop || !options || !options->program || !options->document) {
        error_set(error, "status: expected a loop, the program's name and its document");
        return NULL;
    }
    s = socket_new(loop, options);
    if (!s) {
        error_set(error, "status: out of memory");
        return NULL;
    }
    if (open_socket(s, error) == WSP_OK)
        return s;
    socket_free(s);
    return NULL;
}

enum wsp_err wsp_status_move(struct wsp_status_socket *s, const char *path,
                             char error[WSP_ERROR_MAX])
{
    char *before, *copy;
    enum wsp_err err;

    if (!s || s->dying) {
        error_set(error, "status: no socket is given");
        return WSP_ERR_USAGE;
    }
    if (config_same_text(path, s->path))
        return WSP_OK;
    if (!config_copy_text(&copy, path)) {
        error_set(error, "status: out of memory");
        return WSP_ERR_NOMEM;
    }
    before = s->path;
    close_socket(s);
    s->path = copy;
    err = open_socket(s, error);
    if (err == WSP_OK) {
        free(before);
        return WSP_OK;
    }
    free(copy);
    s->path = before;
    open_socket(s, NULL);
    return err;
}

void wsp_status_close(struct wsp_status_socket *s)
{
    if (!s || s->dying)
        return;
    close_socket(s);
    s->dying = true;
    if (loop_in_turn(s->loop))
        loop_end_later(s->loop, &s->end);
    else
        socket_free(s);
}
