#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/http1.h"

#define TEXT(s)                             \
    {                                       \
        (const uint8_t *)(s), sizeof(s) - 1 \
    }
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

static void test_authority(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        int port;
    } cases[] = {
        {"example.org", "example.org", -1},
        {"Example.ORG:443", "Example.ORG", 443},
        {"a_b-c.d.:0", "a_b-c.d.", 0},
        {"127.0.0.1:65535", "127.0.0.1", 65535},
        {"h:00080", "h", 80},
        {"[::1]", "::1", -1},
        {"[2001:DB8::1]:8080", "2001:DB8::1", 8080},
        {"[::ffff:1.2.3.4]:1", "::ffff:1.2.3.4", 1},
        {"~!$&'()*+,;=", "~!$&'()*+,;=", -1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice host;
        int port;

        assert_int_equal(http1_authority_parse(slice_str(cases[i].text), &host, &port), WSP_OK);
        assert_true(slice_eq_str(host, cases[i].host));
        assert_int_equal(port, cases[i].port);
    }
}

/* Each in an exactly sized buffer, so that ASan sees a read past it. */
static void test_bad_authority(void **state)
{
    static const struct slice cases[] = {
        TEXT(""),
        TEXT(":"),
        TEXT(":80"),
        TEXT("h:"),
        TEXT("h:x"),
        TEXT("h:80x"),
        TEXT("h: 80"),
        TEXT("h:+80"),
        TEXT("h:-1"),
        TEXT("h:65536"),
        TEXT("h:99999999999999999999"),
        TEXT("h:000080"),
        TEXT("h:80:80"),
        TEXT("h::80"),
        TEXT("user@h"),
        TEXT("user:pw@h:80"),
        TEXT("@h"),
        TEXT("h@"),
        TEXT("::1"),
        TEXT("2001:db8::1"),
        TEXT("[::1"),
        TEXT("::1]"),
        TEXT("["),
        TEXT("]"),
        TEXT("[]"),
        TEXT("[]:80"),
        TEXT("[::1]80"),
        TEXT("[::1]:"),
        TEXT("[::1]x:80"),
        TEXT("x[::1]:80"),
        TEXT("[[::1]]"),
        TEXT("[::1]]"),
        TEXT("[1.2.3.4]"),
        TEXT("[h]"),
        TEXT("[v1.x]"),
        TEXT("[fe80::1%25eth0]"),
        TEXT("[fe80::1%eth0]"),
        TEXT("[::1\0]"),
        TEXT("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]"),
        TEXT("h/"),
        TEXT("h?"),
        TEXT("h#"),
        TEXT("h\\x"),
        TEXT("h%41"),
        TEXT("a b"),
        TEXT(" h"),
        TEXT("h "),
        TEXT("h\t"),
        TEXT("h\0"),
        TEXT("h\r\n"),
        TEXT("h\x7f"),
        TEXT("h\xc3\xa4"),
        TEXT("<h>"),
        TEXT("\"h\""),
        TEXT("a|b"),
        TEXT("{h}"),
        TEXT("h^"),
        TEXT("`h`"),
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t *copy = malloc(cases[i].len ? cases[i].len : 1);
        struct slice host = slice_str("untouched");
        int port = 7;

        memcpy(copy, cases[i].p, cases[i].len);
        assert_int_equal(http1_authority_parse(slice_of(copy, cases[i].len), &host, &port),
                         WSP_ERR_MALFORMED);
        assert_true(slice_eq_str(host, "untouched"));
        assert_int_equal(port, 7);
        free(copy);
    }
    assert_int_equal(http1_authority_parse(slice_of(NULL, 0), &(struct slice){0}, &(int){0}),
                     WSP_ERR_MALFORMED);
}

static void test_absolute(void **state)
{
    static const struct {
        const char *target;
        const char *scheme;
        const char *authority;
        const char *path;
    } cases[] = {
        {"http://www.example.org/pub/WWW/", "http", "www.example.org", "/pub/WWW/"},
        {"http://www.example.org:8001", "http", "www.example.org:8001", ""},
        {"HTTPS://h?a=/b", "HTTPS", "h", "?a=/b"},
        {"http://[::1]:80/?", "http", "[::1]:80", "/?"},
        {"http://h//x://y", "http", "h", "//x://y"},
        {"a+b-c.1://user:pw@h/", "a+b-c.1", "user:pw@h", "/"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice scheme, authority, path;

        assert_int_equal(
            http1_absolute_split(slice_str(cases[i].target), &scheme, &authority, &path), WSP_OK);
        assert_true(slice_eq_str(scheme, cases[i].scheme));
        assert_true(slice_eq_str(authority, cases[i].authority));
        assert_true(slice_eq_str(path, cases[i].path));
    }
}

static void test_bad_absolute(void **state)
{
    static const char *const cases[] = {
        "",         "/",       "*",         "/a://b",     "h:80",      "http",      "http:",
        "http:/",   "http://", "http:///a", "http://?a",  "://h/",     "1http://h", "+a://h",
        "ht_p://h", "http//h", "http:h",    "http:\\\\h", "http;://h", "http:/h/",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct slice scheme, authority, path;
        size_t len = strlen(cases[i]);
        uint8_t *copy = malloc(len ? len : 1);

        memcpy(copy, cases[i], len);
        assert_int_equal(http1_absolute_split(slice_of(copy, len), &scheme, &authority, &path),
                         WSP_ERR_MALFORMED);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_authority),
        cmocka_unit_test(test_bad_authority),
        cmocka_unit_test(test_absolute),
        cmocka_unit_test(test_bad_absolute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
