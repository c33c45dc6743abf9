/* What makes descriptors, and fails when there are no more. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>

#include "shim.h"

#define NEXT(result, name, ...)         \
    static result (*next)(__VA_ARGS__); \
    if (!next)                          \
    next = (result(*)(__VA_ARGS__))shim_next(name)

int socket(int family, int type, int protocol)
{
    NEXT(int, "socket", int, int, int);

    return shim_refuses(SHIM_CALL_SOCKET) ? -1 : next(family, type, protocol);
}

int accept4(int fd, struct sockaddr *from, socklen_t *len, int flags)
{
    NEXT(int, "accept4", int, struct sockaddr *, socklen_t *, int);

    if (shim_interrupts() || shim_refuses(SHIM_CALL_ACCEPT))
        return -1;
    return next(fd, from, len, flags);
}

int epoll_create1(int flags)
{
    NEXT(int, "epoll_create1", int);

    return shim_refuses(SHIM_CALL_EPOLL_CREATE) ? -1 : next(flags);
}

int eventfd(unsigned count, int flags)
{
    NEXT(int, "eventfd", unsigned, int);

    return shim_refuses(SHIM_CALL_EVENTFD) ? -1 : next(count, flags);
}

int timerfd_create(int clock, int flags)
{
    NEXT(int, "timerfd_create", int, int);

    return shim_refuses(SHIM_CALL_TIMERFD) ? -1 : next(clock, flags);
}

int signalfd(int fd, const sigset_t *mask, int flags)
{
    NEXT(int, "signalfd", int, const sigset_t *, int);

    return shim_refuses(SHIM_CALL_SIGNALFD) ? -1 : next(fd, mask, flags);
}

/* A connection that a signal interrupts is made all the same (connect(2)). */
int connect(int fd, const struct sockaddr *to, socklen_t len)
{
    NEXT(int, "connect", int, const struct sockaddr *, socklen_t);
    struct sockaddr_in moved;
    int64_t dns = shim_get(SHIM_DNS_PORT);
    int result;

    if (shim_refuses(SHIM_CALL_CONNECT))
        return -1;
    if (dns && to->sa_family == AF_INET && len >= sizeof(moved)) {
        memcpy(&moved, to, sizeof(moved));
        if (moved.sin_port == htons(53)) {
            moved.sin_port = htons((uint16_t)dns);
            return next(fd, (const struct sockaddr *)&moved, sizeof(moved));
        }
    }
    result = next(fd, to, len);
    if (result < 0 && errno == EINPROGRESS)
        shim_interrupts();
    return result;
}

/* ---- files */

/* The variable FAULTS_RESOLV names a file that stands for the system's. */
static const char *place_of(const char *path)
{
    const char *ours = getenv("FAULTS_RESOLV");

    return ours && strcmp(path, "/etc/resolv.conf") == 0 ? ours : path;
}

int open(const char *path, int flags, ...)
{
    NEXT(int, "open", const char *, int, ...);
    mode_t mode = 0;
    va_list args;

    if (shim_refuses(SHIM_CALL_OPEN))
        return -1;
    va_start(args, flags);
    if (flags & (O_CREAT | O_TMPFILE))
        mode = (mode_t)va_arg(args, int);
    va_end(args);
    return next(path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    NEXT(FILE *, "fopen", const char *, const char *);

    return shim_refuses(SHIM_CALL_OPEN) ? NULL : next(place_of(path), mode);
}

int stat(const char *path, struct stat *out)
{
    NEXT(int, "stat", const char *, struct stat *);

    return next(place_of(path), out);
}
