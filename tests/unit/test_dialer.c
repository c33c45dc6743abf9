#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "net/dialer.h"
#include "unit/fake_dns.h"

enum { SOCKETS_MAX = 32, LONG_US = 8000000 };

static const struct fake_record zone[] = {
    {"both.test", FAKE_A, FAKE_ANSWER, {"127.0.0.1"}},
    {"both.test", FAKE_AAAA, FAKE_ANSWER, {"::1"}},
    {"slow4.test", FAKE_A, FAKE_HOLD, {"127.0.0.1"}},
    {"slow4.test", FAKE_AAAA, FAKE_ANSWER, {"::1"}},
    {"slow6.test", FAKE_A, FAKE_ANSWER, {"127.0.0.1"}},
    {"slow6.test", FAKE_AAAA, FAKE_HOLD, {"::1"}},
    {"held.test", FAKE_A, FAKE_HOLD, {"127.0.0.1"}},
    {"held.test", FAKE_AAAA, FAKE_HOLD, {"::1"}},
    {"stall.test", FAKE_A, FAKE_ANSWER, {"127.0.0.2", "127.0.0.1"}},
    {"stall.test", FAKE_AAAA, FAKE_ANSWER, {0}},
    {"stalls.test", FAKE_A, FAKE_ANSWER, {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.1"}},
    {"stalls.test", FAKE_AAAA, FAKE_ANSWER, {0}},
    {"mixed.test", FAKE_A, FAKE_ANSWER, {"127.0.0.2"}},
    {"mixed.test", FAKE_AAAA, FAKE_ANSWER, {"::1"}},
    {"nonet.test", FAKE_A, FAKE_ANSWER, {"127.0.0.1"}},
    {"nonet.test", FAKE_AAAA, FAKE_ANSWER, {"ff02::1"}},
    {"empty.test", FAKE_A, FAKE_ANSWER, {0}},
    {"empty.test", FAKE_AAAA, FAKE_ANSWER, {0}},
    {"bad.test", FAKE_A, FAKE_SERVFAIL, {0}},
    {"bad.test", FAKE_AAAA, FAKE_SERVFAIL, {0}},
    {"mute.test", FAKE_A, FAKE_SILENT, {0}},
    {"mute.test", FAKE_AAAA, FAKE_SILENT, {0}},
    {0},
};

struct fixture {
    struct wsp_loop *loop;
    struct fake_dns dns;
    struct resolver *resolver;
    unsigned port; /* the same for all listeners */
    int sockets[SOCKETS_MAX];
    size_t socket_count;
    size_t open_before; /* descriptors before all this */
};

struct attempt_log {
    struct dial d;
    struct fixture *f;
    const char *deny; /* text of addresses not allowed: "" all, NULL none */
    bool tried;       /* `allowed` was asked */
    bool done, starting;
    bool own_heap; /* on_done frees this; the rest goes to *copy */
    struct attempt_log *copy;
    enum dial_status status;
    int fd;
    uint64_t took_us, start_us;
    char text[DIAL_TEXT_MAX];
};

static size_t count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    size_t count = 0;

    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static struct address address_of(const char *host, unsigned port)
{
    struct address a;

    assert_true(address_parse(slice_str(host), port, &a));
    return a;
}

static int keep(struct fixture *f, int fd)
{
    assert_true(fd >= 0);
    assert_in_range(f->socket_count, 0, SOCKETS_MAX - 1);
    f->sockets[f->socket_count++] = fd;
    return fd;
}

/* A bound socket on the fixture's port. */
static int bind_on(struct fixture *f, const char *host)
{
    struct address a = address_of(host, f->port);
    int fd = keep(f, socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int one = 1;

    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    assert_int_equal(bind(fd, &a.sa, a.len), 0);
    return fd;
}

/* One that is free, bound on an address of its own so that no other of these tests takes it, and
 * below those that the kernel gives to whoever connects. */
static void pick_port(struct fixture *f)
{
    int fd = keep(f, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct address a;

    do {
        uint16_t random;

        loop_random(&random, sizeof(random));
        f->port = 10000 + random % 20000;
        a = address_of("127.0.0.9", f->port);
    } while (bind(fd, &a.sa, a.len) != 0);
}

static void listen_on(struct fixture *f, const char *host)
{
    assert_int_equal(listen(bind_on(f, host), 16), 0);
}

/* A listener whose queue is full: the kernel drops further SYNs. */
static void stall_on(struct fixture *f, const char *host)
{
    struct address a = address_of(host, f->port);

    assert_int_equal(listen(bind_on(f, host), 0), 0);
    for (int i = 0; i < 4; i++) {
        int fd = keep(f, socket(a.sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));

        if (connect(fd, &a.sa, a.len) != 0)
            assert_int_equal(errno, EINPROGRESS);
    }
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->open_before = count_descriptors();
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    assert_true(fake_dns_init(&f->dns, f->loop, zone));
    f->resolver = resolver_new_with(
        f->loop, &(struct resolver_options){.servers = f->dns.address, .timeout_ms = 300});
    assert_non_null(f->resolver);
    pick_port(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    resolver_free(f->resolver);
    fake_dns_fini(&f->dns);
    wsp_loop_free(f->loop);
    for (size_t i = 0; i < f->socket_count; i++)
        close(f->sockets[i]);
    assert_int_equal(count_descriptors(), f->open_before);
    free(f);
    return 0;
}

static bool allowed(void *ctx, const struct address *address)
{
    struct attempt_log *log = ctx;
    char text[ADDRESS_TEXT_MAX];

    log->tried = true;
    assert_int_equal(address_port(address), log->f->port);
    address_host_text(address, text);
    if (strchr(text, '.'))
        assert_int_equal(address->sa.sa_family, AF_INET);
    return !log->deny || (log->deny[0] && strcmp(text, log->deny) != 0);
}

static void check_connected(int fd)
{
    int nodelay = 0;
    socklen_t len = sizeof(nodelay);
    struct address peer = {.len = sizeof(peer.storage)};

    assert_int_equal(getpeername(fd, &peer.sa, &peer.len), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, &len), 0);
    assert_true(nodelay);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void on_done(struct dial *d, enum dial_status status, int fd, const char *text)
{
    struct attempt_log *log = container_of(d, struct attempt_log, d);

    assert_false(log->starting);
    assert_false(log->done);
    assert_null(d->state);
    log->done = true;
    log->status = status;
    log->fd = fd;
    log->took_us = loop_now(log->f->loop) - log->start_us;
    snprintf(log->text, sizeof(log->text), "%s", text);
    if (status == DIAL_OK) {
        check_connected(fd);
        close(fd);
    } else {
        assert_int_equal(fd, -1);
    }
    if (log->own_heap) {
        *log->copy = *log;
        free(log);
    }
}

static void start(struct fixture *f, struct attempt_log *log, const char *host, uint64_t timeout_us)
{
    char name[300]; /* borrowed for the call only */

    snprintf(name, sizeof(name), "%s", host);
    wsp_loop_turn(f->loop);
    log->f = f;
    log->d.on_done = on_done;
    log->start_us = loop_now(f->loop);
    log->starting = true;
    assert_int_equal(dial_start(f->loop, f->resolver, &log->d,
                                &(struct dial_options){.host = name,
                                                       .port = f->port,
                                                       .timeout_us = timeout_us,
                                                       .allowed = allowed,
                                                       .ctx = log}),
                     WSP_OK);
    memset(name, 'x', sizeof(name));
    log->starting = false;
}

static struct attempt_log dial(struct fixture *f, const char *host, uint64_t timeout_us)
{
    struct attempt_log log = {0};

    start(f, &log, host, timeout_us);
    assert_true(fake_run(f->loop, &log.done));
    return log;
}

/* `format` has a %u for the port, if it is in the text. */
static void expect(const struct attempt_log *log, enum dial_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void expect(const struct attempt_log *log, enum dial_status status, const char *format, ...)
{
    char text[DIAL_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    assert_string_equal(log->text, text);
    assert_int_equal(log->status, status);
}

static void test_connects(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    listen_on(f, "127.0.0.1");
    log = dial(f, "127.0.0.1", LONG_US);
    expect(&log, DIAL_OK, "127.0.0.1:%u", f->port);
    log = dial(f, "::ffff:127.0.0.1", LONG_US);
    expect(&log, DIAL_OK, "127.0.0.1:%u", f->port);
    log = dial(f, "localhost", LONG_US); /* ::1 is refused */
    expect(&log, DIAL_OK, "127.0.0.1:%u", f->port);
    log = dial(f, "both.test", LONG_US);
    expect(&log, DIAL_OK, "127.0.0.1:%u", f->port);
    listen_on(f, "::1");
    log = dial(f, "::1", LONG_US);
    expect(&log, DIAL_OK, "[::1]:%u", f->port);
    log = dial(f, "localhost", LONG_US);
    expect(&log, DIAL_OK, "[::1]:%u", f->port);
    log = dial(f, "both.test", LONG_US);
    expect(&log, DIAL_OK, "[::1]:%u", f->port);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    log = dial(f, "127.0.0.1", LONG_US);
    expect(&log, DIAL_REFUSED, "dial tcp 127.0.0.1:%u: connect: connection refused", f->port);
    log = dial(f, "::1", LONG_US);
    expect(&log, DIAL_REFUSED, "dial tcp [::1]:%u: connect: connection refused", f->port);
    log = dial(f, "localhost", LONG_US);
    expect(&log, DIAL_REFUSED, "dial tcp [::1]:%u: connect: connection refused", f->port);
    assert_true(log.took_us < 250000);
}

/* TCP to a multicast address has no route on any system. */
static void test_unreachable(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    log = dial(f, "ff02::1", LONG_US);
    expect(&log, DIAL_NETWORK_UNREACHABLE, "dial tcp [ff02::1]:%u: connect: network is unreachable",
           f->port);
    log = dial(f, "nonet.test", LONG_US);
    expect(&log, DIAL_REFUSED, "dial tcp 127.0.0.1:%u: connect: connection refused", f->port);
}

static void test_lookup_failures(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    log = dial(f, "none.test", LONG_US);
    expect(&log, DIAL_NO_SUCH_HOST, "dial tcp: lookup none.test: no such host");
    log = dial(f, "empty.test", LONG_US);
    expect(&log, DIAL_NO_SUCH_HOST, "dial tcp: lookup empty.test: no such host");
    log = dial(f, "no.such.invalid", LONG_US);
    expect(&log, DIAL_NO_SUCH_HOST, "dial tcp: lookup no.such.invalid: no such host");
    log = dial(f, "bad.test", LONG_US);
    expect(&log, DIAL_NO_SUCH_HOST, "dial tcp: lookup bad.test: server misbehaving");
    log = dial(f, "mute.test", 50000);
    expect(&log, DIAL_TIMEOUT, "dial tcp: lookup mute.test: i/o timeout");
    assert_in_range(log.took_us, 50000, 800000);
    log = dial(f, "mute.test", LONG_US);
    expect(&log, DIAL_TIMEOUT, "dial tcp: lookup mute.test: i/o timeout");
    assert_true(log.took_us < LONG_US);
}

static void test_denied(void **state)
{
    static const struct {
        const char *host, *deny;
        enum dial_status status;
        const char *before, *after; /* the port */
    } cases[] = {
        {"127.0.0.1", "", DIAL_DENIED, "dial tcp 127.0.0.1:", ": not allowed by egress rules"},
        {"::1", "", DIAL_DENIED, "dial tcp [::1]:", ": not allowed by egress rules"},
        {"both.test", "", DIAL_DENIED, "dial tcp both.test:", ": not allowed by egress rules"},
        {"::ffff:127.0.0.1", "127.0.0.1", DIAL_DENIED,
         "dial tcp [::ffff:127.0.0.1]:", ": not allowed by egress rules"},
        {"both.test", "::1", DIAL_OK, "127.0.0.1:", ""},
        {"both.test", "127.0.0.1", DIAL_REFUSED,
         "dial tcp [::1]:", ": connect: connection refused"},
    };
    struct fixture *f = *state;

    listen_on(f, "127.0.0.1");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct attempt_log log = {.deny = cases[i].deny};

        start(f, &log, cases[i].host, LONG_US);
        assert_true(fake_run(f->loop, &log.done));
        expect(&log, cases[i].status, "%s%u%s", cases[i].before, f->port, cases[i].after);
    }
}

static void test_timeout(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    stall_on(f, "127.0.0.2");
    log = dial(f, "127.0.0.2", 60000);
    expect(&log, DIAL_TIMEOUT, "dial tcp 127.0.0.2:%u: i/o timeout", f->port);
    assert_in_range(log.took_us, 60000, 1000000);
    log = dial(f, "mixed.test", 60000); /* refused on ::1 at once */
    expect(&log, DIAL_REFUSED, "dial tcp [::1]:%u: connect: connection refused", f->port);
    assert_in_range(log.took_us, 60000, 1000000);
    log = dial(f, "127.0.0.2", 0);
    expect(&log, DIAL_TIMEOUT, "dial tcp: lookup 127.0.0.2: i/o timeout");
}

static void test_next_address_after_250_ms(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    stall_on(f, "127.0.0.2");
    listen_on(f, "127.0.0.1");
    log = dial(f, "stall.test", LONG_US);
    expect(&log, DIAL_OK, "127.0.0.1:%u", f->port);
    assert_in_range(log.took_us, 250000, 1000000);
}

static void test_attempt_makes_room_for_the_fourth_address(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    stall_on(f, "127.0.0.2");
    stall_on(f, "127.0.0.3");
    stall_on(f, "127.0.0.4");
    listen_on(f, "127.0.0.1");
    log = dial(f, "stalls.test", LONG_US);
    expect(&log, DIAL_OK, "127.0.0.1:%u", f->port);
    assert_in_range(log.took_us, 2000000, 3000000);
}

static void test_ipv4_waits_50_ms_for_ipv6(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    listen_on(f, "127.0.0.1");
    listen_on(f, "::1");
    log = dial(f, "slow6.test", LONG_US);
    expect(&log, DIAL_OK, "127.0.0.1:%u", f->port);
    assert_in_range(log.took_us, 50000, 800000);
}

static void test_ipv6_does_not_wait(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log;

    listen_on(f, "127.0.0.1");
    listen_on(f, "::1");
    log = dial(f, "slow4.test", LONG_US);
    expect(&log, DIAL_OK, "[::1]:%u", f->port);
}

static void test_late_family_is_used_after_a_failure(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log = {0};

    listen_on(f, "127.0.0.1");
    start(f, &log, "slow4.test", LONG_US);
    assert_true(fake_run(f->loop, &log.tried));
    wsp_loop_turn(f->loop);
    assert_false(log.done);
    fake_dns_release(&f->dns);
    assert_true(fake_run(f->loop, &log.done));
    expect(&log, DIAL_OK, "127.0.0.1:%u", f->port);
}

static void test_out_of_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, low;
    struct attempt_log log;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 3; /* of the loop and the listeners all are above */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    log = dial(f, "127.0.0.1", LONG_US);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    expect(&log, DIAL_FAILED, "dial tcp 127.0.0.1:%u: socket: too many open files", f->port);
}

/* Turns until the dial is in the stage the names say, then cancels; ASan and the count of
 * descriptors see what is left behind. */
static void test_cancel_at_every_stage(void **state)
{
    struct fixture *f = *state;
    struct attempt_log log[5] = {0};
    struct attempt_log other;

    stall_on(f, "127.0.0.2");
    listen_on(f, "127.0.0.1");
    dial_cancel(&log[0].d); /* not running */
    start(f, &log[0], "127.0.0.1", LONG_US);
    dial_cancel(&log[0].d); /* nothing has happened yet */
    start(f, &log[1], "held.test", LONG_US);
    assert_true(fake_run(f->loop, &f->dns.holding));
    dial_cancel(&log[1].d); /* resolving */
    start(f, &log[2], "slow6.test", LONG_US);
    other = dial(f, "none.test", LONG_US);
    assert_false(log[2].done);
    dial_cancel(&log[2].d); /* waiting for IPv6 */
    start(f, &log[3], "127.0.0.2", LONG_US);
    assert_true(fake_run(f->loop, &log[3].tried));
    dial_cancel(&log[3].d); /* connecting */
    start(f, &log[4], "127.0.0.1", LONG_US);
    assert_true(fake_run(f->loop, &log[4].done));
    dial_cancel(&log[4].d); /* done */
    fake_dns_release(&f->dns);
    other = dial(f, "both.test", LONG_US);
    expect(&other, DIAL_OK, "127.0.0.1:%u", f->port);
    for (size_t i = 0; i < 4; i++)
        assert_false(log[i].done);
}

static void test_on_done_may_free_the_owner(void **state)
{
    const char *const hosts[] = {"127.0.0.1", "both.test", "none.test", "localhost", "127.0.0.2"};
    struct fixture *f = *state;

    stall_on(f, "127.0.0.2");
    for (size_t i = 0; i < 2 * sizeof(hosts) / sizeof(*hosts); i++) {
        struct attempt_log result = {0}, *log = calloc(1, sizeof(*log));

        assert_non_null(log);
        if (i == sizeof(hosts) / sizeof(*hosts))
            listen_on(f, "127.0.0.1");
        log->own_heap = true;
        log->copy = &result;
        start(f, log, hosts[i % (sizeof(hosts) / sizeof(*hosts))], 100000);
        assert_true(fake_run(f->loop, &result.done));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_connects, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreachable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lookup_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(test_next_address_after_250_ms, setup, teardown),
        cmocka_unit_test_setup_teardown(test_attempt_makes_room_for_the_fourth_address, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ipv4_waits_50_ms_for_ipv6, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ipv6_does_not_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_late_family_is_used_after_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_at_every_stage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_on_done_may_free_the_owner, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
