#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/no_proxy.h"

static const struct {
    const char *list, *host;
    bool matches;
} cases[] = {
    {"", "a.test", false},
    {" , ,", "a.test", false},
    {"*", "a.test", true},
    {"*", "10.0.0.1", true},
    {"b,*", "::1", true},
    {"a.test", "a.test", true},
    {"a.test", "A.Test.", true},
    {"a.test", "x.a.test", true},
    {"a.test", "xa.test", false},
    {"a.test", "test", false},
    {".a.test", "x.a.test", true},
    {".a.test", "a.test", true},
    {"*.a.test", "x.y.a.test", true},
    {"*.a.test", "b.test", false},
    {"b.test, a.test", "a.test", true},
    {"b.test a.test", "a.test", true},
    {"a.test:8010", "a.test", true},
    {"a.test:80", "a.test", false},
    {"10.0.0.1", "10.0.0.1", true},
    {"10.0.0.1:80", "10.0.0.1", false},
    {"10.0.0.0/8", "10.200.3.4", true},
    {"10.0.0.0/8", "11.0.0.1", false},
    {"10.0.0.0/33,10.0.0.1", "10.0.0.1", true},
    {"10.0.0.1", "10.0.0.1.test", false},
    {"::1", "::1", true},
    {"[::1]", "::1", true},
    {"[::1]:8010", "::1", true},
    {"2001:db8::/32", "2001:db8:1::2", true},
    {"10.0.0.1", "::ffff:10.0.0.1", true},
    {"..,/,:,a b:x,*x", "a.test", false},
    {".", "a.test", false},
};

static void test_no_proxy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].list);
        uint8_t *copy = malloc(len + 1); /* without its NUL, so that ASan sees a read past it */

        memcpy(copy, cases[i].list, len);
        copy = realloc(copy, len ? len : 1);
        if (no_proxy_matches(slice_of(copy, len), cases[i].host, 8010) != cases[i].matches)
            fail_msg("\"%s\" and %s", cases[i].list, cases[i].host);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_proxy)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
