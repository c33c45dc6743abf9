#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/nearest.h"

static void test_nearest(void **state)
{
    static const char *const known[] = {"server", "dynamic", "remote", "log-level", NULL};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"sever", "server"},
        {"SERVER", "server"},
        {"sevrer", "server"},
        {"dynamics", "dynamic"},
        {"loglevel", "log-level"},
        {"removed", "remote"},
        {"port", NULL},
        {"", NULL},
        {"serverserverserverserverserverserverserverserverserverserverserver", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *found = nearest_word(cases[i].word, known);

        if (cases[i].nearest)
            assert_string_equal(found, cases[i].nearest);
        else
            assert_null(found);
    }
    assert_null(nearest_word("server", known + 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nearest)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
