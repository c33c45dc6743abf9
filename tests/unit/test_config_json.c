#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/json.h"
#include "config/json_locate.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct bad {
    const char *text;
    const char *error;
};

/* Refused while parsing. */
static const struct bad syntax[] = {
    {"", "t.json:1:1: the file ends too early: expected a value"},
    {" \n ", "t.json:2:2: the file ends too early: expected a value"},
    {"{", "t.json:1:2: the file ends too early: expected a key in double quotes"},
    {"{\"a\"", "t.json:1:5: the file ends too early: expected ':' after the key"},
    {"{\"a\":", "t.json:1:6: the file ends too early: expected a value"},
    {"{\"a\":1", "t.json:1:7: the file ends too early: expected ',' or '}'"},
    {"[1", "t.json:1:3: the file ends too early: expected ',' or ']'"},
    {"{\n \"a\": 1,\n}", "t.json:3:1: expected a key; is there a comma too many before it?"},
    {"[1,\n]", "t.json:2:1: expected a value; is there a comma too many before it?"},
    {"[,1]", "t.json:1:2: expected a value"},
    {"{a: 1}", "t.json:1:2: expected a key in double quotes"},
    {"{\"a\" 1}", "t.json:1:6: expected ':' after the key"},
    {"{\"a\": 1 \"b\": 2}", "t.json:1:9: expected ',' or '}'"},
    {"[1 2]", "t.json:1:4: expected ',' or ']'"},
    {"[1}", "t.json:1:3: expected ',' or ']'"},
    {"[\xef\xbc\xa7\"\xef\xbc\x8c\"", "t.json:1:2: expected a value"},
    {"[\"\xe4\xbd\xa0\"\xef\xbc\x8c 1]", "t.json:1:5: expected ',' or ']'"},
    {"{\"a\": yes}", "t.json:1:7: expected a value"},
    {"{\"a\": \"b}", "t.json:1:7: this string has no closing quote"},
    {"[\"\\", "t.json:1:2: this string has no closing quote"},
    {"[\"a\\qb\"]", "t.json:1:4: expected \\\", \\\\, \\/, \\b, \\f, \\n, \\r, \\t or \\u"},
    {"[\"a\\u12\"]", "t.json:1:4: not valid JSON from here"},
    {"[1.2.3]", "t.json:1:5: not valid JSON from here"},
    {"{} x", "t.json:1:4: expected nothing more after the end of the JSON value"},
    {"{}}", "t.json:1:3: expected nothing more after the end of the JSON value"},
    {"{\n// port\n\"a\":1}", "t.json:2:1: comments are not part of JSON"},
    {"{\"a\":1} # x", "t.json:1:9: comments are not part of JSON"},
    {"{\n\"a\":\"\xff\"}", "t.json:2:1: this line is not valid UTF-8"},
    {"{\"a\":\n\"x\\\\\\u0000\"}", "t.json:2:5: \\u0000 is not allowed in a string"},
    {"{\"a\":1,\n \"b\":{\"c\":1,\"c\":2}}", "t.json:2:13: key \"c\" appears twice"},
    {"\xef\xbb\xbf{\"a\":1,\"a\":2}", "t.json:1:8: key \"a\" appears twice"},
    {"{\"a\\n\":1,\"a\\n\":2}", "t.json:1:10: key \"a?\" appears twice"},
};

/* The text in memory of exactly its size, so that a read behind it is seen. */
static enum wsp_err open_exact(struct json_doc *doc, const char *text, size_t len)
{
    char *copy = malloc(len ? len : 1);
    enum wsp_err err;

    assert_non_null(copy);
    memcpy(copy, text, len);
    err = json_open_text(doc, "t.json", slice_of(copy, len));
    free(copy);
    return err;
}

static void test_syntax(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(syntax); i++) {
        struct json_doc doc;

        assert_int_equal(open_exact(&doc, syntax[i].text, strlen(syntax[i].text)), WSP_ERR_CONFIG);
        assert_string_equal(doc.error, syntax[i].error);
        json_close(&doc);
    }
}

static const char valid[] =
    "\xef\xbb\xbf{ \"a\" : [1, -2.5e1, true,\tfalse, null, \"x\\\"\\u00e9]\"], \"b\": {\"c\": {}}, "
    "\"d\": []}\r\n";

static void test_every_prefix(void **state)
{
    size_t end = strlen(valid) - 2;

    (void)state;
    for (size_t n = 0; n <= strlen(valid); n++) {
        struct json_doc doc;
        enum wsp_err err = open_exact(&doc, valid, n);

        assert_int_equal(err, n >= end ? WSP_OK : WSP_ERR_CONFIG);
        assert_int_equal(doc.error[0] == '\0', err == WSP_OK);
        if (err != WSP_OK)
            assert_null(strchr(doc.error, '\n'));
        json_close(&doc);
    }
}

static void test_nul_and_size(void **state)
{
    struct json_doc doc;
    char *big = calloc(1, 1024 * 1024 + 1);

    (void)state;
    assert_int_equal(open_exact(&doc, "{}\0 x", 5), WSP_ERR_CONFIG);
    assert_string_equal(doc.error, "t.json:1:3: expected text, found a NUL byte");
    json_close(&doc);
    assert_non_null(big);
    memset(big, ' ', 1024 * 1024 + 1);
    memcpy(big, "{}", 2);
    assert_int_equal(json_open_text(&doc, "t.json", slice_of(big, 1024 * 1024)), WSP_OK);
    json_close(&doc);
    assert_int_equal(json_open_text(&doc, "t.json", slice_of(big, 1024 * 1024 + 1)),
                     WSP_ERR_CONFIG);
    assert_string_equal(doc.error, "t.json: larger than 1 MiB");
    json_close(&doc);
    free(big);
}

static void test_nesting(void **state)
{
    char text[2 * 1001];
    struct json_doc doc;

    (void)state;
    memset(text, '[', 1000);
    memset(text + 1000, ']', 1000);
    assert_int_equal(open_exact(&doc, text, 2000), WSP_OK);
    json_close(&doc);
    memset(text, '[', 1001);
    memset(text + 1001, ']', 1001);
    assert_int_equal(open_exact(&doc, text, 2002), WSP_ERR_CONFIG);
    assert_string_equal(doc.error, "t.json:1:1001: nested too deeply");
    json_close(&doc);
}

static void test_too_many_keys(void **state)
{
    char text[8192] = "{\"k\":0";
    struct json_doc doc;

    (void)state;
    for (int i = 0; i < 256; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), ",\n\"k%d\":0", i);
    strcat(text, "}");
    assert_int_equal(open_exact(&doc, text, strlen(text)), WSP_ERR_CONFIG);
    assert_string_equal(doc.error, "t.json:257:1: more than 256 keys in one object");
    json_close(&doc);
}

static void test_root(void **state)
{
    struct json_doc doc;
    struct json_at root;

    (void)state;
    assert_int_equal(open_exact(&doc, "\n []", 4), WSP_OK);
    assert_false(json_root(&doc, &root));
    assert_string_equal(doc.error, "t.json:2:2: expected an object, found an array");
    json_close(&doc);
}

struct values {
    char *s;
    bool b;
    long n;
    uint64_t us;
};

static bool read_values(struct json_doc *doc, struct values *v)
{
    static const char *const keys[] = {"server", "flag",  "number", "seconds",
                                       "object", "array", NULL};
    struct json_at root, at;
    bool present;

    return json_root(doc, &root) && json_known_keys(&root, keys) &&
           json_get_string(&root, "server", &v->s) && json_get_bool(&root, "flag", &v->b) &&
           json_get_int(&root, "number", -5, 5, &v->n) &&
           json_get_seconds(&root, "seconds", 0.5, 60, &v->us) &&
           json_get_object(&root, "object", &at, &present) &&
           json_get_array(&root, "array", &at, &present);
}

static const struct bad wrong[] = {
    {"{\"server\": 1}", "t.json:1:12: server: expected a string, found a number"},
    {"{\"flag\": \"true\"}", "t.json:1:10: flag: expected true or false, found a string"},
    {"{\"number\": true}", "t.json:1:12: number: expected a whole number, found true"},
    {"{\"number\": 6}", "t.json:1:12: number: expected a whole number from -5 to 5"},
    {"{\"number\": -6}", "t.json:1:12: number: expected a whole number from -5 to 5"},
    {"{\"number\": 1.5}", "t.json:1:12: number: expected a whole number from -5 to 5"},
    {"{\"number\": 1e999}", "t.json:1:12: number: expected a whole number from -5 to 5"},
    {"{\"seconds\": []}", "t.json:1:13: seconds: expected a number of seconds, found an array"},
    {"{\"seconds\": 0.4}", "t.json:1:13: seconds: expected seconds from 0.5 to 60"},
    {"{\"seconds\": 1e999}", "t.json:1:13: seconds: expected seconds from 0.5 to 60"},
    {"{\"object\": []}", "t.json:1:12: object: expected an object, found an array"},
    {"{\"flag\":true,\n\t\"array\": {}}", "t.json:2:11: array: expected an array, found an object"},
    {"{\"sever\": 1}", "t.json:1:2: unknown key \"sever\": did you mean \"server\"?"},
    {"{\"flag\":true,\n \"Server\": 1}",
     "t.json:2:2: unknown key \"Server\": did you mean \"server\"?"},
    {"{\"falg\": 1}", "t.json:1:2: unknown key \"falg\": did you mean \"flag\"?"},
    {"{\"zzz\": 1}", "t.json:1:2: unknown key \"zzz\": expected one of server, flag, number, "
                     "seconds, object, array"},
    {"{\"a\\u001b\\n\": 1}", "t.json:1:2: unknown key \"a??\": expected one of server, flag, "
                             "number, seconds, object, array"},
    {"{\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": 1}",
     "t.json:1:2: unknown key "
     "\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\": "
     "expected one of server, flag, number, seconds, object, array"},
};

static void test_wrong_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct values v = {.n = 3};
        struct json_doc doc;

        assert_int_equal(open_exact(&doc, wrong[i].text, strlen(wrong[i].text)), WSP_OK);
        assert_false(read_values(&doc, &v));
        assert_string_equal(doc.error, wrong[i].error);
        assert_null(v.s);
        assert_int_equal(v.n, 3);
        json_close(&doc);
    }
}

static void test_good_values(void **state)
{
    static const char text[] = "{\"server\":\"a\\u00e9\",\"flag\":true,\"number\":-5,"
                               "\"seconds\":1.25,\"object\":null,\"array\":[]}";
    struct values v = {.s = strdup("old")};
    struct json_doc doc;

    (void)state;
    assert_int_equal(open_exact(&doc, text, strlen(text)), WSP_OK);
    assert_true(read_values(&doc, &v));
    assert_string_equal(v.s, "a\xc3\xa9");
    assert_true(v.b);
    assert_int_equal(v.n, -5);
    assert_int_equal(v.us, 1250000);
    assert_string_equal(doc.error, "");
    json_close(&doc);
    free(v.s);
}

static void test_paths(void **state)
{
    static const char text[] =
        "{\"client\": [{}, {\"remote\": [\"a,]}\", {\"k\\\"\": [1]},\n  2]}]}";
    struct json_at root, client, entry = {.value = NULL}, remote, item = {.value = NULL};
    struct json_doc doc;
    bool present;
    size_t i = 0, j = 0;

    (void)state;
    assert_int_equal(open_exact(&doc, text, strlen(text)), WSP_OK);
    assert_true(json_root(&doc, &root));
    assert_true(json_get_array(&root, "client", &client, &present) && present);
    assert_int_equal(json_count(&client), 2);
    while (json_next(&client, &entry, &i))
        if (json_get_array(&entry, "remote", &remote, &present) && present)
            while (json_next(&remote, &item, &j))
                if (j == 2)
                    assert_false(json_fail(&item, "bad %d", 7));
    assert_string_equal(doc.error, "t.json:2:3: client[1].remote[2]: bad 7");
    assert_false(json_fail(&root, "a later one"));
    assert_string_equal(doc.error, "t.json:2:3: client[1].remote[2]: bad 7");
    json_close(&doc);
}

static void test_files(void **state)
{
    char name[] = "/tmp/test_config_json.XXXXXX";
    char expected[128];
    struct json_doc doc;
    int fd = mkstemp(name);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "{\"a\":1}\n", 8), 8);
    close(fd);
    assert_int_equal(json_open(&doc, name), WSP_OK);
    json_close(&doc);
    unlink(name);
    assert_int_equal(json_open(&doc, name), WSP_ERR_CONFIG);
    snprintf(expected, sizeof(expected), "%s: cannot open: No such file or directory", name);
    assert_string_equal(doc.error, expected);
    json_close(&doc);
    assert_int_equal(json_open(&doc, "/"), WSP_ERR_CONFIG);
    assert_string_equal(doc.error, "/: cannot read: Is a directory");
    json_close(&doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_syntax),        cmocka_unit_test(test_every_prefix),
        cmocka_unit_test(test_nul_and_size),  cmocka_unit_test(test_nesting),
        cmocka_unit_test(test_too_many_keys), cmocka_unit_test(test_root),
        cmocka_unit_test(test_wrong_values),  cmocka_unit_test(test_good_values),
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
