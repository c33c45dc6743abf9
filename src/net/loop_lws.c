#include "net/loop_lws.h"

#include <fcntl.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <unistd.h>

struct loop_lws {
    struct lws_context *context; /* owned */
    struct wsp_loop *loop;       /* borrowed */
    bool stopped;
};

static int on_lws(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                  size_t len)
{
    struct loop_lws *l = lws_context_user(lws_get_context(wsi));

    (void)user;
    (void)in;
    (void)len;
    if (reason == LWS_CALLBACK_RAW_RX_FILE)
        wsp_loop_turn(l->loop);
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "wsp-loop", .callback = on_lws},
    {.name = NULL},
};

/* lws closes what it adopted, so it gets a duplicate. */
static bool adopt(struct loop_lws *l)
{
    lws_sock_file_fd_type fd = {.filefd = fcntl(wsp_loop_fd(l->loop), F_DUPFD_CLOEXEC, 3)};
    struct lws_vhost *vhost = lws_get_vhost_by_name(l->context, "default");

    if (fd.filefd < 0 || !vhost)
        return false;
    return lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, fd, protocols[0].name,
                                      NULL) != NULL;
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
    info.user = l;
    l->context = lws_create_context(&info);
    if (!l->context || !adopt(l)) {
        loop_lws_free(l);
        return NULL;
    }
    return l;
}

void loop_lws_free(struct loop_lws *l)
{
    if (!l)
        return;
    if (l->context)
        lws_context_destroy(l->context);
    free(l);
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
