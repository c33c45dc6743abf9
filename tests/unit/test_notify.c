#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "daemon/notify.c" /* the daemons' own code is not in the library */
#include "unit/net_help.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct fixture {
    struct log log;
    struct notify notify;
    int manager; /* the service manager's socket */
    char name[64];
    char got[512]; /* the last datagram */
    unsigned logged;
};

static void on_log(void *ctx, enum wsp_log_level level, const char *line, size_t len)
{
    struct fixture *f = ctx;

    (void)level;
    (void)len;
    assert_memory_equal(line, "notify: ", 8);
    f->logged++;
}

/* Listens on a name that is ours alone: a path, or an abstract one. */
static void listen_as_manager(struct fixture *f, bool abstract)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    snprintf(f->name, sizeof(f->name), abstract ? "@wsp-notify-%d" : "/tmp/wsp-notify-%d",
             (int)getpid());
    memcpy(a.sun_path, f->name, strlen(f->name));
    if (abstract)
        a.sun_path[0] = '\0';
    f->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(f->manager >= 0);
    assert_int_equal(bind(f->manager, (struct sockaddr *)&a,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(f->name))),
                     0);
    setenv("NOTIFY_SOCKET", f->name, 1);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->manager = -1;
    f->log = (struct log){.level = WSP_LOG_DEBUG, .write = on_log, .ctx = f};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    notify_close(&f->notify);
    notify_close(&f->notify);
    if (f->manager >= 0)
        close(f->manager);
    if (f->name[0] == '/')
        unlink(f->name);
    free(f);
    return 0;
}

static bool receive(struct fixture *f)
{
    ssize_t n = recv(f->manager, f->got, sizeof(f->got) - 1, 0);

    f->got[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static void expect(struct fixture *f, const char *text)
{
    assert_true(receive(f));
    assert_string_equal(f->got, text);
}

static void tell_all(struct notify *n)
{
    notify_status(n, "listening on [::]:8010");
    notify_ready(n);
    notify_status(n, "more\nREADY=0");
    notify_reloading(n);
    notify_ready(n);
    notify_stopping(n, "ending");
    notify_status(n, "too late");
}

static void expect_all(struct fixture *f)
{
    unsigned long long us;

    expect(f, "READY=1\nSTATUS=listening on [::]:8010\n");
    expect(f, "STATUS=more\n");
    assert_true(receive(f));
    assert_int_equal(sscanf(f->got, "RELOADING=1\nMONOTONIC_USEC=%llu\n", &us), 1);
    assert_in_range(us / 1000, now_ms() - WAIT_MS, now_ms());
    expect(f, "READY=1\nSTATUS=more\n");
    expect(f, "STOPPING=1\nSTATUS=ending\n");
    assert_false(receive(f));
}

static void test_states(void **state)
{
    struct fixture *f = *state;

    listen_as_manager(f, false);
    notify_open(&f->notify, &f->log);
    assert_null(getenv("NOTIFY_SOCKET"));
    tell_all(&f->notify);
    expect_all(f);
    assert_int_equal(f->logged, 0);
}

static void test_abstract_name(void **state)
{
    struct fixture *f = *state;

    listen_as_manager(f, true);
    notify_open(&f->notify, &f->log);
    tell_all(&f->notify);
    expect_all(f);
}

static void test_nobody_listens(void **state)
{
    struct fixture *f = *state;

    notify_open(&f->notify, &f->log);
    tell_all(&f->notify);
    assert_int_equal(f->notify.fd, -1);
    assert_int_equal(f->logged, 0);
}

/* Nothing ends, nothing waits. */
static void test_manager_gone(void **state)
{
    struct fixture *f = *state;

    listen_as_manager(f, false);
    close(f->manager);
    f->manager = -1;
    notify_open(&f->notify, &f->log);
    tell_all(&f->notify);
    assert_in_range(f->logged, 1, 5);
}

static void test_unusable_names(void **state)
{
    static const char *const names[] = {"", "x", "@", "/", "vsock:2:1", "relative/path"};
    struct fixture *f = *state;
    char too_long[200];

    memset(too_long, 'a', sizeof(too_long) - 1);
    too_long[0] = '/';
    too_long[sizeof(too_long) - 1] = '\0';
    for (size_t i = 0; i <= COUNT(names); i++) {
        setenv("NOTIFY_SOCKET", i < COUNT(names) ? names[i] : too_long, 1);
        notify_open(&f->notify, &f->log);
        assert_int_equal(f->notify.fd, -1);
        assert_int_equal(f->logged, i + 1);
    }
}

struct watchdog_case {
    const char *usec, *pid; /* pid NULL: ours */
    uint64_t interval_us;
};

static const struct watchdog_case watchdogs[] = {
    {"30000000", NULL, 15000000},
    {"30000000", "", 0},
    {"30000000", "1", 0},
    {"0", NULL, 0},
    {"abc", NULL, 0},
    {"-5", NULL, 0},
    {"", NULL, 0},
};

static void test_watchdog_variables(void **state)
{
    struct fixture *f = *state;
    char own[32];

    listen_as_manager(f, false);
    snprintf(own, sizeof(own), "%d", (int)getpid());
    for (size_t i = 0; i < COUNT(watchdogs); i++) {
        setenv("NOTIFY_SOCKET", f->name, 1);
        setenv("WATCHDOG_USEC", watchdogs[i].usec, 1);
        setenv("WATCHDOG_PID", watchdogs[i].pid ? watchdogs[i].pid : own, 1);
        notify_open(&f->notify, &f->log);
        assert_int_equal(f->notify.watchdog_us, watchdogs[i].interval_us);
        assert_null(getenv("WATCHDOG_USEC"));
        assert_null(getenv("WATCHDOG_PID"));
        notify_close(&f->notify);
    }
}

/* No sign of life before READY. */
static void test_watchdog(void **state)
{
    struct fixture *f = *state;

    listen_as_manager(f, false);
    setenv("WATCHDOG_USEC", "2000", 1);
    notify_open(&f->notify, &f->log);
    notify_alive(&f->notify);
    assert_false(receive(f));
    notify_ready(&f->notify);
    expect(f, "READY=1\nSTATUS=\n");
    for (int i = 0; i < 3; i++) {
        notify_alive(&f->notify);
        expect(f, "WATCHDOG=1\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_states, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abstract_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_manager_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unusable_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watchdog_variables, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watchdog, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
