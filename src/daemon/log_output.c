#include "daemon/log_output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static size_t stamp(char *out, size_t cap, enum wsp_log_level level)
{
    struct timespec now;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &tm);
    n = strftime(out, cap, "%Y-%m-%dT%H:%M:%S", &tm);
    n += (size_t)snprintf(out + n, cap - n, ".%03ld", now.tv_nsec / 1000000);
    n += strftime(out + n, cap - n, "%z", &tm);
    n += (size_t)snprintf(out + n, cap - n, " %s ", log_level_text(level));
    return n;
}

/* syslog(3)'s priorities. The journal keeps time and priority itself. */
static size_t priority(char *out, size_t cap, enum wsp_log_level level)
{
    static const int priorities[] = {3, 4, 6, 7, 7};

    return (size_t)snprintf(out, cap, "<%d>", priorities[level]);
}

/* JOURNAL_STREAM is "device:inode" of the stream that the manager opened for us; a descriptor that
 * was redirected since is another one. */
static bool is_journal(int fd)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char ours[64];

    if (!stream || fstat(fd, &st) < 0)
        return false;
    snprintf(ours, sizeof(ours), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(ours, stream) == 0;
}

/* One writev for a line, so that lines of several processes do not mix. A full disk loses lines. */
static void write_line(void *ctx, enum wsp_log_level level, const char *line, size_t len)
{
    struct log_output *o = ctx;
    char head[64];
    size_t head_len = (o->journal ? priority : stamp)(head, sizeof(head), level);
    struct iovec iov[3] = {{head, head_len}, {(void *)line, len}, {"\n", 1}};
    ssize_t n;

    do
        n = writev(o->fd, iov, 3);
    while (n < 0 && errno == EINTR);
}

static void close_file(struct log_output *o)
{
    if (o->fd > STDERR_FILENO)
        close(o->fd);
    free(o->path);
}

enum wsp_err log_output_reopen(struct log_output *o, const char *path, char error[WSP_ERROR_MAX])
{
    struct log_output next = {.fd = STDOUT_FILENO};

    if (path) {
        next.path = strdup(path);
        next.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
        if (next.fd < 0 || !next.path) {
            snprintf(error, WSP_ERROR_MAX, "log.output: %s: %s", path, strerror(errno));
            close_file(&next);
            return WSP_ERR_SYSTEM;
        }
    }
    next.journal = is_journal(next.fd);
    close_file(o);
    *o = next;
    return WSP_OK;
}

enum wsp_err log_output_open(struct log_output *o, const char *path, struct log *log,
                             char error[WSP_ERROR_MAX])
{
    *o = (struct log_output){.fd = -1};
    log->write = write_line;
    log->ctx = o;
    return log_output_reopen(o, path, error);
}

void log_output_to_stderr(struct log_output *o)
{
    if (o->fd != STDOUT_FILENO)
        return;
    o->fd = STDERR_FILENO;
    o->journal = is_journal(o->fd);
}

void log_output_fatal(const char *program, const char *text)
{
    char head[64] = "";

    if (is_journal(STDERR_FILENO))
        priority(head, sizeof(head), WSP_LOG_ERROR);
    fprintf(stderr, "%s%s: %s\n", head, program, text);
}

void log_output_close(struct log_output *o)
{
    close_file(o);
    *o = (struct log_output){.fd = -1};
}
