/*
 * What callbacks may do, which is everything: within each kind of callback each object is freed,
 * alone and with all others in either order, and everything else is asked for. The memory is
 * looked after by the sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/stage.h"

/* ---- what is freed; then the scenario is over */

static void free_streams(struct stage *s)
{
    wsp_stream_free(s->accepting);
    s->accepting = NULL;
    caller_free(&s->caller);
    echo_service_free(&s->service);
    s->is_over = true;
}

/* Until the turn ends, it can still be asked: it does nothing any more. */
static void free_client(struct stage *s)
{
    const struct wsp_target target = {.channel = "echo"};
    struct wsp_client *client = s->client;

    wsp_client_free(client);
    if (client) {
        REQUIRE(!wsp_client_open(client, &target, NULL, NULL, NULL));
        REQUIRE(wsp_client_unserve(client, "echo", 0) == WSP_ERR_USAGE);
        REQUIRE(wsp_client_drain(client, NULL, NULL) == WSP_ERR_USAGE);
        REQUIRE(wsp_client_servers_up(client) == 0);
        wsp_client_free(client);
    }
    s->client = NULL;
    s->is_over = true;
}

static void free_refused(struct stage *s)
{
    wsp_client_free(s->refused);
    s->refused = NULL;
    s->is_over = true;
}

static void free_server(struct stage *s)
{
    struct wsp_server *server = s->server;

    wsp_server_free(server);
    if (server) {
        REQUIRE(wsp_server_drain(server, NULL, NULL) == WSP_ERR_USAGE);
        REQUIRE(!wsp_server_status(server));
        wsp_server_free(server);
    }
    s->server = NULL;
    s->is_over = true;
}

static void close_status(struct stage *s)
{
    wsp_status_close(s->status);
    s->status = NULL;
    s->is_over = true;
}

static void free_loop(struct stage *s)
{
    wsp_loop_free(s->loop);
    s->loop = NULL;
    s->is_over = true;
}

static void free_all(struct stage *s)
{
    free_streams(s);
    free_client(s);
    free_refused(s);
    free_server(s);
    close_status(s);
    free_loop(s);
}

static void free_all_backwards(struct stage *s)
{
    free_loop(s);
    close_status(s);
    free_server(s);
    free_refused(s);
    free_client(s);
    free_streams(s);
}

/* Ends it early, but properly: the scenario's own drains would be refused. */
static void drain_both(struct stage *s)
{
    wsp_client_drain(s->client, NULL, NULL);
    wsp_server_drain(s->server, NULL, NULL);
    s->is_over = true;
}

/* ---- what may be asked for at any time; the scenario goes on */

static void turn_again(struct stage *s)
{
    wsp_loop_turn(s->loop);
    REQUIRE(wsp_loop_wait(s->loop, -1) == WSP_ERR_USAGE);
    REQUIRE(wsp_loop_run(s->loop) == WSP_ERR_USAGE);
    REQUIRE(wsp_loop_timeout_ms(s->loop) >= -1);
}

static void reload(struct stage *s)
{
    struct wsp_config *bad = config_of("{\"nonsense\": 1}");
    struct wsp_config *server = config_of("{\"path\": \"/link\", " SHORT_TIMES "}");

    REQUIRE(!s->client || wsp_client_reload(s->client, bad, NULL) != WSP_OK);
    REQUIRE(!s->server || wsp_server_reload(s->server, bad, NULL) != WSP_OK);
    if (s->server)
        wsp_server_reload(s->server, server, NULL); /* it may be draining */
    wsp_config_free(server);
    wsp_config_free(bad);
}

static void open_more(struct stage *s)
{
    const struct wsp_target target = {.channel = "nobody"};

    wsp_stream_free(wsp_client_open(s->client, &target, NULL, NULL, NULL));
}

static void serve_more(struct stage *s)
{
    const struct wsp_serve serve = {.channel = "more", .accept = echo_accept, .ctx = &s->service};

    if (wsp_client_serve(s->refused, &serve, NULL) == WSP_OK)
        REQUIRE(wsp_client_unserve(s->refused, "more", 0) == WSP_OK);
}

static void open_and_free_loops(struct stage *s)
{
    struct place place = place_listen();
    struct wsp_loop *loop = wsp_loop_new();
    struct wsp_server *server = server_at(loop, place, NULL, NULL);

    (void)s;
    settle(loop);
    wsp_loop_free(loop);
    wsp_server_free(server);
}

/* ---- */

struct action {
    const char *name;
    void (*act)(struct stage *s);
};

#define ACTION(function)    \
    {                       \
#function, function \
    }

static const struct action endings[] = {
    ACTION(free_streams), ACTION(free_client),        ACTION(free_refused),
    ACTION(free_server),  ACTION(close_status),       ACTION(free_loop),
    ACTION(free_all),     ACTION(free_all_backwards), ACTION(drain_both),
};

static const struct action requests[] = {
    ACTION(turn_again),          ACTION(reload), ACTION(open_more), ACTION(serve_more),
    ACTION(open_and_free_loops),
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static void require_seen(const struct stage *s, enum moment m)
{
    if (!s->seen[m])
        print_message("%d is never called\n", (int)m);
    REQUIRE(s->seen[m] > 0);
}

static void test_all_is_freed_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(endings); i++)
        for (enum moment m = 0; m < MOMENTS; m++) {
            struct stage stage = {.act = endings[i].act, .when = m};

            print_message("%s at %d\n", endings[i].name, (int)m);
            stage_play(&stage);
            require_seen(&stage, m);
        }
}

static void test_all_is_asked_for_everywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct stage stage = {.act = requests[i].act, .when = MOMENTS};

        print_message("%s\n", requests[i].name);
        stage_play(&stage);
        for (enum moment m = 0; m < MOMENTS; m++)
            require_seen(&stage, m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_is_asked_for_everywhere),
                                       cmocka_unit_test(test_all_is_freed_anywhere)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
