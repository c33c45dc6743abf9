#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "daemon/privileges.c" /* the daemons' own code is not in the library */

/* Each case runs in a process of its own: there is no way back. It fails with the number of the
 * line that was wrong. */
#define check(cond)                    \
    do {                               \
        if (!(cond))                   \
            _exit(__LINE__ % 251 + 1); \
    } while (0)

static void in_child(void (*run)(void))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* The first port below 1024 that can be bound; 0: none, with errno of the last one. */
static int bind_low(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), port;

    for (port = 1023; port > 900; port--) {
        a.sin_port = htons((uint16_t)port);
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
            break;
    }
    close(fd);
    return port > 900 ? port : 0;
}

static struct wsp_process nobody(void)
{
    const struct passwd *found = getpwnam("nobody");

    check(found);
    return (struct wsp_process){.user = "nobody", .uid = found->pw_uid, .gid = found->pw_gid};
}

static void drop_and_settle(void)
{
    struct wsp_process p = nobody();
    char error[WSP_ERROR_MAX];
    gid_t group;

    check(privileges_drop(&p, error) == WSP_OK);
    check(geteuid() == p.uid && getuid() == p.uid && getegid() == p.gid);
    check(getgroups(1, &group) == 1 && group == p.gid);
    check(setuid(0) < 0);
    check(bind_low());
    check(privileges_settle(&p, error) == WSP_OK);
    check(!bind_low() && errno == EACCES);
    check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    check(setuid(0) < 0 && setgid(0) < 0);
    check(privileges_drop(&p, error) == WSP_OK); /* who it is already */
}

static void group_only(void)
{
    struct wsp_process p = {.group = "x", .gid = 4321};
    char error[WSP_ERROR_MAX];
    gid_t group;

    check(privileges_drop(&p, error) == WSP_OK);
    check(geteuid() == 0 && getegid() == 4321);
    check(getgroups(1, &group) == 1 && group == 4321);
    check(privileges_settle(&p, error) == WSP_OK);
    check(bind_low());
}

static void nothing_set(void)
{
    struct wsp_process p = {.seccomp = true};
    char error[WSP_ERROR_MAX];

    check(privileges_drop(&p, error) == WSP_OK);
    check(privileges_settle(&p, error) == WSP_OK);
    check(geteuid() == 0 && bind_low());
    check(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
}

static void not_root(void)
{
    struct wsp_process p = nobody();
    char error[WSP_ERROR_MAX];

    check(setgid(4321) == 0 && setuid(4321) == 0);
    check(privileges_drop(&p, error) == WSP_ERR_CONFIG);
    check(strcmp(error, "user: only root can become another one, and this process runs as uid "
                        "4321: start it as root, or leave the key out") == 0);
}

/* Somebody who only seems to be the user, since root is what it can return to. */
static void could_return(void)
{
    struct wsp_process p = nobody();
    char error[WSP_ERROR_MAX];

    check(setresgid(p.gid, p.gid, p.gid) == 0 && setresuid(0, p.uid, 0) == 0);
    check(privileges_drop(&p, error) == WSP_OK);
    check(privileges_settle(&p, error) == WSP_ERR_SYSTEM);
}

#define AS_ROOT(name)                     \
    static void test_##name(void **state) \
    {                                     \
        (void)state;                      \
        if (geteuid() != 0)               \
            skip();                       \
        in_child(name);                   \
    }

AS_ROOT(drop_and_settle)
AS_ROOT(group_only)
AS_ROOT(nothing_set)
AS_ROOT(not_root)
AS_ROOT(could_return)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop_and_settle), cmocka_unit_test(test_group_only),
        cmocka_unit_test(test_nothing_set),     cmocka_unit_test(test_not_root),
        cmocka_unit_test(test_could_return),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
