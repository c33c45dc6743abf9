#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/sandbox.c" /* the daemons' own code is not in the library */

#ifdef WSP_SECCOMP

/* 0, or the error of a call that returns -1. */
static int error_of(long result)
{
    return result == -1 ? errno : 0;
}

static void *in_thread(void *arg)
{
    return arg;
}

static int a_thread(void)
{
    pthread_t thread;
    int err = pthread_create(&thread, NULL, in_thread, NULL);

    return err ? err : pthread_join(thread, NULL);
}

static int a_name(void)
{
    struct addrinfo *list = NULL;
    int err = getaddrinfo("localhost", "80", NULL, &list);

    if (err == 0)
        freeaddrinfo(list);
    return err;
}

static int a_file(void)
{
    FILE *file = fopen("/etc/passwd", "re");
    int c = file ? fgetc(file) : EOF;

    if (file)
        fclose(file);
    return c == EOF ? errno : 0;
}

static int memory(void)
{
    enum { BYTES = 64 << 20 };
    char *p = malloc(BYTES);

    if (!p)
        return errno;
    p[0] = p[BYTES - 1] = 1;
    free(p);
    return 0;
}

static int a_shell(void)
{
    return error_of(execl("/bin/true", "true", (char *)NULL));
}

static int a_process(void)
{
    return error_of(fork());
}

static int another_root(void)
{
    return error_of(setuid(0));
}

static int a_tracer(void)
{
    return error_of(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int netlink(void)
{
    return error_of(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int packets(void)
{
    return error_of(socket(AF_PACKET, SOCK_RAW, 0));
}

static int tcp(void)
{
    return error_of(socket(AF_INET6, SOCK_STREAM, 0));
}

static int code_memory(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) == MAP_FAILED
               ? errno
               : 0;
}

static int code_later(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? EINVAL : error_of(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int typing_for_others(void)
{
    return error_of(ioctl(STDIN_FILENO, TIOCSTI, "x"));
}

static int signals_to_others(void)
{
    return error_of(kill(getppid(), 0));
}

static int limits_of_others(void)
{
    struct rlimit limit;

    return error_of(prlimit(getppid(), RLIMIT_NOFILE, NULL, &limit));
}

static int own_limits(void)
{
    struct rlimit limit;

    return error_of(getrlimit(RLIMIT_NOFILE, &limit));
}

static int something_odd(void)
{
    return error_of(personality(0xffffffff));
}

static int something_new(void)
{
    return error_of(syscall(4000));
}

enum { DIES = -1 };

static const struct {
    const char *name;
    int (*run)(void);
    int want; /* an errno, or DIES */
} cases[] = {
    {"a thread", a_thread, 0},
    {"a name", a_name, 0},
    {"a file", a_file, 0},
    {"memory", memory, 0},
    {"tcp", tcp, 0},
    {"own limits", own_limits, 0},
    {"a shell", a_shell, DIES},
    {"a process", a_process, DIES},
    {"another root", another_root, DIES},
    {"a tracer", a_tracer, DIES},
    {"netlink", netlink, ENOSYS},
    {"packets", packets, ENOSYS},
    {"memory for code", code_memory, ENOSYS},
    {"memory that becomes code", code_later, ENOSYS},
    {"typing for others", typing_for_others, ENOSYS},
    {"signals to others", signals_to_others, ENOSYS},
    {"limits of others", limits_of_others, ENOSYS},
    {"something odd", something_odd, ENOSYS},
    {"something new", something_new, ENOSYS},
};

/* The status of a child that ran it under the filter. */
static int status_of(int (*run)(void))
{
    pid_t pid = fork();
    const char *why;
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        signal(SIGSYS, SIG_DFL); /* cmocka catches some */
        if (!sandbox_enter(&why))
            _exit(250);
        _exit(run());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_calls(void **state)
{
    (void)state;
    if (runs_under_valgrind())
        skip();
    for (size_t i = 0; i < COUNT(cases); i++) {
        int status = status_of(cases[i].run);

        if (cases[i].want == DIES ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS
                                  : !WIFEXITED(status) || WEXITSTATUS(status) != cases[i].want)
            fail_msg("%s: status %#x", cases[i].name, (unsigned)status);
    }
}

#else

static void test_calls(void **state)
{
    const char *why;

    (void)state;
    assert_false(sandbox_enter(&why));
    assert_string_equal(why, "this build has no filter");
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_calls)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
