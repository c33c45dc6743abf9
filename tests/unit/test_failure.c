#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/failure.h"

static void test_texts(void **state)
{
    static const struct {
        const char *text;
        enum failure failure;
    } cases[] = {
        {"dial tcp 127.0.0.1:1: connect: connection refused", FAILURE_REFUSED},
        {"dial tcp 192.0.2.1:80: connect: network is unreachable", FAILURE_NETWORK_UNREACHABLE},
        {"dial tcp 192.0.2.1:80: connect: no route to host", FAILURE_HOST_UNREACHABLE},
        {"dial tcp 192.0.2.1:80: connect: host is down", FAILURE_HOST_UNREACHABLE},
        {"dial tcp: lookup nowhere.test: no such host", FAILURE_NO_SUCH_HOST},
        {"dial tcp: lookup x on 127.0.0.53:53: server misbehaving", FAILURE_NO_SUCH_HOST},
        {"dial tcp: lookup timeout.test: no such host", FAILURE_NO_SUCH_HOST},
        {"dial tcp 192.0.2.1:80: i/o timeout", FAILURE_TIMEOUT},
        {"dial tcp 192.0.2.1:80: connect: connection timed out", FAILURE_TIMEOUT},
        {"dial tcp 10.0.0.1:80: not allowed by egress rules", FAILURE_NOT_ALLOWED},
        {"channel password is incorrect", FAILURE_NOT_ALLOWED},
        {"canceled", FAILURE_GENERAL},
        {"", FAILURE_GENERAL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        if (failure_of_text(slice_str(cases[i].text)) != cases[i].failure)
            fail_msg("%s", cases[i].text);
    assert_int_equal(failure_of_text(slice_of(NULL, 0)), FAILURE_GENERAL);
    assert_int_equal(failure_of_text(slice_of("i/o timeout", 10)), FAILURE_GENERAL);
}

static void test_answers(void **state)
{
    static const struct {
        enum failure failure;
        enum socks5_reply reply; /* RFC 1928 section 6 */
        unsigned status;
    } cases[] = {
        {FAILURE_NONE, 0, 200},
        {FAILURE_GENERAL, 1, 502},
        {FAILURE_NO_LINK, 1, 503},
        {FAILURE_REFUSED, 5, 502},
        {FAILURE_NETWORK_UNREACHABLE, 3, 502},
        {FAILURE_HOST_UNREACHABLE, 4, 502},
        {FAILURE_NO_SUCH_HOST, 4, 502},
        {FAILURE_TIMEOUT, 6, 504},
        {FAILURE_NOT_ALLOWED, 2, 403},
    };

    (void)state;
    assert_int_equal(sizeof(cases) / sizeof(*cases), FAILURE_NOT_ALLOWED + 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        assert_int_equal(failure_socks5(cases[i].failure), cases[i].reply);
        assert_int_equal(failure_http_status(cases[i].failure), cases[i].status);
        assert_true(failure_text(cases[i].failure)[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
