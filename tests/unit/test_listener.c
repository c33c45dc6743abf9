#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "net/listener.h"
#include "unit/net_help.h"

enum { CLIENTS = 8 };

struct fixture {
    struct wsp_loop *loop;
    struct listener listener;
    unsigned logged; /* lines */
    int accepted[CLIENTS];
    size_t count; /* of them */
    int clients[CLIENTS];
    size_t client_count;
    bool release_at_once; /* close what was accepted from inside the callback */
    bool stop_at_once;
    struct rlimit limit;
};

static void on_log(void *ctx, enum wsp_log_level level, const char *line, size_t len)
{
    struct fixture *f = ctx;

    (void)level;
    assert_memory_equal(line, "listener: ", 10);
    assert_true(len > 10);
    f->logged++;
}

static void on_accept(struct listener *l, int fd, const struct address *peer)
{
    struct fixture *f = container_of(l, struct fixture, listener);

    assert_true(address_is_loopback(peer));
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_in_range(f->count, 0, CLIENTS - 1);
    f->accepted[f->count++] = fd;
    if (f->release_at_once)
        listener_release(l);
    if (f->stop_at_once)
        listener_stop(l);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    *loop_log(f->loop) = (struct log){.level = WSP_LOG_WARN, .write = on_log, .ctx = f};
    f->listener.on_accept = on_accept;
    getrlimit(RLIMIT_NOFILE, &f->limit);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    setrlimit(RLIMIT_NOFILE, &f->limit);
    listener_stop(&f->listener);
    listener_stop(&f->listener);
    for (size_t i = 0; i < f->count; i++)
        close(f->accepted[i]);
    for (size_t i = 0; i < f->client_count; i++)
        close(f->clients[i]);
    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

static void start(struct fixture *f, const char *bind, size_t limit)
{
    char error[LISTENER_ERROR_MAX] = "";

    if (listener_start(&f->listener, f->loop,
                       &(struct listener_options){.bind = bind, .limit = limit}, error) != WSP_OK)
        fail_msg("%s", error);
}

static void connect_clients(struct fixture *f, size_t n)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    a.sin_port = htons((uint16_t)address_port(&f->listener.local));
    while (n-- > 0) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        assert_true(fd >= 0);
        assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
        f->clients[f->client_count++] = fd;
    }
}

static void test_accepts(void **state)
{
    struct fixture *f = *state;

    start(f, "127.0.0.1", 100);
    assert_true(address_port(&f->listener.local) != 0);
    connect_clients(f, 3);
    wait_for(f->loop, -1, f->count == 3);
    assert_int_equal(f->listener.accepted, 3);
    connect_clients(f, 1);
    wait_for(f->loop, -1, f->count == 4);
    assert_int_equal(f->logged, 0);
}

/* Without an address it takes both families. */
static void test_all_addresses(void **state)
{
    struct fixture *f = *state;

    start(f, NULL, 100);
    connect_clients(f, 1);
    wait_for(f->loop, -1, f->count == 1);
}

static void test_limit(void **state)
{
    struct fixture *f = *state;

    start(f, "127.0.0.1", 2);
    connect_clients(f, 5);
    wait_for(f->loop, -1, f->count == 2);
    turn_until_idle(f->loop); /* and the ones that wait cost nothing */
    assert_int_equal(f->count, 2);
    assert_int_equal(f->logged, 1);
    listener_release(&f->listener);
    wait_for(f->loop, -1, f->count == 3);
    turn_until_idle(f->loop);
    assert_int_equal(f->count, 3);
    assert_int_equal(f->listener.accepted, 2);
    listener_release(&f->listener);
    listener_release(&f->listener);
    wait_for(f->loop, -1, f->count == 5);
    assert_int_equal(f->logged, 1); /* once in a while */
}

static void test_released_at_once(void **state)
{
    struct fixture *f = *state;

    start(f, "127.0.0.1", 1);
    f->release_at_once = true;
    connect_clients(f, 5);
    wait_for(f->loop, -1, f->count == 5);
    assert_int_equal(f->listener.accepted, 0);
    assert_int_equal(f->logged, 0);
}

static void test_stopped_from_callback(void **state)
{
    struct fixture *f = *state;

    start(f, "127.0.0.1", 10);
    f->stop_at_once = true;
    connect_clients(f, 3);
    wait_for(f->loop, -1, f->count == 1);
    turn_until_idle(f->loop);
    assert_int_equal(f->count, 1);
    listener_release(&f->listener);
}

/* Out of descriptors: no spinning, one log line, and it goes on once there are some. */
static void test_out_of_descriptors(void **state)
{
    struct fixture *f = *state;
    struct rlimit tight = f->limit;
    uint64_t first_try_us;
    int next;

    start(f, "127.0.0.1", 10);
    connect_clients(f, 2);
    next = dup(0);
    close(next);
    tight.rlim_cur = (rlim_t)next;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    wait_for(f->loop, -1, f->logged == 1);
    turn_until_idle(f->loop);
    assert_true(timer_is_set(&f->listener.retry));
    first_try_us = f->listener.retry.due_us;
    wait_for(f->loop, -1, f->listener.retry.due_us > first_try_us); /* a retry in vain */
    turn_until_idle(f->loop);
    assert_int_equal(f->count, 0);
    assert_int_equal(f->logged, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &f->limit), 0);
    wait_for(f->loop, -1, f->count == 2);
    assert_int_equal(f->listener.accepted, 2);
}

/* The numbers of two sockets that listen on ports of their own, as another process would have left
 * them. */
static void open_passed(struct listener_sockets *out, struct sockaddr_in address[2])
{
    socklen_t len = sizeof(*address);

    out->count = 2;
    for (size_t i = 0; i < out->count; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);

        address[i] =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        assert_int_equal(bind(fd, (struct sockaddr *)&address[i], len), 0);
        assert_int_equal(listen(fd, 10), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&address[i], &len), 0);
        out->fd[i] = fd;
    }
}

static void connect_to(struct fixture *f, const struct sockaddr_in *a)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (const struct sockaddr *)a, sizeof(*a)), 0);
    f->clients[f->client_count++] = fd;
}

/* All of them are accepted on, under one limit. */
static void test_passed_sockets(void **state)
{
    struct fixture *f = *state;
    struct listener_sockets passed;
    struct listener_options options = {.passed = &passed, .bind = "300.1.1.1.", .limit = 2};
    char error[LISTENER_ERROR_MAX] = "";
    struct sockaddr_in address[2];
    struct address local;

    open_passed(&passed, address);
    assert_int_equal(listener_start(&f->listener, f->loop, &options, error), WSP_OK);
    assert_int_equal(address_port(&f->listener.local), ntohs(address[0].sin_port));
    assert_true(listener_address(&f->listener, 1, &local));
    assert_int_equal(address_port(&local), ntohs(address[1].sin_port));
    assert_false(listener_address(&f->listener, 2, &local));
    connect_to(f, &address[0]);
    connect_to(f, &address[1]);
    wait_for(f->loop, -1, f->count == 2);
    connect_to(f, &address[0]);
    connect_to(f, &address[1]);
    turn_until_idle(f->loop);
    assert_int_equal(f->count, 2);
    listener_release(&f->listener);
    listener_release(&f->listener);
    wait_for(f->loop, -1, f->count == 4);
}

static void test_start_fails(void **state)
{
    struct fixture *f = *state;
    struct listener second = {0};
    char error[LISTENER_ERROR_MAX], want[128];
    unsigned port;

    start(f, "127.0.0.1", 10);
    port = address_port(&f->listener.local);
    assert_int_equal(
        listener_start(&second, f->loop,
                       &(struct listener_options){.bind = "127.0.0.1", .port = port, .limit = 10},
                       error),
        WSP_ERR_SYSTEM);
    snprintf(want, sizeof(want), "listen on 127.0.0.1:%u: %s", port, strerror(EADDRINUSE));
    assert_string_equal(error, want);
    listener_stop(&second);
    assert_int_equal(
        listener_start(&second, f->loop,
                       &(struct listener_options){.bind = "300.1.1.1.", .port = 80, .limit = 10},
                       error),
        WSP_ERR_SYSTEM);
    assert_memory_equal(error, "listen on 300.1.1.1.:80: ", 25);
    listener_stop(&second);
    second = (struct listener){0};
    listener_stop(&second);
}

/* ---- moved */

static unsigned port_of(const struct fixture *f)
{
    return address_port(&f->listener.local);
}

static bool is_open(unsigned port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err;

    a.sin_port = htons((uint16_t)port);
    err = connect(fd, (struct sockaddr *)&a, sizeof(a));
    close(fd);
    return err == 0;
}

/* What was accepted counts on, and what waits to be is let in. */
static void test_moves(void **state)
{
    struct fixture *f = *state;
    char error[LISTENER_ERROR_MAX];
    unsigned port;

    start(f, "127.0.0.1", 3);
    port = port_of(f);
    connect_clients(f, 1);
    wait_for(f->loop, -1, f->count == 1);
    connect_clients(f, 1);
    assert_int_equal(
        listener_move(&f->listener, &(struct listener_options){.bind = "127.0.0.1"}, error),
        WSP_OK);
    assert_int_equal(f->count, 2);
    assert_int_not_equal(port_of(f), port);
    assert_false(is_open(port));
    connect_clients(f, 2);
    wait_for(f->loop, -1, f->count == 3);
    turn_until_idle(f->loop);
    assert_int_equal(f->count, 3); /* the limit holds */
    listener_release(&f->listener);
    wait_for(f->loop, -1, f->count == 4);
}

/* Where both overlap, at the same port. */
static void test_moves_at_its_port(void **state)
{
    static const char *const way[][2] = {
        {NULL, "127.0.0.1"}, {"127.0.0.1", NULL}, {"0.0.0.0", "127.0.0.1"}};
    struct fixture *f = *state;
    char error[LISTENER_ERROR_MAX];

    for (size_t i = 0; i < 3; i++) {
        struct listener_options to = {.bind = way[i][1]};

        start(f, way[i][0], 100);
        to.port = port_of(f);
        if (listener_move(&f->listener, &to, error) != WSP_OK)
            fail_msg("%s", error);
        assert_int_equal(port_of(f), to.port);
        connect_clients(f, 1);
        wait_for(f->loop, -1, f->count == i + 1);
        listener_stop(&f->listener);
    }
}

static void test_move_fails(void **state)
{
    struct fixture *f = *state;
    struct listener other = {.on_accept = on_accept};
    char error[LISTENER_ERROR_MAX];
    struct listener_options to = {.bind = "127.0.0.1"};
    unsigned port;

    start(f, "127.0.0.1", 100);
    port = port_of(f);
    assert_int_equal(listener_start(&other, f->loop, &to, error), WSP_OK);
    to.port = address_port(&other.local);
    assert_int_equal(listener_move(&f->listener, &to, error), WSP_ERR_SYSTEM);
    assert_non_null(strstr(error, strerror(EADDRINUSE)));
    listener_stop(&other);
    assert_int_equal(port_of(f), port);
    connect_clients(f, 1);
    wait_for(f->loop, -1, f->count == 1);
}

static void test_set_limit(void **state)
{
    struct fixture *f = *state;

    start(f, "127.0.0.1", 2);
    connect_clients(f, 6);
    wait_for(f->loop, -1, f->count == 2);
    turn_until_idle(f->loop);
    listener_set_limit(&f->listener, 4);
    wait_for(f->loop, -1, f->count == 4);
    listener_set_limit(&f->listener, 1);
    for (int i = 0; i < 3; i++)
        listener_release(&f->listener);
    turn_until_idle(f->loop);
    assert_int_equal(f->count, 4);
    listener_release(&f->listener);
    wait_for(f->loop, -1, f->count == 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_accepts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_released_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stopped_from_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_out_of_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_passed_sockets, setup, teardown),
        cmocka_unit_test_setup_teardown(test_start_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moves_at_its_port, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_limit, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
