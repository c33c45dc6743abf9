#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/wait.h>

#include "daemon/activation.c" /* the daemons' own code is not in the library */

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define NOT_LISTENING ": expected a stream socket that listens"

enum passed { NOTHING, LISTENING, UNIX, CONNECTED, DATAGRAMS, A_FILE };

static const struct activation_case {
    const char *pid; /* NULL: ours */
    const char *fds, *names;
    enum passed passed[3];
    size_t want;
    const char *error; /* NULL: none */
} cases[] = {
    {NULL, NULL, NULL, {NOTHING}, 0, NULL},
    {NULL, "0", NULL, {NOTHING}, 0, NULL},
    {NULL, "1", "wsps.socket", {LISTENING}, 1, NULL},
    {NULL, "2", NULL, {LISTENING, UNIX}, 2, NULL},
    {"1", "1", NULL, {LISTENING}, 0, NULL},
    {"", "1", NULL, {LISTENING}, 0, NULL},
    {"x", "1", NULL, {LISTENING}, 0, NULL},
    {NULL, "x", NULL, {LISTENING}, 0, NULL},
    {NULL, "-1", NULL, {LISTENING}, 0, NULL},
    {NULL, "9", NULL, {LISTENING}, 0, "LISTEN_FDS: more than 8 sockets were passed"},
    {NULL, "1", "a", {CONNECTED}, 0, "LISTEN_FDS: descriptor 3 (a)" NOT_LISTENING},
    {NULL, "2", "a:b:c", {LISTENING, DATAGRAMS}, 0, "LISTEN_FDS: descriptor 4 (b)" NOT_LISTENING},
    {NULL,
     "3",
     "a:b",
     {LISTENING, UNIX, A_FILE},
     0,
     "LISTEN_FDS: descriptor 5 (unnamed)" NOT_LISTENING},
    {NULL, "1", "", {NOTHING}, 0, "LISTEN_FDS: descriptor 3 ()" NOT_LISTENING},
};

static int open_one(enum passed kind)
{
    int fd = -1, pair[2];

    switch (kind) {
    case LISTENING:
    case UNIX:
        fd = socket(kind == UNIX ? AF_UNIX : AF_INET, SOCK_STREAM, 0);
        if (kind == UNIX && bind(fd, &(struct sockaddr){.sa_family = AF_UNIX}, 2) < 0)
            return -1;
        return listen(fd, 1) == 0 ? fd : -1;
    case CONNECTED:
        return socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 ? pair[0] : -1;
    case DATAGRAMS:
        return socket(AF_INET, SOCK_DGRAM, 0);
    case A_FILE:
        return open("/dev/null", O_RDONLY);
    case NOTHING:
        break;
    }
    return fd;
}

static void set(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

/* In a process of its own, whose descriptors from 3 on are those of the case. */
static bool holds(const struct activation_case *c)
{
    char own[32], error[WSP_ERROR_MAX] = "";
    struct activation sockets;
    enum wsp_err err;

    for (int fd = 3; fd < 3 + (int)COUNT(c->passed); fd++) {
        int opened = open_one(c->passed[fd - 3]);

        if (opened < 0)
            close(fd);
        else if (opened != fd && dup2(opened, fd) < 0)
            return false;
    }
    snprintf(own, sizeof(own), "%d", (int)getpid());
    set("LISTEN_PID", c->pid ? c->pid : own);
    set("LISTEN_FDS", c->fds);
    set("LISTEN_FDNAMES", c->names);
    err = activation_take(&sockets, error);
    if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") || getenv("LISTEN_FDNAMES"))
        return false;
    if (c->error)
        return err == WSP_ERR_CONFIG && strcmp(error, c->error) == 0;
    return err == WSP_OK && sockets.count == c->want && (c->want == 0 || sockets.fd[0] == 3);
}

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (pid == 0)
            _exit(holds(&cases[i]) ? 0 : 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (status != 0)
            fail_msg("case %zu: status %d", i, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
