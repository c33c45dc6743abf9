/*
 * A server, a client that serves a channel, and a stream through it, while the memory for one
 * allocation after the other is refused: alone, and together with all that follow. Linked with
 * --wrap for malloc, calloc, realloc, free, strdup, strndup and asprintf; cJSON's are among them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include "api/echo.h"
#include "unit/short_memory.h"

enum { BYTES = 200000, NONE = 100000, SHORT_MS = 40, LONG_MS = 20000 };

#define TIMES                                                                                \
    "\"time\": {\"dial\": 0.1, \"open\": 0.1, \"handshake\": 0.1, \"reconnect_min\": 0.01, " \
    "\"reconnect_max\": 0.02}"

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);
int __wrap_asprintf(char **out, const char *format, ...);
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...);
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

char *__wrap_strndup(const char *text, size_t max)
{
    size_t len = 0;
    char *copy;

    while (len < max && text[len])
        len++;
    copy = __wrap_malloc(len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, SIZE_MAX);
}

static int print(char **out, const char *format, va_list ap)
{
    int len = memory_refuses() ? -1 : vasprintf(out, format, ap);

    memory.live += len >= 0;
    return len;
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list ap;
    int len;

    va_start(ap, format);
    len = print(out, format, ap);
    va_end(ap);
    return len;
}

/* The same in a build with _FORTIFY_SOURCE. */
int __wrap___asprintf_chk(char **out, int flag, const char *format, ...)
{
    va_list ap;
    int len;

    (void)flag;
    va_start(ap, format);
    len = print(out, format, ap);
    va_end(ap);
    return len;
}

/* ---- the scenario */

static struct {
    struct wsp_loop *loop;
    struct wsp_server *server;
    struct wsp_client *client;
    struct echo_service service;
    struct caller caller;
    bool named; /* an event told that it is registered, or not */
} have;

static void on_event(void *ctx, const struct wsp_event *e)
{
    (void)ctx;
    have.named |= e->kind == WSP_NAME_REGISTERED || e->kind == WSP_NAME_REFUSED;
}

static struct wsp_config *config_with(const char *format, unsigned port)
{
    struct wsp_config *c = wsp_config_new();
    char text[256];
    int len = snprintf(text, sizeof(text), format, port);

    if (!c || wsp_config_text(c, "test", text, (size_t)len) == WSP_OK)
        return c;
    wsp_config_free(c);
    return NULL;
}

static bool start(struct place place)
{
    struct wsp_config *of_server = config_with("{\"path\": \"/%u\", " TIMES "}", 1);
    struct wsp_config *of_client =
        config_with("{\"client\": [{\"server\": \"ws://127.0.0.1:%u/1\"}], " TIMES "}", place.port);
    struct wsp_server_options server = {
        .config = of_server, .socket = &place.fd, .socket_count = 1};
    struct wsp_client_options client = {.config = of_client, .event = on_event};
    struct wsp_serve serve = {.channel = "echo", .accept = echo_accept, .ctx = &have.service};

    have.loop = wsp_loop_new();
    have.server = wsp_server_new(have.loop, &server, NULL); /* takes the socket in any case */
    have.client = wsp_client_new(have.loop, &client, NULL);
    wsp_config_free(of_server);
    wsp_config_free(of_client);
    return have.client && have.server && wsp_client_serve(have.client, &serve, NULL) == WSP_OK;
}

static bool is_closed(const void *what)
{
    const struct caller *c = what;

    return c->closed;
}

/* The event can be lost, too: who is refused memory does not wait for long. */
static void wait_for_name(void)
{
    unsigned max = memory.fail == NONE ? LONG_MS : SHORT_MS;

    for (unsigned ms = 0; ms < max && !have.named; ms++)
        wsp_loop_wait(have.loop, 1);
}

/* False when memory was short; an open that was asked for is answered in any case. */
static bool talk(struct place place)
{
    const struct wsp_target target = {.channel = "echo"};

    if (!start(place))
        return false;
    wait_for_name();
    have.caller.size = BYTES;
    caller_open(&have.caller, have.client, &target);
    if (!have.caller.stream)
        return false;
    assert_true(until(have.loop, is_closed, &have.caller));
    if (have.caller.why == WSP_OK)
        assert_true(caller_is_content(&have.caller));
    return have.caller.why == WSP_OK;
}

static void end(void)
{
    caller_free(&have.caller);
    wsp_client_free(have.client);
    echo_service_free(&have.service);
    wsp_server_free(have.server);
    wsp_loop_free(have.loop);
}

/* How many allocations there were. */
static unsigned run_with(unsigned n, bool all, bool *ok)
{
    struct place place = place_listen();
    size_t open = descriptors();
    long live = memory.live;

    memset(&have, 0, sizeof(have));
    memory.fail = n;
    memory.all = all;
    memory.count = 0;
    memory.armed = true;
    *ok = talk(place);
    end();
    memory.armed = false;
    assert_int_equal(memory.live, live);
    assert_int_equal(descriptors(), open - 1);
    return memory.count;
}

static void refuse_each(bool all)
{
    unsigned failed = 0, total;
    bool ok;

    run_with(NONE, all, &ok); /* what is loaded once is there now */
    total = run_with(NONE, all, &ok);
    assert_true(ok);
    for (unsigned n = 1; n <= total; n++) {
        run_with(n, all, &ok);
        failed += !ok;
    }
    print_message("%u allocations, %u of them needed\n", total, failed);
    assert_true(failed > 10);
    run_with(NONE, all, &ok);
    assert_true(ok);
}

static void test_one_fails(void **state)
{
    (void)state;
    refuse_each(false);
}

static void test_all_fail(void **state)
{
    (void)state;
    refuse_each(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_fails),
                                       cmocka_unit_test(test_all_fail)};
    cJSON_Hooks hooks = {.malloc_fn = __wrap_malloc, .free_fn = __wrap_free};

    cJSON_InitHooks(&hooks);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
