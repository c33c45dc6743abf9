#include "wspc/pipe.h"

#include <stdio.h>
#include <wsp/client.h>

#include "daemon/daemon.h"
#include "wspc/channel_arg.h"
#include "wspc/stdio.h"

struct pipe_run {
    struct daemon daemon;
    struct wsp_client *client; /* owned */
    struct stdio_pair stdio;
    bool opened; /* a channel was, at any time */
};

/* A signal ends it at once. */
static void on_end(void *ctx)
{
    struct pipe_run *r = ctx;

    daemon_end(&r->daemon);
}

static void on_event(void *ctx, const struct wsp_event *event)
{
    struct pipe_run *r = ctx;

    if (event->kind == WSP_CHANNEL_OPENED)
        r->opened = true;
}

static void on_relayed(void *ctx, enum wsp_err why, const char *text)
{
    struct pipe_run *r = ctx;

    r->opened = why == WSP_OK;
    if (why != WSP_OK)
        log_error(&r->daemon.log, "wspc: %s", text);
    daemon_end(&r->daemon);
}

/* The process stays who it is, whatever the file says of a daemon. */
static struct wsp_process process_of(const struct wsp_process *configured)
{
    struct wsp_process p = {.log_level = configured->log_level,
                            .log_output = configured->log_output,
                            .seccomp = configured->seccomp};

    if (p.log_level == WSP_LOG_INFO)
        p.log_level = WSP_LOG_WARN; /* standard error is the user's terminal */
    return p;
}

static enum wsp_err begin(struct pipe_run *r, struct wsp_config *config,
                          const struct wsp_target *target, char error[WSP_ERROR_MAX])
{
    struct wsp_client_options options = {
        .config = config, .links_only = true, .event = on_event, .ctx = r};
    int fd;

    r->client = wsp_client_new(r->daemon.loop, &options, error);
    if (!r->client)
        return WSP_ERR_SYSTEM;
    fd = stdio_open(&r->stdio);
    if (fd >= 0)
        return wsp_client_relay(r->client, target, fd, on_relayed, r, error);
    snprintf(error, WSP_ERROR_MAX, "standard input and output cannot be copied");
    return WSP_ERR_SYSTEM;
}

static int run(struct pipe_run *r, struct configured *configured, const struct channel_arg *arg,
               char error[WSP_ERROR_MAX])
{
    struct wsp_target target = {.channel = arg->channel,
                                .password = arg->has_password ? arg->password : NULL};
    struct wsp_process process = process_of(&configured->process);

    if (daemon_open(&r->daemon, "wspc", &process, error) != WSP_OK)
        return EXIT_START;
    log_output_to_stderr(&r->daemon.output);
    r->daemon.on_end = on_end;
    r->daemon.ctx = r;
    if (daemon_ready(&r->daemon, &process, error) != WSP_OK ||
        begin(r, configured->config, &target, error) != WSP_OK)
        return EXIT_START;
    daemon_run(&r->daemon);
    snprintf(error, WSP_ERROR_MAX, "channel %.200s: the connection failed", arg->channel);
    return r->opened ? EXIT_OK : EXIT_START;
}

int pipe_run(struct configured *configured, const char *channel, char error[WSP_ERROR_MAX])
{
    struct pipe_run r = {.stdio.far = -1};
    struct channel_arg arg;
    int status;

    if (!channel_arg_parse(channel, &arg)) {
        snprintf(error, WSP_ERROR_MAX,
                 "-W: expected channel[:password], percent-encoded as in a URL");
        return EXIT_USAGE;
    }
    snprintf(error, WSP_ERROR_MAX, "out of memory");
    if (wsp_config_set_number(configured->config, "client[].connections", 1, NULL) != WSP_OK)
        return EXIT_START;
    status = run(&r, configured, &arg, error);
    wsp_client_free(r.client);
    stdio_close(&r.stdio);
    daemon_close(&r.daemon);
    return status;
}
