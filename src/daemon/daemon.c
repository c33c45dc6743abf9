#include "daemon/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/privileges.h"
#include "daemon/sandbox.h"

enum { OWN_DESCRIPTORS = 64 }; /* beside those of connections: log, loop, links, name servers */

static void reopen_log(struct daemon *d, const char *path)
{
    char error[CONFIG_ERROR_MAX];

    if (log_output_reopen(&d->log, path, error) != WSP_OK)
        log_error(loop_log(d->loop), "%s: the log stays where it is: %s", d->program, error);
}

void daemon_set_log(struct daemon *d, const struct config_log *log)
{
    loop_log(d->loop)->level = log->level;
    if (!config_same_text(d->log.path, log->output))
        reopen_log(d, log->output);
}

/* A reload begins and ends here. */
static void reload(struct daemon *d)
{
    struct log *log = loop_log(d->loop);
    char error[CONFIG_ERROR_MAX];

    reopen_log(d, d->log.path); /* whatever comes of the rest: it may have been rotated away */
    if (d->ending)
        return;
    notify_reloading(&d->notify);
    log_info(log, "%s: Hangup, reading the configuration again", d->program);
    if (d->on_reload(d->ctx, error) == WSP_OK)
        log_info(log, "%s: reloaded", d->program);
    else
        log_error(log, "%s: not reloaded, nothing has changed: %s", d->program, error);
    notify_ready(&d->notify);
}

static void end(struct daemon *d, int signal_number)
{
    if (d->ending) {
        log_info(loop_log(d->loop), "%s: second signal, ending at once", d->program);
        daemon_end(d);
        return;
    }
    log_info(loop_log(d->loop), "%s: %s, ending once open connections have finished", d->program,
             strsignal(signal_number));
    d->ending = true;
    status_socket_stop(&d->status);
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

static void on_signal(struct watch *w, unsigned events)
{
    struct daemon *d = container_of(w, struct daemon, signals);
    struct signalfd_siginfo info = {0};

    (void)events;
    if (read(w->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (info.ssi_signo == SIGHUP && d->on_reload && !is_hangup(&info))
        reload(d);
    else if (!is_hangup(&info) || !ignores_hangup())
        end(d, (int)info.ssi_signo);
}

/* Blocked and read from a descriptor, so that they arrive between events, never within one. */
static bool watch_signals(struct daemon *d)
{
    sigset_t set;
    int fd;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return false;
    fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (fd < 0)
        return false;
    d->signals.on_event = on_signal;
    if (watch_start(d->loop, &d->signals, fd, POLLER_READ | POLLER_LEVEL) == WSP_OK)
        return true;
    close(fd);
    return false;
}

/* To the number that is set, else as far as the system allows. */
static enum wsp_err set_descriptor_limit(const struct config_process *process,
                                         char error[CONFIG_ERROR_MAX])
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
    snprintf(error, CONFIG_ERROR_MAX,
             "limits.descriptors: %ld is more than this process may have: raise its hard limit "
             "(ulimit -Hn, LimitNOFILE=)",
             process->descriptors);
    return WSP_ERR_CONFIG;
}

void daemon_expect_connections(const struct daemon *d, size_t count)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count + OWN_DESCRIPTORS)
        log_warn(loop_log(d->loop),
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
        log_warn(loop_log(d->loop), "%s: a reload will fail, %s cannot be read any more: %s",
                 d->program, file, strerror(errno));
}

enum wsp_err daemon_open(struct daemon *d, const char *program, const struct config_log *log,
                         const struct config_process *process, char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err;

    *d = (struct daemon){.program = program, .signals.fd = -1, .log.fd = -1, .notify.fd = -1};
    err = set_descriptor_limit(process, error);
    if (err == WSP_OK)
        err = privileges_drop(process, error);
    if (err != WSP_OK)
        return err;
    d->loop = wsp_loop_new();
    if (!d->loop) {
        snprintf(error, CONFIG_ERROR_MAX, "event loop: %s", strerror(errno));
        return WSP_ERR_SYSTEM;
    }
    wsp_loop_on_freed(d->loop, return_memory);
    if (log_output_open(&d->log, log, loop_log(d->loop), error) != WSP_OK)
        return WSP_ERR_SYSTEM;
    notify_open(&d->notify, d->loop);
    if (!watch_signals(d)) {
        snprintf(error, CONFIG_ERROR_MAX, "signals: %s", strerror(errno));
        return WSP_ERR_SYSTEM;
    }
    d->lws = loop_lws_new(d->loop);
    if (!d->lws) {
        snprintf(error, CONFIG_ERROR_MAX, "libwebsockets cannot start its event loop");
        return WSP_ERR_SYSTEM;
    }
    return WSP_OK;
}

/* A filter that cannot be had is no reason to serve nobody: it is the last of several walls. */
static void enter_sandbox(const struct daemon *d)
{
    const char *why;

    if (sandbox_enter(&why))
        log_info(loop_log(d->loop), "%s: system calls are filtered", d->program);
    else
        log_info(loop_log(d->loop), "%s: system calls are not filtered: %s", d->program, why);
}

enum wsp_err daemon_ready(struct daemon *d, const struct config_process *process,
                          char error[CONFIG_ERROR_MAX])
{
    enum wsp_err err = privileges_settle(process, error);

    if (err != WSP_OK)
        return err;
    if (process->user || process->group)
        log_info(loop_log(d->loop), "%s: runs as %s", d->program,
                 process->user ? process->user : process->group);
    if (process->seccomp)
        enter_sandbox(d);
    notify_ready(&d->notify);
    return WSP_OK;
}

void daemon_note_process(const struct daemon *d, const struct config_process *before,
                         const struct config_process *now)
{
    if (!config_process_same(before, now))
        log_warn(loop_log(d->loop),
                 "%s: user, group, seccomp and limits.descriptors change with a restart only",
                 d->program);
}

void daemon_set_status(struct daemon *d, const char *path)
{
    char error[CONFIG_ERROR_MAX];

    if (status_socket_move(&d->status, path, error) != WSP_OK)
        log_error(loop_log(d->loop), "%s: the status socket stays where it is: %s", d->program,
                  error);
}

enum wsp_err daemon_start_status(struct daemon *d, const char *path, const char *file,
                                 char error[CONFIG_ERROR_MAX])
{
    struct status_source source = {
        .program = d->program, .file = file, .write = d->on_status, .ctx = d->ctx};

    return status_socket_start(&d->status, d->loop, path, &source, error);
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
    int fd = d->signals.fd;

    status_socket_stop(&d->status);
    loop_lws_free(d->lws);
    notify_close(&d->notify);
    if (d->loop)
        watch_stop(d->loop, &d->signals);
    if (fd >= 0)
        close(fd);
    wsp_loop_free(d->loop);
    log_output_close(&d->log);
}
