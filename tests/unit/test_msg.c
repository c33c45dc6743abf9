/* WspMessage, WspRequest and WspResponse against captured messages and hand-made odd ones. */
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
#define TEXT_MAX 1024

/* A copy of exactly `len` bytes, so that reading over its end is seen. */
static uint8_t *exact(struct slice s)
{
    uint8_t *copy = malloc(s.len ? s.len : 1);

    assert_non_null(copy);
    if (s.len)
        memcpy(copy, s.p, s.len);
    return copy;
}

static struct slice unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;

    for (; *hex != '-' && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (uint8_t)byte;
    return slice_of(out, n);
}

/* One line of the vectors. */
struct vector {
    struct slice message;
    char id[64];
    int cmd;
    char kind[16];
    int value;
    struct slice body;
    uint8_t message_store[TEXT_MAX];
    uint8_t body_store[TEXT_MAX];
};

static bool vector_read(FILE *file, struct vector *v)
{
    char line[4 * TEXT_MAX], message[2 * TEXT_MAX], body[2 * TEXT_MAX];

    while (fgets(line, sizeof(line), file)) {
        if (line[0] == '#')
            continue;
        assert_int_equal(sscanf(line, "%2047s %63s %d %15s %d %2047s", message, v->id, &v->cmd,
                                v->kind, &v->value, body),
                         6);
        v->message = unhex(message, v->message_store);
        v->body = unhex(body, v->body_store);
        return true;
    }
    return false;
}

static void for_each_vector(void (*check)(const struct vector *v))
{
    FILE *file = fopen(TEST_DATA "/vectors-0.10.txt", "r");
    struct vector v;
    size_t n = 0;

    assert_non_null(file);
    for (; vector_read(file, &v); n++)
        check(&v);
    fclose(file);
    assert_true(n >= 50);
}

/* Decodes a message's data as `v` says, and encodes it again. */
static size_t recode_data(const struct vector *v, struct slice data, uint8_t *out)
{
    struct msg_request request;
    struct msg_response response;
    size_t len = data.len;

    if (strcmp(v->kind, "request") == 0) {
        assert_int_equal(msg_request_parse(data, &request), WSP_OK);
        assert_int_equal(request.type, v->value);
        assert_true(slice_eq(request.url, v->body));
        assert_int_equal(msg_request_write(&request, out, TEXT_MAX, &len), WSP_OK);
    } else if (strcmp(v->kind, "response") == 0) {
        assert_int_equal(msg_response_parse(data, &response), WSP_OK);
        assert_int_equal(response.success, v->value);
        assert_true(slice_eq(response.error, v->body));
        assert_int_equal(response.bound.len, 0);
        assert_int_equal(msg_response_write(&response, out, TEXT_MAX, &len), WSP_OK);
    } else {
        assert_int_equal(data.len, v->value);
        assert_true(slice_eq(data, v->body));
        if (len)
            memcpy(out, data.p, len);
    }
    return len;
}

static void check_recode(const struct vector *v)
{
    struct msg m;
    uint8_t data[TEXT_MAX], out[2 * TEXT_MAX];
    size_t len, head;

    assert_int_equal(msg_parse(v->message, &m), WSP_OK);
    assert_true(slice_eq_str(m.id, v->id));
    assert_int_equal(m.cmd, v->cmd);
    len = recode_data(v, m.data, data);
    head = msg_head_write(out, m.id, (enum msg_cmd)m.cmd, len);
    assert_int_equal(head, msg_head_len(m.id.len, (enum msg_cmd)m.cmd, len));
    memcpy(out + head, data, len);
    assert_true(slice_eq(slice_of(out, head + len), v->message));
}

static void test_vectors(void **state)
{
    (void)state;
    for_each_vector(check_recode);
}

/* A message cut between two fields is another message; cut anywhere else it is malformed. */
static void check_truncated(const struct vector *v)
{
    for (size_t n = 0; n < v->message.len; n++) {
        bool between = n == 0 || n == 29 || (n == 31 && v->cmd != MSG_CONNECT);
        uint8_t *copy = exact(slice_of(v->message.p, n));
        struct msg m = {.cmd = 77};

        assert_int_equal(msg_parse(slice_of(copy, n), &m), between ? WSP_OK : WSP_ERR_MALFORMED);
        if (!between)
            assert_int_equal(m.cmd, 77);
        free(copy);
    }
}

static void test_truncated(void **state)
{
    (void)state;
    for_each_vector(check_truncated);
}

/* Every prefix of a message: MORE while the head is incomplete, then the same answer for all. */
static void check_peek(const struct vector *v)
{
    bool canonical = v->cmd == MSG_TRANSFER && v->body.len > 0;
    size_t head = v->message.len - v->body.len;

    for (size_t n = 0; n <= v->message.len; n++) {
        uint8_t *copy = exact(slice_of(v->message.p, n));
        struct slice id = {0};
        size_t head_len = 77;
        enum wsp_err err = msg_transfer_peek(slice_of(copy, n), v->message.len, &id, &head_len);

        if (canonical && n >= head) {
            assert_int_equal(err, WSP_OK);
            assert_true(slice_eq_str(id, v->id));
            assert_int_equal(head_len, head);
        } else if (!canonical && n >= 31) {
            assert_int_equal(err, WSP_ERR_REFUSED);
        } else if (n < 30) {
            assert_int_equal(err, WSP_ERR_MORE);
        } else {
            assert_true(err == WSP_ERR_MORE || !canonical);
        }
        if (err != WSP_OK)
            assert_int_equal(head_len, 77);
        free(copy);
    }
}

static void test_peek_vectors(void **state)
{
    (void)state;
    for_each_vector(check_peek);
}

static void test_tolerated(void **state)
{
    static const struct {
        const char *name;
        const char *in; /* hex */
        const char *id;
        int32_t cmd;
        const char *data;
    } cases[] = {
        {"empty", "", "", 0, ""},
        {"explicit zeros", "0a0010001a00", "", 0, ""},
        {"reverse order", "1a016410020a0169", "i", 2, "d"},
        {"the last counts", "0a016110011a01781a017910030a0162", "b", 3, "y"},
        {"the last, empty, counts", "0a01610a00", "", 0, ""},
        {"unknown varint", "2096010a0169", "i", 0, ""},
        {"unknown fixed64", "2131323334353637380a0169", "i", 0, ""},
        {"unknown bytes", "22030a01780a0169", "i", 0, ""},
        {"unknown groups", "3b0a0178431001443c0a0169", "i", 0, ""},
        {"unknown fixed32", "25313233340a0169", "i", 0, ""},
        {"largest field number", "f8ffffff0f010a0169", "i", 0, ""},
        {"id as varint", "08051001", "", 1, ""},
        {"cmd as bytes", "1201020a0169", "i", 0, ""},
        {"data as group", "1b10071c1001", "", 1, ""},
        {"ten-byte enum", "10ffffffffffffffffff01", "", -1, ""},
        {"padded enum", "1082808000", "", 2, ""},
        {"enum over 32 bits", "108280808010", "", 2, ""},
        {"unknown enum", "1063", "", 99, ""},
        {"padded tag and length", "8a00810069", "i", 0, ""},
        {"data is not UTF-8", "1a02fffe", "", 0, "\xff\xfe"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t store[64];
        uint8_t *copy = exact(unhex(cases[i].in, store));
        struct msg m;

        if (msg_parse(slice_of(copy, strlen(cases[i].in) / 2), &m) != WSP_OK)
            fail_msg("%s: refused", cases[i].name);
        if (!slice_eq_str(m.id, cases[i].id) || m.cmd != cases[i].cmd ||
            !slice_eq_str(m.data, cases[i].data))
            fail_msg("%s: wrong message", cases[i].name);
        free(copy);
    }
}

static void test_malformed(void **state)
{
    static const struct {
        const char *name;
        const char *in; /* hex */
    } cases[] = {
        {"field number 0", "020178"},
        {"field number over 2^29-1", "808080801001"},
        {"wire type 6", "26"},
        {"wire type 7", "27"},
        {"bad UTF-8 in the id", "0a02c080"},
        {"bad UTF-8 in an id that is replaced", "0a01ff0a0169"},
        {"varint of 11 bytes", "108080808080808080808000"},
        {"varint over 64 bits", "10ffffffffffffffffff02"},
        {"length over the message", "0a0269"},
        {"length of 2^64-1", "1affffffffffffffffff017878"},
        {"end without group", "3c"},
        {"group that does not end", "3b0801"},
        {"groups that cross", "3b433c44"},
        {"field number 0 in a group", "3b00013c"},
        {"truncated unknown fixed32", "25313233"},
        {"truncated unknown fixed64", "2131323334353637"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t store[64];
        uint8_t *copy = exact(unhex(cases[i].in, store));
        struct slice in = {copy, strlen(cases[i].in) / 2};
        struct msg m = {.cmd = 77};
        struct msg_request request = {.type = 77};
        struct msg_response response = {.error = {copy, 0}};

        enum wsp_err wanted =
            strncmp(cases[i].name, "bad UTF-8", 9) ? WSP_ERR_MALFORMED : WSP_ERR_REFUSED;

        if (msg_parse(in, &m) != wanted || m.cmd != 77)
            fail_msg("%s: not refused", cases[i].name);
        if (copy[0] >= 0x20) {
            assert_int_equal(msg_request_parse(in, &request), WSP_ERR_MALFORMED);
            assert_int_equal(request.type, 77);
            assert_int_equal(msg_response_parse(in, &response), WSP_ERR_MALFORMED);
            assert_ptr_equal(response.error.p, copy);
        }
        free(copy);
    }
}

/* Depth costs neither call stack nor quadratic time. */
static void test_deep_groups(void **state)
{
    uint8_t deep[4096];
    struct msg m;

    (void)state;
    memset(deep, 0x3b, sizeof(deep));
    assert_int_equal(msg_parse(slice_of(deep, sizeof(deep)), &m), WSP_ERR_MALFORMED);
    memset(deep + 60, 0x3c, 60);
    assert_int_equal(msg_parse(slice_of(deep, 120), &m), WSP_OK);
    assert_int_equal(msg_parse(slice_of(deep, 119), &m), WSP_ERR_MALFORMED);
}

static void test_request_response(void **state)
{
    struct msg_request request;
    struct msg_response response;
    uint8_t store[64];

    (void)state;
    assert_int_equal(msg_request_parse(unhex("12017520010802", store), &request), WSP_OK);
    assert_int_equal(request.type, MSG_DYNAMIC);
    assert_true(slice_eq_str(request.url, "u"));
    assert_int_equal(msg_request_parse(unhex("1201ff", store), &request), WSP_ERR_MALFORMED);

    assert_int_equal(msg_response_parse(unhex("1a03683a311201650801", store), &response), WSP_OK);
    assert_true(response.success);
    assert_true(slice_eq_str(response.error, "e"));
    assert_true(slice_eq_str(response.bound, "h:1"));
    assert_int_equal(msg_response_parse(unhex("0802", store), &response), WSP_OK);
    assert_false(response.success);
    assert_int_equal(msg_response_parse(unhex("1201ff", store), &response), WSP_ERR_MALFORMED);
}

/* Each capacity below the need is refused, and nothing is written over it. */
static void test_write_limit(void **state)
{
    struct msg_request request = {.type = -1, .url = slice_str("tcp://x")};
    struct msg_response response = {
        .success = true, .error = slice_str("e"), .bound = slice_str("h:1")};
    static const char want_request[] =
        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x12\x07tcp://x";
    static const char want_response[] = "\x08\x01\x12\x01"
                                        "e\x1a\x03h:1";
    size_t len;

    (void)state;
    for (size_t cap = 0; cap < 24; cap++) {
        uint8_t *out = malloc(cap + 1);
        bool fits = cap >= sizeof(want_request) - 1;

        assert_int_equal(msg_request_write(&request, out, cap, &len),
                         fits ? WSP_OK : WSP_ERR_LIMIT);
        if (fits)
            assert_memory_equal(out, want_request, len);
        fits = cap >= sizeof(want_response) - 1;
        assert_int_equal(msg_response_write(&response, out, cap, &len),
                         fits ? WSP_OK : WSP_ERR_LIMIT);
        if (fits)
            assert_memory_equal(out, want_response, len);
        free(out);
    }
}

static void test_head_max(void **state)
{
    uint8_t id[MSG_ID_MAX] = {'i'};
    uint8_t out[MSG_HEAD_MAX];
    size_t n = msg_head_len(sizeof(id), MSG_TRANSFER, UINT32_MAX);

    (void)state;
    assert_int_equal(n, MSG_HEAD_MAX);
    assert_int_equal(msg_head_write(out, slice_of(id, sizeof(id)), MSG_TRANSFER, UINT32_MAX), n);
    assert_int_equal(msg_head_len(0, MSG_CONNECT, 0), 0);
    assert_int_equal(msg_head_len(27, MSG_TRANSFER, 32768), 29 + 2 + 4);
}

/* Forms that msg_parse understands, but not to be handed on as they arrive. */
static void test_peek_refuses(void **state)
{
    static const struct {
        const char *name;
        const char *in; /* hex */
        uint64_t total;
    } cases[] = {
        {"nothing", "", 0},
        {"no id", "10021a0164", 5},
        {"empty id", "0a0010021a0164", 7},
        {"padded id length", "0a81006910021a0164", 9},
        {"id over the limit", "0a8101", 500},
        {"other command", "0a01691001", 20},
        {"padded command", "0a01691082001a0164", 9},
        {"no data", "0a01691002", 5},
        {"empty data", "0a016910021a00", 7},
        {"padded data length", "0a016910021a810064", 9},
        {"something behind the data", "0a016910021a01642001", 10},
        {"data over the message", "0a016910021a0364", 9},
        {"data of 2^64-1", "0a016910021affffffffffffffffff01", 99},
        {"varint too long", "0a016910021affffffffffffffffff02", 99},
        {"id over the message", "0a0969", 3},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t store[64];
        uint8_t *copy = exact(unhex(cases[i].in, store));
        struct slice id;
        size_t head;

        if (msg_transfer_peek(slice_of(copy, strlen(cases[i].in) / 2), cases[i].total, &id,
                              &head) != WSP_ERR_REFUSED)
            fail_msg("%s: not refused", cases[i].name);
        free(copy);
    }
}

/* What we write ourselves is always in the canonical form, up to the longest id. */
static void test_peek_own(void **state)
{
    static const size_t data_len[] = {1, 127, 128, 16384, MSG_DATA_MAX, 1 << 21};
    char id[MSG_ID_MAX];

    (void)state;
    memset(id, 'x', sizeof(id));
    for (size_t i = 0; i < COUNT(data_len); i++) {
        for (size_t id_len = 1; id_len <= MSG_ID_MAX; id_len += 127) {
            uint8_t out[MSG_HEAD_MAX];
            size_t n = msg_head_write(out, slice_of(id, id_len), MSG_TRANSFER, data_len[i]);
            struct slice got;
            size_t head;

            for (size_t cut = 0; cut < n; cut++)
                assert_int_equal(
                    msg_transfer_peek(slice_of(out, cut), n + data_len[i], &got, &head),
                    WSP_ERR_MORE);
            assert_int_equal(msg_transfer_peek(slice_of(out, n), n + data_len[i], &got, &head),
                             WSP_OK);
            assert_int_equal(head, n);
            assert_int_equal(got.len, id_len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),          cmocka_unit_test(test_truncated),
        cmocka_unit_test(test_peek_vectors),     cmocka_unit_test(test_tolerated),
        cmocka_unit_test(test_malformed),        cmocka_unit_test(test_deep_groups),
        cmocka_unit_test(test_request_response), cmocka_unit_test(test_write_limit),
        cmocka_unit_test(test_head_max),         cmocka_unit_test(test_peek_refuses),
        cmocka_unit_test(test_peek_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
