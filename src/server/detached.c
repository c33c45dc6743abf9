#include "server/detached.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void detached_free(struct detached *d)
{
    struct server *s = d->server;

    pump_fini(&d->pump);
    list_remove(&d->node);
    free(d);
    listener_release(&s->listener);
    server_use_ended(s);
}

static void on_end(struct pump *p)
{
    detached_free(container_of(p, struct detached, pump));
}

/* Our end of a socket pair, in the loop; the other one is *fd. */
static enum wsp_err open_pair(struct wsp_loop *loop, struct stream *near, int *fd)
{
    int fds[2];
    enum wsp_err err;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return WSP_ERR_SYSTEM;
    err = stream_init(near, loop, fds[0], NULL);
    if (err != WSP_OK)
        close(fds[1]);
    *fd = fds[1];
    return err;
}

/* The place in the listener goes on to `d`. */
static enum wsp_err start_pump(struct front *f, int *fd)
{
    struct detached *d = calloc(1, sizeof(*d));
    struct stream far = {.watch = {.fd = -1}}, near;
    enum wsp_err err = WSP_ERR_NOMEM;

    if (d)
        err = open_pair(f->server->loop, &near, fd);
    if (err == WSP_OK) {
        err = http_conn_detach(&f->conn, &far, NULL);
        if (err != WSP_OK) {
            stream_close(&near);
            close(*fd);
        }
    }
    if (err != WSP_OK) {
        free(d);
        return err;
    }
    d->server = f->server;
    list_push(&f->server->detached, &d->node);
    if (pump_start(&d->pump, &far, &near, on_end) != WSP_OK)
        detached_free(d); /* the program reads an end */
    return WSP_OK;
}

enum wsp_err detached_start(struct front *f, int *fd)
{
    const struct stream *s = &f->conn.stream;

    if (s->tls || s->guest)
        return start_pump(f, fd);
    *fd = http_conn_release(&f->conn);
    listener_release(&f->server->listener);
    return WSP_OK;
}
