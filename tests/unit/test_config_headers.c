#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/wspc_config.h"
#include "proto/handshake.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define OWN "this header belongs to the handshake and cannot be set"

static enum wsp_err load(struct wspc_config *c, const char *headers, char error[CONFIG_ERROR_MAX])
{
    char text[8192];

    snprintf(text, sizeof(text), "{\"client\":[{\"server\":\"ws://h:1\",\n\"headers\":%s}]}",
             headers);
    strcpy(error, "");
    wspc_config_init(c);
    return wspc_config_load(c, &(struct config_source){.file = "f", .text = slice_str(text)},
                            error);
}

static const struct {
    const char *headers, *lines, *authority;
} good[] = {
    {"null", NULL, "h:1"},
    {"{}", "", "h:1"},
    {"{\"A\":\"b\",\"C-D\":\"e \xc3\xa4\"}", "A: b\r\nC-D: e \xc3\xa4\r\n", "h:1"},
    {"{\"A\":\"\"}", "A: \r\n", "h:1"},
    {"{\"A\":null}", "", "h:1"},
    {"{\"host\":\"front.example:8443\",\"A\":\"b\"}", "A: b\r\n", "front.example:8443"},
};

static void test_good(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct wspc_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_int_equal(load(&c, good[i].headers, error), WSP_OK);
        if (good[i].lines)
            assert_string_equal(c.client[0].headers, good[i].lines);
        else
            assert_null(c.client[0].headers);
        assert_string_equal(c.client[0].authority, good[i].authority);
        assert_string_equal(c.client[0].host, "h");
        wspc_config_fini(&c);
    }
}

static const struct {
    const char *headers, *error;
} bad[] = {
    {"[]", "2:11: client[0].headers: expected an object, found an array"},
    {"{\"A\":1}", "2:16: client[0].headers.A: expected a string, found a number"},
    {"{\"Upgrade\":\"s3cret\"}", "2:22: client[0].headers.Upgrade: " OWN},
    {"{\"CONNECTION\":\"s3cret\"}", "2:25: client[0].headers.CONNECTION: " OWN},
    {"{\"auth\":\"s3cret\"}", "2:19: client[0].headers.auth: " OWN},
    {"{\"Proto\":\"s3cret\"}", "2:20: client[0].headers.Proto: " OWN},
    {"{\"sec-websocket-key\":\"s3cret\"}", "2:32: client[0].headers.sec-websocket-key: " OWN},
    {"{\"Sec-WebSocket-X\":\"s3cret\"}", "2:30: client[0].headers.Sec-WebSocket-X: " OWN},
    {"{\"Origin\":\"s3cret\"}", "2:21: client[0].headers.Origin: " OWN},
    {"{\"Content-Length\":\"7\"}", "2:29: client[0].headers.Content-Length: " OWN},
    {"{\"A b\":\"s3cret\"}",
     "2:18: client[0].headers.A b: expected the name of an HTTP header: letters, digits and '-'"},
    {"{\"\":\"s3cret\"}",
     "2:15: client[0].headers.: expected the name of an HTTP header: letters, digits and '-'"},
    {"{\"A\":\"s3cret\\r\\nB: c\"}", "2:16: client[0].headers.A: control bytes are not allowed"},
    {"{\"A\":\"s3cret\\t\"}", "2:16: client[0].headers.A: control bytes are not allowed"},
    {"{\"A\":\" s3cret\"}", "2:16: client[0].headers.A: must not start or end with a space"},
    {"{\"Host\":\"s3cret/x\"}", "2:19: client[0].headers.Host: expected host[:port]"},
    {"{\"Host\":\"\"}", "2:19: client[0].headers.Host: expected host[:port]"},
};

static void test_bad(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct wspc_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(load(&c, bad[i].headers, error), WSP_ERR_CONFIG);
        assert_string_equal(error + 2, bad[i].error);
        assert_null(strstr(error, "s3cret"));
        wspc_config_fini(&c);
    }
}

/* As much as fits exactly, and a byte more. */
static void test_limit(void **state)
{
    static char value[HANDSHAKE_EXTRA_MAX];
    char *lines = calloc(1, HANDSHAKE_EXTRA_MAX + 1);
    struct slice first = slice_of(value, 1000), second;
    const char *why;

    (void)state;
    memset(value, 'v', sizeof(value));
    assert_int_equal(handshake_extra_add(lines, slice_str("A"), first, &why), WSP_OK);
    second = slice_of(value, HANDSHAKE_EXTRA_MAX - strlen(lines) - 5 + 1);
    assert_int_equal(handshake_extra_add(lines, slice_str("B"), second, &why), WSP_ERR_LIMIT);
    assert_string_equal(why, "all headers together can have up to 4096 bytes");
    assert_int_equal(strlen(lines), 1005);
    second.len--;
    assert_int_equal(handshake_extra_add(lines, slice_str("B"), second, &why), WSP_OK);
    assert_int_equal(strlen(lines), HANDSHAKE_EXTRA_MAX);
    assert_int_equal(handshake_extra_add(lines, slice_str("C"), slice_str(""), &why),
                     WSP_ERR_LIMIT);
    free(lines);
}

/* They stand at the end of the request. */
static void test_request(void **state)
{
    struct handshake_request r = {.target = slice_str("/"),
                                  .host = slice_str("h"),
                                  .auth = slice_str("a"),
                                  .key = "k",
                                  .offer_wsp_1 = true,
                                  .extra = "A: b\r\nC: d\r\n"};
    static const char end[] = "\r\nSec-WebSocket-Protocol: wsp.1\r\nA: b\r\nC: d\r\n\r\n";
    char out[512];
    size_t len;

    (void)state;
    assert_int_equal(handshake_request_write(&r, out, sizeof(out), &len), WSP_OK);
    assert_string_equal(out + len - strlen(end), end);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
