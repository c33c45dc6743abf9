/* UTF-8 that comes in pieces, against the judgement of the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/utf8.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* In pieces of `step` bytes, each in memory of its own. */
static bool follow(const char *text, size_t len, size_t step)
{
    struct utf8 u = {0};
    bool ok = true;

    for (size_t i = 0; i < len && ok; i += step) {
        size_t n = len - i < step ? len - i : step;
        uint8_t *piece = malloc(n);

        memcpy(piece, text + i, n);
        ok = utf8_follow(&u, slice_of(piece, n));
        free(piece);
    }
    return ok && utf8_complete(&u);
}

static void test_valid(void **state)
{
    static const char *const texts[] = {
        "",
        "plain text of more than eight bytes",
        "\xc2\x80\xdf\xbf",
        "\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf",
        "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
        "seven..\xe2\x82\xac and on\xe2\x82\xac",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        for (size_t step = 1; step <= 16; step++)
            assert_true(follow(texts[i], strlen(texts[i]), step));
}

static void test_invalid(void **state)
{
    static const char *const texts[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc2 ",
        "\xe2\x82 ",
        "\xf0\x90\x80 ",
        "\xc2\xc2\x80",
        "12345678\xfe",
        "1234567\xe2\x82\xe2",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++)
        for (size_t step = 1; step <= 16; step++)
            assert_false(follow(texts[i], strlen(texts[i]), step));
}

static void test_unfinished(void **state)
{
    static const char *const texts[] = {"\xc2", "\xe2", "\xe2\x82", "\xf0", "\xf0\x90\x80"};

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct utf8 u = {0};

        assert_true(utf8_follow(&u, slice_str(texts[i])));
        assert_false(utf8_complete(&u));
    }
}

/* Every sequence of two bytes, and every one of three with an interesting start. */
static void test_same_as_the_whole(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 0x10000; v++) {
        const char text[] = {(char)(v >> 8), (char)v, '\x80'};

        for (size_t len = 2; len <= 3; len++)
            assert_int_equal(follow(text, len, 1), slice_is_utf8(slice_of(text, len)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_invalid),
        cmocka_unit_test(test_unfinished),
        cmocka_unit_test(test_same_as_the_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
