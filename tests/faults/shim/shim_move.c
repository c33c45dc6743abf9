/*
 * Reads and writes: a part of what was asked for, or a signal in between.
 *
 * Short counts are a contract with the kernel, too: epoll(7) promises that a short read has emptied
 * the socket, and that there is an edge once something comes or can be written again. So behind
 * each short count of ours there is an edge: that is what would have been seen had the peer sent so
 * many bytes first and the others right behind them.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shim.h"

enum { VECTORS = 64 };

#define NEXT(result, name, ...)         \
    static result (*next)(__VA_ARGS__); \
    if (!next)                          \
    next = (result(*)(__VA_ARGS__))shim_next(name)

static bool is_stream(int fd)
{
    socklen_t len = sizeof(int);
    int type, saved = errno;
    bool is = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;

    errno = saved;
    return is;
}

static bool is_kind(int fd, mode_t kind)
{
    struct stat st;

    return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

/* Neither datagrams nor files wait for anything in which a signal could come; c-ares would take it
 * for a broken server. */
static bool never_waits(int fd)
{
    socklen_t len = sizeof(int);
    int type, saved = errno;
    bool datagram = getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;

    errno = saved;
    return datagram || is_kind(fd, S_IFREG);
}

/* Of `n` bytes, how many may move; mostly very few. */
static size_t part_of(int fd, size_t n)
{
    static const size_t most[] = {1, 16, 1460, SIZE_MAX};
    size_t max;

    if (n < 2 || n < (size_t)shim_get(SHIM_SHORT_FROM) || shim_get(SHIM_SHORT) == 0 ||
        (int64_t)(shim_random() % 1000) >= shim_get(SHIM_SHORT) ||
        (!is_stream(fd) && !is_kind(fd, S_IFIFO)))
        return n;
    max = most[shim_random() % 4];
    if (max > n - 1)
        max = n - 1;
    shim_count(SHIM_DID_SHORT);
    return 1 + shim_random() % max;
}

/* What was read or written of `part`, which was less than asked for. */
static ssize_t moved(int fd, ssize_t n, bool is_part)
{
    int saved = errno;

    if (is_part && n > 0)
        shim_edge(fd);
    errno = saved;
    return n;
}

static bool stops(int fd, enum shim_call call)
{
    return (!never_waits(fd) && shim_interrupts()) || shim_refuses(call);
}

/* ---- reading */

static ssize_t receive(int fd, void *out, size_t cap, int flags)
{
    NEXT(ssize_t, "recv", int, void *, size_t, int);
    size_t part;
    ssize_t n;

    if (stops(fd, SHIM_CALL_RECV))
        return -1;
    part = (flags & MSG_PEEK) || cap <= shim_peeked_len(fd) ? cap : part_of(fd, cap);
    n = next(fd, out, part, flags);
    shim_peeked(fd, (flags & MSG_PEEK) && n > 0 ? (size_t)n : 0);
    return moved(fd, n, part < cap);
}

ssize_t recv(int fd, void *out, size_t cap, int flags)
{
    return receive(fd, out, cap, flags);
}

ssize_t __recv_chk(int fd, void *out, size_t cap, size_t room, int flags)
{
    if (cap > room)
        abort();
    return receive(fd, out, cap, flags);
}

ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
    NEXT(ssize_t, "recvmsg", int, struct msghdr *, int);

    return stops(fd, SHIM_CALL_RECV) ? -1 : next(fd, msg, flags);
}

static ssize_t read_some(int fd, void *out, size_t cap)
{
    NEXT(ssize_t, "read", int, void *, size_t);
    size_t part;

    if (stops(fd, SHIM_CALL_RECV))
        return -1;
    part = part_of(fd, cap);
    return moved(fd, next(fd, out, part), part < cap);
}

ssize_t read(int fd, void *out, size_t cap)
{
    return read_some(fd, out, cap);
}

ssize_t __read_chk(int fd, void *out, size_t cap, size_t room)
{
    if (cap > room)
        abort();
    return read_some(fd, out, cap);
}

/* ---- writing */

static size_t total_of(const struct iovec *iov, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++)
        total += iov[i].iov_len;
    return total;
}

/* The first `part` bytes of the vectors; returns how many vectors that are. */
static size_t cut(const struct iovec *iov, size_t count, size_t part, struct iovec out[VECTORS])
{
    size_t n = 0;

    for (; n < count && n < VECTORS && part > 0; n++) {
        out[n] = iov[n];
        if (out[n].iov_len > part)
            out[n].iov_len = part;
        part -= out[n].iov_len;
    }
    return n;
}

/* A disk that is full: its last block takes one half of a write, then nothing more is taken. */
static bool disk_is_full(int fd, size_t *part)
{
    static bool was_full;
    bool had_room = !was_full;

    if (!is_kind(fd, S_IFREG))
        return false;
    was_full = shim_get(SHIM_DISK_FULL) != 0;
    if (!was_full)
        return false;
    shim_count(SHIM_DID_FULL);
    if (had_room && *part > 1) {
        *part /= 2;
        return false;
    }
    errno = ENOSPC;
    return true;
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    NEXT(ssize_t, "send", int, const void *, size_t, int);
    size_t part;

    if (stops(fd, SHIM_CALL_SEND))
        return -1;
    part = part_of(fd, len);
    return moved(fd, next(fd, data, part, flags), part < len);
}

ssize_t sendto(int fd, const void *data, size_t len, int flags, const struct sockaddr *to,
               socklen_t to_len)
{
    NEXT(ssize_t, "sendto", int, const void *, size_t, int, const struct sockaddr *, socklen_t);

    return stops(fd, SHIM_CALL_SEND) ? -1 : next(fd, data, len, flags, to, to_len);
}

ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
    NEXT(ssize_t, "sendmsg", int, const struct msghdr *, int);
    struct iovec iov[VECTORS];
    struct msghdr less = *msg;
    size_t total = total_of(msg->msg_iov, msg->msg_iovlen);
    size_t part;

    if (stops(fd, SHIM_CALL_SEND))
        return -1;
    part = part_of(fd, total);
    if (part == total)
        return next(fd, msg, flags);
    less.msg_iovlen = cut(msg->msg_iov, msg->msg_iovlen, part, iov);
    less.msg_iov = iov;
    return moved(fd, next(fd, &less, flags), true);
}

ssize_t write(int fd, const void *data, size_t len)
{
    NEXT(ssize_t, "write", int, const void *, size_t);
    size_t part;

    if (stops(fd, SHIM_CALL_SEND))
        return -1;
    part = part_of(fd, len);
    if (disk_is_full(fd, &part))
        return -1;
    return moved(fd, next(fd, data, part), part < len);
}

/* Lines of the log: those on a pipe are shorter than what it takes in one piece (pipe(7)). */
ssize_t writev(int fd, const struct iovec *iov, int count)
{
    NEXT(ssize_t, "writev", int, const struct iovec *, int);
    struct iovec less[VECTORS];
    size_t total = total_of(iov, (size_t)count), part = total;

    if (stops(fd, SHIM_CALL_SEND))
        return -1;
    if (is_stream(fd))
        part = part_of(fd, total);
    if (disk_is_full(fd, &part))
        return -1;
    if (part == total)
        return next(fd, iov, count);
    return moved(fd, next(fd, less, (int)cut(iov, (size_t)count, part, less)), true);
}
