/* wspc: a client of the library, run as a daemon, or for one channel (-W). */
#include <stdio.h>
#include <wsp/client.h>

#include "base/list.h"
#include "daemon/program.h"
#include "wspc/pipe.h"
#include "wspc/settings.h"

struct wspc {
    struct program program;
    struct wsp_client *client; /* owned */
};

static struct wspc *wspc_of(struct program *p)
{
    return container_of(p, struct wspc, program);
}

static void on_event(void *ctx, const struct wsp_event *event)
{
    struct wspc *w = ctx;

    if (event->kind == WSP_LINK_UP || event->kind == WSP_LINK_DOWN)
        program_tell(&w->program);
}

static enum wsp_err start(struct program *p, char error[WSP_ERROR_MAX])
{
    struct wsp_client_options options = {
        .config = p->configured.config, .event = on_event, .ctx = wspc_of(p)};

    wspc_of(p)->client = wsp_client_new(p->daemon.loop, &options, error);
    return wspc_of(p)->client ? WSP_OK : WSP_ERR_SYSTEM;
}

static enum wsp_err reload(struct program *p, struct wsp_config *config, char error[WSP_ERROR_MAX])
{
    return wsp_client_reload(wspc_of(p)->client, config, error);
}

static void on_drained(void *ctx)
{
    struct wspc *w = ctx;

    daemon_end(&w->program.daemon);
}

static void drain(struct program *p)
{
    wsp_client_drain(wspc_of(p)->client, on_drained, wspc_of(p));
}

static void stop(struct program *p)
{
    wsp_client_free(wspc_of(p)->client);
}

static char *status(struct program *p)
{
    return wsp_client_status(wspc_of(p)->client);
}

static void describe(struct program *p, char out[NOTIFY_STATUS_MAX])
{
    const struct wsp_client *client = wspc_of(p)->client;

    snprintf(out, NOTIFY_STATUS_MAX, "%zu of %zu servers connected", wsp_client_servers_up(client),
             wsp_client_servers(client));
}

static int run(struct program *p, char error[WSP_ERROR_MAX])
{
    const char *channel = args_value(&p->settings.args, "channel");

    return channel ? pipe_run(&p->configured, channel, error) : program_serve(p, error);
}

int main(int argc, char **argv)
{
    static const struct service client = {.start = start,
                                          .reload = reload,
                                          .drain = drain,
                                          .stop = stop,
                                          .status = status,
                                          .describe = describe};
    struct wspc w = {.program = {.service = &client, .run = run}};

    return program_main(&w.program, &wspc_settings, argc, argv);
}
