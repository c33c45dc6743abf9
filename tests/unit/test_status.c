/* What the status says of a link and its channels (core/status.c), and the counters behind it. */
#include "fake_wsp_1.h"

#include <cjson/cJSON.h>

#include "core/status.h"

static cJSON *parse(struct json_out *j)
{
    cJSON *parsed = cJSON_ParseWithLength((const char *)buf_slice(&j->text).p, j->text.len);

    assert_false(j->failed);
    assert_non_null(parsed);
    buf_fini(&j->text);
    return parsed;
}

static cJSON *link_object(const struct rig *r)
{
    struct json_out j = {0};

    json_out_object(&j, NULL);
    link_status_write(&r->link, &j, r->now);
    json_out_end_object(&j);
    return parse(&j);
}

static cJSON *channel_list(const struct rig *r, size_t room)
{
    struct json_out j = {0};

    json_out_array(&j, NULL);
    channels_status_write(&r->link, &j, &room);
    json_out_end_array(&j);
    return parse(&j);
}

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    assert_true(cJSON_IsNumber(item));
    return item->valuedouble;
}

static const char *text(const cJSON *object, const char *key)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    assert_non_null(value);
    return value;
}

static void assert_numbers(const cJSON *object, const char *const *keys, const double *values)
{
    for (; *keys; keys++, values++)
        if (number(object, *keys) != *values)
            fail_msg("%s: %g, expected %g", *keys, number(object, *keys), *values);
}

static const char *const counters[] = {"channels",     "channels_opened", "channels_refused",
                                       "queued_bytes", "held_bytes",      NULL};

/* Opens by either side, accepted and refused; what a reader leaves is held. */
static void test_link(void **state)
{
    static const enum link_dialect dialects[] = {LINK_0_10, LINK_WSP_1};
    struct rig r;
    struct end *ours, *theirs;
    cJSON *o;

    (void)state;
    for (size_t i = 0; i < COUNT(dialects); i++) {
        bool is_1 = dialects[i] == LINK_WSP_1;

        rig_begin(&r, rig_options(true, dialects[i]));
        if (is_1)
            greet(&r);
        ours = is_1 ? rig_opened_1(&r, 1000) : rig_opened(&r);
        theirs = is_1 ? rig_accepted_1(&r, "1", 1000) : rig_accepted(&r, "1");
        r.answer = RIG_RESPOND;
        rig_send_request(&r, slice_str("3"), "socks5://a.example:80");
        rig_expect_response(&r, slice_str("3"), false, "not here");
        rig_send_response(&r, end_id(rig_opening(&r)), false, "no");
        theirs->room = 100;
        peer_transfer(&r, slice_str("1"), 300);
        assert_int_equal(chan_send(&ours->ch, slice_of("twelve bytes", 12)), 12);
        r.now += 61 * SECOND;

        o = link_object(&r);
        assert_string_equal(text(o, "dialect"), is_1 ? "wsp.1" : "0.10");
        assert_numbers(o, counters, (const double[]){2, 2, 2, (double)r.link.out.bytes, 200});
        assert_true(number(o, "silent_s") == 61 && number(o, "age_s") >= 61);
        assert_true(number(o, "bytes_in") > 300);
        assert_true(number(o, "queued_bytes") > 12);
        assert_int_equal(number(o, "bytes_out") + number(o, "queued_bytes"), r.link.out_total);
        cJSON_Delete(o);

        o = channel_list(&r, 10);
        assert_int_equal(cJSON_GetArraySize(o), 2);
        for (const cJSON *ch = o->child; ch; ch = ch->next) {
            bool is_theirs = strcmp(text(ch, "id"), "1") == 0;
            static const char *const bytes[] = {"bytes_in", "bytes_out", "held_bytes", NULL};

            assert_string_equal(text(ch, "link"), "link 7");
            assert_string_equal(text(ch, "state"), "open");
            assert_numbers(ch, bytes,
                           is_theirs ? (const double[]){300, 0, 200} : (const double[]){0, 12, 0});
        }
        cJSON_Delete(o);
        o = channel_list(&r, 1);
        assert_int_equal(cJSON_GetArraySize(o), 1);
        cJSON_Delete(o);
        rig_stop(&r);
    }
}

/* Registrations are no channels for a person who looks, though they are for the limit. */
static void test_registrations(void **state)
{
    struct rig r;
    struct end *e;
    cJSON *o;

    (void)state;
    rig_start_1(&r, true);
    e = rig_asked(&r, "1");
    e->ch.mute = true;
    chan_accept(&e->ch, NOTHING);
    o = link_object(&r);
    assert_numbers(o, counters, (const double[]){0, 0, 0, (double)r.link.out.bytes, 0});
    cJSON_Delete(o);
    o = channel_list(&r, 10);
    assert_int_equal(cJSON_GetArraySize(o), 0);
    cJSON_Delete(o);
    rig_stop(&r);
}

/* The totals keep what links that have ended did. */
static void test_totals(void **state)
{
    struct link_totals totals = {0};
    struct json_out j = {0};
    uint64_t in = 0, out = 0;
    struct rig r;
    cJSON *o;

    (void)state;
    for (int i = 0; i < 2; i++) {
        rig_start_1(&r, true);
        rig_opened_1(&r, 1000);
        in += r.link.in_total;
        out += r.link.out_sent;
        rig_stop(&r);
        link_totals_add(&totals, &r.link);
    }
    json_out_object(&j, NULL);
    link_totals_write(&totals, &j);
    json_out_end_object(&j);
    o = parse(&j);
    assert_true(in > 0 && out > 0);
    assert_numbers(o,
                   (const char *const[]){"links", "channels_opened", "channels_refused", "bytes_in",
                                         "bytes_out", NULL},
                   (const double[]){2, 2, 0, (double)in, (double)out});
    cJSON_Delete(o);
}

static void test_memory(void **state)
{
    struct credit_cap cap = {.max = 1000, .used = 10};
    struct json_out j = {0};
    struct block *block, *piece;
    struct pool pool;
    cJSON *o;

    (void)state;
    pool_init(&pool, 2);
    block = pool_get(&pool);
    piece = pool_get_piece(&pool);
    pool_put(&pool, pool_get_piece(&pool));
    json_out_object(&j, NULL);
    memory_status_write(&pool, &cap, &j);
    json_out_end_object(&j);
    o = parse(&j);
    assert_numbers(cJSON_GetObjectItemCaseSensitive(o, "memory"),
                   (const char *const[]){"buffers_bytes", "spare_bytes", "reserved_bytes",
                                         "limit_bytes", NULL},
                   (const double[]){BLOCK_BYTES + PIECE_BYTES, PIECE_BYTES, 10, 1000});
    cJSON_Delete(o);
    pool_put(&pool, block);
    pool_put(&pool, piece);
    pool_fini(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link),
        cmocka_unit_test(test_registrations),
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
