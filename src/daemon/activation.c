#include "daemon/activation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/slice.h"

enum { FIRST_DESCRIPTOR = 3 };

static bool listens(int fd)
{
    int type, accepts;
    socklen_t len = sizeof(type);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
        return false;
    len = sizeof(accepts);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 && accepts;
}

/* How many were passed to this process; not to one that it was started by. */
static uint64_t passed_count(const char *pid, const char *count)
{
    uint64_t wanted, n;

    if (!pid || !count || !slice_to_u64(slice_str(pid), &wanted) ||
        !slice_to_u64(slice_str(count), &n))
        return 0;
    return wanted == (uint64_t)getpid() ? n : 0;
}

/* The name of number `i` in "a:b:c". */
static struct slice name_of(const char *names, uint64_t i)
{
    for (; names && i > 0; i--) {
        names = strchr(names, ':');
        if (names)
            names++;
    }
    return names ? slice_of(names, strcspn(names, ":")) : slice_str("unnamed");
}

static enum wsp_err take(struct activation *out, uint64_t count, const char *names,
                         char error[WSP_ERROR_MAX])
{
    if (count > ACTIVATION_SOCKETS_MAX) {
        snprintf(error, WSP_ERROR_MAX, "LISTEN_FDS: more than %d sockets were passed",
                 ACTIVATION_SOCKETS_MAX);
        return WSP_ERR_CONFIG;
    }
    for (uint64_t i = 0; i < count; i++) {
        int fd = FIRST_DESCRIPTOR + (int)i;
        struct slice name = name_of(names, i);

        if (!listens(fd)) {
            snprintf(error, WSP_ERROR_MAX,
                     "LISTEN_FDS: descriptor %d (%.*s): expected a stream socket that listens", fd,
                     (int)(name.len > 64 ? 64 : name.len), (const char *)name.p);
            return WSP_ERR_CONFIG;
        }
        out->fd[out->count++] = fd;
    }
    return WSP_OK;
}

enum wsp_err activation_take(struct activation *out, char error[WSP_ERROR_MAX])
{
    enum wsp_err err;

    *out = (struct activation){.count = 0};
    err = take(out, passed_count(getenv("LISTEN_PID"), getenv("LISTEN_FDS")),
               getenv("LISTEN_FDNAMES"), error);
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return err;
}
