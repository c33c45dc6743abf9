#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/forwarded_for.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static void test_cut(void **state)
{
    static const struct {
        const char *list;
        const char *entries[5]; /* from the last on */
    } cases[] = {
        {"", {""}},
        {"192.0.2.1", {"192.0.2.1"}},
        {"a, b\t ,c", {"c", "b", "a"}},
        {" , a,,", {"", "", "a", ""}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct slice list = slice_str(cases[i].list), entry;

        for (size_t n = 0; cases[i].entries[n]; n++) {
            bool more = forwarded_for_cut(&list, &entry);

            assert_true(slice_eq_str(entry, cases[i].entries[n]));
            assert_int_equal(more, n + 1 < COUNT(cases[i].entries) && cases[i].entries[n + 1]);
        }
    }
}

static void test_parse(void **state)
{
    static const struct {
        const char *entry;
        const char *ip; /* NULL: it is none */
        uint16_t port;
    } cases[] = {
        {"192.0.2.1", "192.0.2.1", 0},
        {"192.0.2.1:65535", "192.0.2.1", 65535},
        {"::1", "::1", 0},
        {"2001:db8::1:80", "2001:db8::1:80", 0},
        {"[2001:db8::1]", "2001:db8::1", 0},
        {"[2001:db8::1]:80", "2001:db8::1", 80},
        {"::ffff:192.0.2.1", "::ffff:192.0.2.1", 0},
        {"", NULL, 0},
        {"unknown", NULL, 0},
        {"_hidden", NULL, 0},
        {"example.org:80", NULL, 0},
        {"192.0.2.1:", NULL, 0},
        {"192.0.2.1:65536", NULL, 0},
        {"192.0.2.1 1", NULL, 0},
        {"192.0.2.01", NULL, 0},
        {"[::1", NULL, 0},
        {"[192.0.2.1]", NULL, 0},
        {"\"[::1]\"", NULL, 0},
        {"for=192.0.2.1", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_port got = {.port = 7};
        struct ip_addr ip;

        if (forwarded_for_parse(slice_str(cases[i].entry), &got) != (cases[i].ip != NULL))
            fail_msg("'%s'", cases[i].entry);
        assert_int_equal(got.port, cases[i].ip ? cases[i].port : 7);
        if (cases[i].ip) {
            assert_true(ip_addr_parse(slice_str(cases[i].ip), &ip));
            assert_true(ip_addr_eq(&ip, &got.ip));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_parse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
