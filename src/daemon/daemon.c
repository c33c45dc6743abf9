#include "daemon/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <wsp/version.h>

#include "base/list.h"
#include "daemon/privileges.h"
#include "daemon/process.h"
#include "daemon/sandbox.h"

enum { OWN_DESCRIPTORS = 64 }; /* beside those of connections: log, loop, links, name servers */

static void reopen_log(struct daemon *d, const char *path)
{
    char error[WSP_ERROR_MAX];

    if (log_output_reopen(&d->output, path, error) != WSP_OK)
        log_error(&d->log, "%s: the log stays where it is: %s", d->program, error);
}

static void set_level(struct daemon *d, enum wsp_log_level level)
{
    d->log.level = level;
    wsp_loop_set_log(d->loop, level, d->log.write, d->log.ctx);
}

/* A reload begins and ends here. */
static void reload(struct daemon *d)
{
    char error[WSP_ERROR_MAX];

    reopen_log(d, d->output.path); /* whatever comes of the rest: it may have been rotated away */
    if (d->ending)
        return;
    notify_reloading(&d->notify);
    log_info(&d->log, "%s: Hangup, reading the configuration again", d->program);
    if (d->on_reload(d->ctx, error) == WSP_OK)
        log_info(&d->log, "%s: reloaded", d->program);
    else
        log_error(&d->log, "%s: not reloaded, nothing has changed: %s", d->program, error);
    notify_ready(&d->notify);
}

static void end(struct daemon *d, int signal_number)
{
    if (d->ending) {
        log_info(&d->log, "%s: second signal, ending at once", d->program);
        daemon_end(d);
        return;
    }
    log_info(&d->log, "%s: %s, ending once open connections have finished", d->program,
             strsignal(signal_number));
    d->ending = true;
    wsp_status_close(d->status);
    d->status = NULL;
    notify_stopping(&d->notify, "ending once open connections have finished");
    d->on_end(d->ctx);
}

/* The kernel sends it when the terminal has gone: no wish to reload. */
static bool is_hangup(const struct signalfd_siginfo *info)
{
    return info->ssi_signo == SIGHUP && info->ssi_code == SI_KERNEL;
}

/* nohup */
static bool ignores_hangup(void)
{
    struct sigaction inherited;

    return sigaction(SIGHUP, NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN;
}

static void on_signal(struct loop_lws_watch *w)
{
    struct daemon *d = container_of(w, struct daemon, signals);
    struct signalfd_siginfo info = {0};

    if (read(w->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP && d->on_reload && !is_hangup(&info))
        reload(d);
    else if (!is_hangup(&info) || !ignores_hangup())
        end(d, (int)info.ssi_signo);
}

/* Blocked and read from a descriptor, so that they arrive between turns, never within one. */
static bool take_signals(struct daemon *d)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return false;
    d->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    d->signals.readable = on_signal;
    return d->signals.fd >= 0;
}

/* To the number that is set, else as far as the system allows. */
static enum wsp_err set_descriptor_limit(const struct wsp_process *process,
                                         char error[WSP_ERROR_MAX])
{
    rlim_t wanted = (rlim_t)process->descriptors;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return WSP_OK;
    limit.rlim_cur = wanted ? wanted : limit.rlim_max;
    if (wanted > limit.rlim_max)
        limit.rlim_max = wanted; /* only root may */
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || !wanted)
        return WSP_OK;
    snprintf(error, WSP_ERROR_MAX,
             "limits.descriptors: %ld is more than this process may have: raise its hard limit "
             "(ulimit -Hn, LimitNOFILE=)",
             process->descriptors);
    return WSP_ERR_CONFIG;
}

void daemon_expect_connections(const struct daemon *d, size_t count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count + OWN_DESCRIPTORS)
        log_warn(&d->log,
                 "%s: no more than %ju descriptors for up to %zu connections (limits.connections): "
                 "raise the hard limit or limits.descriptors, or lower limits.connections",
                 d->program, (uintmax_t)limit.rlim_cur, count);
}

/* A burst of traffic leaves holes in the heap: without this, they would stay resident for months.
 */
static void return_memory(void)
{
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void daemon_expect_reload(const struct daemon *d, const char *file)
{
    if (file && access(file, R_OK) < 0)
        log_warn(&d->log, "%s: a reload will fail, %s cannot be read any more: %s", d->program,
                 file, strerror(errno));
}

static enum wsp_err failed(char error[WSP_ERROR_MAX], const char *what)
{
    snprintf(error, WSP_ERROR_MAX, "%s: %s", what, strerror(errno));
    return WSP_ERR_SYSTEM;
}

static enum wsp_err open_loop(struct daemon *d, char error[WSP_ERROR_MAX])
{
    d->loop = wsp_loop_new();
    if (!d->loop)
        return failed(error, "event loop");
    wsp_loop_on_freed(d->loop, return_memory);
    set_level(d, d->log.level);
    if (!take_signals(d))
        return failed(error, "signals");
    d->lws = loop_lws_new(d->loop);
    if (d->lws && loop_lws_watch(d->lws, &d->signals))
        return WSP_OK;
    snprintf(error, WSP_ERROR_MAX, "libwebsockets cannot start its event loop");
    return WSP_ERR_SYSTEM;
}

enum wsp_err daemon_open(struct daemon *d, const char *program, const struct wsp_process *process,
                         char error[WSP_ERROR_MAX])
{
    enum wsp_err err;

    *d = (struct daemon){.program = program,
                         .log.level = process->log_level,
                         .signals.fd = -1,
                         .output.fd = -1,
                         .notify.fd = -1};
    err = set_descriptor_limit(process, error);
    if (err == WSP_OK)
        err = privileges_drop(process, error);
    if (err == WSP_OK)
        err = log_output_open(&d->output, process->log_output, &d->log, error);
    if (err != WSP_OK)
        return err;
    notify_open(&d->notify, &d->log);
    return open_loop(d, error);
}

/* A filter that cannot be had is no reason to serve nobody: it is the last of several walls. */
static void enter_sandbox(const struct daemon *d)
{
    const char *why;

    if (sandbox_enter(&why))
        log_info(&d->log, "%s: system calls are filtered", d->program);
    else
        log_info(&d->log, "%s: system calls are not filtered: %s", d->program, why);
}

static void give_sign_of_life(void *ctx)
{
    struct daemon *d = ctx;

    notify_alive(&d->notify);
}

enum wsp_err daemon_ready(struct daemon *d, const struct wsp_process *process,
                          char error[WSP_ERROR_MAX])
{
    enum wsp_err err = privileges_settle(process, error);

    if (err != WSP_OK)
        return err;
    if (process->user || process->group)
        log_info(&d->log, "%s: runs as %s", d->program,
                 process->user ? process->user : process->group);
    if (process->seccomp)
        enter_sandbox(d);
    notify_ready(&d->notify);
    if (d->notify.watchdog_us)
        loop_lws_tick(d->lws, d->notify.watchdog_us, give_sign_of_life, d);
    return WSP_OK;
}

void daemon_reconfigure(struct daemon *d, const struct wsp_process *before,
                        const struct wsp_process *now)
{
    char error[WSP_ERROR_MAX];

    set_level(d, now->log_level);
    if (!process_same_text(d->output.path, now->log_output))
        reopen_log(d, now->log_output);
    if (!process_same(before, now))
        log_warn(&d->log,
                 "%s: user, group, seccomp and limits.descriptors change with a restart only",
                 d->program);
    if (wsp_status_move(d->status, now->status, error) != WSP_OK)
        log_error(&d->log, "%s: the status socket stays where it is: %s", d->program, error);
}

enum wsp_err daemon_start_status(struct daemon *d, const char *path, const char *file,
                                 char *(*document)(void *ctx), char error[WSP_ERROR_MAX])
{
    struct wsp_status_options options = {.program = d->program,
                                         .version = WSP_VERSION,
                                         .file = file,
                                         .path = path,
                                         .document = document,
                                         .ctx = d->ctx};

    d->status = wsp_status_open(d->loop, &options, error);
    return d->status ? WSP_OK : WSP_ERR_SYSTEM;
}

void daemon_run(struct daemon *d)
{
    loop_lws_run(d->lws);
}

void daemon_end(struct daemon *d)
{
    loop_lws_stop(d->lws);
}

void daemon_close(struct daemon *d)
{
    wsp_status_close(d->status);
    loop_lws_free(d->lws);
    notify_close(&d->notify);
    if (d->signals.fd >= 0)
        close(d->signals.fd);
    wsp_loop_free(d->loop);
    log_output_close(&d->output);
}
