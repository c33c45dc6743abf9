/* wsps: a server of the library, run as a daemon. */
#include <stdio.h>
#include <wsp/server.h>

#include "base/list.h"
#include "daemon/activation.h"
#include "daemon/program.h"
#include "wsps/settings.h"

struct wsps {
    struct program program;
    struct wsp_server *server; /* owned */
};

static struct wsps *wsps_of(struct program *p)
{
    return container_of(p, struct wsps, program);
}

static enum wsp_err start(struct program *p, char error[WSP_ERROR_MAX])
{
    struct activation passed;
    enum wsp_err err = activation_take(&passed, error);
    struct wsp_server_options options = {
        .config = p->configured.config, .socket = passed.fd, .socket_count = passed.count};

    if (err != WSP_OK)
        return err;
    wsps_of(p)->server = wsp_server_new(p->daemon.loop, &options, error);
    return wsps_of(p)->server ? WSP_OK : WSP_ERR_SYSTEM;
}

static enum wsp_err reload(struct program *p, struct wsp_config *config, char error[WSP_ERROR_MAX])
{
    return wsp_server_reload(wsps_of(p)->server, config, error);
}

static void on_drained(void *ctx)
{
    struct wsps *w = ctx;

    daemon_end(&w->program.daemon);
}

static void drain(struct program *p)
{
    wsp_server_drain(wsps_of(p)->server, on_drained, wsps_of(p));
}

static void stop(struct program *p)
{
    wsp_server_free(wsps_of(p)->server);
}

static char *status(struct program *p)
{
    return wsp_server_status(wsps_of(p)->server);
}

static void describe(struct program *p, char out[NOTIFY_STATUS_MAX])
{
    char address[WSP_ADDRESS_MAX] = "", other[WSP_ADDRESS_MAX];
    struct wsp_server *server = wsps_of(p)->server;
    size_t more = 0;

    wsp_server_address(server, 0, address);
    while (wsp_server_address(server, more + 1, other))
        more++;
    if (more)
        snprintf(out, NOTIFY_STATUS_MAX, "listening on %s and %zu more", address, more);
    else
        snprintf(out, NOTIFY_STATUS_MAX, "listening on %s", address);
}

int main(int argc, char **argv)
{
    static const struct service server = {.start = start,
                                          .reload = reload,
                                          .drain = drain,
                                          .stop = stop,
                                          .status = status,
                                          .describe = describe};
    struct wsps w = {.program = {.service = &server, .run = program_serve}};

    return program_main(&w.program, &wsps_settings, argc, argv);
}
