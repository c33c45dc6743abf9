#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/slice.h"

/* A copy in memory of exactly its size, so that a read past its end is seen. */
static struct slice exact(const char *p, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    assert_non_null(copy);
    memcpy(copy, p, len);
    return slice_of(copy, len);
}

static void release(struct slice s)
{
    free((void *)(uintptr_t)s.p);
}

static void test_eq(void **state)
{
    static const struct {
        const char *a, *b;
        bool eq, eq_nocase;
    } cases[] = {
        {"", "", true, true},       {"a", "a", true, true},    {"a", "A", false, true},
        {"a", "", false, false},    {"ab", "a", false, false}, {"HoSt", "hOsT", false, true},
        {"@", "`", false, false},   {"[", "{", false, false},  {"Z", "z", false, true},
        {"\xc9", "\xe9", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct slice a = slice_str(cases[i].a), b = slice_str(cases[i].b);

        assert_int_equal(slice_eq(a, b), cases[i].eq);
        assert_int_equal(slice_eq_str(a, cases[i].b), cases[i].eq);
        assert_int_equal(slice_eq_nocase(a, b), cases[i].eq_nocase);
        assert_int_equal(slice_eq_secret(a, b), cases[i].eq);
    }
    assert_true(slice_eq(slice_of(NULL, 0), slice_str("")));
    assert_true(slice_eq_secret(slice_of(NULL, 0), slice_of(NULL, 0)));
    assert_false(slice_eq(slice_of("a\0b", 3), slice_of("a\0c", 3)));
}

static void test_trim(void **state)
{
    static const struct {
        const char *in, *out;
    } cases[] = {
        {"", ""},    {" ", ""},           {"\t \t", ""},        {"a", "a"},      {" a", "a"},
        {"a ", "a"}, {"\ta b\t ", "a b"}, {"\r\n a", "\r\n a"}, {" a\n", "a\n"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct slice in = exact(cases[i].in, strlen(cases[i].in));

        assert_true(slice_eq_str(slice_trim(in), cases[i].out));
        release(in);
    }
    assert_int_equal(slice_trim(slice_of(NULL, 0)).len, 0);
}

static void test_to_u64(void **state)
{
    static const struct {
        const char *in;
        bool ok;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"7", true, 7},
        {"0012", true, 12},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"99999999999999999999", false, 0},
        {"", false, 0},
        {"-1", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x1", false, 0},
        {"1/", false, 0},
        {"1:", false, 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct slice in = exact(cases[i].in, strlen(cases[i].in));
        uint64_t v = 4711;

        assert_int_equal(slice_to_u64(in, &v), cases[i].ok);
        assert_true(v == (cases[i].ok ? cases[i].value : 4711));
        release(in);
    }
}

/* The edges of the grammar in RFC 3629 section 4. */
static void test_utf8(void **state)
{
    static const struct {
        const char *in;
        bool ok;
    } cases[] = {
        {"", true},
        {"plain", true},
        {"\x7f", true},
        {"\x80", false},
        {"\xbf", false},
        {"\xc0\x80", false},
        {"\xc1\xbf", false},
        {"\xc2\x80", true},
        {"\xc2\x7f", false},
        {"\xc2\xc0", false},
        {"\xdf\xbf", true},
        {"\xe0\x9f\xbf", false},
        {"\xe0\xa0\x80", true},
        {"\xe0\xbf\xbf", true},
        {"\xe0\xc0\x80", false},
        {"\xe1\x80\x80", true},
        {"\xe1\x80\x7f", false},
        {"\xe1\x80\xc0", false},
        {"\xec\xbf\xbf", true},
        {"\xed\x80\x80", true},
        {"\xed\x9f\xbf", true},
        {"\xed\xa0\x80", false}, /* U+D800 */
        {"\xed\xbf\xbf", false}, /* U+DFFF */
        {"\xee\x80\x80", true},
        {"\xef\xbb\xbf", true},
        {"\xef\xbf\xbf", true},
        {"\xf0\x8f\xbf\xbf", false},
        {"\xf0\x90\x80\x80", true},
        {"\xf1\x80\x80\x80", true},
        {"\xf3\xbf\xbf\xbf", true},
        {"\xf4\x80\x80\x80", true},
        {"\xf4\x8f\xbf\xbf", true},  /* U+10FFFF */
        {"\xf4\x90\x80\x80", false}, /* U+110000 */
        {"\xf1\x80\x80\x7f", false},
        {"\xf1\x80\xc0\x80", false},
        {"\xf5\x80\x80\x80", false},
        {"\xf8\x88\x80\x80\x80", false}, /* five bytes: RFC 2279 only */
        {"\xfe", false},
        {"\xff", false},
        {"a\xc3\xa9z", true},
        {"a\xc3z", false},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", true},
        {"ok\xf0\x9f\x98\x80\x80", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct slice in = exact(cases[i].in, strlen(cases[i].in));

        if (slice_is_utf8(in) != cases[i].ok)
            fail_msg("case %zu", i);
        release(in);
    }
    assert_true(slice_is_utf8(slice_of("a\0b", 3)));
}

/* A sequence cut anywhere is invalid, and what follows it in memory is not looked at. */
static void test_utf8_cut(void **state)
{
    static const char *const sequences[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};

    (void)state;
    for (size_t i = 0; i < sizeof(sequences) / sizeof(*sequences); i++) {
        size_t len = strlen(sequences[i]);

        for (size_t cut = 0; cut <= len; cut++) {
            struct slice in = exact(sequences[i], cut);

            assert_int_equal(slice_is_utf8(in), cut == 0 || cut == len);
            release(in);
        }
    }
}

/* Counts what is accepted of all byte pairs: 128 * 128 of ASCII and 30 * 64 two-byte sequences. */
static void test_utf8_pairs(void **state)
{
    unsigned count = 0;

    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        uint8_t pair[2] = {(uint8_t)(i >> 8), (uint8_t)i};

        count += slice_is_utf8(slice_of(pair, 2));
    }
    assert_int_equal(count, 128 * 128 + 30 * 64);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_eq),       cmocka_unit_test(test_trim),
        cmocka_unit_test(test_to_u64),   cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_utf8_cut), cmocka_unit_test(test_utf8_pairs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
