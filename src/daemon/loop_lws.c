#include "daemon/loop_lws.h"

#include <fcntl.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/list.h"

struct loop_lws {
    struct lws_context *context; /* owned */
    struct wsp_loop *loop;       /* borrowed */
    struct loop_lws_watch turns; /* of the loop's descriptor */
    lws_sorted_usec_list_t timer;
    uint64_t interval_us;
    void (*tick)(void *ctx);
    void *ctx; /* borrowed */
    bool stopped;
};

static void turn(struct loop_lws_watch *w)
{
    wsp_loop_turn(container_of(w, struct loop_lws, turns)->loop);
}

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct loop_lws_watch *w;

    (void)user;
    (void)in;
    (void)len;
    if (reason != LWS_CALLBACK_RAW_RX_FILE)
        return 0;
    w = lws_get_opaque_user_data(wsi);
    w->readable(w);
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "wsp-loop", .callback = on_lws},
    {.name = NULL},
};

/* lws closes what it adopted, so it gets a duplicate. */
bool loop_lws_watch(struct loop_lws *l, struct loop_lws_watch *w)
{
    lws_adopt_desc_t adopt = {
        .vh = lws_get_vhost_by_name(l->context, "default"),
        .type = LWS_ADOPT_RAW_FILE_DESC,
        .fd.filefd = fcntl(w->fd, F_DUPFD_CLOEXEC, 3),
        .vh_prot_name = protocols[0].name,
        .opaque = w,
    };

    return adopt.fd.filefd >= 0 && lws_adopt_descriptor_vhost_via_info(&adopt) != NULL;
}

struct loop_lws *loop_lws_new(struct wsp_loop *loop)
{
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .gid = -1,
        .uid = -1,
        .fd_limit_per_thread = 16, /* it holds few; its tables are as long as this limit */
        .vhost_name = "default",
        .pcontext = NULL,
    };
    struct loop_lws *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    lws_set_log_level(LLL_ERR, NULL);
    l->loop = loop;
    l->turns = (struct loop_lws_watch){.fd = wsp_loop_fd(loop), .readable = turn};
    l->context = lws_create_context(&info);
    if (!l->context || !loop_lws_watch(l, &l->turns)) {
        loop_lws_free(l);
        return NULL;
    }
    return l;
}

void loop_lws_free(struct loop_lws *l)
{
    if (!l)
        return;
    lws_sul_cancel(&l->timer);
    if (l->context)
        lws_context_destroy(l->context);
    free(l);
}

static void on_timer(lws_sorted_usec_list_t *timer)
{
    struct loop_lws *l = container_of(timer, struct loop_lws, timer);

    lws_sul_schedule(l->context, 0, timer, on_timer, (lws_usec_t)l->interval_us);
    l->tick(l->ctx);
}

void loop_lws_tick(struct loop_lws *l, uint64_t interval_us, void (*tick)(void *ctx), void *ctx)
{
    l->interval_us = interval_us;
    l->tick = tick;
    l->ctx = ctx;
    lws_sul_schedule(l->context, 0, &l->timer, on_timer, (lws_usec_t)interval_us);
}

void loop_lws_run(struct loop_lws *l)
{
    while (!l->stopped && lws_service(l->context, 0) >= 0)
        ;
}

void loop_lws_stop(struct loop_lws *l)
{
    l->stopped = true;
    lws_cancel_service(l->context);
}
