#include "wspc/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool write_all(int fd, const char *p, size_t n)
{
    while (n) {
        ssize_t part = write(fd, p, n);

        if (part < 0 && errno == EINTR)
            continue;
        if (part <= 0)
            return false;
        p += part;
        n -= (size_t)part;
    }
    return true;
}

/* Until the source ends. */
static void carry(int from, int to)
{
    char bytes[65536];

    for (;;) {
        ssize_t n = read(from, bytes, sizeof(bytes));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || !write_all(to, bytes, (size_t)n))
            return;
    }
}

/* May outlive the pair. */
static void *read_input(void *arg)
{
    const struct stdio_pair *s = arg;
    int far = s->far;

    carry(STDIN_FILENO, far);
    shutdown(far, SHUT_WR);
    return NULL;
}

/* Whoever reads our output sees its end, though input may go on. The descriptor's number stays
 * taken, or it would soon be that of a socket. */
static void end_output(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (null < 0 || dup2(null, STDOUT_FILENO) < 0)
        close(STDOUT_FILENO);
    if (null >= 0)
        close(null);
}

static void *write_output(void *arg)
{
    struct stdio_pair *s = arg;

    carry(s->far, STDOUT_FILENO);
    end_output();
    shutdown(s->far, SHUT_RD);
    return NULL;
}

static bool start_threads(struct stdio_pair *s)
{
    if (pthread_create(&s->writer, NULL, write_output, s) != 0)
        return false;
    s->started = true;
    if (pthread_create(&s->reader, NULL, read_input, s) != 0)
        return false;
    pthread_detach(s->reader); /* standard input may never end */
    return true;
}

int stdio_open(struct stdio_pair *s)
{
    int pair[2];

    *s = (struct stdio_pair){.far = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -1;
    s->far = pair[1];
    if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 && start_threads(s))
        return pair[0];
    close(pair[0]);
    return -1;
}

/* The descriptor stays open: the reader may still be at it. */
void stdio_close(struct stdio_pair *s)
{
    if (s->started)
        pthread_join(s->writer, NULL);
}
