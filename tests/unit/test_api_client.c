#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "unit/stream_help.h"

static void test_what_cannot_start(void **state)
{
    static const struct {
        const char *json; /* NULL: no configuration */
        const char *error;
    } cases[] = {
        {NULL, "no configuration is given"},
        {"{", "test:1:2: "},
        {"{}", "client"},
        {"{\"client\": [{\"server\": \"http://x\"}]}", "ws://"},
        {"{\"client\": [{\"server\": \"wss://x\", \"ca\": \"/none\"}]}", "/none"},
        {"{\"client\": [{\"server\": \"ws://x\", \"dynamic\": [\"socks5://192.0.2.1:1\"]}]}",
         "192.0.2.1"},
    };
    struct wsp_loop *loop = wsp_loop_new();
    struct wsp_client_options o = {.config = NULL};
    char error[WSP_ERROR_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct wsp_config *c = cases[i].json ? config_of(cases[i].json) : NULL;

        o.config = c;
        error[0] = '\0';
        assert_null(wsp_client_new(loop, &o, error));
        assert_non_null(strstr(error, cases[i].error));
        assert_null(wsp_client_new(loop, &o, NULL));
        wsp_config_free(c);
    }
    assert_null(wsp_client_new(NULL, &o, error));
    assert_string_equal(error, "no loop is given");
    assert_null(wsp_client_new(loop, NULL, error));
    assert_string_equal(error, "no options are given");
    wsp_loop_free(loop);
}

static void test_misuse(void **state)
{
    struct net *n = *state;
    struct wsp_client *const c = NULL;
    struct wsp_target to = {.channel = "x"};
    struct wsp_serve sv = {.channel = "x", .accept = on_accept};
    char error[WSP_ERROR_MAX] = "";

    assert_int_equal(wsp_client_reload(c, NULL, error), WSP_ERR_USAGE);
    assert_int_equal(wsp_client_drain(c, NULL, NULL), WSP_ERR_USAGE);
    assert_int_equal(wsp_client_servers(c) + wsp_client_servers_up(c), 0);
    assert_null(wsp_client_open(c, &to, NULL, NULL, error));
    assert_int_equal(wsp_client_relay(c, &to, -1, NULL, NULL, error), WSP_ERR_USAGE);
    assert_int_equal(wsp_client_serve(c, &sv, error), WSP_ERR_USAGE);
    assert_int_equal(wsp_client_unserve(c, "x", 0), WSP_ERR_USAGE);
    assert_null(wsp_client_status(c));
    wsp_client_free(c);
    assert_int_equal(wsp_client_reload(n->a, NULL, error), WSP_ERR_USAGE);
    assert_string_equal(error, "no configuration is given");
    assert_int_equal(wsp_client_unserve(n->a, NULL, 0), WSP_ERR_USAGE);
    assert_int_equal(wsp_client_servers_up(n->a), 1);
}

static void test_bad_targets(void **state)
{
    char longer[300];
    const struct {
        struct wsp_target target;
        const char *error;
    } cases[] = {
        {{.channel = NULL}, "expected a channel, a host"},
        {{.channel = ""}, "1 to 256 bytes"},
        {{.channel = longer}, "1 to 256 bytes"},
        {{.channel = "x", .password = longer}, "up to 256 bytes"},
        {{.host = "x", .port = 1, .password = "x"}, "belongs to a channel"},
        {{.host = "x"}, "port from 1"},
        {{.host = "x", .port = 65536}, "port from 1"},
        {{.host = "", .port = 1}, "expected a host"},
        {{.host = "[::1]", .port = 1}, "expected a host"},
        {{.host = "a b", .port = 1}, "expected a host"},
        {{.host = longer, .port = 1}, "expected a host"},
        {{.channel = "x", .server = 1}, "no such entry"},
    };
    struct net *n = *state;
    char error[WSP_ERROR_MAX];
    int fd[2];

    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    assert_null(wsp_client_open(n->a, NULL, NULL, NULL, NULL));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        error[0] = '\0';
        assert_null(wsp_client_open(n->a, &cases[i].target, NULL, NULL, error));
        assert_non_null(strstr(error, cases[i].error));
        unix_pair(fd);
        assert_int_equal(wsp_client_relay(n->a, &cases[i].target, fd[0], NULL, NULL, NULL),
                         WSP_ERR_USAGE);
        assert_int_equal(fcntl(fd[0], F_GETFD), -1);
        close(fd[1]);
    }
}

/* ---- what is told */

static void test_events(void **state)
{
    struct net *n = *state;
    char up[64];

    snprintf(up, sizeof(up), "link 1 up ws://127.0.0.1:%u/proxy\n", n->port);
    until(n, strcmp(n->events[0], up) == 0);
    serve(n, n->b, "here", NULL);
    until(n, strstr(n->events[1], "link 1 registered here\n"));
    serve(n, n->a, "here", NULL);
    until(n, strstr(n->events[0], "link 1 refused here\n"));
    assert_int_equal(wsp_client_unserve(n->b, "here", 0), WSP_OK);
    until(n, strstr(n->events[1], "link 1 gone here\n"));
    wsp_server_free(n->w.server);
    n->w.server = NULL;
    until(n, strstr(n->events[0], "link 1 down "));
}

static void free_ctx(void *ctx, const struct wsp_event *e)
{
    struct net *n = ctx;

    (void)e;
    wsp_client_free(n->a);
    assert_int_equal(wsp_client_servers(n->a), 0);
    wsp_client_free(n->a);
    n->a = NULL;
}

static void test_freed_by_an_event(void **state)
{
    struct net *n = *state;
    struct wsp_config *config = client_config(n, "");
    struct wsp_client_options o = {.config = config, .event = free_ctx, .ctx = n};

    wsp_client_free(n->a);
    n->a = wsp_client_new(n->w.loop, &o, NULL);
    wsp_config_free(config);
    until(n, n->a == NULL);
}

static void test_status(void **state)
{
    struct net *n = *state;
    char *text = wsp_client_status(n->a);

    assert_non_null(text);
    assert_int_equal(text[0], '{');
    assert_non_null(strstr(text, "\"clients\""));
    free(text);
}

/* ---- configurations */

static void test_links_only(void **state)
{
    struct net *n = *state;
    struct wsp_config *c = wsp_config_new();
    struct wsp_client_options o = {.config = c, .links_only = true, .event = on_client_event};
    char json[512], events[16384] = "";
    struct wsp_client *client;

    snprintf(json, sizeof(json),
             "{\"client\": [{\"server\": \"ws://127.0.0.1:%u/proxy\", \"auth\": \"secret\", "
             "\"remote\": [\"tcp://kept:@127.0.0.1:1\"], \"local\": [\"tcp://x@192.0.2.1:1\"]}, "
             "{\"server\": \"ws://127.0.0.1:1\"}]}",
             n->port);
    wsp_config_text(c, "test", json, strlen(json));
    o.ctx = events;
    client = wsp_client_new(n->w.loop, &o, NULL);
    assert_non_null(client);
    assert_int_equal(wsp_client_servers(client), 1);
    until(n, wsp_client_servers_up(client));
    assert_int_equal(wsp_client_reload(client, c, NULL), WSP_OK);
    turn_until_idle(n->w.loop);
    assert_null(strstr(events, "kept"));
    wsp_client_free(client);
    wsp_config_free(c);
}

static void reload(struct net *n, struct wsp_client *client, const char *more,
                   enum wsp_err expected)
{
    struct wsp_config *c = client_config(n, more);
    char error[WSP_ERROR_MAX] = "";

    assert_int_equal(wsp_client_reload(client, c, error), expected);
    assert_int_equal(error[0] != '\0', expected != WSP_OK);
    wsp_config_free(c);
}

/* How often `text` is in the log. */
static size_t count(const char *log, const char *text)
{
    size_t n = 0;

    while ((log = strstr(log, text))) {
        log += strlen(text);
        n++;
    }
    return n;
}

static void expect_served(struct net *n)
{
    struct end *e = &n->end[0];

    end_fini(e);
    end_fini(&n->served);
    open_to(e, n->a, (struct wsp_target){.channel = "here"});
    until(n, e->opened && n->served.stream);
}

/* What the program serves is no business of the configuration. */
static void test_reload(void **state)
{
    struct net *n = *state;

    serve(n, n->b, "here", NULL);
    until(n, count(n->events[1], "registered here") == 1);
    reload(n, n->b, ", \"nonsense\": 1", WSP_ERR_CONFIG);
    reload(n, n->b, n->more, WSP_OK);
    expect_served(n);
    assert_int_equal(count(n->events[1], "gone here"), 0);
}

/* Another connection takes the place of the one that served. (In 0.10 the server keeps the name for
 * the old one as long as that has something open.) */
static void test_reload_and_unserve(void **state)
{
    struct net *n = *state;

    serve(n, n->b, "here", NULL);
    until(n, count(n->events[1], "registered here") == 1);
    expect_served(n);
    reload(n, n->b, ", \"headers\": {\"X-Other\": \"1\"}", WSP_OK);
    until(n, count(n->events[1], "registered here") == 2);
    assert_int_equal(count(n->events[1], "gone here"), 1);
    expect_served(n);
    assert_int_equal(wsp_client_unserve(n->b, "here", 0), WSP_OK);
    assert_int_equal(wsp_client_unserve(n->b, "here", 0), WSP_ERR_USAGE);
    until(n, count(n->events[1], "gone here") == 2);
    assert_int_equal(n->served.closed, 0); /* streams go on */
    open_to(&n->end[1], n->a, (struct wsp_target){.channel = "here"});
    until(n, n->end[1].closed);
    assert_int_equal(n->end[1].why, WSP_ERR_REFUSED);
}

/* In 0.10, the server cannot be told that a name is withdrawn, and keeps it. */
static void test_served_again(void **state)
{
    struct net *n = *state;

    for (size_t i = 1; i <= 3; i++) {
        serve(n, n->b, "here", NULL);
        until(n, count(n->events[1], "registered here") == i);
        expect_served(n);
        assert_int_equal(wsp_client_unserve(n->b, "here", 0), WSP_OK);
        until(n, count(n->events[1], "gone here") == i);
    }
}

static void test_bad_names(void **state)
{
    struct net *n = *state;
    char longer[300];
    const struct {
        struct wsp_serve serve;
        const char *error;
    } cases[] = {
        {{.channel = NULL, .accept = on_accept}, "expected a channel"},
        {{.channel = "", .accept = on_accept}, "expected a channel"},
        {{.channel = "x"}, "nobody"},
        {{.channel = "http:path:x", .accept = on_accept}, "http:"},
        {{.channel = longer, .accept = on_accept}, "256 bytes"},
        {{.channel = "x", .password = longer, .accept = on_accept}, "256 bytes"},
        {{.channel = "a\nb", .accept = on_accept}, "control byte"},
        {{.channel = "taken", .accept = on_accept}, "taken"},
        {{.channel = "file", .accept = on_accept}, "taken"},
        {{.channel = "x", .server = 1, .accept = on_accept}, "no such entry"},
    };
    char error[WSP_ERROR_MAX];

    memset(longer, 'a', sizeof(longer) - 1);
    longer[sizeof(longer) - 1] = '\0';
    reload(n, n->b, ", \"remote\": [\"tcp://file@127.0.0.1:1\", \"tcp://a%0ab@127.0.0.1:1\"]",
           WSP_OK);
    until(n, count(n->events[1], "registered a?b\n"));
    serve(n, n->b, "taken", NULL);
    serve(n, n->b, "a name: with /all?@#%", "pass:word@");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        error[0] = '\0';
        assert_int_equal(wsp_client_serve(n->b, &cases[i].serve, error), WSP_ERR_USAGE);
        assert_non_null(strstr(error, cases[i].error));
    }
    assert_int_equal(wsp_client_serve(n->b, NULL, NULL), WSP_ERR_USAGE);
    until(n, count(n->events[1], "registered a name: with /all?@#%"));
    open_to(&n->end[0], n->a,
            (struct wsp_target){.channel = "a name: with /all?@#%", .password = "pass:word@"});
    until(n, n->end[0].opened);
}

/* ---- draining */

static void set_true(void *ctx)
{
    *(bool *)ctx = true;
}

static void test_drain(void **state)
{
    struct net *n = *state;
    struct wsp_target to = {.channel = "here"};
    struct wsp_serve sv = {.channel = "x", .accept = on_accept};
    char error[WSP_ERROR_MAX];

    serve(n, n->b, "here", NULL);
    until(n, count(n->events[1], "registered here"));
    expect_served(n);
    assert_int_equal(wsp_client_drain(n->a, set_true, &n->drained), WSP_OK);
    assert_int_equal(wsp_client_drain(n->a, set_true, &n->drained), WSP_ERR_USAGE);
    assert_null(wsp_client_open(n->a, &to, NULL, NULL, error));
    assert_string_equal(error, "the client is shutting down");
    assert_int_equal(wsp_client_serve(n->a, &sv, NULL), WSP_ERR_USAGE);
    reload(n, n->a, "", WSP_ERR_USAGE);
    turn_until_idle(n->w.loop);
    assert_false(n->drained);
    assert_int_equal(end_write(&n->end[0], 100), 100);
    until(n, n->served.got == 100);
    end_fini(&n->end[0]);
    until(n, n->drained);
    assert_int_equal(wsp_client_servers_up(n->a), 0);
}

/* Who waits for a link gets none any more. */
static void test_drain_while_waiting(void **state)
{
    struct net *n = *state;
    struct wsp_client *c = client_of(n, "", n->events[0]);

    open_to(&n->end[0], c, (struct wsp_target){.channel = "here"});
    assert_int_equal(wsp_client_drain(c, set_true, &n->drained), WSP_OK);
    until(n, n->drained && n->end[0].closed);
    assert_int_equal(n->end[0].why, WSP_ERR_REFUSED);
    wsp_client_free(c);
}

/* ---- relaying */

struct ended {
    struct net *n; /* whose client a is to be freed then; NULL: nobody's */
    unsigned times;
    enum wsp_err why;
    char text[256];
};

static void on_ended(void *ctx, enum wsp_err why, const char *text)
{
    struct ended *e = ctx;

    e->times++;
    e->why = why;
    snprintf(e->text, sizeof(e->text), "%s", text);
    if (e->n) {
        wsp_client_free(e->n->a);
        e->n->a = NULL;
    }
}

static int relay(struct wsp_client *c, struct wsp_target target, struct ended *e)
{
    char error[WSP_ERROR_MAX] = "";
    int fd[2];

    unix_pair(fd);
    wsp_client_relay(c, &target, fd[0], e ? on_ended : NULL, e, error);
    assert_string_equal(error, "");
    return fd[1];
}

static void test_relay(void **state)
{
    struct net *n = *state;
    struct ended ended = {.times = 0};
    struct received got = {0};
    int fd;

    serve(n, n->b, "here", NULL);
    until(n, count(n->events[1], "registered here"));
    fd = relay(n->a, (struct wsp_target){.channel = "here"}, &ended);
    assert_int_equal(send_pattern(fd, 0, 2000), 2000);
    until(n, n->served.got == 2000);
    assert_int_equal(end_write(&n->served, 3000), 3000);
    until_fd(n, fd, (receive_some(fd, &got, SIZE_MAX), got.len == 3000));
    shutdown(fd, SHUT_WR);
    until(n, n->served.heard_end);
    wsp_stream_finish(n->served.stream);
    until_fd(n, fd, receive_some(fd, &got, SIZE_MAX));
    close(fd);
    until(n, ended.times);
    assert_int_equal(ended.why, WSP_OK);
}

static void test_relay_refused(void **state)
{
    struct net *n = *state;
    struct ended ended = {.n = n};
    struct received got = {0};
    int fd;

    fd = relay(n->a, (struct wsp_target){.channel = "nowhere"}, NULL);
    until_fd(n, fd, receive_some(fd, &got, SIZE_MAX));
    close(fd);
    fd = relay(n->a, (struct wsp_target){.channel = "nowhere"}, &ended);
    until(n, ended.times);
    assert_int_equal(ended.why, WSP_ERR_REFUSED);
    assert_non_null(strstr(ended.text, "nowhere"));
    close(fd);
    assert_null(n->a);
}

/* Whatever it does: waits for a link, for the answer, relays, has just ended. */
static void test_relay_and_client_freed(void **state)
{
    struct net *n = *state;
    struct ended ended = {.times = 0};
    struct received got = {0};
    int fd[4];

    serve(n, n->b, "here", NULL);
    until(n, count(n->events[1], "registered here"));
    fd[0] = relay(n->a, (struct wsp_target){.channel = "here"}, &ended);
    until(n, n->served.stream);
    fd[1] = relay(n->a, (struct wsp_target){.channel = "here"}, &ended);
    wsp_client_free(n->a);
    n->a = client_of(n, "", n->events[0]);
    fd[2] = relay(n->a, (struct wsp_target){.channel = "here"}, &ended);
    wsp_client_free(n->a);
    n->a = NULL;
    for (size_t i = 0; i < 3; i++) {
        until_fd(n, fd[i], receive_some(fd[i], &got, SIZE_MAX));
        got = (struct received){0};
        close(fd[i]);
    }
    turn_until_idle(n->w.loop);
    assert_int_equal(ended.times, 0);
}

static void test_relay_waits(void **state)
{
    struct net *n = *state;
    struct ended ended = {.times = 0};
    int fd;

    serve(n, n->b, "here", NULL);
    until(n, count(n->events[1], "registered here"));
    wsp_client_free(n->a);
    n->a = client_of(n, "", n->events[0]);
    fd = relay(n->a, (struct wsp_target){.channel = "here"}, &ended);
    assert_int_equal(send_pattern(fd, 0, 10), 10);
    until(n, n->served.got == 10);
    close(fd);
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    assert_int_equal(
        wsp_client_relay(n->a, &(struct wsp_target){.channel = "here"}, fd, NULL, NULL, NULL),
        WSP_ERR_USAGE);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_cannot_start),
        in_wsp_1(test_misuse),
        in_wsp_1(test_bad_targets),
        in_wsp_1(test_events),
        in_0_10(test_events),
        in_wsp_1(test_freed_by_an_event),
        in_wsp_1(test_status),
        in_wsp_1(test_links_only),
        in_both(test_reload),
        in_wsp_1(test_reload_and_unserve),
        in_both(test_served_again),
        in_wsp_1(test_bad_names),
        in_both(test_drain),
        in_wsp_1(test_drain_while_waiting),
        in_both(test_relay),
        in_wsp_1(test_relay_refused),
        in_wsp_1(test_relay_and_client_freed),
        in_wsp_1(test_relay_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
