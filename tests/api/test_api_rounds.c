/*
 * Ten rounds of a whole life: nothing is left of any. Also run under valgrind. What malloc keeps in
 * its cache counts as in use: GLIBC_TUNABLES=glibc.malloc.tcache_count=0 switches it off.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/echo.h"

enum { ROUNDS = 10, WARM = 1, BYTES = 100000 };

static bool is_served(const void *what)
{
    return *(const unsigned *)what > 0;
}

static bool is_over(const void *what)
{
    const struct caller *c = what;

    return c->closed;
}

static void on_event(void *ctx, const struct wsp_event *e)
{
    unsigned *registered = ctx;

    *registered += e->kind == WSP_NAME_REGISTERED;
}

static void live(void)
{
    struct wsp_loop *loop = wsp_loop_new();
    struct place place = place_listen();
    struct wsp_server *server = server_at(loop, place, NULL, NULL);
    struct wsp_target target = {.channel = "echo"};
    struct caller caller = {.size = BYTES};
    struct echo_service service = {.first = NULL};
    unsigned registered = 0;
    struct wsp_client *client = client_of(loop, place.port, on_event, &registered);

    echo_serve(client, "echo", 1, &service);
    REQUIRE(until(loop, is_served, &registered));
    caller_open(&caller, client, &target);
    REQUIRE(until(loop, is_over, &caller) && caller_is_content(&caller));
    caller_free(&caller);
    wsp_client_free(client);
    echo_service_free(&service);
    wsp_server_free(server);
    wsp_loop_free(loop);
}

int main(void)
{
    bool is_exact = getenv("GLIBC_TUNABLES");
    size_t open = descriptors(), bytes = 0;

    for (unsigned i = 0; i < ROUNDS; i++) {
        size_t in_use;

        live();
        REQUIRE(descriptors() == open);
        in_use = mallinfo2().uordblks; /* 0 where malloc is another one */
        printf("round %u: %zu bytes in use\n", i, in_use);
        REQUIRE(!is_exact || i <= WARM || in_use <= bytes); /* what is loaded once stays */
        bytes = in_use;
    }
    return 0;
}
