#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/overlay.h"

enum { VALUES_MAX = 4 };

struct value {
    const char *key, *text;
    bool is_number;
};

/* The values become "-1", "-2" and so on in errors. */
static bool lay(struct json_doc *doc, const char *text, const struct value *values)
{
    struct overlay o = {0};
    bool ok;

    for (size_t i = 0; i < VALUES_MAX && values[i].key; i++) {
        struct overlay_value v = {.key = (char *)values[i].key,
                                  .text = (char *)values[i].text,
                                  .type = values[i].is_number ? OVERLAY_NUMBER : OVERLAY_STRING};

        snprintf(v.origin, sizeof(v.origin), "-%zu", i + 1);
        assert_true(overlay_add(&o, &v));
    }
    assert_int_equal(json_open_text(doc, "t.json", slice_str(text)), WSP_OK);
    ok = overlay_apply(&o, doc);
    overlay_fini(&o);
    return ok;
}

static void test_what_it_makes(void **state)
{
    static const struct {
        const char *text;
        struct value values[VALUES_MAX];
        const char *expected;
    } cases[] = {
        {"{}", {{"port", "80", true}}, "{\"port\":80}"},
        {"{}", {{"path", "80", false}}, "{\"path\":\"80\"}"},
        {"{\"a\":1}", {{"b.c", "x", false}}, "{\"b\":{\"c\":\"x\"},\"a\":1}"},
        {"{\"b\":{\"d\":2}}", {{"b.c", "x", false}}, "{\"b\":{\"c\":\"x\",\"d\":2}}"},
        {"{\"l\":[1]}", {{"l[]", "x", false}, {"l[]", "y", false}}, "{\"l\":[1,\"x\",\"y\"]}"},
        {"{\"c\":[{},{}]}", {{"c[].l[]", "x", false}}, "{\"c\":[{\"l\":[\"x\"]},{}]}"},
        {"{\"c\":[{}]}",
         {{"c[+].s", "u", false}, {"c[].l[]", "x", false}, {"c[].a", "y", false}},
         "{\"c\":[{},{\"a\":\"y\",\"l\":[\"x\"],\"s\":\"u\"}]}"},
        {"{}", {{"c[+].s", "u", false}}, "{\"c\":[{\"s\":\"u\"}]}"},
        /* No place for it: whoever reads the file says so. */
        {"{\"b\":1}", {{"b.c", "x", false}}, "{\"b\":1}"},
        {"{\"l\":{}}", {{"l[]", "x", false}}, "{\"l\":{}}"},
        {"{}", {{"c[].l[]", "x", false}}, "{}"},
        {"{\"c\":[]}", {{"c[].l[]", "x", false}}, "{\"c\":[]}"},
        {"{\"c\":[7]}", {{"c[].l[]", "x", false}}, "{\"c\":[7]}"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct json_doc doc;
        char *made;

        assert_true(lay(&doc, cases[i].text, cases[i].values));
        made = cJSON_PrintUnformatted(doc.root);
        assert_string_equal(made, cases[i].expected);
        cJSON_free(made);
        json_close(&doc);
    }
}

static void test_it_stands_for_what_the_file_has(void **state)
{
    static const struct value values[VALUES_MAX] = {
        {"port", "80", true}, {"log.level", "warn", false}, {"bad", "x", true}};
    struct json_doc doc;
    struct json_at root, log;
    bool present;
    char *level = NULL;
    long port = 0;

    (void)state;
    assert_true(lay(&doc, "{\"port\":\"wrong\",\"log\":null,\"bad\":1}", values));
    assert_true(json_root(&doc, &root));
    assert_true(json_get_int(&root, "port", 1, 99, &port));
    assert_int_equal(port, 80);
    assert_true(json_get_object(&root, "log", &log, &present) && present);
    assert_true(json_get_string(&log, "level", &level));
    assert_string_equal(level, "warn");
    free(level);
    assert_false(json_get_int(&root, "bad", 1, 99, &port));
    assert_string_equal(doc.error, "-3: expected a whole number from 1 to 99");
    assert_true(doc.graft_failed);
    json_close(&doc);
}

/* Values that are not in the text do not shift the places of those that are. */
static void test_places_in_the_file_stay(void **state)
{
    static const struct value values[VALUES_MAX] = {
        {"c[+].s", "u", false}, {"c[].l[]", "x", false}, {"a", "y", false}};
    struct json_doc doc;
    struct json_at root;
    long z;

    (void)state;
    assert_true(lay(&doc, "{\"a\":1,\n\"c\":[{}],\n\"z\": 0}", values));
    assert_true(json_root(&doc, &root));
    assert_false(json_get_int(&root, "z", 1, 2, &z));
    assert_string_equal(doc.error, "t.json:3:6: z: expected a whole number from 1 to 2");
    assert_false(doc.graft_failed);
    json_close(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_makes),
        cmocka_unit_test(test_it_stands_for_what_the_file_has),
        cmocka_unit_test(test_places_in_the_file_stay),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
