#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/un.h>

#include "config/wsps_config.h"
#include "server/visitor.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct {
    const char *fields; /* of a request from 10.0.0.1 */
    const char *visitor;
} cases[] = {
    {"", "10.0.0.1:4711"},
    {"X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
    {"x-forwarded-for:192.0.2.1:99\r\n", "192.0.2.1:99"},
    {"X-Forwarded-For: [2001:db8::9]:99\r\n", "[2001:db8::9]:99"},
    {"X-Forwarded-For: 2001:db8::9\r\n", "2001:db8::9"},
    {"X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1"},
    /* what stands left of a stranger is his own invention */
    {"X-Forwarded-For: 198.51.100.1, 192.0.2.1\r\n", "192.0.2.1"},
    {"X-Forwarded-For: 10.0.0.7, 192.0.2.1\r\n", "192.0.2.1"},
    {"X-Forwarded-For: 198.51.100.1, 192.0.2.1, 10.0.0.2, 10.0.0.3\r\n", "192.0.2.1"},
    {"X-Forwarded-For: 198.51.100.1\r\nX-Y: z\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
    {"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: 10.0.0.2\r\n", "192.0.2.1"},
    /* all are trusted: the first of them */
    {"X-Forwarded-For: 10.0.0.3,10.0.0.2\r\n", "10.0.0.3"},
    /* who has written what cannot be read is known, who is meant is not */
    {"X-Forwarded-For: unknown\r\n", "10.0.0.1:4711"},
    {"X-Forwarded-For: 192.0.2.1, unknown, 10.0.0.2\r\n", "10.0.0.2"},
    {"X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-For: _x\r\n", "10.0.0.1:4711"},
    {"X-Forwarded-For: 192.0.2.1, ,\r\n", "192.0.2.1"},
    {"X-Forwarded-For:\r\n", "10.0.0.1:4711"},
    {"X-Real-IP: 192.0.2.1\r\n", "192.0.2.1"},
    {"X-Real-IP: 10.0.0.2\r\n", "10.0.0.2"},
    {"X-Real-IP: me\r\n", "10.0.0.1:4711"},
    {"X-Real-IP: 192.0.2.1\r\nX-Real-IP: 192.0.2.2\r\n", "10.0.0.1:4711"},
    {"X-Real-IP: 192.0.2.1\r\nX-Forwarded-For: 192.0.2.2\r\n", "192.0.2.2"},
    {"X-Real-IP: 192.0.2.1\r\nX-Forwarded-For: unknown\r\n", "10.0.0.1:4711"},
    {"Forwarded: for=192.0.2.1\r\nX-Forwarded: 192.0.2.1\r\n", "10.0.0.1:4711"},
    /* as an intermediary would see it, and we do not care */
    {"Connection: X-Forwarded-For\r\nX-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1"},
};

static void load(struct wsps_config *c, const char *entries)
{
    char error[CONFIG_ERROR_MAX], text[256];

    snprintf(text, sizeof(text), "{\"port\":80,\"trusted_proxies\":[%s]}", entries);
    wsps_config_init(c);
    assert_int_equal(
        wsps_config_load(c, &(struct config_source){.file = "f", .text = slice_str(text)}, error),
        WSP_OK);
}

static void test_visitor(void **state)
{
    struct http1_head *head = malloc(sizeof(*head));
    struct wsps_config c;
    struct address peer;

    (void)state;
    assert_non_null(head);
    load(&c, "\"10.0.0.0/24\"");
    assert_true(address_parse(slice_str("10.0.0.1"), 4711, &peer));
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[ADDRESS_TEXT_MAX], request[512];
        struct address visitor;
        struct slice in;

        snprintf(request, sizeof(request), "GET / HTTP/1.1\r\n%s\r\n", cases[i].fields);
        in = slice_str(request);
        assert_int_equal(http1_request_parse(&in, head), WSP_OK);
        visitor = visitor_of_request(&c.proxies, &peer, head);
        address_text(&visitor, text);
        assert_string_equal(text, cases[i].visitor);
    }
    free(head);
    wsps_config_fini(&c);
}

static void test_is_proxy(void **state)
{
    struct address v4, mapped, other, local = {.len = sizeof(struct sockaddr_un)};
    struct wsps_config c;

    (void)state;
    local.sa.sa_family = AF_UNIX;
    assert_true(address_parse(slice_str("10.0.0.9"), 1, &v4));
    assert_true(address_parse(slice_str("::ffff:10.0.0.9"), 1, &mapped));
    assert_true(address_parse(slice_str("10.0.1.9"), 1, &other));
    load(&c, "\"10.0.0.0/24\"");
    assert_true(visitor_is_proxy(&c.proxies, &v4));
    assert_true(visitor_is_proxy(&c.proxies, &mapped));
    assert_false(visitor_is_proxy(&c.proxies, &other));
    assert_false(visitor_is_proxy(&c.proxies, &local));
    wsps_config_fini(&c);
    load(&c, "\"unix\"");
    assert_false(visitor_is_proxy(&c.proxies, &v4));
    assert_true(visitor_is_proxy(&c.proxies, &local));
    wsps_config_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_visitor),
        cmocka_unit_test(test_is_proxy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
