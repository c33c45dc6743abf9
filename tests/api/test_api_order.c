/* Calls at the wrong time: twice, too late, in an order that nobody means. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "api/echo.h"
#include "api/rows.h"

static struct {
    struct wsp_loop *loop;
    struct wsp_server *server;
    struct wsp_client *client;
    struct echo_service service;
    struct caller caller;
    unsigned registered, gone, drained;
} have;

static const struct wsp_target echo = {.channel = "echo"};
static const struct wsp_request_head head = {.method = "GET", .target = "/a"};

static void on_event(void *ctx, const struct wsp_event *e)
{
    (void)ctx;
    have.registered += e->kind == WSP_NAME_REGISTERED;
    have.gone += e->kind == WSP_NAME_GONE;
}

static void on_drained(void *ctx)
{
    (void)ctx;
    have.drained++;
}

static bool is_counted(const void *what)
{
    return *(const unsigned *)what > 0;
}

static bool is_closed_stream(const void *what)
{
    const struct caller *c = what;

    return c->closed;
}

/* With a channel that is served, and one call that is over. */
static int setup(void **state)
{
    struct place place = place_listen();

    (void)state;
    memset(&have, 0, sizeof(have));
    have.loop = wsp_loop_new();
    have.server = server_at(have.loop, place, NULL, NULL);
    have.client = client_of(have.loop, place.port, on_event, NULL);
    echo_serve(have.client, "echo", 1, &have.service);
    REQUIRE(until(have.loop, is_counted, &have.registered));
    have.caller.size = 1000;
    caller_open(&have.caller, have.client, &echo);
    REQUIRE(until(have.loop, is_closed_stream, &have.caller));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    caller_free(&have.caller);
    wsp_client_free(have.client);
    echo_service_free(&have.service);
    wsp_server_free(have.server);
    wsp_loop_free(have.loop);
    return 0;
}

/* ---- streams */

static void test_stream_that_is_over(void **state)
{
    struct wsp_stream *s = have.caller.stream;
    struct caller again = {.closed = false};
    uint64_t sent, received;
    char byte;
    const struct row rows[] = {
        ROW(caller_is_content(&have.caller)),
        ROW(wsp_stream_read(s, &byte, 1) <= 0),
        ROW(wsp_stream_write(s, "a", 1) < 0),
        ROW(wsp_stream_finish(s) == WSP_OK || wsp_stream_finish(s) == WSP_ERR_USAGE),
        QUIET(wsp_stream_counts(s, &sent, &received)),
        ROW(sent == 1000 && received == 1000),
        ROW(wsp_stream_set_events(s, &caller_events, &again) == WSP_OK),
        ROW(until(have.loop, is_closed_stream, &again)), /* it is told anew */
        ROW(again.why == WSP_OK),
        ROW(wsp_stream_set_events(s, NULL, NULL) == WSP_OK),
        QUIET(settle(have.loop)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_stream_that_is_refused(void **state)
{
    const struct wsp_target nobody = {.channel = "nobody"};
    struct caller caller = {.size = 1};
    char byte;
    const struct row rows[] = {
        QUIET(caller_open(&caller, have.client, &nobody)),
        ROW(until(have.loop, is_closed_stream, &caller)),
        ROW(caller.why == WSP_ERR_REFUSED && !caller.opened),
        ROW(wsp_stream_read(caller.stream, &byte, 1) == WSP_ERR_REFUSED),
        ROW(wsp_stream_write(caller.stream, "a", 1) == WSP_ERR_REFUSED),
        ROW(wsp_stream_finish(caller.stream) != WSP_ERR_MORE),
        QUIET(caller_free(&caller)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static bool is_opened(const void *what)
{
    const struct caller *c = what;

    return c->opened;
}

static void test_finish_twice(void **state)
{
    struct caller caller = {.size = 0}; /* finishes at once */
    const struct row rows[] = {
        QUIET(caller_open(&caller, have.client, &echo)),
        ROW(until(have.loop, is_opened, &caller)),
        ROW(wsp_stream_finish(caller.stream) == WSP_OK),
        ROW(wsp_stream_finish(caller.stream) == WSP_OK),
        ROW(wsp_stream_write(caller.stream, "a", 1) == WSP_ERR_USAGE),
        ROW(until(have.loop, is_closed_stream, &caller)),
        ROW(caller_is_content(&caller)),
        QUIET(caller_free(&caller)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

/* Its owner has it still; it is lost, and says so when it is asked only. */
static void test_stream_without_its_client(void **state)
{
    struct caller caller = {.size = 1000};
    char byte;
    const struct row rows[] = {
        QUIET(caller_open(&caller, have.client, &echo)),
        ROW(until(have.loop, is_opened, &caller)),
        QUIET((wsp_client_free(have.client), have.client = NULL)),
        ROW(wsp_stream_write(caller.stream, "a", 1) == WSP_ERR_LOST ||
            wsp_stream_write(caller.stream, "a", 1) == WSP_ERR_USAGE),
        QUIET(settle(have.loop)),
        ROW(!caller.closed),
        QUIET((wsp_loop_free(have.loop), have.loop = NULL)),
        ROW(wsp_stream_finish(caller.stream) != WSP_ERR_MORE),
        ROW(wsp_stream_read(caller.stream, &byte, 1) != 1),
        QUIET(caller_free(&caller)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

/* ---- servers and clients */

static void test_draining(void **state)
{
    struct wsp_connection connection = {.fd = -1};
    struct wsp_serve serve = {.channel = "late", .accept = echo_accept, .ctx = &have.service};
    struct wsp_config *bad = config_of("{\"nonsense\": 1}");
    const struct row rows[] = {
        ROW(wsp_client_drain(have.client, on_drained, NULL) == WSP_OK),
        ROW(wsp_client_drain(have.client, on_drained, NULL) == WSP_ERR_USAGE),
        ROW(told(!wsp_client_open(have.client, &echo, NULL, NULL, unsaid()))),
        ROW(told(wsp_client_serve(have.client, &serve, unsaid()) == WSP_ERR_USAGE)),
        ROW(wsp_client_relay(have.client, &echo, lent_socket(), NULL, NULL, NULL) != WSP_OK),
        ROW(is_closed()),
        ROW(until(have.loop, is_counted, &have.drained)),
        ROW(wsp_client_drain(have.client, on_drained, NULL) == WSP_ERR_USAGE),
        QUIET(have.drained = 0),
        ROW(wsp_server_drain(have.server, on_drained, NULL) == WSP_OK),
        ROW(wsp_server_drain(have.server, on_drained, NULL) == WSP_ERR_USAGE),
        ROW((connection.fd = lent_socket(),
             wsp_server_take(have.server, &head, &connection, NULL) == WSP_ERR_REFUSED)),
        ROW(is_closed()),
        ROW(told(wsp_server_reload(have.server, bad, unsaid()) == WSP_ERR_CONFIG)),
        ROW(until(have.loop, is_counted, &have.drained)),
        QUIET(settle(have.loop)),
        ROW(have.drained == 1),
    };

    (void)state;
    CHECK_ROWS(rows);
    wsp_config_free(bad);
}

static void test_reload_with_a_fault(void **state)
{
    struct wsp_config *bad = config_of("{\"nonsense\": 1}");
    struct caller caller = {.size = 100000};
    const struct row rows[] = {
        QUIET(caller_open(&caller, have.client, &echo)),
        ROW(told(wsp_server_reload(have.server, bad, unsaid()) == WSP_ERR_CONFIG)),
        ROW(told(wsp_client_reload(have.client, bad, unsaid()) == WSP_ERR_CONFIG)),
        ROW(wsp_client_servers_up(have.client) == 1),
        ROW(until(have.loop, is_closed_stream, &caller)),
        ROW(caller_is_content(&caller)),
        QUIET(caller_free(&caller)),
    };

    (void)state;
    CHECK_ROWS(rows);
    wsp_config_free(bad);
}

static void test_serve_and_unserve(void **state)
{
    struct wsp_serve serve = {.channel = "echo", .accept = echo_accept, .ctx = &have.service};
    const struct row rows[] = {
        ROW(told(wsp_client_serve(have.client, &serve, unsaid()) == WSP_ERR_USAGE)),
        ROW(wsp_client_unserve(have.client, "echo", 0) == WSP_OK),
        ROW(wsp_client_unserve(have.client, "echo", 0) == WSP_ERR_USAGE),
        QUIET(have.registered = 0),
        ROW(wsp_client_serve(have.client, &serve, NULL) == WSP_OK), /* before it has gone */
        ROW(until(have.loop, is_counted, &have.registered)),
        ROW(have.gone == 1),
    };

    (void)state;
    CHECK_ROWS(rows);
}

/* The loop is given up first: then the others do nothing, and can be freed. */
static void test_without_the_loop(void **state)
{
    struct wsp_serve serve = {.channel = "late", .accept = echo_accept, .ctx = &have.service};
    struct wsp_loop *loop = have.loop;

    (void)state;
    have.loop = NULL;
    wsp_loop_free(loop);
    wsp_stream_free(wsp_client_open(have.client, &echo, NULL, NULL, NULL));
    wsp_client_serve(have.client, &serve, NULL);
    wsp_client_unserve(have.client, "echo", 0);
    wsp_client_drain(have.client, on_drained, NULL);
    wsp_server_drain(have.server, on_drained, NULL);
    REQUIRE(have.drained == 0);
}

#define WITH_ALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ALL(test_stream_that_is_over),
        WITH_ALL(test_stream_that_is_refused),
        WITH_ALL(test_finish_twice),
        WITH_ALL(test_stream_without_its_client),
        WITH_ALL(test_draining),
        WITH_ALL(test_reload_with_a_fault),
        WITH_ALL(test_serve_and_unserve),
        WITH_ALL(test_without_the_loop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
