#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/egress.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define WHAT                                                                                       \
    "expected a name, *.name, an address, a network (address/bits) or *, and optionally :port or " \
    ":low-high"
#define PORT "expected a port from 1 to 65535 or a range low-high behind the colon"

static const struct {
    const char *text, *why;
} bad_rules[] = {
    {"", WHAT},
    {":80", WHAT},
    {"*.", WHAT},
    {"*.*.example", WHAT},
    {"a..b", WHAT},
    {".a", WHAT},
    {"a b", WHAT},
    {"b\xc3\xbc"
     "cher.example",
     WHAT},
    {"http://example.com", PORT},
    {"10.0.0", WHAT},
    {"10.0.0.256", WHAT},
    {"*.10", WHAT},
    {"example.com/8", "expected an address ahead of the prefix length"},
    {"10.0.0/8", "expected an address ahead of the prefix length"},
    {"*/8", "expected an address ahead of the prefix length"},
    {"10.0.0.0/33", "expected a prefix length from 0 to 32"},
    {"10.0.0.0/", "expected a prefix length from 0 to 32"},
    {"10.0.0.0/-1", "expected a prefix length from 0 to 32"},
    {"2001:db8::/129", "expected a prefix length from 0 to 128"},
    {"2001:db8:::1", WHAT},
    {"fe80::1%eth0", WHAT},
    {"[2001:db8::1", "expected an IPv6 address or network between [ and ]"},
    {"[10.0.0.1]:80", "expected an IPv6 address or network between [ and ]"},
    {"[]", "expected an IPv6 address or network between [ and ]"},
    {"[2001:db8::]/32", "expected :port or nothing behind ]"},
    {"[::1]80", "expected :port or nothing behind ]"},
    {"*:", PORT},
    {"a:0", PORT},
    {"a:65536", PORT},
    {"a:80-", PORT},
    {"a:-80", PORT},
    {"a:90-80", PORT},
    {"a:http", PORT},
    {"[::1]:", PORT},
};

static void test_bad_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_rules); i++) {
        struct egress_rule rule = {.net_bits = 77};
        const char *why = NULL;

        assert_int_equal(egress_rule_parse(slice_str(bad_rules[i].text), &rule, &why),
                         WSP_ERR_MALFORMED);
        assert_string_equal(why, bad_rules[i].why);
        assert_int_equal(rule.net_bits, 77);
    }
}

static const struct {
    const char *text;
    enum egress_kind kind;
    unsigned bits, low, high;
} rules[] = {
    {"*", EGRESS_ANY, 0, 0, 65535},
    {"*:443", EGRESS_ANY, 0, 443, 443},
    {"example.com", EGRESS_NAME, 0, 0, 65535},
    {"Example.com.:1-1024", EGRESS_NAME, 0, 1, 1024},
    {"*.example.com:80", EGRESS_SUFFIX, 0, 80, 80},
    {"10.1.2.3", EGRESS_NET, 32, 0, 65535},
    {"10.0.0.0/8:80-90", EGRESS_NET, 8, 80, 90},
    {"0.0.0.0/0", EGRESS_NET, 0, 0, 65535},
    {"2001:db8::1", EGRESS_NET, 128, 0, 65535},
    {"2001:db8::/32", EGRESS_NET, 32, 0, 65535},
    {"[2001:db8::/32]:80-90", EGRESS_NET, 32, 80, 90},
    {"[::1]", EGRESS_NET, 128, 0, 65535},
    {"::/0", EGRESS_NET, 0, 0, 65535},
    {"::ffff:10.0.0.0/104", EGRESS_NET, 8, 0, 65535},
};

static void test_good_rules(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        struct egress_rule rule;
        const char *why;

        assert_int_equal(egress_rule_parse(slice_str(rules[i].text), &rule, &why), WSP_OK);
        assert_int_equal(rule.kind, rules[i].kind);
        assert_int_equal(rule.net_bits, rules[i].bits);
        assert_int_equal(rule.port_low, rules[i].low);
        assert_int_equal(rule.port_high, rules[i].high);
    }
}

static void test_rule_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++)
        for (size_t n = 0; n <= strlen(rules[i].text); n++) {
            struct egress_rule rule;
            const char *why;
            char *copy = malloc(n ? n : 1);

            assert_non_null(copy);
            memcpy(copy, rules[i].text, n);
            if (egress_rule_parse(slice_of(copy, n), &rule, &why) != WSP_OK)
                assert_true(strlen(why) > 0);
            free(copy);
        }
}

enum { HOST = 1, ADDRESS = 2, BOTH = HOST | ADDRESS };

/* Up to three entries a list. `ok` tells which of the two questions is answered with yes. */
static const struct {
    const char *allow[4], *deny[4];
    const char *host, *address;
    unsigned port;
    int ok;
} cases[] = {
    /* No lists: everything but what is built in. */
    {{0}, {0}, "example.com", "192.0.2.1", 80, BOTH},
    {{0}, {0}, "localhost", "127.0.0.1", 80, BOTH},
    {{0}, {0}, "metadata", "169.254.169.254", 80, HOST},
    {{0}, {0}, "169.254.169.254", "169.254.169.254", 80, 0},
    {{0}, {0}, "x", "169.253.255.255", 80, BOTH},
    {{0}, {0}, "x", "169.255.0.0", 80, BOTH},
    {{0}, {0}, "x", "fe80::1", 80, HOST},
    {{0}, {0}, "x", "febf::1", 80, HOST},
    {{0}, {0}, "x", "fec0::1", 80, BOTH},
    {{0}, {0}, "x", "fd00:ec2::254", 80, HOST},
    {{0}, {0}, "x", "fd00:ec2::255", 80, BOTH},
    {{0}, {0}, "x", "100.100.100.200", 80, HOST},
    {{0}, {0}, "x", "::ffff:169.254.169.254", 80, HOST},
    {{0}, {0}, "x", "64:ff9b::169.254.169.254", 80, HOST},
    {{0}, {0}, "x", "2002:a9fe:a9fe::1", 80, HOST},
    {{0}, {0}, "x", "64:ff9b::192.0.2.1", 80, BOTH},
    /* The built-in list gives way to addresses and networks in allow only. */
    {{"169.254.1.1"}, {0}, "x", "169.254.1.1", 80, BOTH},
    {{"169.254.1.1"}, {0}, "x", "169.254.1.2", 80, HOST},
    {{"169.254.1.1:81"}, {0}, "x", "169.254.1.1", 80, 0},
    {{"169.254.0.0/16"}, {0}, "x", "::ffff:169.254.1.1", 80, BOTH},
    {{"*"}, {0}, "x", "169.254.1.1", 80, HOST},
    {{"*:80"}, {0}, "x", "169.254.1.1", 80, HOST},
    {{"x"}, {0}, "x", "169.254.1.1", 80, HOST},
    {{"169.254.1.1"}, {"169.254.0.0/16"}, "x", "169.254.1.1", 80, HOST},
    /* Deny by name, in any case, with or without the last dot. */
    {{0}, {"Example.com"}, "example.COM", "192.0.2.1", 80, 0},
    {{0}, {"example.com"}, "example.com.", "192.0.2.1", 80, 0},
    {{0}, {"example.com."}, "example.com", "192.0.2.1", 80, 0},
    {{0}, {"example.com"}, "www.example.com", "192.0.2.1", 80, BOTH},
    {{0}, {"*.example.com"}, "www.example.com", "192.0.2.1", 80, 0},
    {{0}, {"*.example.com"}, "a.b.Example.com.", "192.0.2.1", 80, 0},
    {{0}, {"*.example.com"}, "example.com", "192.0.2.1", 80, BOTH},
    {{0}, {"*.example.com"}, "badexample.com", "192.0.2.1", 80, BOTH},
    {{0}, {"*.example.com"}, ".example.com", "192.0.2.1", 80, BOTH},
    {{0}, {"example.com:25"}, "example.com", "192.0.2.1", 80, BOTH},
    {{0}, {"example.com:25"}, "example.com", "192.0.2.1", 25, 0},
    /* Deny by address, whatever the name and the spelling. */
    {{0}, {"10.0.0.0/8"}, "x", "10.255.255.255", 80, HOST},
    {{0}, {"10.0.0.0/8"}, "x", "11.0.0.0", 80, BOTH},
    {{0}, {"10.0.0.0/9"}, "x", "10.128.0.0", 80, BOTH},
    {{0}, {"10.0.0.0/9"}, "x", "10.127.0.0", 80, HOST},
    {{0}, {"10.0.0.0/8"}, "10.1.1.1", "10.1.1.1", 80, 0},
    {{0}, {"10.0.0.0/8:80-90"}, "10.1.1.1", "10.1.1.1", 79, BOTH},
    {{0}, {"10.0.0.0/8:80-90"}, "10.1.1.1", "10.1.1.1", 90, 0},
    {{0}, {"10.0.0.0/8:80-90"}, "10.1.1.1", "10.1.1.1", 91, BOTH},
    {{0}, {"10.0.0.0/8"}, "::ffff:10.1.1.1", "::ffff:10.1.1.1", 80, 0},
    {{0}, {"::ffff:10.0.0.0/104"}, "x", "10.1.1.1", 80, HOST},
    {{0}, {"10.0.0.0/8"}, "x", "64:ff9b::10.1.1.1", 80, HOST},
    {{0}, {"64:ff9b::/96"}, "x", "64:ff9b::192.0.2.1", 80, HOST},
    {{0}, {"10.0.0.0/8"}, "x", "2002:a01:101::", 80, HOST},
    {{0}, {"10.0.0.0/8"}, "x", "2003:a01:101::", 80, BOTH},
    {{0}, {"127.0.0.0/8"}, "x", "0.0.0.0", 80, HOST},
    {{0}, {"127.0.0.1"}, "x", "0.1.2.3", 80, HOST},
    {{0}, {"127.0.0.1"}, "x", "::ffff:0.0.0.0", 80, HOST},
    {{0}, {"127.0.0.1"}, "x", "64:ff9b::", 80, HOST},
    {{0}, {"0.0.0.0"}, "x", "127.0.0.1", 80, HOST},
    {{0}, {"0.0.0.0"}, "x", "0.0.0.0", 80, HOST},
    {{0}, {"::1"}, "::", "::", 80, 0},
    {{0}, {"::"}, "x", "::1", 80, HOST},
    {{0}, {"::/0"}, "x", "192.0.2.1", 80, BOTH},
    {{0}, {"::/0"}, "x", "2001:db8::1", 80, HOST},
    {{0}, {"0.0.0.0/0"}, "x", "2001:db8::1", 80, BOTH},
    {{0}, {"2001:db8::/33"}, "x", "2001:db8:8000::1", 80, BOTH},
    {{0}, {"*"}, "x", "192.0.2.1", 80, 0},
    {{0}, {"*:25"}, "x", "192.0.2.1", 25, 0},
    {{0}, {"*:25"}, "x", "192.0.2.1", 26, BOTH},
    {{0}, {"a", "b", "192.0.2.0/24"}, "x", "192.0.2.1", 26, HOST},
    /* With an allow list only what matches it. */
    {{"example.com"}, {0}, "example.com", "10.0.0.1", 80, BOTH},
    {{"example.com"}, {0}, "example.org", "10.0.0.1", 80, 0},
    {{"example.com:443"}, {0}, "example.com", "10.0.0.1", 80, 0},
    {{"example.com"}, {0}, "192.0.2.1", "192.0.2.1", 80, 0},
    {{"*:443"}, {0}, "x", "192.0.2.1", 443, BOTH},
    {{"*:443"}, {0}, "x", "192.0.2.1", 80, 0},
    {{"10.0.0.0/8"}, {0}, "x", "10.0.0.1", 80, BOTH},
    {{"10.0.0.0/8"}, {0}, "x", "192.0.2.1", 80, HOST},
    {{"10.0.0.0/8:22"}, {0}, "x", "10.0.0.1", 80, 0},
    {{"10.0.0.0/8", "example.com"}, {0}, "example.com", "192.0.2.1", 80, BOTH},
    {{"10.0.0.0/8"}, {0}, "x", "::ffff:10.0.0.1", 80, BOTH},
    {{"2000::/3"}, {0}, "x", "2002:a01:101::", 80, HOST},
    {{"2000::/3", "10.0.0.0/8"}, {0}, "x", "2002:a01:101::", 80, BOTH},
    {{"10.0.0.0/8"}, {0}, "x", "64:ff9b::10.1.1.1", 80, HOST},
    {{"::/0"}, {0}, "x", "::ffff:192.0.2.1", 80, HOST},
    {{"127.0.0.1"}, {0}, "x", "0.0.0.0", 80, BOTH},
    {{"0.0.0.0/0"}, {0}, "x", "2001:db8::1", 80, HOST},
    /* Deny beats allow. */
    {{"*.example.com"}, {"10.0.0.0/8"}, "a.example.com", "10.0.0.1", 80, HOST},
    {{"*.example.com"}, {"b.example.com"}, "b.example.com", "192.0.2.1", 80, 0},
    {{"10.0.0.0/8"}, {"10.0.0.1"}, "10.0.0.1", "10.0.0.1", 80, 0},
};

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *const *allow = (char *const *)(void *)(uintptr_t)cases[i].allow;
        char *const *deny = (char *const *)(void *)(uintptr_t)cases[i].deny;
        struct slice host = slice_str(cases[i].host);
        char error[EGRESS_ERROR_MAX];
        struct address address;
        struct egress e;
        int ok;

        assert_int_equal(egress_init(&e, allow[0] ? allow : NULL, deny, error), WSP_OK);
        assert_true(address_parse(slice_str(cases[i].address), cases[i].port, &address));
        ok = (egress_host_ok(&e, host, cases[i].port) ? HOST : 0) |
             (egress_address_ok(&e, host, &address) ? ADDRESS : 0);
        if (ok != cases[i].ok)
            print_error("case %zu: %s %s\n", i, cases[i].host, cases[i].address);
        assert_int_equal(ok, cases[i].ok);
        egress_fini(&e);
    }
}

static void test_init(void **state)
{
    char a[] = "example.com", b[] = "10.0.0.0/33";
    char *const bad[] = {a, b, NULL};
    char *const none[] = {NULL};
    char error[EGRESS_ERROR_MAX];
    struct egress e;

    (void)state;
    assert_int_equal(egress_init(&e, bad, NULL, error), WSP_ERR_CONFIG);
    assert_string_equal(error, "allow[1] \"10.0.0.0/33\": expected a prefix length from 0 to 32");
    assert_int_equal(egress_init(&e, NULL, bad, error), WSP_ERR_CONFIG);
    assert_memory_equal(error, "deny[1]", 7);
    egress_fini(&e);
    assert_int_equal(egress_init(&e, none, NULL, error), WSP_OK);
    assert_false(egress_host_ok(&e, slice_str("example.com"), 80));
    egress_fini(&e);
    b[9] = '\0';
    assert_int_equal(egress_init(&e, bad, NULL, error), WSP_ERR_CONFIG);
    b[8] = '\0';
    assert_int_equal(egress_init(&e, bad, NULL, error), WSP_OK);
    memset(a, 'x', strlen(a));
    assert_true(egress_host_ok(&e, slice_str("example.com"), 80));
    egress_fini(&e);
}

static void test_other_family(void **state)
{
    struct address local = {.len = sizeof(local.sa), .sa.sa_family = AF_UNIX};
    char error[EGRESS_ERROR_MAX];
    struct egress e;

    (void)state;
    assert_int_equal(egress_init(&e, NULL, NULL, error), WSP_OK);
    assert_false(egress_address_ok(&e, slice_str("x"), &local));
    egress_fini(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_rules),     cmocka_unit_test(test_good_rules),
        cmocka_unit_test(test_rule_prefixes), cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_init),          cmocka_unit_test(test_other_family),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
