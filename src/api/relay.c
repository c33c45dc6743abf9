#include "api/relay.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "api/config.h"
#include "api/destination.h"
#include "client/link_wait.h"
#include "client/tunnel.h"

enum { TEXT_MAX = 256 };

struct relayed {
    struct list node; /* on wsp_client->relays */
    struct tunnel_owner owner;
    struct link_wait wait; /* for a link, before there is a tunnel */
    struct destination to;
    int fd;             /* owned until the tunnel has it; then -1 */
    struct task notify; /* it is over: tells so, and frees it */
    void (*ended)(void *ctx, enum wsp_err why, const char *text);
    void *ctx; /* borrowed */
    enum wsp_err why;
    char text[TEXT_MAX];
    struct wsp_loop *loop; /* borrowed */
};

static void relayed_free(struct relayed *r)
{
    link_wait_cancel(&r->wait);
    task_cancel(&r->notify);
    list_remove(&r->node);
    destination_fini(&r->to);
    if (r->fd >= 0)
        close(r->fd);
    free(r);
}

static void on_notify(struct task *t)
{
    struct relayed *r = container_of(t, struct relayed, notify);
    struct relayed over = *r;

    relayed_free(r);
    over.ended(over.ctx, over.why, over.text);
}

static void finish(struct relayed *r, enum wsp_err why, const char *text)
{
    if (!r->ended) {
        relayed_free(r);
        return;
    }
    r->why = why;
    snprintf(r->text, sizeof(r->text), "%s", text);
    task_post(r->loop, &r->notify);
}

static void on_ended(struct tunnel_owner *o, enum wsp_err why, const char *text)
{
    finish(container_of(o, struct relayed, owner), why, text);
}

static void begin(struct relayed *r, struct session *s)
{
    struct tunnel_start start = {
        .session = s, .owner = &r->owner, .to = destination_target(&r->to), .fd = r->fd};

    r->fd = -1;
    tunnel_open(&start);
}

static void on_link(struct link_wait *w, struct session *s, enum wsp_err why, const char *text)
{
    struct relayed *r = container_of(w, struct relayed, wait);

    if (why == WSP_OK)
        begin(r, s);
    else
        finish(r, why, text);
}

void relays_silence(struct wsp_client *c)
{
    struct list *node, *tmp;

    list_each (node, tmp, &c->relays) {
        struct relayed *r = container_of(node, struct relayed, node);

        if (list_linked(&r->notify.node))
            relayed_free(r);
        else
            r->ended = NULL;
    }
}

/* A stream socket, from now on one that does not block: whatever else it is would hold up the loop.
 */
static bool is_usable(int fd)
{
    int type = 0, flags = fcntl(fd, F_GETFL);
    socklen_t len = sizeof(type);

    return flags >= 0 && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
           type == SOCK_STREAM && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

static struct relayed *relayed_new(struct wsp_client *c, const struct relayed *with)
{
    struct relayed *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    *r = *with;
    r->loop = c->loop;
    r->owner.ended = on_ended;
    r->wait.on_done = on_link;
    task_init(&r->notify, on_notify);
    list_push(&c->relays, &r->node);
    return r;
}

/* At once, or when there is a link. `fd` and `to` are taken with WSP_OK. */
static enum wsp_err relay(struct wsp_client *c, struct destination *to, struct session *s,
                          const struct relayed *with)
{
    struct relayed *r = relayed_new(c, with);

    if (!r)
        return WSP_ERR_NOMEM;
    if (!session_link(s) && link_wait_start(&r->wait, s) != WSP_OK) {
        r->fd = -1;
        relayed_free(r);
        return WSP_ERR_NOMEM;
    }
    r->to = *to;
    *to = (struct destination){0};
    if (session_link(s))
        begin(r, s);
    return WSP_OK;
}

enum wsp_err wsp_client_relay(struct wsp_client *c, const struct wsp_target *target, int fd,
                              void (*ended)(void *ctx, enum wsp_err why, const char *text),
                              void *ctx, char error[WSP_ERROR_MAX])
{
    struct relayed with = {.fd = fd, .ended = ended, .ctx = ctx};
    struct destination to = {0};
    struct session *s;
    enum wsp_err err = WSP_ERR_USAGE;

    if (!is_usable(fd)) {
        error_set(error, "expected a connected stream socket");
    } else {
        err = destination_init(&to, c, target, &s, error);
        if (err == WSP_OK) {
            err = relay(c, &to, s, &with);
            if (err != WSP_OK)
                error_set(error, "out of memory");
        }
    }
    destination_fini(&to);
    if (err != WSP_OK && fd >= 0)
        close(fd);
    return err;
}
