#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <cjson/cJSON.h>

#include "base/json_out.h"

#define FFFD "\xef\xbf\xbd"

static void assert_text(struct json_out *j, const char *expected)
{
    assert_false(j->failed);
    assert_int_equal(buf_append(&j->text, "", 1), WSP_OK);
    assert_string_equal((const char *)buf_slice(&j->text).p, expected);
    buf_fini(&j->text);
}

static void test_document(void **state)
{
    struct json_out j = {0};

    (void)state;
    json_out_object(&j, NULL);
    json_out_uint(&j, "max", UINT64_MAX);
    json_out_array(&j, "list");
    json_out_uint(&j, NULL, 0);
    json_out_object(&j, NULL);
    json_out_end_object(&j);
    json_out_array(&j, NULL);
    json_out_end_array(&j);
    json_out_text(&j, NULL, "x");
    json_out_end_array(&j);
    json_out_bool(&j, "yes", true);
    json_out_bool(&j, "no", false);
    json_out_text(&j, "none", NULL);
    json_out_seconds(&j, "s", 61005999);
    json_out_millis(&j, "ms", 12);
    json_out_end_object(&j);
    assert_text(&j, "{\"max\":18446744073709551615,\"list\":[0,{},[],\"x\"],\"yes\":true,"
                    "\"no\":false,\"none\":null,\"s\":61.005,\"ms\":0.012}");
}

static void test_members(void **state)
{
    static const char *const cases[][2] = {
        {"{\"b\":[1],\"c\":2}", "{\"a\":1,\"b\":[1],\"c\":2,\"d\":3}"},
        {" \n{\"b\":1}\r\n\t", "{\"a\":1,\"b\":1,\"d\":3}"},
        {"{ }", "{\"a\":1,\"d\":3}"},
        {"{}", "{\"a\":1,\"d\":3}"},
        {"", "{\"a\":1,\"d\":3}"},
        {"[1]", "{\"a\":1,\"d\":3}"},
        {"{", "{\"a\":1,\"d\":3}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct json_out j = {0};

        json_out_object(&j, NULL);
        json_out_uint(&j, "a", 1);
        json_out_members(&j, slice_str(cases[i][0]));
        json_out_uint(&j, "d", 3);
        json_out_end_object(&j);
        assert_text(&j, cases[i][1]);
    }
}

/* What a string becomes, and what a parser gets out of that. */
static void test_strings(void **state)
{
    static const struct {
        const char *in;
        size_t len;
        const char *out, *parsed;
    } cases[] = {
        {"", 0, "\"\"", ""},
        {"plain", 5, "\"plain\"", "plain"},
        {"\"\\/", 3, "\"\\\"\\\\/\"", "\"\\/"},
        {"\n\x1b[1m\x7f", 6, "\"\\u000a\\u001b[1m\\u007f\"", "\n\x1b[1m\x7f"},
        {"\0", 1, "\"\\u0000\"", ""}, /* for cJSON the string ends there */
        {"\xc2\x9b|\xc2\xa0", 5, "\"\\u009b|\xc2\xa0\"", "\xc2\x9b|\xc2\xa0"},
        {"\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"", "\xc3\xa9\xf0\x9f\x98\x80"},
        {"\xff"
         "a\xc3",
         3, "\"" FFFD "a" FFFD "\"", FFFD "a" FFFD},
        {"\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\"", FFFD FFFD FFFD},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct json_out j = {0};
        cJSON *parsed = cJSON_Parse(cases[i].out);

        assert_string_equal(cJSON_GetStringValue(parsed), cases[i].parsed);
        cJSON_Delete(parsed);
        json_out_string(&j, NULL, slice_of(cases[i].in, cases[i].len));
        assert_text(&j, cases[i].out);
    }
}

/* Every pair of bytes gives a string that can be parsed. */
static void test_any_bytes(void **state)
{
    struct json_out j = {0};
    cJSON *parsed;

    (void)state;
    for (unsigned i = 0x100; i < 0x10000; i++) {
        const uint8_t in[] = {(uint8_t)(i >> 8), (uint8_t)i};

        if (!in[1])
            continue;
        j.text.len = 0;
        j.comma = false;
        json_out_string(&j, NULL, slice_of(in, 2));
        parsed = cJSON_ParseWithLength((const char *)buf_slice(&j.text).p, j.text.len);
        assert_true(cJSON_IsString(parsed));
        assert_true(slice_is_utf8(slice_str(parsed->valuestring)));
        cJSON_Delete(parsed);
    }
    buf_fini(&j.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
