#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/api_help.h"

#define PLAIN "{\"port\": 1, \"path\": \"/proxy\", \"auth\": \"secret\"}"

static bool is_closed(int fd)
{
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

static void test_what_cannot_start(void **state)
{
    static const struct {
        const char *json; /* NULL: no configuration */
        bool no_listener, socket;
        const char *error; /* NULL: it starts */
    } cases[] = {
        {NULL, true, true, "no configuration is given"},
        {"{", true, true, "test:1:2: "},
        {"{}", false, false, "port"},
        {"{\"potr\": 1}", true, true, "potr"},
        {"{\"port\": 1, \"ssl\": {\"enable\": true, \"cert\": \"/none\", \"key\": \"/none\"}}",
         true, true, "/none"},
        {"{}", true, false, NULL},
        {"{}", true, true, NULL},
        {"{}", false, true, NULL},
    };
    struct world *w = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct wsp_config *c = cases[i].json ? config_of(cases[i].json) : NULL;
        struct wsp_server_options o = {.config = c, .no_listener = cases[i].no_listener};
        char error[WSP_ERROR_MAX] = "untouched";
        struct wsp_server *s;
        unsigned port;
        int fd = -1;

        if (cases[i].socket) {
            fd = listen_somewhere(&port);
            o.socket = &fd;
            o.socket_count = 1;
        }
        s = wsp_server_new(w->loop, &o, error);
        wsp_config_free(c);
        assert_int_equal(s == NULL, cases[i].error != NULL);
        assert_non_null(strstr(error, cases[i].error ? cases[i].error : "untouched"));
        assert_true(!cases[i].error || fd < 0 || is_closed(fd));
        wsp_server_free(s);
        assert_true(fd < 0 || is_closed(fd));
    }
}

static void test_misuse(void **state)
{
    int fd[9];
    struct world *w = *state;
    struct wsp_server_options o = {.socket = fd, .socket_count = 9};
    char address[WSP_ADDRESS_MAX], error[WSP_ERROR_MAX] = "";
    unsigned port;

    assert_null(wsp_server_new(NULL, NULL, NULL));
    assert_null(wsp_server_new(w->loop, NULL, error));
    assert_string_not_equal(error, "");
    for (size_t i = 0; i < 9; i++)
        fd[i] = listen_somewhere(&port);
    assert_null(wsp_server_new(w->loop, &o, NULL));
    for (size_t i = 0; i < 9; i++)
        assert_true(is_closed(fd[i]));
    fd[0] = listen_somewhere(&port);
    o.socket_count = 1;
    assert_null(wsp_server_new(NULL, &o, error));
    assert_true(is_closed(fd[0]));
    o.socket = NULL;
    assert_null(wsp_server_new(w->loop, &o, error));

    wsp_server_free(NULL);
    assert_int_equal(wsp_server_reload(NULL, NULL, NULL), WSP_ERR_USAGE);
    assert_int_equal(wsp_server_drain(NULL, NULL, NULL), WSP_ERR_USAGE);
    assert_false(wsp_server_address(NULL, 0, address));
    assert_null(wsp_server_status(NULL));
    world_serve(w, PLAIN, NULL, &port);
    assert_false(wsp_server_address(w->server, 0, NULL));
    assert_int_equal(wsp_server_reload(w->server, NULL, error), WSP_ERR_USAGE);
}

static void test_address_and_status(void **state)
{
    struct world *w = *state;
    char address[WSP_ADDRESS_MAX], expected[WSP_ADDRESS_MAX];
    unsigned port;
    char *status;

    world_serve(w, PLAIN, NULL, &port);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u", port);
    assert_true(wsp_server_address(w->server, 0, address));
    assert_string_equal(address, expected);
    assert_false(wsp_server_address(w->server, 1, address));
    status = wsp_server_status(w->server);
    assert_non_null(status);
    assert_int_equal(status[0], '{');
    assert_int_equal(status[strlen(status) - 1], '}');
    assert_non_null(strstr(status, expected));
    free(status);
}

static unsigned judged(struct world *w, const char *secret)
{
    struct wsp_header header[] = {LINK_HEADERS};
    struct wsp_request_head head = {"GET", "/proxy", false, header,
                                    sizeof(header) / sizeof(*header)};
    struct wsp_upgrade u;

    header[6].value = secret;
    assert_int_equal(wsp_server_upgrade(w->server, &head, &u), WSP_OK);
    return u.status;
}

static void test_reload(void **state)
{
    struct world *w = *state;
    struct wsp_config *c = config_of("{\"path\": \"/proxy\", \"auth\": \"another\"}");
    struct wsp_config *wrong = config_of("{\"path\": 1}");
    char error[WSP_ERROR_MAX] = "";

    world_serve(w, PLAIN, NULL, NULL);
    assert_int_equal(judged(w, "another"), 401);
    assert_int_equal(wsp_server_reload(w->server, wrong, error), WSP_ERR_CONFIG);
    assert_string_not_equal(error, "");
    assert_int_equal(judged(w, "secret"), 101);
    assert_int_equal(wsp_server_reload(w->server, c, error), WSP_OK);
    assert_int_equal(judged(w, "secret"), 401);
    assert_int_equal(judged(w, "another"), 101);
    wsp_config_free(wrong);
    wsp_config_free(c);
}

/* A client of the same program, with services of its own. */
static struct wsp_client *client_of(struct world *w, unsigned port, const char *remote)
{
    struct wsp_client_options o = {.config = wsp_config_new()};
    char url[64], error[WSP_ERROR_MAX] = "";
    struct wsp_client *client;

    snprintf(url, sizeof(url), "ws://127.0.0.1:%u/proxy", port);
    wsp_config_set(o.config, "client[+].server", url, NULL);
    wsp_config_set(o.config, "client[].auth", "secret", NULL);
    wsp_config_set(o.config, "client[].remote[]", remote, NULL);
    client = wsp_client_new(w->loop, &o, error);
    assert_string_equal(error, "");
    wsp_config_free(o.config);
    return client;
}

static void test_events_of_links_and_names(void **state)
{
    struct world *w = *state;
    struct wsp_client *first, *second;
    unsigned port;

    world_serve(w, PLAIN, NULL, &port);
    first = client_of(w, port, "http://127.0.0.1:1?mode=path&value=api");
    expect_note(w, "link 1 up");
    expect_note(w, "link 1 registered http:path:api");
    second = client_of(w, port, "http://127.0.0.1:1?mode=path&value=proxy");
    expect_note(w, "link 2 refused http:path:proxy setting the same path as wsps is not allowed");
    wsp_client_free(first);
    expect_note(w, "link 1 gone http:path:api");
    expect_note(w, "link 1 down");
    wsp_client_free(second);
    expect_note(w, "link 2 down");
}

static void on_drained(void *ctx)
{
    note(ctx, "drained\n");
}

static void test_drain(void **state)
{
    struct world *w = *state;
    unsigned port;
    struct heard h = {.len = 0};
    int idle;

    world_serve(w, PLAIN, NULL, &port);
    idle = visit(port);
    say(idle, "GET");
    turn_until_idle(w->loop);
    assert_int_equal(wsp_server_drain(w->server, on_drained, w), WSP_OK);
    assert_int_equal(wsp_server_drain(w->server, on_drained, w), WSP_ERR_USAGE);
    assert_string_equal(w->log, "");
    expect_note(w, "drained");
    expect_end(w, idle, &h);
    turn_until_idle(w->loop);
    assert_string_equal(w->log, "drained\n");
    assert_false(wsp_server_address(w->server, 0, h.text));
    close(idle);
}

static void free_when_drained(void *ctx)
{
    struct world *w = ctx;

    wsp_server_free(w->server);
    wsp_server_free(w->server);
    assert_null(wsp_server_status(w->server));
    assert_int_equal(wsp_server_drain(w->server, NULL, NULL), WSP_ERR_USAGE);
    w->server = NULL;
    note(w, "freed\n");
}

static void test_free_within_a_callback(void **state)
{
    struct world *w = *state;
    unsigned port;

    world_serve(w, PLAIN, NULL, &port);
    assert_int_equal(wsp_server_drain(w->server, free_when_drained, w), WSP_OK);
    expect_note(w, "freed");
    turn_until_idle(w->loop);
}

static void test_free_before_it_was_drained(void **state)
{
    struct world *w = *state;

    world_serve(w, PLAIN, NULL, NULL);
    assert_int_equal(wsp_server_drain(w->server, on_drained, w), WSP_OK);
    wsp_server_free(w->server);
    w->server = NULL;
    turn_until_idle(w->loop);
    assert_string_equal(w->log, "");
}

static void free_with_the_first(void *ctx, const struct wsp_event *e)
{
    struct world *w = ctx;

    assert_int_equal(e->kind, WSP_LINK_UP);
    wsp_server_free(w->server);
    w->server = NULL;
    note(w, "freed\n");
}

static void test_free_within_an_event(void **state)
{
    struct world *w = *state;
    struct wsp_config *c = config_of(PLAIN);
    unsigned port;
    int fd = listen_somewhere(&port), client;
    struct wsp_server_options o = {
        .config = c, .socket = &fd, .socket_count = 1, .event = free_with_the_first, .ctx = w};
    struct heard h = {.len = 0};

    w->server = wsp_server_new(w->loop, &o, NULL);
    assert_non_null(w->server);
    client = visit(port);
    say(client, LINK_REQUEST);
    expect_note(w, "freed");
    expect_end(w, client, &h);
    wsp_config_free(c);
    close(client);
}

static void test_the_loop_goes_first(void **state)
{
    struct world *w = *state;
    unsigned port;
    int visitor;

    world_serve(w, PLAIN, NULL, &port);
    visitor = visit(port);
    turn_until_idle(w->loop);
    wsp_loop_free(w->loop);
    w->loop = NULL;
    wsp_server_free(w->server);
    w->server = NULL;
    close(visitor);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_what_cannot_start),         TEST(test_misuse),
        TEST(test_address_and_status),        TEST(test_reload),
        TEST(test_events_of_links_and_names), TEST(test_drain),
        TEST(test_free_within_a_callback),    TEST(test_free_before_it_was_drained),
        TEST(test_free_within_an_event),      TEST(test_the_loop_goes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
