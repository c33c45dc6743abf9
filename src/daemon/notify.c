#include "daemon/notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/slice.h"

enum { SEND_TIMEOUT_S = 1 }; /* a manager that does not read must not stop the daemon */

/* Each time to the name: a manager that was replaced listens on a new socket. */
static void tell(const struct notify *n, const char *lines)
{
    ssize_t sent;

    if (n->fd < 0)
        return;
    do
        sent = sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL, (const struct sockaddr *)&n->to,
                      n->to_len);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        log_debug(n->log, "notify: %s", strerror(errno));
}

static void tell_with_status(const struct notify *n, const char *state)
{
    char lines[128 + NOTIFY_STATUS_MAX];

    snprintf(lines, sizeof(lines), "%sSTATUS=%s\n", state, n->status);
    tell(n, lines);
}

void notify_alive(const struct notify *n)
{
    if (n->ready)
        tell(n, "WATCHDOG=1\n");
}

static bool set_name(struct notify *n, const char *name)
{
    size_t len = strlen(name);

    n->to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if ((name[0] != '/' && name[0] != '@') || len < 2 || len >= sizeof(n->to.sun_path))
        return false;
    memcpy(n->to.sun_path, name, len);
    n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (name[0] == '@')
        n->to.sun_path[0] = '\0';
    else
        n->to_len++;
    return true;
}

static void open_socket(struct notify *n, const char *name)
{
    const struct timeval timeout = {.tv_sec = SEND_TIMEOUT_S};

    if (!set_name(n, name)) {
        log_warn(n->log, "notify: NOTIFY_SOCKET is no path and no abstract name");
        return;
    }
    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (n->fd < 0)
        log_warn(n->log, "notify: %s", strerror(errno));
    else
        setsockopt(n->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
}

/* The signs of life that are asked of this process; half of the interval, so that one may be late
 * (sd_watchdog_enabled(3)). */
static uint64_t watchdog_interval(const char *interval, const char *pid)
{
    uint64_t us, wanted;

    if (!interval || !slice_to_u64(slice_str(interval), &us))
        return 0;
    if (pid && (!slice_to_u64(slice_str(pid), &wanted) || wanted != (uint64_t)getpid()))
        return 0;
    return us / 2;
}

void notify_open(struct notify *n, const struct log *log)
{
    const char *name = getenv("NOTIFY_SOCKET");

    *n = (struct notify){.log = log, .fd = -1};
    if (name)
        open_socket(n, name);
    if (n->fd >= 0)
        n->watchdog_us = watchdog_interval(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
}

void notify_ready(struct notify *n)
{
    n->ready = true;
    tell_with_status(n, "READY=1\n");
}

void notify_reloading(struct notify *n)
{
    struct timespec now;
    char state[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    tell_with_status(n, state);
}

static void set_status(struct notify *n, const char *text)
{
    snprintf(n->status, sizeof(n->status), "%s", text);
    n->status[strcspn(n->status, "\n")] = '\0'; /* which would begin another variable */
}

void notify_stopping(struct notify *n, const char *text)
{
    n->stopping = true;
    set_status(n, text);
    tell_with_status(n, "STOPPING=1\n");
}

void notify_status(struct notify *n, const char *text)
{
    if (n->stopping)
        return;
    set_status(n, text);
    if (n->ready)
        tell_with_status(n, "");
}

void notify_close(struct notify *n)
{
    if (n->fd < 0)
        return;
    close(n->fd);
    n->fd = -1;
}
