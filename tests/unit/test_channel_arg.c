#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <stdio.h>

#include "proto/forward.h"
#include "wspc/channel_arg.c" /* the program's own code is not in the library */

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct arg_case {
    const char *text;
    const char *channel, *password; /* channel NULL: refused; password NULL: none */
} cases[] = {
    {"ssh", "ssh", NULL},
    {"ssh:", "ssh", ""},
    {"ssh:pw", "ssh", "pw"},
    {"ssh:p:w", "ssh", "p:w"},
    {"s%3Ah:p%20%2F%e4", "s:h", "p /\xe4"},
    {"a.b-c_d~!$&'()*+,;=@x:@", "a.b-c_d~!$&'()*+,;=@x", "@"},
    {"", NULL, NULL},
    {":pw", NULL, NULL},
    {"a b", NULL, NULL},
    {"a/b", NULL, NULL},
    {"a?b", NULL, NULL},
    {"a#b", NULL, NULL},
    {"a[b", NULL, NULL},
    {"\xc3\xa4", NULL, NULL},
    {"a%", NULL, NULL},
    {"a%4", NULL, NULL},
    {"a%4:1", NULL, NULL},
    {"a%4g", NULL, NULL},
    {"a:%", NULL, NULL},
    {"a\n", NULL, NULL},
};

/* What a URL with this user info means, where the library parses it. */
static void assert_as_in_a_url(const struct arg_case *c)
{
    static struct forward f;
    char url[64], error[256];
    bool ok;

    snprintf(url, sizeof(url), "tcp://%s@", c->text);
    ok = forward_parse(slice_str(url), &f, error, sizeof(error)) == WSP_OK && f.channel.len &&
         !f.host.len && f.port < 0;
    assert_int_equal(ok, c->channel != NULL);
    if (!ok)
        return;
    assert_string_equal(f.channel.p, c->channel);
    assert_int_equal(f.has_password, c->password != NULL);
    if (c->password)
        assert_string_equal(f.password.p, c->password);
}

static void test_cases(void **state)
{
    static struct channel_arg arg;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct arg_case *c = &cases[i];

        assert_int_equal(channel_arg_parse(c->text, &arg), c->channel != NULL);
        if (c->channel) {
            assert_string_equal(arg.channel, c->channel);
            assert_int_equal(arg.has_password, c->password != NULL);
            assert_string_equal(arg.password, c->password ? c->password : "");
        }
        assert_as_in_a_url(c);
    }
    assert_false(channel_arg_parse("a%00b", &arg));
}

static void test_too_long(void **state)
{
    static struct channel_arg arg;
    static char text[CHANNEL_ARG_MAX + 1];

    (void)state;
    memset(text, 'a', CHANNEL_ARG_MAX);
    assert_false(channel_arg_parse(text, &arg));
    text[CHANNEL_ARG_MAX - 1] = '\0';
    assert_true(channel_arg_parse(text, &arg));
    assert_int_equal(strlen(arg.channel), CHANNEL_ARG_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
