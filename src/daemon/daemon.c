#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void on_signal(struct watch *w, unsigned events)
{
    struct daemon *d = container_of(w, struct daemon, signals);
    struct signalfd_siginfo info = {0};

    (void)events;
    if (read(w->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return;
    if (d->ending) {
        log_info(loop_log(d->loop), "%s: second signal, ending at once", d->program);
        daemon_end(d);
        return;
    }
    log_info(loop_log(d->loop), "%s: %s, ending once open connections have finished", d->program,
             strsignal((int)info.ssi_signo));
    d->ending = true;
    notify_stopping(&d->notify, "ending once open connections have finished");
    d->on_end(d->ctx);
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

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

enum wsp_err daemon_open(struct daemon *d, const char *program, const struct config_log *log,
                         char error[CONFIG_ERROR_MAX])
{
    *d = (struct daemon){.program = program, .signals.fd = -1, .log.fd = -1, .notify.fd = -1};
    raise_descriptor_limit();
    d->loop = wsp_loop_new();
    if (!d->loop) {
        snprintf(error, CONFIG_ERROR_MAX, "event loop: %s", strerror(errno));
        return WSP_ERR_SYSTEM;
    }
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

void daemon_ready(struct daemon *d)
{
    notify_ready(&d->notify);
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

    loop_lws_free(d->lws);
    notify_close(&d->notify);
    if (d->loop)
        watch_stop(d->loop, &d->signals);
    if (fd >= 0)
        close(fd);
    wsp_loop_free(d->loop);
    log_output_close(&d->log);
}
