#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/status_text.c" /* the daemons' own code is not in the library */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void test_numbers(void **state)
{
    static const struct {
        const char *(*write)(double value, char out[STATUS_NUMBER_MAX]);
        double value;
        const char *text;
    } cases[] = {
        {status_bytes, 0, "0"},
        {status_bytes, 1023, "1023"},
        {status_bytes, 1024, "1.0K"},
        {status_bytes, 10188, "9.9K"},
        {status_bytes, 10189, "10K"},
        {status_bytes, 1048063, "1023K"},
        {status_bytes, 1048064, "1.0M"},
        {status_bytes, 1.5 * (1 << 30), "1.5G"},
        {status_bytes, 1e30, "867361737988E"},
        {status_age, 0.9, "0s"},
        {status_age, 59.9, "59s"},
        {status_age, 60, "1m"},
        {status_age, 3599, "59m"},
        {status_age, 3660, "1h01"},
        {status_age, 86399, "23h59"},
        {status_age, 86400 * 30 + 3600 * 7, "30d07"},
        {status_age, 1e300, "11574d01"},
        {status_rtt, 0.001, "0.00ms"},
        {status_rtt, 0.048, "0.05ms"},
        {status_rtt, 1.04, "1.0ms"},
        {status_rtt, 999.4, "999ms"},
        {status_rtt, 1500, "1.5s"},
        {status_rtt, 1e300, "1000.0s"},
    };
    char out[STATUS_NUMBER_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_string_equal(cases[i].write(cases[i].value, out), cases[i].text);
}

static void test_fit(void **state)
{
    static const struct {
        const char *text;
        size_t columns;
        const char *fitted;
        size_t used;
    } cases[] = {
        {"", 5, "", 0},
        {"abcde", 5, "abcde", 5},
        {"abcdef", 5, "abc..", 5},
        {"\xc3\xa9\xc3\xa9\xc3\xa9", 3, "\xc3\xa9\xc3\xa9\xc3\xa9", 3},
        {"\xe6\x97\xa5\xe6\x9c\xac", 4, "\xe6\x97\xa5\xe6\x9c\xac", 4}, /* two columns each */
        {"\xe6\x97\xa5\xe6\x9c\xac", 3, "..", 2},
        {"a\xe6\x97\xa5\xe6\x9c\xac", 4, "a..", 3},
        {"\x1b[2J\n\x7f", 9, "?[2J??", 6},
        {"\xc2\x9b"
         "31m",
         9, "?31m", 4},
        {"a\xe2\x80\xae"
         "b\xe2\x81\xa6"
         "c",
         9, "a?b?c", 5},
        {"\xff\xc3", 9, "??", 2},
        {"\xf0\x9f\x98\x80?", 9, "\xf0\x9f\x98\x80?", 3},
    };
    char out[STATUS_CELL_MAX];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(status_fit(cases[i].text, cases[i].columns, out), cases[i].used);
        assert_string_equal(out, cases[i].fitted);
    }
}

/* The largest characters that there are, as many as fit. */
static void test_fit_room(void **state)
{
    char text[4 * 2 * STATUS_COLUMNS + 1], out[STATUS_CELL_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(text) - 1; i += 4)
        memcpy(text + i, "\xf4\x8f\xbf\xbf", 4);
    text[sizeof(text) - 1] = '\0';
    assert_int_equal(status_fit(text, STATUS_COLUMNS, out), STATUS_COLUMNS);
    for (size_t i = 0; i < sizeof(text) - 1; i += 2)
        memcpy(text + i, "\xd7\xbf", 2);
    assert_int_equal(status_fit(text, STATUS_COLUMNS, out), STATUS_COLUMNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_fit),
        cmocka_unit_test(test_fit_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
