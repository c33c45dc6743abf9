/* Values that make no sense: each is answered by an error, and nothing of it stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/rows.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct {
    struct wsp_loop *loop;
    struct wsp_server *server;
    struct wsp_client *client;
    struct place nowhere; /* where it connects to, and nobody answers */
    char *endless;        /* a text that is too long for anything */
} have;

enum { ENDLESS = 3 << 20 };

static int setup(void **state)
{
    (void)state;
    have.nowhere = place_listen();
    have.loop = wsp_loop_new();
    have.server = server_at(have.loop, place_listen(), NULL, NULL);
    have.client = client_of(have.loop, have.nowhere.port, NULL, NULL);
    have.endless = malloc(ENDLESS + 1);
    REQUIRE(have.endless);
    memset(have.endless, '[', ENDLESS);
    have.endless[ENDLESS] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    settle(have.loop);
    wsp_client_free(have.client);
    wsp_server_free(have.server);
    wsp_loop_free(have.loop);
    close(have.nowhere.fd);
    free(have.endless);
    return 0;
}

/* ---- configurations */

/* As a server and as a client: nobody takes it, and everybody says why. */
static void is_no_config(struct wsp_config *config)
{
    struct wsp_server_options server = {.config = config};
    struct wsp_client_options client = {.config = config};

    REQUIRE(told(wsp_config_check(config, WSP_SERVER, NULL, unsaid()) != WSP_OK));
    REQUIRE(told(wsp_config_check(config, WSP_CLIENT, NULL, unsaid()) != WSP_OK));
    REQUIRE(told(!wsp_server_new(have.loop, &server, unsaid())));
    REQUIRE(told(!wsp_client_new(have.loop, &client, unsaid())));
    REQUIRE(told(wsp_server_reload(have.server, config, unsaid()) != WSP_OK));
    REQUIRE(told(wsp_client_reload(have.client, config, unsaid()) != WSP_OK));
}

static void test_texts(void **state)
{
    static const char *const texts[] = {
        "",
        "{",
        "[]",
        "\"port\"",
        "null",
        "{\"port\": 8010",
        "{\"a\":1}",
        "{\"port\": 99999}",
        "{\"client\": []}",
        "{\"client\": [{}]}",
        "\xff",
        "{\"port\": 1e999}",
        "{\"port\": -1}",
        "{\"port\": \"8010\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct wsp_config *c = wsp_config_new();

        REQUIRE(wsp_config_text(c, i % 2 ? "" : "name", texts[i], strlen(texts[i])) == WSP_OK);
        is_no_config(c);
        wsp_config_free(c);
    }
}

static void test_endless_texts(void **state)
{
    struct wsp_config *c = wsp_config_new();

    (void)state;
    REQUIRE(wsp_config_text(c, "a", "{", SIZE_MAX) == WSP_ERR_USAGE);
    if (wsp_config_text(c, "endless", have.endless, ENDLESS) == WSP_OK)
        is_no_config(c);
    if (wsp_config_text(c, have.endless, "{", 1) == WSP_OK)
        is_no_config(c);
    if (wsp_config_text(c, "deep", have.endless, 500000) == WSP_OK)
        is_no_config(c);
    if (wsp_config_file(c, have.endless) == WSP_OK)
        is_no_config(c);
    REQUIRE(wsp_config_file(c, "/") == WSP_OK);
    is_no_config(c);
    wsp_config_free(c);
}

static void test_keys(void **state)
{
    static const char *const keys[] = {
        "",
        ".",
        "..",
        "[]",
        "[+]",
        "[",
        "]",
        "client[",
        "a..b",
        ".port",
        "port.",
        "client[-1].server",
        "client[0]",
        "client[+]",
        "port[]",
        "port.a",
        "client[].client[+]",
        "log[+].level",
        "client[+].server[+]",
        "a\nb",
        "a\"b",
        "\xff",
        "client[+].[+]",
    };
    size_t len = strlen(have.endless);

    (void)state;
    for (size_t i = 0; i <= COUNT(keys) + 1; i++) {
        struct wsp_config *c = wsp_config_new();
        const char *key = i < COUNT(keys) ? keys[i] : have.endless;
        enum wsp_err err;

        if (i > COUNT(keys)) /* "a.a.a.a" */
            for (size_t k = 0; k < len; k++)
                have.endless[k] = k % 2 ? '.' : 'a';
        err = wsp_config_set(c, key, "1", i % 2 ? "" : NULL);
        if (err == WSP_OK)
            is_no_config(c);
        else
            REQUIRE(err == WSP_ERR_USAGE);
        wsp_config_free(c);
    }
}

static void test_values(void **state)
{
    const double numbers[] = {NAN, INFINITY, -INFINITY, -1, 0, 1e308, 65536, 0.5, -0.0};

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        struct wsp_config *c = wsp_config_new();
        enum wsp_err err = wsp_config_set_number(c, "port", numbers[i], NULL);

        REQUIRE(err == WSP_OK || err == WSP_ERR_USAGE);
        is_no_config(c);
        wsp_config_free(c);
    }
}

static void test_origin_is_cut(void **state)
{
    struct wsp_config *c = wsp_config_new();

    (void)state;
    REQUIRE(wsp_config_set(c, "port", have.endless, have.endless) != WSP_ERR_NOMEM);
    is_no_config(c);
    wsp_config_free(c);
}

/* ---- loops */

static void test_loop(void **state)
{
    struct wsp_loop *loop = wsp_loop_new();
    const struct row rows[] = {
        QUIET(wsp_loop_set_log(loop, (enum wsp_log_level)99, NULL, NULL)),
        QUIET(wsp_loop_set_log(loop, (enum wsp_log_level) - 9, NULL, NULL)),
        QUIET(wsp_loop_wake(loop)),
        ROW(wsp_loop_wait(loop, -7) == WSP_OK),
        QUIET(wsp_loop_wake(loop)),
        ROW(wsp_loop_wait(loop, 0x7fffffff) == WSP_OK),
        ROW(wsp_loop_wait(loop, 0) == WSP_ERR_MORE),
        QUIET(wsp_loop_stop(loop)),
        QUIET(wsp_loop_stop(loop)),
        ROW(wsp_loop_run(loop) == WSP_OK), /* it was stopped before */
        QUIET(wsp_loop_free(loop)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

/* ---- servers */

static void test_sockets(void **state)
{
    struct wsp_config *config = config_of("{\"path\": \"/link\"}");
    const int bad[] = {-1, 1 << 20};
    int file[9];
    struct wsp_server_options options = {.config = config, .socket = file, .socket_count = 9};

    (void)state;
    for (unsigned i = 0; i < 9; i++)
        file[i] = lent_socket();
    REQUIRE(told(!wsp_server_new(have.loop, &options, unsaid()))); /* one too many */
    REQUIRE(is_closed());
    options = (struct wsp_server_options){.config = config, .socket_count = 3};
    REQUIRE(told(!wsp_server_new(have.loop, &options, unsaid()))); /* of none */
    options = (struct wsp_server_options){.config = config, .socket = bad, .socket_count = 2};
    REQUIRE(told(!wsp_server_new(have.loop, &options, unsaid())));
    options = (struct wsp_server_options){.config = config};
    REQUIRE(told(!wsp_server_new(have.loop, &options, unsaid()))); /* nor a port */
    wsp_config_free(config);
}

static void test_addresses(void **state)
{
    char address[WSP_ADDRESS_MAX];
    const struct row rows[] = {
        ROW(wsp_server_address(have.server, 0, address)),
        ROW(strncmp(address, "127.0.0.1:", 10) == 0),
        ROW(!wsp_server_address(have.server, 1, address)),
        ROW(!wsp_server_address(have.server, SIZE_MAX, address)),
    };

    (void)state;
    CHECK_ROWS(rows);
}

static void test_heads(void **state)
{
    const struct wsp_header odd[] = {{NULL, NULL},          {"", ""},
                                     {"Host", NULL},        {"A\r\nB", "c"},
                                     {"Host", "a\r\nb: c"}, {have.endless, have.endless}};
    const struct wsp_request_head heads[] = {
        {.method = "", .target = ""},
        {.method = "GET", .target = NULL},
        {.method = NULL, .target = "/"},
        {.method = "G T", .target = "/"},
        {.method = "GET", .target = "no slash"},
        {.method = "GET", .target = "/a\r\nb"},
        {.method = have.endless, .target = "/"},
        {.method = "GET", .target = have.endless},
        {.method = "GET", .target = "/", .header_count = 5},
        {.method = "GET", .target = "/", .header = odd, .header_count = 1},
        {.method = "GET", .target = "/", .header = odd + 1, .header_count = 1},
        {.method = "GET", .target = "/", .header = odd + 2, .header_count = 1},
        {.method = "GET", .target = "/", .header = odd + 3, .header_count = 1},
        {.method = "GET", .target = "/", .header = odd + 4, .header_count = 1},
        {.method = "GET", .target = "/", .header = odd + 5, .header_count = 1},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        struct wsp_connection connection = {.fd = lent_socket(), .peer = "nobody"};
        struct wsp_upgrade upgrade;
        enum wsp_err err;

        REQUIRE(wsp_server_match(have.server, &heads[i]) == WSP_MATCH_NONE);
        err = wsp_server_upgrade(have.server, &heads[i], &upgrade);
        REQUIRE(err == WSP_ERR_USAGE || (err == WSP_OK && upgrade.status >= 400));
        err = wsp_server_take(have.server, &heads[i], &connection, NULL);
        REQUIRE(err != WSP_OK && is_closed());
    }
}

static ssize_t no_recv(void *ctx, void *out, size_t cap)
{
    (void)ctx;
    (void)out;
    return (ssize_t)cap;
}

static void no_close(void *ctx, bool reset)
{
    (void)ctx;
    (void)reset;
    fputs("closed is for what was taken\n", stderr);
    abort();
}

static void test_connections(void **state)
{
    const struct wsp_request_head head = {.method = "GET", .target = "/"};
    int pipe_end[2];
    struct wsp_connection lacking[] = {
        {.fd = -1, .recv = no_recv, .closed = no_close},
        {.fd = -1, .closed = no_close},
        {.fd = 1 << 20},
        {.fd = 1 << 20, .closed = no_close},
        {.fd = -5},
        {.fd = -1, .early_len = 5},
    };
    struct wsp_connection early = {.fd = lent_socket(), .early_len = 7};
    struct wsp_guest *guest = NULL;

    (void)state;
    for (size_t i = 0; i < COUNT(lacking); i++)
        REQUIRE(wsp_server_take(have.server, &head, &lacking[i], &guest) != WSP_OK && !guest);
    REQUIRE(wsp_server_take(have.server, &head, &early, NULL) == WSP_ERR_USAGE);
    REQUIRE(is_closed());
    REQUIRE(pipe(pipe_end) == 0); /* no socket: it is an error now, or the connection's end */
    early = (struct wsp_connection){.fd = pipe_end[0]};
    wsp_server_take(have.server, &head, &early, NULL);
    settle(have.loop);
    close(pipe_end[1]);
}

/* ---- clients */

static void test_targets(void **state)
{
    const struct wsp_target targets[] = {
        {.channel = ""},
        {.channel = have.endless},
        {.host = ""},
        {.host = "a"},
        {.host = "a", .port = 65536},
        {.host = "a", .port = UINT32_MAX},
        {.host = "a b", .port = 80},
        {.host = "a\r\nb", .port = 80},
        {.host = have.endless, .port = 80},
        {.port = 80},
        {.channel = "a", .password = have.endless},
        {.channel = "a", .server = 1},
        {.channel = "a", .server = SIZE_MAX},
        {.channel = "a", .host = "b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(targets); i++) {
        REQUIRE(told(!wsp_client_open(have.client, &targets[i], NULL, NULL, unsaid())));
        REQUIRE(told(wsp_client_relay(have.client, &targets[i], lent_socket(), NULL, NULL,
                                      unsaid()) != WSP_OK));
        REQUIRE(is_closed());
    }
}

static void test_relayed_descriptors(void **state)
{
    const struct wsp_target target = {.channel = "a"};
    const int bad[] = {-1, -100, 1 << 20};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        REQUIRE(
            told(wsp_client_relay(have.client, &target, bad[i], NULL, NULL, unsaid()) != WSP_OK));
    REQUIRE(wsp_client_relay(have.client, &target, lent_socket(), NULL, NULL, NULL) == WSP_OK);
}

static bool accept_none(void *ctx, struct wsp_stream *stream)
{
    (void)ctx;
    (void)stream;
    return false;
}

static void test_serves(void **state)
{
    const struct wsp_serve serves[] = {
        {.channel = "", .accept = accept_none},
        {.channel = have.endless, .accept = accept_none},
        {.channel = "http:path:a", .accept = accept_none},
        {.channel = "a", .accept = accept_none, .server = 1},
        {.channel = "a", .accept = accept_none, .server = SIZE_MAX},
        {.channel = "a", .accept = accept_none, .password = have.endless},
        {.channel = "taken", .accept = accept_none},
    };
    struct wsp_serve good = {.channel = "taken", .accept = accept_none};

    (void)state;
    REQUIRE(wsp_client_serve(have.client, &good, NULL) == WSP_OK);
    for (size_t i = 0; i < COUNT(serves); i++)
        REQUIRE(told(wsp_client_serve(have.client, &serves[i], unsaid()) == WSP_ERR_USAGE));
    REQUIRE(wsp_client_unserve(have.client, "", 0) == WSP_ERR_USAGE);
    REQUIRE(wsp_client_unserve(have.client, "taken", 1) == WSP_ERR_USAGE);
    REQUIRE(wsp_client_unserve(have.client, "other", 0) == WSP_ERR_USAGE);
    REQUIRE(wsp_client_unserve(have.client, "taken", 0) == WSP_OK);
    REQUIRE(wsp_client_unserve(have.client, "taken", 0) == WSP_ERR_USAGE);
}

static char *no_document(void *ctx)
{
    (void)ctx;
    return NULL;
}

static void test_status_places(void **state)
{
    const char *const paths[] = {"/", "/nowhere/at/all", have.endless};

    (void)state;
    for (size_t i = 0; i < COUNT(paths); i++) {
        struct wsp_status_options options = {
            .program = "wsps", .version = "1", .path = paths[i], .document = no_document};

        REQUIRE(told(!wsp_status_open(have.loop, &options, unsaid())));
    }
}

#define WITH_ALL(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ALL(test_texts),         WITH_ALL(test_endless_texts),
        WITH_ALL(test_keys),          WITH_ALL(test_values),
        WITH_ALL(test_origin_is_cut), WITH_ALL(test_loop),
        WITH_ALL(test_sockets),       WITH_ALL(test_addresses),
        WITH_ALL(test_heads),         WITH_ALL(test_connections),
        WITH_ALL(test_targets),       WITH_ALL(test_relayed_descriptors),
        WITH_ALL(test_serves),        WITH_ALL(test_status_places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
