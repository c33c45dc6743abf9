/* What only wsp.1 carries: SETTINGS, WINDOW, the reason of INTERRUPT, windows in requests and
 * responses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/msg.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define INSTANCE "30313233343536373839616263646566"
#define INSTANCE_TEXT "0123456789abcdef"

enum { STORE = 64 };

static struct slice unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;

    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (uint8_t)byte;
    return slice_of(out, n);
}

/* A copy of exactly `len` bytes, so that reading over its end is seen. */
static uint8_t *exact(struct slice s)
{
    uint8_t *copy = malloc(s.len ? s.len : 1);

    assert_non_null(copy);
    if (s.len)
        memcpy(copy, s.p, s.len);
    return copy;
}

static void test_settings_parse(void **state)
{
    static const struct {
        const char *name, *in; /* hex */
        uint64_t window, transfer;
        const char *instance;
    } rows[] = {
        {"empty", "", 0, 0, ""},
        {"all",
         "088080011080800"
         "21a10" INSTANCE,
         16384, 32768, INSTANCE_TEXT},
        {"reverse", "1a10" INSTANCE "10800808ffff03", 65535, 1024, INSTANCE_TEXT},
        {"the last counts",
         "080108021003100408"
         "05",
         5, 4, ""},
        {"largest", "08ffffffffffffffffff01", UINT64_MAX, 0, ""},
        {"padded", "0885800010868000", 5, 6, ""},
        {"unknown fields",
         "2001320178"
         "0807"
         "25313233343b3c",
         7, 0, ""},
        {"window as bytes",
         "0a0178"
         "1009",
         0, 9, ""},
        {"transfer as fixed32",
         "1531323334"
         "0809",
         9, 0, ""},
        {"instance as varint",
         "1807"
         "0809",
         9, 0, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t store[STORE];
        struct slice in = unhex(rows[i].in, store);
        uint8_t *copy = exact(in);
        uint8_t instance[MSG_INSTANCE_LEN] = {0};
        struct msg_settings s;

        memcpy(instance, rows[i].instance, strlen(rows[i].instance));
        if (msg_settings_parse(slice_of(copy, in.len), &s) != WSP_OK)
            fail_msg("%s: refused", rows[i].name);
        if (s.window != rows[i].window || s.transfer != rows[i].transfer ||
            memcmp(s.instance, instance, sizeof(instance)) != 0)
            fail_msg("%s: read wrongly", rows[i].name);
        free(copy);
    }
}

static void test_settings_malformed(void **state)
{
    static const char *const rows[] = {
        "08",                     /* no value */
        "08ffffffffffffffffff02", /* over 64 bits */
        "0880808080808080808080"
        "00", /* 11 bytes */
        "1a0f"
        "303132333435363738396162636465", /* an instance of 15 bytes */
        "1a11" INSTANCE "30",             /* of 17 */
        "1a00",                           /* of none */
        "1a10"
        "3031", /* cut off */
        "0001", /* field 0 */
        "0807"
        "26", /* wire type 6 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t store[STORE];
        struct slice in = unhex(rows[i], store);
        uint8_t *copy = exact(in);
        struct msg_settings s = {.window = 77};

        if (msg_settings_parse(slice_of(copy, in.len), &s) != WSP_ERR_MALFORMED || s.window != 77)
            fail_msg("row %zu: not refused", i);
        free(copy);
    }
}

/* Cut between fields it is a shorter one, cut elsewhere it is malformed. */
static void test_settings_prefixes(void **state)
{
    uint8_t store[STORE];
    struct slice in = unhex("0880800110808002"
                            "1a10" INSTANCE,
                            store);

    (void)state;
    for (size_t n = 0; n <= in.len; n++) {
        bool between = n == 0 || n == 4 || n == 8 || n == in.len;
        uint8_t *copy = exact(slice_of(in.p, n));
        struct msg_settings s;

        assert_int_equal(msg_settings_parse(slice_of(copy, n), &s),
                         between ? WSP_OK : WSP_ERR_MALFORMED);
        free(copy);
    }
}

static void test_settings_write(void **state)
{
    struct msg_settings s = {.window = 16384, .transfer = 32768, .instance = INSTANCE_TEXT}, got;
    struct msg_settings most = {.window = UINT64_MAX, .transfer = UINT64_MAX};
    uint8_t out[MSG_SETTINGS_MAX], store[STORE];
    size_t n = msg_settings_write(&s, out);
    struct slice want = unhex("0880800110808002"
                              "1a10" INSTANCE,
                              store);

    (void)state;
    assert_int_equal(n, want.len);
    assert_memory_equal(out, want.p, n);
    n = msg_settings_write(&most, out);
    assert_in_range(n, 1, MSG_SETTINGS_MAX);
    assert_int_equal(msg_settings_parse(slice_of(out, n), &got), WSP_OK);
    assert_true(got.window == UINT64_MAX && got.transfer == UINT64_MAX);
}

static void test_credit(void **state)
{
    static const uint64_t values[] = {
        1, 127, 128, 16383, 16384, INT32_MAX, (uint64_t)INT32_MAX + 1, UINT32_MAX, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        uint8_t *out = malloc(MSG_CREDIT_MAX);
        uint64_t got = 77;
        size_t n = msg_credit_write(values[i], out);

        assert_in_range(n, 1, MSG_CREDIT_MAX);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *copy = exact(slice_of(out, cut));

            assert_int_equal(msg_credit_parse(slice_of(copy, cut), &got), WSP_ERR_MALFORMED);
            assert_int_equal(got, 77);
            free(copy);
        }
        assert_int_equal(msg_credit_parse(slice_of(out, n), &got), WSP_OK);
        assert_true(got == values[i]);
        free(out);
    }
}

static void test_credit_malformed(void **state)
{
    static const char *const rows[] = {
        "", "00", "8000", "80", "0100", "010a", "ffffffffffffffffff02", "8080808080808080808001"};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t store[STORE];
        struct slice in = unhex(rows[i], store);
        uint8_t *copy = exact(in);
        uint64_t got = 77;

        if (msg_credit_parse(slice_of(copy, in.len), &got) != WSP_ERR_MALFORMED || got != 77)
            fail_msg("%s: not refused", rows[i]);
        free(copy);
    }
}

static void test_reason(void **state)
{
    static const struct {
        const char *data;
        size_t len;
        uint8_t reason;
        const char *text;
    } rows[] = {
        {"", 0, MSG_CLOSED, ""},           {"\0", 1, MSG_CLOSED, ""},
        {"\1", 1, MSG_RESET, ""},          {"\5gone", 5, MSG_WITHDRAWN, "gone"},
        {"\0text", 5, MSG_CLOSED, "text"}, {"\xff", 1, 255, ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t *copy = exact(slice_of(rows[i].data, rows[i].len));
        struct slice text;

        assert_int_equal(msg_reason_parse(slice_of(copy, rows[i].len), &text), rows[i].reason);
        assert_true(slice_eq_str(text, rows[i].text));
        free(copy);
    }
}

/* A bridge passes on `raw`: all but the window of the link it came from. */
static void test_request_window(void **state)
{
    static const struct {
        const char *in; /* hex */
        uint64_t window;
        size_t raw_len;
    } rows[] = {
        {"080212017518808001", 16384, 5}, /* where we write it */
        {"0802120175", 0, 5},             /* none */
        {"18808001", 16384, 0},           /* nothing else */
        {"18808001080212017"
         "5",
         16384, 9}, /* in front: stays, and the new one counts */
        {"0802120175180518808001", 16384, 5},
        {"0802120175"
         "1a0178",
         0, 8}, /* of another type: unknown */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t store[STORE], out[STORE];
        struct slice in = unhex(rows[i].in, store);
        uint8_t *copy = exact(in);
        struct msg_request r, again;
        size_t len;

        assert_int_equal(msg_request_parse(slice_of(copy, in.len), &r), WSP_OK);
        assert_int_equal(r.window, rows[i].window);
        assert_ptr_equal(r.raw.p, copy);
        assert_int_equal(r.raw.len, rows[i].raw_len);
        r.window = 99999;
        assert_int_equal(msg_request_write(&r, out, sizeof(out), &len), WSP_OK);
        assert_int_equal(msg_request_parse(slice_of(out, len), &again), WSP_OK);
        assert_int_equal(again.window, 99999);
        assert_int_equal(again.type, r.type);
        assert_true(slice_eq(again.url, r.url));
        r.window = 0; /* to a peer that knows no windows */
        assert_int_equal(msg_request_write(&r, out, sizeof(out), &len), WSP_OK);
        assert_true(slice_eq(slice_of(out, len), r.raw));
        free(copy);
    }
}

static void test_windows_written(void **state)
{
    struct msg_request request = {.type = MSG_DYNAMIC, .url = slice_str("u"), .window = 16384};
    struct msg_response response = {.success = true, .bound = slice_str("h:1"), .window = 16384};
    struct msg_response got;
    uint8_t out[STORE], store[STORE];
    struct slice want = unhex("080212017518808001", store);
    size_t len;

    (void)state;
    assert_int_equal(msg_request_write(&request, out, want.len - 1, &len), WSP_ERR_LIMIT);
    assert_int_equal(msg_request_write(&request, out, want.len, &len), WSP_OK);
    assert_true(slice_eq(slice_of(out, len), want));
    want = unhex("08011a03683a3120808001", store);
    assert_int_equal(msg_response_write(&response, out, want.len - 1, &len), WSP_ERR_LIMIT);
    assert_int_equal(msg_response_write(&response, out, want.len, &len), WSP_OK);
    assert_true(slice_eq(slice_of(out, len), want));
    assert_int_equal(msg_response_parse(want, &got), WSP_OK);
    assert_int_equal(got.window, 16384);
    assert_true(got.success && slice_eq_str(got.bound, "h:1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_parse),
        cmocka_unit_test(test_settings_malformed),
        cmocka_unit_test(test_settings_prefixes),
        cmocka_unit_test(test_settings_write),
        cmocka_unit_test(test_credit),
        cmocka_unit_test(test_credit_malformed),
        cmocka_unit_test(test_reason),
        cmocka_unit_test(test_request_window),
        cmocka_unit_test(test_windows_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
