/*
 * Tells the service manager how the daemon is, by the protocol of sd_notify(3): datagrams of lines
 * to the unix socket $NOTIFY_SOCKET, a path or "@name" (abstract). Without that variable nothing is
 * sent and every call is a no-op.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/log.h"

#define NOTIFY_STATUS_MAX 192 /* bytes of a status line, its NUL included */

struct notify {
    const struct log *log; /* borrowed */
    int fd;                /* owned; -1: nobody wants to know */
    struct sockaddr_un to;
    socklen_t to_len;
    bool ready, stopping;
    char status[NOTIFY_STATUS_MAX]; /* the last one, without newline */
    uint64_t watchdog_us;           /* between two signs of life; 0: none are wanted */
};

/* Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment. What cannot be used
 * is logged, and then nothing is sent. */
void notify_open(struct notify *n, const struct log *log);

/* What was configured is in use, after the start or after a reload. */
void notify_ready(struct notify *n);

/* A sign of life: to be called each time that watchdog_us have passed, if it is set. */
void notify_alive(const struct notify *n);

/* A reload begins; notify_ready ends it, whatever came of it. */
void notify_reloading(struct notify *n);

/* The end begins; `text` is the last status. */
void notify_stopping(struct notify *n, const char *text);

/* One line for people, the status; before notify_ready it is kept for that. */
void notify_status(struct notify *n, const char *text);

void notify_close(struct notify *n);

#endif
