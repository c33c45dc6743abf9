#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "wsp/err.h"

struct sink {
    struct log log;
    unsigned lines;
    enum wsp_log_level level;
    size_t len;
    char line[LOG_LINE_MAX];
};

static void sink_write(void *ctx, enum wsp_log_level level, const char *line, size_t len)
{
    struct sink *s = ctx;

    assert_in_range(len, 0, sizeof(s->line) - 1);
    memcpy(s->line, line, len);
    s->line[len] = '\0';
    s->len = len;
    s->level = level;
    s->lines++;
}

static void sink_init(struct sink *s, enum wsp_log_level level)
{
    *s = (struct sink){.log = {.level = level, .write = sink_write, .ctx = s}};
}

static void test_levels(void **state)
{
    struct sink s;

    (void)state;
    for (int at = WSP_LOG_ERROR; at <= WSP_LOG_TRACE; at++) {
        sink_init(&s, (enum wsp_log_level)at);
        log_error(&s.log, "e");
        log_warn(&s.log, "w");
        log_info(&s.log, "i");
        log_debug(&s.log, "d");
        log_trace(&s.log, "t");
        assert_int_equal(s.lines, at + 1);
        assert_int_equal(s.level, at);
        assert_int_equal(s.line[0], "ewidt"[at]);
    }
}

static int count(int *calls)
{
    return ++*calls;
}

static void test_arguments_not_evaluated(void **state)
{
    struct sink s;
    int calls = 0;

    (void)state;
    sink_init(&s, WSP_LOG_INFO);
    log_debug(&s.log, "%d", count(&calls));
    log_error((struct log *)NULL, "%d", count(&calls));
    s.log.write = NULL;
    log_error(&s.log, "%d", count(&calls));
    assert_int_equal(calls, 0);
    log_printf(NULL, WSP_LOG_ERROR, "no log");
    log_printf(&s.log, WSP_LOG_ERROR, "no writer");
    assert_int_equal(s.lines, 0);
}

static void test_control_bytes(void **state)
{
    struct sink s;

    (void)state;
    sink_init(&s, WSP_LOG_INFO);
    log_info(&s.log, "a\nb\rc\td\x1b[31m\x7f\x01 \xc3\xa9~");
    assert_string_equal(s.line, "a?b?c?d?[31m?? \xc3\xa9~");
    log_info(&s.log, "%s", "\xc2\x9b\x33\x31m \xc2\xa0 \xe2\x80\x9b");
    assert_string_equal(s.line, "??31m \xc2\xa0 \xe2\x80\x9b");
    log_info(&s.log, "a%cb", 0);
    assert_int_equal(s.len, 3);
    assert_string_equal(s.line, "a?b");
}

static void test_long_line(void **state)
{
    char text[2 * LOG_LINE_MAX];
    struct sink s;

    (void)state;
    sink_init(&s, WSP_LOG_INFO);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_info(&s.log, "%s", text);
    assert_int_equal(s.len, LOG_LINE_MAX - 1);
    log_info(&s.log, "%s", text + LOG_LINE_MAX);
    assert_int_equal(s.len, LOG_LINE_MAX - 1);
    log_info(&s.log, "%s", text + LOG_LINE_MAX + 1);
    assert_int_equal(s.len, LOG_LINE_MAX - 2);
}

static void test_names(void **state)
{
    static const char *const bad[] = {"", "warning", "INFO", "info ", "trac", "fatal"};
    enum wsp_log_level level;

    (void)state;
    for (int i = WSP_LOG_ERROR; i <= WSP_LOG_TRACE; i++) {
        assert_true(log_level_parse(wsp_log_level_name((enum wsp_log_level)i), &level));
        assert_int_equal(level, i);
    }
    assert_string_equal(wsp_log_level_name(WSP_LOG_WARN), "warn");
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        level = WSP_LOG_DEBUG;
        assert_false(log_level_parse(bad[i], &level));
        assert_int_equal(level, WSP_LOG_DEBUG);
    }
}

static void test_limit(void **state)
{
    static const struct {
        uint64_t now_us;
        bool ok;
    } steps[] = {
        {5000, true},  {5000, true}, {5001, false}, {5999, false}, {6000, true},   {6999, true},
        {6999, false}, {7000, true}, {90000, true}, {90001, true}, {90999, false},
    };
    struct log_limit limit = {.window_us = 1000, .burst = 2};

    (void)state;
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++)
        if (log_limit_ok(&limit, steps[i].now_us) != steps[i].ok)
            fail_msg("step %zu", i);
    assert_int_equal(limit.dropped, 4);
}

static void test_error_names(void **state)
{
    static const enum wsp_err all[] = {
        WSP_OK,          WSP_ERR_MORE,  WSP_ERR_MALFORMED, WSP_ERR_LIMIT,
        WSP_ERR_REFUSED, WSP_ERR_NOMEM, WSP_ERR_SYSTEM,    WSP_ERR_CONFIG,
    };
    const size_t n = sizeof(all) / sizeof(*all);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_string_not_equal(wsp_strerror(all[i]), "unknown error");
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(wsp_strerror(all[i]), wsp_strerror(all[k]));
    }
    assert_string_equal(wsp_strerror((enum wsp_err) - 99), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),        cmocka_unit_test(test_arguments_not_evaluated),
        cmocka_unit_test(test_control_bytes), cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_names),         cmocka_unit_test(test_limit),
        cmocka_unit_test(test_error_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
