#include "net/outbound.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

struct outbound {
    struct relay relay;
    struct list node; /* on owner->all */
    struct outbound_owner *owner;
    struct dial dial;
    unsigned port;
    char host[];
};

static void outbound_free(struct outbound *o)
{
    struct outbound_owner *owner = o->owner;

    dial_cancel(&o->dial);
    relay_fini(&o->relay);
    list_remove(&o->node);
    free(o);
    if (owner->on_ended)
        owner->on_ended(owner);
}

static void on_done(struct relay *r)
{
    outbound_free(container_of(r, struct outbound, relay));
}

/* While dialling, the peer may cancel or its link end: then nothing is left to relay. */
static void on_closed(struct chan *ch, enum chan_end end, struct slice text)
{
    struct outbound *o = container_of(ch, struct outbound, relay.chan);

    if (o->relay.started)
        relay_closed(ch, end, text);
    else
        outbound_free(o);
}

static const struct chan_ops ops = {
    .closed = on_closed,
    .deliver = relay_deliver,
    .deliver_iov = relay_deliver_iov,
    .pull = relay_pull,
    .finished = relay_finished,
    .flushing = relay_flushing,
};

static bool address_allowed(void *ctx, const struct address *address)
{
    struct outbound *o = ctx;

    return !o->owner->allowed || o->owner->allowed(o->owner, o->host, address);
}

static void local_address(int fd, char out[ADDRESS_TEXT_MAX])
{
    struct address a = {.len = sizeof(a.storage)};

    out[0] = '\0';
    if (getsockname(fd, &a.sa, &a.len) == 0)
        address_text(&a, out);
}

static void refuse(struct outbound *o, const char *text)
{
    chan_refuse(&o->relay.chan, slice_str(text));
    outbound_free(o);
}

static void connected(struct outbound *o, int fd, const char *bound)
{
    if (stream_init(&o->relay.stream, o->owner->loop, fd, NULL) != WSP_OK ||
        relay_start(&o->relay, slice_of(NULL, 0)) != WSP_OK) {
        refuse(o, "out of resources");
        return;
    }
    chan_accept(&o->relay.chan, slice_str(bound));
}

static void on_dialled(struct dial *d, enum dial_status status, int fd, const char *text)
{
    struct outbound *o = container_of(d, struct outbound, dial);
    char bound[ADDRESS_TEXT_MAX];

    if (status != DIAL_OK) {
        refuse(o, text);
        return;
    }
    local_address(fd, bound);
    connected(o, fd, bound);
}

static struct outbound *outbound_new(struct outbound_owner *owner, struct slice host, unsigned port)
{
    struct outbound *o = calloc(1, sizeof(*o) + host.len + 1);

    if (!o)
        return NULL;
    relay_init(&o->relay, owner->loop, &ops, on_done);
    o->owner = owner;
    o->dial.on_done = on_dialled;
    o->port = port;
    memcpy(o->host, host.p, host.len);
    list_push(&owner->all, &o->node);
    return o;
}

/* With its channel adopted; NULL when the CONNECT has been refused. */
static struct outbound *adopt(struct outbound_owner *owner, struct link *l, struct slice id,
                              struct slice host, unsigned port)
{
    struct outbound *o = outbound_new(owner, host, port);
    enum wsp_err err = WSP_ERR_NOMEM;

    if (o)
        err = link_adopt(l, &o->relay.chan, id);
    if (err == WSP_OK)
        return o;
    link_refuse(l, id, err == WSP_ERR_LIMIT ? "limit" : "out of memory");
    if (o)
        outbound_free(o);
    return NULL;
}

/* A unix socket connects at once or not at all; with a full backlog it is not waited for. */
static int connect_unix(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    size_t len = strlen(path);
    int fd, saved;

    if (len >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, len);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

void outbound_open_unix(struct outbound_owner *owner, struct link *l, struct slice id,
                        struct slice path)
{
    struct outbound *o = adopt(owner, l, id, path, 0);
    char text[384];
    int fd;

    if (!o)
        return;
    fd = connect_unix(o->host);
    if (fd >= 0) {
        connected(o, fd, "");
        return;
    }
    snprintf(text, sizeof(text), "dial unix: connect: %s",
             errno == ECONNREFUSED ? "connection refused" : strerror(errno));
    refuse(o, text);
}

void outbound_open(struct outbound_owner *owner, struct link *l, struct slice id, struct slice host,
                   unsigned port)
{
    struct outbound *o = adopt(owner, l, id, host, port);
    struct dial_options options = {
        .port = port, .timeout_us = owner->dial_us, .allowed = address_allowed, .ctx = o};

    if (!o)
        return;
    options.host = o->host;
    if (dial_start(owner->loop, owner->resolver, &o->dial, &options) != WSP_OK)
        refuse(o, "out of memory");
}

void outbound_owner_init(struct outbound_owner *owner, struct wsp_loop *loop,
                         struct resolver *resolver, uint64_t dial_us)
{
    *owner = (struct outbound_owner){.loop = loop, .resolver = resolver, .dial_us = dial_us};
    list_init(&owner->all);
}

void outbound_owner_fini(struct outbound_owner *owner)
{
    while (!list_empty(&owner->all))
        outbound_free(container_of(owner->all.next, struct outbound, node));
}
