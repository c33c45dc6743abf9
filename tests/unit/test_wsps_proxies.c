#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/wsps_config.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Of a file with these members behind its port. */
static enum wsp_err load(struct wsps_config *c, const char *members, char *error)
{
    char text[512];

    snprintf(text, sizeof(text), "{\"port\":80,%s}", members);
    wsps_config_init(c);
    return wsps_config_load(c, &(struct config_source){.file = "f", .text = slice_str(text)},
                            error);
}

static void test_bad(void **state)
{
    static const struct {
        const char *members, *error;
    } cases[] = {
        {"\"proxy_protocol\":true", "f:1:29: proxy_protocol: expected a string, found true"},
        {"\"proxy_protocol\":\"on\"", "f:1:29: proxy_protocol: expected off or required"},
        {"\"trusted_proxies\":\"unix\"",
         "f:1:30: trusted_proxies: expected an array, found a string"},
        {"\"trusted_proxies\":[1]",
         "f:1:31: trusted_proxies[0]: expected a string, found a number"},
    };
    static const char *const entries[] = {
        "",          "proxy.example", "*",         "*.example", "10.0.0.0/33",       "10.0.0.1:80",
        "[::1]:443", "unix:",         "10.0.0.1 ", "Unix",      "10.0.0.1-10.0.0.9",
    };
    char error[CONFIG_ERROR_MAX], text[128];
    struct wsps_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load(&c, cases[i].members, error), WSP_ERR_CONFIG);
        assert_string_equal(error, cases[i].error);
        wsps_config_fini(&c);
    }
    for (size_t i = 0; i < COUNT(entries); i++) {
        snprintf(text, sizeof(text), "\"trusted_proxies\":[\"::1\",\"%s\"]", entries[i]);
        assert_int_equal(load(&c, text, error), WSP_ERR_CONFIG);
        assert_string_equal(error, "f:1:37: trusted_proxies[1]: expected an address, a network "
                                   "(address/bits) or unix");
        wsps_config_fini(&c);
    }
}

static void test_defaults(void **state)
{
    static const char *const members[] = {"\"path\":\"/\"", "\"trusted_proxies\":[]",
                                          "\"proxy_protocol\":\"off\",\"trusted_proxies\":null"};
    const struct ip_addr loopback = {false, {127, 0, 0, 1}};
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(members); i++) {
        assert_int_equal(load(&c, members[i], error), WSP_OK);
        assert_false(c.proxies.header_required);
        assert_false(c.proxies.trusts_unix);
        assert_false(wsps_proxies_trust(&c.proxies, &loopback));
        wsps_config_fini(&c);
    }
}

static void test_trust(void **state)
{
    static const struct {
        const char *ip;
        bool trusted;
    } cases[] = {
        {"127.0.0.1", true},          {"127.0.0.2", false},      {"::ffff:127.0.0.1", true},
        {"10.1.2.3", true},           {"::ffff:10.1.2.3", true}, {"11.0.0.0", false},
        {"2001:db8::1", true},        {"2001:db8:1::1", false},  {"::1", false},
        {"2002:0a01:0203::", false}, /* 6to4, with 10.1.2.3 in it: another host all the same */
        {"64:ff9b::10.1.2.3", false},
    };
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;

    (void)state;
    assert_int_equal(load(&c,
                          "\"proxy_protocol\":\"required\",\"trusted_proxies\":[\"127.0.0.1\","
                          "\"unix\",\"10.0.0.0/8\",\"[2001:db8::]\",\"2001:db8::/48\"]",
                          error),
                     WSP_OK);
    assert_true(c.proxies.header_required);
    assert_true(c.proxies.trusts_unix);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct ip_addr ip;

        assert_true(ip_addr_parse(slice_str(cases[i].ip), &ip));
        if (wsps_proxies_trust(&c.proxies, &ip) != cases[i].trusted)
            fail_msg("%s", cases[i].ip);
    }
    wsps_config_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_trust),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
