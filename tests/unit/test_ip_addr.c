#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/ip_addr.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct {
    const char *text;
    struct ip_addr ip;
} valid[] = {
    {"192.0.2.1", {false, {192, 0, 2, 1}}},
    {"255.255.255.255", {false, {255, 255, 255, 255}}},
    {"::", {true, {0}}},
    {"::1", {true, {[15] = 1}}},
    {"2001:DB8::5", {true, {0x20, 0x01, 0x0d, 0xb8, [15] = 5}}},
    {"::ffff:192.0.2.1", {true, {[10] = 0xff, 0xff, 192, 0, 2, 1}}},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
     {true, {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}}},
};

static const char *const invalid[] = {
    "",         "a",     "1.2.3",     "1.2.3.4.5",  "256.1.1.1", "01.2.3.4",
    " 1.2.3.4", "[::1]", "fe80::1%1", "1.2.3.4:80", ":::",       "1::2::3",
};

/* In an exactly sized buffer, so that a read past the slice is seen. */
static bool parse(const char *text, size_t len, struct ip_addr *out)
{
    char *copy = malloc(len ? len : 1);
    bool ok;

    assert_non_null(copy);
    memcpy(copy, text, len);
    ok = ip_addr_parse(slice_of(copy, len), out);
    free(copy);
    return ok;
}

static void test_parse(void **state)
{
    struct ip_addr ip;

    (void)state;
    for (size_t i = 0; i < COUNT(valid); i++) {
        assert_true(parse(valid[i].text, strlen(valid[i].text), &ip));
        assert_true(ip_addr_eq(&ip, &valid[i].ip));
    }
    for (size_t i = 0; i < COUNT(invalid); i++) {
        struct ip_addr before = ip;

        if (parse(invalid[i], strlen(invalid[i]), &ip))
            fail_msg("accepted '%s'", invalid[i]);
        assert_memory_equal(&ip, &before, sizeof(ip));
    }
    assert_false(parse("1.2.3.4", 8, &ip)); /* its NUL */
}

static void test_mapped(void **state)
{
    const struct ip_addr v4 = {false, {192, 0, 2, 1}}, v6 = {true, {[15] = 1}};
    struct ip_addr mapped = ip_addr_mapped(&v4), back = ip_addr_unmapped(&mapped), same;

    (void)state;
    assert_true(ip_addr_eq(&mapped, &valid[5].ip));
    assert_true(ip_addr_eq(&back, &v4));
    same = ip_addr_unmapped(&v4);
    assert_true(ip_addr_eq(&same, &v4));
    same = ip_addr_unmapped(&v6);
    assert_true(ip_addr_eq(&same, &v6));
    same = ip_addr_mapped(&v6);
    assert_true(ip_addr_eq(&same, &v6));
    assert_false(ip_addr_eq(&mapped, &v4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_mapped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
