/* Which entries a reload leaves alone (config/wspc_same.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "config/wspc_same.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void load(struct wspc_config *c, const char *keys)
{
    char text[1024], error[CONFIG_ERROR_MAX];

    snprintf(text, sizeof(text), "{\"client\":[{%s}]}", keys);
    wspc_config_init(c);
    if (wspc_config_load(c, &(struct config_source){.file = "x", .text = slice_str(text)}, error) !=
        WSP_OK)
        fail_msg("%s", error);
}

struct row {
    const char *a, *b;
    bool same;
};

#define SERVER "\"server\":\"ws://h/p\""

static void test_connection(void **state)
{
    static const struct row rows[] = {
        {SERVER, SERVER, true},
        {SERVER, "\"server\":\"ws://h:81/p\"", false},
        {SERVER, "\"server\":\"ws://h/q\"", false},
        {SERVER, SERVER ",\"auth\":\"x\"", false},
        {SERVER ",\"auth\":\"\"", SERVER, true},
        {SERVER ",\"auth\":\"x\"", SERVER ",\"auth\":\"y\"", false},
        {SERVER, SERVER ",\"dialect\":\"0.10\"", false},
        {SERVER, SERVER ",\"dialect\":\"auto\"", true},
        {SERVER, SERVER ",\"connections\":2", false},
        {SERVER, SERVER ",\"connections\":1", true},
        {SERVER, SERVER ",\"headers\":{\"X-A\":\"1\"}", false},
        {SERVER, SERVER ",\"headers\":{\"Host\":\"g\"}", false},
        {SERVER, SERVER ",\"dynamic_auth\":\"u:p\"", true},
        {SERVER, SERVER ",\"dynamic\":[\"http://:80\"],\"remote\":[\"tcp://a@b:1\"]", true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wspc_config a, b;

        load(&a, rows[i].a);
        load(&b, rows[i].b);
        if (wspc_client_same_connection(&a.client[0], &b.client[0]) != rows[i].same)
            fail_msg("row %zu: %s", i, rows[i].b);
        wspc_config_fini(&a);
        wspc_config_fini(&b);
    }
}

static void test_listener(void **state)
{
    static const struct row rows[] = {
        {"\"dynamic\":[\"socks5://127.0.0.1:1080\"]", "\"dynamic\":[\"socks5://127.0.0.1:1080\"]",
         true},
        {"\"dynamic\":[\"socks5://127.0.0.1:1080\"]", "\"dynamic\":[\"socks5://127.0.0.1:1081\"]",
         false},
        {"\"dynamic\":[\"socks5://127.0.0.1:1080\"]", "\"dynamic\":[\"http://127.0.0.1:1080\"]",
         false},
        {"\"dynamic\":[\"socks5://:1080\"]", "\"dynamic\":[\"socks5://127.0.0.1:1080\"]", false},
        {"\"dynamic\":[\"socks5://:1080\"]", "\"dynamic\":[\"socks5://a@:1080\"]", false},
        {"\"local\":[\"tcp://a:b@:1080\"]", "\"local\":[\"tcp://a:b@:1080\"]", true},
        {"\"local\":[\"tcp://a:b@:1080\"]", "\"local\":[\"tcp://a:c@:1080\"]", false},
        {"\"local\":[\"tcp://a:b@:1080\"]", "\"local\":[\"tcp://a@:1080\"]", false},
        {"\"local\":[\"unix://a@/x\"]", "\"local\":[\"unix://a@/y\"]", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wspc_config a, b;
        char text[512];

        snprintf(text, sizeof(text), SERVER ",%s", rows[i].a);
        load(&a, text);
        snprintf(text, sizeof(text), SERVER ",%s", rows[i].b);
        load(&b, text);
        if (wspc_listener_same(&a.client[0].listener[0], &b.client[0].listener[0]) != rows[i].same)
            fail_msg("row %zu: %s", i, rows[i].b);
        wspc_config_fini(&a);
        wspc_config_fini(&b);
    }
}

static void test_remote(void **state)
{
    static const struct row rows[] = {
        {"tcp://a:b@h:1", "tcp://a:b@h:1", true},
        {"tcp://a:b@h:1", "tcp://a:c@h:1", false},
        {"tcp://a:b@h:1", "tcp://a:b@h:2", false},
        {"http://h:1?mode=path&value=x", "http://h:1?mode=path&value=x", true},
        {"http://h:1?mode=path&value=x", "http://h:1/b?mode=path&value=x", false},
        {"https://h:1?mode=path&value=x", "https://h:1?mode=path&value=x&insecure=1", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wspc_config a, b;
        char text[512];

        snprintf(text, sizeof(text), SERVER ",\"remote\":[\"%s\"]", rows[i].a);
        load(&a, text);
        snprintf(text, sizeof(text), SERVER ",\"remote\":[\"%s\"]", rows[i].b);
        load(&b, text);
        if (wspc_remote_same(&a.client[0].remote[0], &b.client[0].remote[0]) != rows[i].same)
            fail_msg("row %zu: %s", i, rows[i].b);
        wspc_config_fini(&a);
        wspc_config_fini(&b);
    }
}

/* An entry can outlive its configuration. */
static void test_take(void **state)
{
    struct wspc_config c;
    struct wspc_client *taken;

    (void)state;
    load(&c, SERVER ",\"auth\":\"x\",\"remote\":[\"tcp://a@b:1\"]");
    taken = wspc_client_take(&c.client[0]);
    assert_non_null(taken);
    assert_null(c.client[0].server);
    wspc_config_fini(&c);
    assert_string_equal(taken->auth, "x");
    assert_string_equal(taken->remote[0].name, "a");
    wspc_client_free(taken);
    wspc_client_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_listener),
        cmocka_unit_test(test_remote),
        cmocka_unit_test(test_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
