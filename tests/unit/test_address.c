#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/un.h>

#include "net/address.h"

struct text_case {
    const char *host;
    const char *text; /* with port 80 */
    const char *host_text;
    bool loopback;
};

static const struct text_case valid[] = {
    {"127.0.0.1", "127.0.0.1:80", "127.0.0.1", true},
    {"127.255.3.4", "127.255.3.4:80", "127.255.3.4", true},
    {"128.0.0.1", "128.0.0.1:80", "128.0.0.1", false},
    {"0.0.0.0", "0.0.0.0:80", "0.0.0.0", false},
    {"255.255.255.255", "255.255.255.255:80", "255.255.255.255", false},
    {"::1", "[::1]:80", "::1", true},
    {"::", "[::]:80", "::", false},
    {"::2", "[::2]:80", "::2", false},
    {"2001:DB8:0:0::5", "[2001:db8::5]:80", "2001:db8::5", false},
    {"fe80::1%lo", "[fe80::1%lo]:80", "fe80::1%lo", false},
    {"fe80::1%1", "[fe80::1%lo]:80", "fe80::1%lo", false},
    {"fe80::1%4000000000", "[fe80::1%4000000000]:80", "fe80::1%4000000000", false},
    {"::ffff:127.0.0.1", "127.0.0.1:80", "127.0.0.1", true},
    {"::ffff:10.1.2.3", "10.1.2.3:80", "10.1.2.3", false},
};

static const char *const invalid[] = {
    "",           "localhost", "127.0.0",   "127.0.0.256", "127.0.0.1.", "0x7f.0.0.1",
    "010.0.0.1",  "1.2.3.4:5", "[::1]",     ":::",         "1::2::3",    "fe80::1%",
    "fe80::1%no", "fe80::1%0", "1.2.3.4%1", "::1 ",        " 1.2.3.4",   "fe80::1%4294967296",
    "12345::",
};

/* In an exactly sized buffer, so that a read past the slice is seen. */
static bool parse_copy(const char *text, size_t len, struct address *out)
{
    char *copy = malloc(len ? len : 1);
    bool ok;

    assert_non_null(copy);
    memcpy(copy, text, len);
    ok = address_parse(slice_of(copy, len), 80, out);
    free(copy);
    return ok;
}

static void test_valid(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++) {
        const struct text_case *c = &valid[i];
        char text[ADDRESS_TEXT_MAX];
        struct address a;

        assert_true(parse_copy(c->host, strlen(c->host), &a));
        address_text(&a, text);
        assert_string_equal(text, c->text);
        address_host_text(&a, text);
        assert_string_equal(text, c->host_text);
        assert_int_equal(address_port(&a), 80);
        assert_int_equal(address_is_loopback(&a), c->loopback);
        assert_int_equal(a.len,
                         a.sa.sa_family == AF_INET ? sizeof(a.in) : sizeof(struct sockaddr_in6));
    }
}

static void test_invalid_leaves_out_untouched(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(invalid) / sizeof(*invalid); i++) {
        struct address a = {.len = 77};

        if (parse_copy(invalid[i], strlen(invalid[i]), &a))
            fail_msg("accepted '%s'", invalid[i]);
        assert_int_equal(a.len, 77);
    }
}

static void test_nul_and_long_are_refused(void **unused)
{
    struct address a;
    char longest[300];

    (void)unused;
    assert_false(parse_copy("1.2.3.4\0x", 9, &a));
    assert_false(parse_copy("1.2.3.4", 8, &a));
    memset(longest, '1', sizeof(longest));
    for (size_t len = 1; len <= sizeof(longest); len++)
        assert_false(parse_copy(longest, len, &a));
}

static void test_ip_and_port(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(valid) / sizeof(*valid); i++) {
        struct address a, back;
        struct ip_port at;

        if (strchr(valid[i].host, '%'))
            continue; /* zones are lost */
        assert_true(address_parse(slice_str(valid[i].host), 80, &a));
        assert_true(address_ip_port(&a, &at));
        assert_int_equal(at.port, 80);
        back = address_of_ip_port(&at);
        assert_int_equal(back.len, a.len);
        assert_memory_equal(&back.sa, &a.sa, a.len);
    }
}

static void test_without_port(void **unused)
{
    static const char *const hosts[] = {"192.0.2.1", "2001:db8::1"};
    char text[ADDRESS_TEXT_MAX];
    struct address a;

    (void)unused;
    for (size_t i = 0; i < 2; i++) {
        assert_true(address_parse(slice_str(hosts[i]), 0, &a));
        address_text(&a, text);
        assert_string_equal(text, hosts[i]);
    }
}

static void test_longest_text_fits(void **unused)
{
    const char *host = "fe80:1111:2222:3333:4444:5555:6666:7777%4294967295";
    char text[ADDRESS_TEXT_MAX];
    struct address a;

    (void)unused;
    assert_true(address_parse(slice_str(host), 65535, &a));
    address_text(&a, text);
    assert_string_equal(text, "[fe80:1111:2222:3333:4444:5555:6666:7777%4294967295]:65535");
}

static void test_unix(void **unused)
{
    struct address a = {.len = sizeof(struct sockaddr_un)};
    char text[ADDRESS_TEXT_MAX];
    struct ip_port at;

    (void)unused;
    a.sa.sa_family = AF_UNIX;
    address_text(&a, text);
    assert_string_equal(text, "unix");
    assert_int_equal(address_port(&a), 0);
    assert_false(address_ip_port(&a, &at));
    assert_false(address_is_loopback(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid_leaves_out_untouched),
        cmocka_unit_test(test_nul_and_long_are_refused),
        cmocka_unit_test(test_longest_text_fits),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_ip_and_port),
        cmocka_unit_test(test_without_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
