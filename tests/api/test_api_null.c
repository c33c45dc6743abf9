/* Every function without its object, and without its arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "api/rows.h"

/* What there is to be misused. */
static struct {
    struct wsp_loop *loop;
    struct wsp_config *config;
    struct wsp_server *server;
    struct wsp_client *client;
    struct place nowhere; /* where it connects to, and nobody answers */
} have;

static int setup(void **state)
{
    (void)state;
    have.nowhere = place_listen();
    have.loop = wsp_loop_new();
    have.config = wsp_config_new();
    have.server = server_at(have.loop, place_listen(), NULL, NULL);
    have.client = client_of(have.loop, have.nowhere.port, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    settle(have.loop);
    wsp_client_free(have.client);
    wsp_server_free(have.server);
    wsp_config_free(have.config);
    wsp_loop_free(have.loop);
    close(have.nowhere.fd);
    return 0;
}

static void test_loop(void **state)
{
    const struct row rows[] = {
        QUIET(wsp_loop_free(NULL)),
        QUIET(wsp_loop_set_log(NULL, WSP_LOG_TRACE, NULL, NULL)),
        ROW(wsp_loop_fd(NULL) == -1),
        ROW(wsp_loop_timeout_ms(NULL) == -1),
        QUIET(wsp_loop_turn(NULL)),
        ROW(wsp_loop_wait(NULL, 0) == WSP_ERR_USAGE),
        ROW(wsp_loop_wait(NULL, -1) == WSP_ERR_USAGE),
        ROW(wsp_loop_run(NULL) == WSP_ERR_USAGE),
        QUIET(wsp_loop_stop(NULL)),
        QUIET(wsp_loop_wake(NULL)),
        QUIET(wsp_loop_on_freed(NULL, NULL)),
        QUIET(wsp_loop_on_freed(have.loop, NULL)),
        QUIET(wsp_loop_set_log(have.loop, WSP_LOG_TRACE, NULL, NULL)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_names(void **state)
{
    const struct row rows[] = {
        ROW(strcmp(wsp_version(), WSP_VERSION) == 0),
        ROW(wsp_strerror(WSP_OK)[0]),
        ROW(wsp_strerror(WSP_ERR_USAGE)[0]),
        ROW(wsp_strerror((enum wsp_err)12345)[0]),
        ROW(wsp_strerror((enum wsp_err) - 99)[0]),
        ROW(strcmp(wsp_log_level_name(WSP_LOG_WARN), "warn") == 0),
        ROW(wsp_log_level_name((enum wsp_log_level)77) != NULL),
        ROW(wsp_log_level_name((enum wsp_log_level) - 1) != NULL),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_config(void **state)
{
    struct wsp_config *c = have.config;
    const struct row rows[] = {
        QUIET(wsp_config_free(NULL)),
        ROW(wsp_config_file(NULL, "a") == WSP_ERR_USAGE),
        ROW(wsp_config_file(c, NULL) == WSP_ERR_USAGE),
        ROW(wsp_config_file(c, "") == WSP_ERR_USAGE),
        ROW(wsp_config_text(NULL, "a", "{}", 2) == WSP_ERR_USAGE),
        ROW(wsp_config_text(c, NULL, "{}", 2) == WSP_ERR_USAGE),
        ROW(wsp_config_text(c, "a", NULL, 2) == WSP_ERR_USAGE),
        ROW(wsp_config_set(NULL, "port", "1", NULL) == WSP_ERR_USAGE),
        ROW(wsp_config_set(c, NULL, "1", NULL) == WSP_ERR_USAGE),
        ROW(wsp_config_set(c, "port", NULL, NULL) == WSP_ERR_USAGE),
        ROW(wsp_config_set_number(NULL, "port", 1, NULL) == WSP_ERR_USAGE),
        ROW(wsp_config_set_number(c, NULL, 1, NULL) == WSP_ERR_USAGE),
        ROW(wsp_config_set_bool(NULL, "seccomp", true, NULL) == WSP_ERR_USAGE),
        ROW(wsp_config_set_bool(c, NULL, true, NULL) == WSP_ERR_USAGE),
        ROW(told(wsp_config_check(NULL, WSP_SERVER, NULL, unsaid()) == WSP_ERR_USAGE)),
        ROW(wsp_config_check(NULL, WSP_CLIENT, NULL, NULL) == WSP_ERR_USAGE),
        ROW(told(wsp_config_check(c, (enum wsp_role)9, NULL, unsaid()) == WSP_ERR_USAGE)),
        ROW(told(wsp_config_check(c, WSP_SERVER, NULL, unsaid()) != WSP_OK)), /* it is empty */
        ROW(told(wsp_config_check(c, WSP_CLIENT, NULL, unsaid()) != WSP_OK)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_server(void **state)
{
    struct wsp_server *s = have.server;
    struct wsp_server_options empty = {.config = NULL};
    struct wsp_server_options given = {
        .config = have.config, .socket = (int[]){lent_socket()}, .socket_count = 1};
    char address[WSP_ADDRESS_MAX];
    const struct row rows[] = {
        ROW(!wsp_server_new(NULL, NULL, NULL)),
        ROW(told(!wsp_server_new(have.loop, NULL, unsaid()))),
        ROW(told(!wsp_server_new(have.loop, &empty, unsaid()))),
        ROW(told(!wsp_server_new(NULL, &given, unsaid()))),
        ROW(is_closed()),
        QUIET(wsp_server_free(NULL)),
        ROW(told(wsp_server_reload(NULL, have.config, unsaid()) == WSP_ERR_USAGE)),
        ROW(told(wsp_server_reload(s, NULL, unsaid()) == WSP_ERR_USAGE)),
        ROW(wsp_server_drain(NULL, NULL, NULL) == WSP_ERR_USAGE),
        ROW(!wsp_server_address(NULL, 0, address)),
        ROW(!wsp_server_address(s, 0, NULL)),
        ROW(!wsp_server_status(NULL)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_connection(void **state)
{
    struct wsp_server *s = have.server;
    const struct wsp_request_head blank = {.method = NULL}, head = {.method = "GET", .target = "/"};
    struct wsp_connection none = {.fd = -1}, given = {.fd = lent_socket()};
    struct wsp_upgrade upgrade = {.status = 0};
    struct wsp_guest *guest = NULL;
    const struct row rows[] = {
        ROW(wsp_server_take(NULL, &head, &given, &guest) == WSP_ERR_USAGE),
        ROW(is_closed()),
        ROW((given.fd = lent_socket(), wsp_server_take(s, &blank, &given, NULL) != WSP_OK)),
        ROW(is_closed()),
        ROW((given.fd = lent_socket(),
             wsp_server_take_upgraded(NULL, &upgrade, &given, NULL) == WSP_ERR_USAGE)),
        ROW(is_closed()),
        ROW((given.fd = lent_socket(),
             wsp_server_take_upgraded(s, NULL, &given, NULL) == WSP_ERR_USAGE)),
        ROW(is_closed()),
        ROW((given.fd = lent_socket(),
             wsp_server_take_upgraded(s, &upgrade, &given, NULL) == WSP_ERR_USAGE)),
        ROW(is_closed()),
        ROW(wsp_server_take(s, &head, NULL, &guest) == WSP_ERR_USAGE),
        ROW(wsp_server_take(s, &head, &none, &guest) == WSP_ERR_USAGE),
        ROW(wsp_server_take(s, NULL, NULL, NULL) == WSP_ERR_USAGE),
        ROW(wsp_server_take_upgraded(s, NULL, NULL, NULL) == WSP_ERR_USAGE),
        ROW(wsp_server_match(NULL, &head) == WSP_MATCH_NONE),
        ROW(wsp_server_match(s, NULL) == WSP_MATCH_NONE),
        ROW(wsp_server_match(s, &blank) == WSP_MATCH_NONE),
        ROW(wsp_server_upgrade(NULL, &head, &upgrade) == WSP_ERR_USAGE),
        ROW(wsp_server_upgrade(s, NULL, &upgrade) == WSP_ERR_USAGE),
        ROW(wsp_server_upgrade(s, &head, NULL) == WSP_ERR_USAGE),
        QUIET(wsp_guest_ready(NULL, WSP_READABLE | WSP_WRITABLE)),
        ROW(!guest),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_request(void **state)
{
    struct wsp_response response = {.status = 200};
    struct wsp_detached detached;
    const struct row rows[] = {
        ROW(!wsp_request_method(NULL)),
        ROW(!wsp_request_target(NULL)),
        ROW(!wsp_request_header(NULL, "Host")),
        ROW(!wsp_request_header(NULL, NULL)),
        ROW(!wsp_request_peer(NULL)),
        ROW(!wsp_request_is_secure(NULL)),
        ROW(wsp_request_respond(NULL, &response) == WSP_ERR_USAGE),
        ROW(wsp_request_respond(NULL, NULL) == WSP_ERR_USAGE),
        ROW(wsp_request_detach(NULL, &detached) == WSP_ERR_USAGE),
        ROW(wsp_request_detach(NULL, NULL) == WSP_ERR_USAGE),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_client(void **state)
{
    struct wsp_client *c = have.client;
    struct wsp_client_options empty = {.config = NULL};
    const struct wsp_target blank = {.channel = NULL}, target = {.channel = "a"};
    const struct wsp_serve unnamed = {.channel = NULL}, named = {.channel = "a"};
    const struct row rows[] = {
        ROW(!wsp_client_new(NULL, NULL, NULL)),
        ROW(told(!wsp_client_new(have.loop, NULL, unsaid()))),
        ROW(told(!wsp_client_new(have.loop, &empty, unsaid()))),
        QUIET(wsp_client_free(NULL)),
        ROW(told(wsp_client_reload(NULL, have.config, unsaid()) == WSP_ERR_USAGE)),
        ROW(told(wsp_client_reload(c, NULL, unsaid()) == WSP_ERR_USAGE)),
        ROW(wsp_client_drain(NULL, NULL, NULL) == WSP_ERR_USAGE),
        ROW(wsp_client_servers(NULL) == 0),
        ROW(wsp_client_servers_up(NULL) == 0),
        ROW(told(!wsp_client_open(NULL, &target, NULL, NULL, unsaid()))),
        ROW(told(!wsp_client_open(c, NULL, NULL, NULL, unsaid()))),
        ROW(told(!wsp_client_open(c, &blank, NULL, NULL, unsaid()))),
        ROW(!wsp_client_open(c, NULL, NULL, NULL, NULL)),
        ROW(told(wsp_client_relay(NULL, &target, lent_socket(), NULL, NULL, unsaid()) ==
                 WSP_ERR_USAGE)),
        ROW(is_closed()),
        ROW(told(wsp_client_relay(c, NULL, lent_socket(), NULL, NULL, unsaid()) == WSP_ERR_USAGE)),
        ROW(is_closed()),
        ROW(wsp_client_relay(c, &blank, lent_socket(), NULL, NULL, NULL) == WSP_ERR_USAGE),
        ROW(is_closed()),
        ROW(told(wsp_client_serve(NULL, &named, unsaid()) == WSP_ERR_USAGE)),
        ROW(told(wsp_client_serve(c, NULL, unsaid()) == WSP_ERR_USAGE)),
        ROW(told(wsp_client_serve(c, &unnamed, unsaid()) == WSP_ERR_USAGE)),
        ROW(told(wsp_client_serve(c, &named, unsaid()) == WSP_ERR_USAGE)), /* without `accept` */
        ROW(wsp_client_unserve(NULL, "a", 0) == WSP_ERR_USAGE),
        ROW(wsp_client_unserve(c, NULL, 0) == WSP_ERR_USAGE),
        ROW(!wsp_client_status(NULL)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_stream(void **state)
{
    const struct wsp_stream_events events = {.opened = NULL};
    const struct wsp_target target = {.channel = "a"};
    struct wsp_stream *s = wsp_client_open(have.client, &target, NULL, NULL, NULL);
    uint64_t sent = 1, received = 1;
    char byte;
    const struct row rows[] = {
        ROW(s != NULL), /* who needs no events has to have none */
        ROW(wsp_stream_set_events(NULL, &events, NULL) == WSP_ERR_USAGE),
        ROW(wsp_stream_set_events(NULL, NULL, NULL) == WSP_ERR_USAGE),
        ROW(wsp_stream_set_events(s, NULL, NULL) == WSP_OK),
        ROW(wsp_stream_read(NULL, &byte, 1) == WSP_ERR_USAGE),
        ROW(wsp_stream_read(s, NULL, 1) == WSP_ERR_USAGE),
        ROW(wsp_stream_read(s, &byte, 0) == WSP_ERR_USAGE),
        ROW(wsp_stream_read(s, &byte, 1) == WSP_ERR_MORE),
        ROW(wsp_stream_write(NULL, &byte, 1) == WSP_ERR_USAGE),
        ROW(wsp_stream_write(s, NULL, 1) == WSP_ERR_USAGE),
        ROW(wsp_stream_write(s, "a", 1) == WSP_ERR_MORE),
        ROW(wsp_stream_finish(NULL) == WSP_ERR_USAGE),
        ROW(wsp_stream_finish(s) == WSP_ERR_MORE),
        QUIET(wsp_stream_counts(NULL, &sent, &received)),
        QUIET(wsp_stream_counts(NULL, NULL, NULL)),
        QUIET(wsp_stream_counts(s, NULL, NULL)),
        QUIET(wsp_stream_counts(s, &sent, &received)),
        ROW(sent == 0 && received == 0),
        QUIET(wsp_stream_free(NULL)),
        QUIET(wsp_stream_free(s)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_status(void **state)
{
    const struct wsp_status_options blank = {.program = NULL};
    const struct row rows[] = {
        ROW(!wsp_status_open(NULL, NULL, NULL)),
        ROW(told(!wsp_status_open(have.loop, NULL, unsaid()))),
        ROW(told(!wsp_status_open(have.loop, &blank, unsaid()))),
        ROW(told(!wsp_status_open(NULL, &blank, unsaid()))),
        ROW(told(wsp_status_move(NULL, "/", unsaid()) == WSP_ERR_USAGE)),
        ROW(wsp_status_move(NULL, NULL, NULL) == WSP_ERR_USAGE),
        QUIET(wsp_status_close(NULL)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

#define WITH_ALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ALL(test_loop),   WITH_ALL(test_names),      WITH_ALL(test_config),
        WITH_ALL(test_server), WITH_ALL(test_connection), WITH_ALL(test_request),
        WITH_ALL(test_client), WITH_ALL(test_stream),     WITH_ALL(test_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
