#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/proxy.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FORM                                                                                \
    "expected http://[user:password@]host[:port], socks5://[user:password@]host[:port] or " \
    "\"none\""

static const char *const variables[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
                                        "HTTPS_PROXY", "all_proxy",  "ALL_PROXY",
                                        "no_proxy",    "NO_PROXY",   "REQUEST_METHOD"};

static int clear_environment(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(variables); i++)
        unsetenv(variables[i]);
    return 0;
}

/* `members` of an entry of `client`. */
static bool load(const char *members, const struct config_proxy_target *target,
                 struct config_proxy *out, char error[CONFIG_ERROR_MAX])
{
    struct json_doc doc;
    struct json_at root;
    bool ok;

    *out = (struct config_proxy){0};
    ok = json_open_text(&doc, "f", slice_str(members)) == WSP_OK && json_root(&doc, &root) &&
         config_proxy_read(&root, target, out);
    memcpy(error, doc.error, CONFIG_ERROR_MAX);
    json_close(&doc);
    return ok;
}

static const struct config_proxy_target plain = {.host = "server.test", .port = 8010};
static const struct config_proxy_target secure = {
    .host = "server.test", .port = 443, .secure = true};

/* ---- the key */

static const struct {
    const char *url;
    enum proxy_kind kind;
    const char *host, *user, *password, *shown;
    unsigned port;
} good[] = {
    {"http://p:3128", PROXY_HTTP, "p", "", "", "http://p:3128", 3128},
    {"HTTP://P.test", PROXY_HTTP, "P.test", "", "", "http://P.test:80", 80},
    {"http://10.0.0.1:8080/", PROXY_HTTP, "10.0.0.1", "", "", "http://10.0.0.1:8080", 8080},
    {"http://[2001:db8::1]:81", PROXY_HTTP, "2001:db8::1", "", "", "http://[2001:db8::1]:81", 81},
    {"http://u:s3cret@p:1", PROXY_HTTP, "p", "u", "s3cret", "http://p:1", 1},
    {"http://u@p:1", PROXY_HTTP, "p", "u", "", "http://p:1", 1},
    {"http://do%5Cm%C3%A4:s3%3acr%40t:%25@p:1", PROXY_HTTP, "p", "do\\m\xc3\xa4", "s3:cr@t:%",
     "http://p:1", 1},
    {"socks5://u%3A:s3cret@p", PROXY_SOCKS5, "p", "u:", "s3cret", "socks5://p:1080", 1080},
    {"socks5h://p:9050", PROXY_SOCKS5, "p", "", "", "socks5://p:9050", 9050},
};

static void test_good(void **state)
{
    char error[CONFIG_ERROR_MAX], text[512];
    struct config_proxy p;

    (void)state;
    setenv("http_proxy", "http://elsewhere:1", 1); /* the key goes first */
    for (size_t i = 0; i < COUNT(good); i++) {
        snprintf(text, sizeof(text), "{\"proxy\":\"%s\"}", good[i].url);
        assert_true(load(text, &plain, &p, error));
        assert_int_equal(p.kind, good[i].kind);
        assert_string_equal(p.host, good[i].host);
        assert_int_equal(p.port, good[i].port);
        assert_string_equal(p.user, good[i].user);
        assert_string_equal(p.password, good[i].password);
        assert_string_equal(p.shown, good[i].shown);
        assert_string_equal(p.origin, "\"proxy\"");
        config_proxy_fini(&p);
    }
    assert_true(load("{\"proxy\":\"none\"}", &plain, &p, error));
    assert_null(p.host);
}

static const struct {
    const char *url, *error;
} bad[] = {
    {"", FORM},
    {"None", FORM},
    {"p:3128", FORM},
    {"//p:3128", FORM},
    {"socks4://p:1080", FORM},
    {"ws://u:s3cret@p:1", FORM},
    {"https://u:s3cret@p:3128",
     "https:// proxies are not supported: expected http:// or socks5://"},
    {"http://", FORM},
    {"http://u:s3cret@", FORM},
    {"http://u:s3cret@:3128", FORM},
    {"http://p:0", FORM},
    {"http://p:65536", FORM},
    {"http://p%00:1", FORM},
    {"http://p$:1", FORM},
    {"http://u:s3cret%zz@p:1", FORM},
    {"http://p:1/s3cret", "expected nothing behind the port"},
    {"http://p:1?s3cret", "expected nothing behind the port"},
    {"http://p:1#s3cret", "expected nothing behind the port"},
    {"http://@p:1", "expected a user before the '@'"},
    {"http://:s3cret@p:1", "expected a user before the '@'"},
    {"http://u:s3cret%0a@p:1", "control bytes are not allowed in user and password"},
    {"socks5://u%00:s3cret@p:1", "control bytes are not allowed in user and password"},
    {"http://u%3a:s3cret@p:1", "a user of an HTTP proxy cannot have a ':'"},
};

static void test_bad(void **state)
{
    char error[CONFIG_ERROR_MAX], text[512], expected[512];
    struct config_proxy p;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        snprintf(text, sizeof(text), "{\"proxy\":\"%s\"}", bad[i].url);
        snprintf(expected, sizeof(expected), "f:1:10: proxy: %s", bad[i].error);
        assert_false(load(text, &plain, &p, error));
        assert_string_equal(error, expected);
        config_proxy_fini(&p);
    }
    snprintf(text, sizeof(text), "{\"proxy\":\"socks5://u:%0256d@p\"}", 0);
    assert_false(load(text, &plain, &p, error));
    assert_string_equal(error, "f:1:10: proxy: user and password can have up to 255 bytes");
    assert_false(load("{\"proxy\":true}", &plain, &p, error));
    assert_string_equal(error, "f:1:10: proxy: expected a string, found true");
}

/* ---- the environment */

struct setting {
    const char *name, *value;
};

static const struct environment {
    struct setting set[3];
    const struct config_proxy_target *target;
    const char *shown, *origin; /* NULL: directly */
} environments[] = {
    {{{NULL, NULL}}, &plain, NULL, NULL},
    {{{"http_proxy", "http://p:1"}}, &plain, "http://p:1", "http_proxy"},
    {{{"http_proxy", "http://p:1"}}, &secure, NULL, NULL},
    {{{"http_proxy", "p:1"}}, &plain, "http://p:1", "http_proxy"},
    {{{"http_proxy", "u:s3cret@p:1/"}}, &plain, "http://p:1", "http_proxy"},
    {{{"http_proxy", ""}, {"HTTP_PROXY", "p"}}, &plain, "http://p:80", "HTTP_PROXY"},
    {{{"http_proxy", "a"}, {"HTTP_PROXY", "b"}}, &plain, "http://a:80", "http_proxy"},
    {{{"HTTP_PROXY", "p"}, {"REQUEST_METHOD", "GET"}}, &plain, NULL, NULL},
    {{{"HTTP_PROXY", "p"}, {"REQUEST_METHOD", "GET"}, {"ALL_PROXY", "q"}},
     &plain,
     "http://q:80",
     "ALL_PROXY"},
    {{{"https_proxy", "p"}}, &plain, NULL, NULL},
    {{{"https_proxy", "p"}}, &secure, "http://p:80", "https_proxy"},
    {{{"HTTPS_PROXY", "socks5h://p"}}, &secure, "socks5://p:1080", "HTTPS_PROXY"},
    {{{"all_proxy", "socks5://p"}}, &plain, "socks5://p:1080", "all_proxy"},
    {{{"all_proxy", "a"}, {"http_proxy", "b"}}, &plain, "http://b:80", "http_proxy"},
    {{{"http_proxy", "p"}, {"no_proxy", "x,.test"}}, &plain, NULL, NULL},
    {{{"http_proxy", "p"}, {"NO_PROXY", "*"}}, &plain, NULL, NULL},
    {{{"http_proxy", "p"}, {"no_proxy", "server.test:80"}}, &plain, "http://p:80", "http_proxy"},
    {{{"http_proxy", "p"}, {"no_proxy", "x"}, {"NO_PROXY", "*"}},
     &plain,
     "http://p:80",
     "http_proxy"},
};

static void test_environment(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct config_proxy p;

    for (size_t i = 0; i < COUNT(environments); i++) {
        const struct environment *e = &environments[i];

        clear_environment(state);
        for (size_t j = 0; j < COUNT(e->set) && e->set[j].name; j++)
            setenv(e->set[j].name, e->set[j].value, 1);
        assert_true(load("{}", e->target, &p, error));
        assert_int_equal(p.host != NULL, e->shown != NULL);
        if (e->shown) {
            assert_string_equal(p.shown, e->shown);
            assert_string_equal(p.origin, e->origin);
        }
        config_proxy_fini(&p);
    }
}

/* What is on this machine is not asked of another one; unless it is said in so many words. */
static void test_loopback(void **state)
{
    static const char *const hosts[] = {"localhost", "LOCALHOST.", "127.0.0.1", "127.1.2.3", "::1"};
    char error[CONFIG_ERROR_MAX];
    struct config_proxy p;

    (void)state;
    setenv("all_proxy", "http://p:1", 1);
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct config_proxy_target target = {.host = hosts[i], .port = 80};

        assert_true(load("{}", &target, &p, error));
        assert_null(p.host);
        assert_true(load("{\"proxy\":\"http://p:1\"}", &target, &p, error));
        assert_non_null(p.host);
        config_proxy_fini(&p);
    }
}

static void test_bad_environment(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct config_proxy p;

    (void)state;
    setenv("http_proxy", "https://u:s3cret@p:1", 1);
    assert_false(load("{}", &plain, &p, error));
    assert_string_equal(error, "f:1:1: environment variable http_proxy: https:// proxies are not "
                               "supported: expected http:// or socks5://; or \"proxy\": \"none\" "
                               "here");
    config_proxy_fini(&p);
    setenv("no_proxy", "*", 1);
    assert_true(load("{}", &plain, &p, error));
    config_proxy_fini(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_good, clear_environment),
        cmocka_unit_test_setup(test_bad, clear_environment),
        cmocka_unit_test_setup(test_environment, clear_environment),
        cmocka_unit_test_setup(test_loopback, clear_environment),
        cmocka_unit_test_setup(test_bad_environment, clear_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
