/* wsps: arguments, configuration, signals; the work is in src/server. */
#include <stdio.h>

#include "daemon/activation.h"
#include "daemon/daemon.h"
#include "daemon/settings.h"
#include "daemon/status_ask.h"
#include "server/server.h"
#include "server/status.h"
#include "wsp/version.h"
#include "wsps/settings.h"

struct program {
    struct daemon daemon;
    struct server server;
    const struct args *args; /* borrowed; what a reload goes by */
};

static void on_drained(struct server *server)
{
    daemon_end(&container_of(server, struct program, server)->daemon);
}

static void on_end(void *ctx)
{
    struct program *p = ctx;

    server_drain(&p->server, on_drained);
}

static void on_status(void *ctx, struct json_out *j)
{
    struct program *p = ctx;

    server_status_write(&p->server, j);
}

static void tell_status(struct program *p)
{
    char address[ADDRESS_TEXT_MAX], status[NOTIFY_STATUS_MAX];

    size_t sockets = p->server.listener.socket_count;

    address_text(&p->server.listener.local, address);
    if (sockets > 1)
        snprintf(status, sizeof(status), "listening on %s and %zu more", address, sockets - 1);
    else
        snprintf(status, sizeof(status), "listening on %s", address);
    notify_status(&p->daemon.notify, status);
}

/* What is freed in the end is the old configuration, or a new one that cannot be used. */
static enum wsp_err on_reload(void *ctx, char error[CONFIG_ERROR_MAX])
{
    struct program *p = ctx;
    struct wsps_config config;
    enum wsp_err err = wsps_settings_load(p->args, &config, error);

    if (err == WSP_OK)
        err = server_reload(&p->server, &config, error);
    if (err == WSP_OK) {
        daemon_set_log(&p->daemon, &p->server.config->log);
        daemon_note_process(&p->daemon, &config.process, &p->server.config->process);
        daemon_set_status(&p->daemon, p->server.config->status);
        tell_status(p);
    }
    wsps_config_fini(&config);
    return err;
}

static enum wsp_err ready(struct program *p, const struct wsps_config *config,
                          char error[CONFIG_ERROR_MAX])
{
    const char *file = wsps_settings_file(p->args);
    enum wsp_err err = daemon_start_status(&p->daemon, config->status, file, error);

    if (err != WSP_OK)
        return err;
    tell_status(p);
    daemon_expect_reload(&p->daemon, file);
    daemon_expect_connections(&p->daemon, (size_t)config->max_connections);
    return daemon_ready(&p->daemon, &config->process, error);
}

static int run(struct wsps_config *config, const struct args *args, char error[CONFIG_ERROR_MAX])
{
    struct program p = {.args = args};
    struct listener_sockets passed;
    struct server_sources sources = {.passed = &passed};
    int status = EXIT_START;

    if (activation_take(&passed, error) != WSP_OK)
        return status;
    if (daemon_open(&p.daemon, "wsps", &config->log, &config->process, error) == WSP_OK) {
        log_info(loop_log(p.daemon.loop), "wsps %s: starting", WSP_VERSION);
        if (server_start(&p.server, p.daemon.loop, config, &sources, error) == WSP_OK) {
            p.daemon.on_end = on_end;
            p.daemon.on_status = on_status;
            p.daemon.on_reload = on_reload;
            p.daemon.ctx = &p;
            if (ready(&p, config, error) == WSP_OK) {
                daemon_run(&p.daemon);
                status = EXIT_OK;
            }
            server_stop(&p.server);
        }
    }
    daemon_close(&p.daemon);
    return status;
}

static int start(const struct args *args)
{
    const char *file = wsps_settings_file(args);
    struct wsps_config config;
    char error[CONFIG_ERROR_MAX];
    enum wsp_err err = wsps_settings_load(args, &config, error);
    int status = err == WSP_OK ? EXIT_OK : err == WSP_ERR_USAGE ? EXIT_USAGE : EXIT_START;

    if (err == WSP_OK && args_has(args, "check"))
        printf("%s: configuration is fine\n", file ? file : "command line");
    else if (err == WSP_OK)
        status = run(&config, args, error);
    if (status != EXIT_OK)
        log_output_fatal("wsps", error);
    wsps_config_fini(&config);
    return status;
}

/* Where to ask is in the file, if there is one. */
static int ask(const struct args *args)
{
    bool json = args_has(args, "json");
    struct wsps_config config;
    char error[CONFIG_ERROR_MAX];
    int status = EXIT_START;

    if (!settings_has_file(args, wsps_settings_file(args))) {
        status = status_ask("wsps", NULL, json, error);
    } else {
        if (wsps_settings_load(args, &config, error) == WSP_OK)
            status = status_ask("wsps", config.status, json, error);
        wsps_config_fini(&config);
    }
    if (status != EXIT_OK)
        log_output_fatal("wsps", error);
    return status;
}

int main(int argc, char **argv)
{
    struct args args;
    int status = wsps_settings_parse(&args, argc, argv);

    if (status < 0)
        status = args_has(&args, "status") ? ask(&args) : start(&args);
    args_fini(&args);
    return status;
}
