#include "daemon/status_ask.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/status_place.h"
#include "daemon/args.h"
#include "daemon/status_print.h"

enum {
    PATIENCE_S = 10, /* for a daemon that is stopped, or busy */
    DOCUMENT_MAX = 64 * 1024 * 1024,
};

/* A connected socket, or -1 with errno. */
static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int saved;

    if (fd < 0)
        return -1;
    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static const char *reason(int error)
{
    switch (error) {
    case ENOENT:
    case ECONNREFUSED:
        return "no daemon answers there";
    case EACCES:
        return "only the daemon's user and root may ask";
    case EAGAIN:
        return "the daemon does not answer";
    default:
        return strerror(error);
    }
}

/* Adds "PATH: why" to the line. */
static void add_reason(char error[WSP_ERROR_MAX], const char *path)
{
    const char *why = reason(errno);
    size_t n = strlen(error);

    snprintf(error + n, WSP_ERROR_MAX - n, "%s%s: %s", n ? "; " : "", path, why);
}

/* At the first place where one answers. */
static int connect_to_usual(const char *program, char error[WSP_ERROR_MAX])
{
    char path[STATUS_PATH_MAX];

    for (unsigned i = 0; i < STATUS_PLACES; i++) {
        int fd;

        if (!status_place(i, program, path))
            continue;
        fd = connect_to(path);
        if (fd >= 0)
            return fd;
        add_reason(error, path);
    }
    return -1;
}

static int open_socket(const char *program, const char *path, char error[WSP_ERROR_MAX])
{
    int fd;

    *error = '\0';
    if (!path)
        return connect_to_usual(program, error);
    if (!*path) {
        snprintf(error, WSP_ERROR_MAX, "\"status\" is off in the configuration");
        return -1;
    }
    fd = connect_to(path);
    if (fd < 0)
        add_reason(error, path);
    return fd;
}

/* NULL, or why there is no whole answer. */
static const char *receive(int fd, struct buf *in)
{
    ssize_t n = 1;

    while (n > 0 && in->len < DOCUMENT_MAX) {
        if (buf_reserve(in, 64 * 1024) != WSP_OK)
            return "out of memory";
        n = recv(fd, buf_tail(in), 64 * 1024, 0);
        if (n > 0)
            in->len += (size_t)n;
    }
    if (n < 0)
        return reason(errno);
    return in->len ? NULL : "the daemon gives no answer: only its user and root may ask";
}

int status_ask(const char *program, const char *path, bool json, char error[WSP_ERROR_MAX])
{
    struct buf in = {0};
    int fd = open_socket(program, path, error);
    const char *why;

    if (fd < 0)
        return EXIT_START;
    why = receive(fd, &in);
    close(fd);
    if (!why && json)
        fwrite(buf_slice(&in).p, 1, in.len, stdout);
    else if (!why && !status_print(stdout, buf_slice(&in)))
        why = "the answer is no status";
    buf_fini(&in);
    if (!why)
        return EXIT_OK;
    snprintf(error, WSP_ERROR_MAX, "%s", why);
    return EXIT_START;
}
