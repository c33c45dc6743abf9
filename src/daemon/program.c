#include "daemon/program.h"

#include <stdio.h>
#include <wsp/version.h>

#include "daemon/status_ask.h"

/* ---- running */

void program_tell(struct program *p)
{
    char status[NOTIFY_STATUS_MAX];

    p->service->describe(p, status);
    notify_status(&p->daemon.notify, status);
}

static void on_end(void *ctx)
{
    struct program *p = ctx;

    p->service->drain(p);
}

static char *document(void *ctx)
{
    struct program *p = ctx;

    return p->service->status(p);
}

/* What is freed in the end is the old configuration, or a new one that cannot be used. */
static enum wsp_err on_reload(void *ctx, char error[WSP_ERROR_MAX])
{
    struct program *p = ctx;
    struct configured next;
    enum wsp_err err = settings_load(&p->settings, &next, error);

    if (err == WSP_OK)
        err = p->service->reload(p, next.config, error);
    if (err == WSP_OK) {
        struct configured before = p->configured;

        p->configured = next;
        next = before;
        daemon_reconfigure(&p->daemon, &before.process, &p->configured.process);
        program_tell(p);
    }
    configured_fini(&next);
    return err;
}

static enum wsp_err ready(struct program *p, char error[WSP_ERROR_MAX])
{
    const struct wsp_process *process = &p->configured.process;
    const char *file = settings_file(&p->settings);
    struct daemon *d = &p->daemon;
    enum wsp_err err = daemon_start_status(d, process->status, file, document, error);

    if (err != WSP_OK)
        return err;
    program_tell(p);
    daemon_expect_reload(d, file);
    daemon_expect_connections(d, (size_t)process->connections);
    return daemon_ready(d, process, error);
}

int program_serve(struct program *p, char error[WSP_ERROR_MAX])
{
    const char *name = p->settings.rules->program;
    struct daemon *d = &p->daemon;
    int status = EXIT_START;

    if (daemon_open(d, name, &p->configured.process, error) == WSP_OK) {
        log_info(&d->log, "%s %s: starting", name, WSP_VERSION);
        if (p->service->start(p, error) == WSP_OK) {
            d->on_end = on_end;
            d->on_reload = on_reload;
            d->ctx = p;
            if (ready(p, error) == WSP_OK) {
                daemon_run(d);
                status = EXIT_OK;
            }
            p->service->stop(p);
        }
    }
    daemon_close(d);
    return status;
}

/* ---- main */

static int start(struct program *p)
{
    const struct settings *s = &p->settings;
    const char *file = settings_file(s);
    char error[WSP_ERROR_MAX];
    enum wsp_err err = settings_load(s, &p->configured, error);
    int status = err == WSP_OK ? EXIT_OK : err == WSP_ERR_USAGE ? EXIT_USAGE : EXIT_START;

    if (err == WSP_OK && args_has(&s->args, "check"))
        printf("%s: configuration is fine\n", file ? file : "command line");
    else if (err == WSP_OK)
        status = p->run(p, error);
    if (status != EXIT_OK)
        log_output_fatal(s->rules->program, error);
    configured_fini(&p->configured);
    return status;
}

/* Where to ask is in the file, if there is one. */
static int ask(struct program *p)
{
    const struct settings *s = &p->settings;
    bool json = args_has(&s->args, "json");
    char error[WSP_ERROR_MAX];
    int status = EXIT_START;

    if (!settings_has_file(s)) {
        status = status_ask(s->rules->program, NULL, json, error);
    } else {
        if (settings_load(s, &p->configured, error) == WSP_OK)
            status = status_ask(s->rules->program, p->configured.process.status, json, error);
        configured_fini(&p->configured);
    }
    if (status != EXIT_OK)
        log_output_fatal(s->rules->program, error);
    return status;
}

int program_main(struct program *p, const struct settings_rules *rules, int argc, char **argv)
{
    int status = settings_parse(&p->settings, rules, argc, argv);

    if (status < 0)
        status = args_has(&p->settings.args, "status") ? ask(p) : start(p);
    settings_fini(&p->settings);
    return status;
}
