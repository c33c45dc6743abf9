#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "proto/forward.h"

#define COLUMNS 10
#define TEXT_MAX 16384

static struct forward fwd;
static char error[TEXT_MAX];

/* Parses from a buffer of exactly the right size, so that a read beyond it is seen. */
static enum wsp_err parse_bytes(const char *url, size_t len)
{
    char *copy = malloc(len ? len : 1);
    enum wsp_err err;

    memcpy(copy, url, len);
    memset(error, 0, sizeof(error));
    err = forward_parse(slice_of(copy, len), &fwd, error, sizeof(error));
    free(copy);
    return err;
}

static enum wsp_err parse(const char *url)
{
    return parse_bytes(url, strlen(url));
}

static const char *written(size_t *len)
{
    static char out[FORWARD_URL_MAX];

    assert_int_equal(forward_write(&fwd, out, sizeof(out), len), WSP_OK);
    return out;
}

/* One column of the table, its \xNN resolved in place. */
static struct slice column(char *s)
{
    size_t len = 0;

    for (char *p = s; *p; len++) {
        unsigned byte;
        if (sscanf(p, "\\x%2x", &byte) == 1) {
            s[len] = (char)byte;
            p += 4;
        } else {
            s[len] = *p++;
        }
    }
    return slice_of(s, len);
}

static bool same(bool has, struct slice got, struct slice want, bool none)
{
    return has ? !none && slice_eq(got, want) : none;
}

static bool parsed_as(const struct slice *col, const bool *none)
{
    char port[16];
    size_t len;
    const char *out = written(&len);

    snprintf(port, sizeof(port), "%d", fwd.port);
    return slice_eq(slice_of(out, len), col[2]) &&
           same(fwd.has_user, fwd.channel, col[3], none[3]) &&
           same(fwd.has_password, fwd.password, col[4], none[4]) && slice_eq(fwd.host, col[5]) &&
           slice_eq_str(col[6], port) && slice_eq(fwd.path, col[7]) && slice_eq(fwd.mode, col[8]) &&
           slice_eq(fwd.value, col[9]);
}

static bool row_holds(char *line)
{
    struct slice col[COLUMNS] = {0};
    bool none[COLUMNS] = {false};
    enum wsp_err err;

    for (size_t i = 0; i < COLUMNS; i++) {
        char *text = strsep(&line, "\t");
        none[i] = text && strcmp(text, "~") == 0;
        col[i] = text ? column(text) : slice_str("");
    }
    err = parse_bytes((const char *)col[1].p, col[1].len);
    if (slice_eq_str(col[0], "ok"))
        return err == WSP_OK && parsed_as(col, none);
    if (err != WSP_ERR_MALFORMED || strncmp(error, "parse \"", 7) != 0)
        return false;
    if (slice_eq_str(col[0], "err"))
        return slice_eq_str(col[2], error);
    if (slice_eq_str(col[0], "host"))
        return strstr(error, "\": invalid host: not an IPv6 address") != NULL;
    if (slice_eq_str(col[0], "hide"))
        return strstr(error, "***") != NULL;
    return slice_eq_str(col[0], "strict");
}

/* Calls `check` on each line of the recorded table, which may change it. */
static void each_row(bool (*check)(char *line), int rows_min)
{
    FILE *file = fopen(TEST_DATA "/forward_urls.txt", "r");
    char line[TEXT_MAX], copy[TEXT_MAX];
    int rows = 0, failed = 0;

    assert_non_null(file);
    while (fgets(line, sizeof(line), file)) {
        if (line[0] == ';')
            continue;
        line[strcspn(line, "\n")] = '\0';
        memcpy(copy, line, sizeof(line));
        rows++;
        if (check(copy))
            continue;
        failed++;
        print_error("%s\n  gave: %s\n", line, error);
    }
    fclose(file);
    assert_int_equal(failed, 0);
    assert_true(rows >= rows_min);
}

static void test_recorded(void **state)
{
    (void)state;
    each_row(row_holds, 150);
}

/* A prefix may be a URL or not, but is never read beyond its end. */
static bool prefixes_hold(char *line)
{
    struct slice url;

    strsep(&line, "\t");
    url = column(strsep(&line, "\t"));
    for (size_t n = 0; n < url.len; n++) {
        enum wsp_err err = parse_bytes((const char *)url.p, n);
        if (err != WSP_OK && err != WSP_ERR_MALFORMED)
            return false;
        if ((err == WSP_OK) != (error[0] == '\0'))
            return false;
    }
    return true;
}

static void test_prefixes(void **state)
{
    (void)state;
    each_row(prefixes_hold, 150);
}

/* Passwords, and what could be one, are hidden; the rest of the text is Go's. */
static void test_error_secrets(void **state)
{
    static const struct {
        const char *url, *text;
    } rows[] = {
        {"tcp://ssh:p w@h:22", "parse \"tcp://ssh:***@h:22\": net/url: invalid userinfo"},
        {"tcp://ssh:\xc3\xa9@h", "parse \"tcp://ssh:***@h\": net/url: invalid userinfo"},
        {"tcp://ssh:%zz@h", "parse \"tcp://ssh:***@h\": invalid URL escape \"***\""},
        {"tcp://s%zz:pw@h", "parse \"tcp://s%zz:***@h\": invalid URL escape \"%zz\""},
        {"tcp://ssh:pw@h:8o", "parse \"tcp://ssh:***@h:8o\": invalid port \":8o\" after host"},
        {"tcp://ssh:pw@h/%", "parse \"tcp://ssh:***@h/%\": invalid URL escape \"%\""},
        {"tcp://ssh:pw@h#%q", "parse \"tcp://ssh:***@h#%q\": invalid URL escape \"%q\""},
        {"tcp://ssh:pw@h x", "parse \"tcp://ssh:***@h x\": invalid character \" \" in host name"},
        {"tcp://ssh:pw@h\t", "parse \"tcp://ssh:***@h\\t\": net/url: invalid control character "
                             "in URL"},
        /* '/', '?' or '#' that should have been escaped */
        {"tcp://ssh:p/w@h:22", "parse \"tcp://ssh:***@h:22\": invalid port \"***\" after host"},
        {"tcp://ssh:p?w@h:22", "parse \"tcp://ssh:***@h:22\": invalid port \"***\" after host"},
        {"tcp://ssh:p#w@h:22", "parse \"tcp://ssh:***\": invalid port \"***\" after host"},
        {"tcp://ssh:1/%zz@h", "parse \"tcp://ssh:***@h\": invalid URL escape \"***\""},
        {"tcp://ssh:a@b^/c@h", "parse \"tcp://ssh:***@h\": invalid character \"***\" in host name"},
        /* '@' or the scheme forgotten */
        {"tcp://ssh:pw", "parse \"tcp://ssh:***\": invalid port \"***\" after host"},
        {"tcp://ssh:pw:22", "parse \"tcp://ssh:***\": invalid port \"***\" after host"},
        {"tcp://ssh:123456", "parse \"tcp://ssh:***\": invalid port \"***\" after host"},
        {"tcp://ssh:pw%40h", "parse \"tcp://ssh:***\": invalid port \"***\" after host"},
        {"ssh:pw@h:22", "parse \"ssh:***@h:22\": missing \"//\" after protocol scheme"},
        {"tcp:ssh:pw@h", "parse \"tcp:***@h\": missing \"//\" after protocol scheme"},
        {"//ssh:pw@h:22", "parse \"//ssh:***@h:22\": missing protocol scheme"},
        {"t_p://ssh:pw@h", "parse \"t_p://ssh:***@h\": first path segment in URL cannot contain "
                           "colon"},
        /* nothing to hide */
        {"%%", "parse \"%%\": invalid URL escape \"%%\""},
        {"h", "parse \"h\": missing protocol scheme"},
        {"", "parse \"\": missing protocol scheme"},
        {"tcp:/p", "parse \"tcp:/p\": missing \"//\" after protocol scheme"},
        {"tcp://[::g]:1", "parse \"tcp://[::g]:1\": invalid host: not an IPv6 address"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i].url), WSP_ERR_MALFORMED);
        assert_string_equal(error, rows[i].text);
    }
}

static void test_error_is_cut(void **state)
{
    static const char full[] = "parse \"%%\": invalid URL escape \"%%\"";
    char small[sizeof(full)];

    (void)state;
    for (size_t cap = 0; cap <= sizeof(small); cap++) {
        memset(small, '#', sizeof(small));
        forward_parse(slice_str("%%"), &fwd, small, cap);
        assert_true(cap == 0 || (strlen(small) == cap - 1 && !strncmp(small, full, cap - 1)));
        assert_true(cap == sizeof(small) || small[cap] == '#');
    }
}

static void test_limits(void **state)
{
    static char url[FORWARD_URL_MAX + 1];
    static char out[FORWARD_URL_MAX + 1];
    size_t len;

    (void)state;
    memset(url, 'a', sizeof(url));
    memcpy(url, "http://h?value=", 15);
    assert_int_equal(parse_bytes(url, FORWARD_URL_MAX), WSP_OK);
    assert_int_equal(fwd.value.len, FORWARD_URL_MAX - 15);
    assert_int_equal(parse_bytes(url, FORWARD_URL_MAX + 1), WSP_ERR_LIMIT);
    assert_non_null(strstr(error, "4096"));

    /* written three times as long: over the limit, then over the store */
    memset(url, ' ', sizeof(url));
    memcpy(url, "tcp://h/", 8);
    assert_int_equal(parse_bytes(url, 1400), WSP_OK);
    assert_int_equal(forward_write(&fwd, out, sizeof(out), &len), WSP_ERR_LIMIT);
    assert_int_equal(parse_bytes(url, FORWARD_URL_MAX), WSP_ERR_LIMIT);

    /* a mode for which the store has no room is not passed over */
    memset(url + 1508, 'm', sizeof(url) - 1508);
    memcpy(url + 1508, "?mode=", 6);
    assert_int_equal(parse_bytes(url, 2700), WSP_ERR_LIMIT);
    assert_int_equal(parse_bytes(url, 2108), WSP_OK);
    assert_int_equal(fwd.mode.len, 2108 - 1508 - 6);
}

static void test_write_needs_room(void **state)
{
    static const char url[] = "tcp://a:b%3Ac@h:1/p?q#f";
    char out[sizeof(url)];
    size_t len = 99;

    (void)state;
    assert_int_equal(parse(url), WSP_OK);
    for (size_t cap = 0; cap < strlen(url); cap++)
        assert_int_equal(forward_write(&fwd, out, cap, &len), WSP_ERR_LIMIT);
    assert_int_equal(len, 99);
    assert_int_equal(forward_write(&fwd, out, strlen(url), &len), WSP_OK);
    assert_memory_equal(out, url, len);
}

static void test_redact(void **state)
{
    static const char *const rows[][2] = {
        {"TCP://ssh:p%2Fw@h:22/x?mode=a#f", "tcp://ssh:***@h:22/x?mode=a#f"},
        {"tcp://ssh:@h", "tcp://ssh:***@h"},
        {"tcp://ssh@h:22", "tcp://ssh@h:22"},
        {"tcp://h:22", "tcp://h:22"},
        {"tunnel://a:b:c@", "tunnel://a:***@"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i][0]), WSP_OK);
        forward_redact(&fwd, out, sizeof(out));
        assert_string_equal(out, rows[i][1]);
    }
    forward_redact(&fwd, out, 8);
    assert_string_equal(out, "tunnel:");
    forward_redact(&fwd, out, 0);
    assert_string_equal(out, "tunnel:");
}

static void test_proxy_version(void **state)
{
    static const struct {
        const char *url;
        bool ok;
        enum proxy_version version;
    } rows[] = {
        {"http://h?mode=path&value=a", true, PROXY_NONE},
        {"http://h?mode=path&value=a&proxy_protocol=v1", true, PROXY_V1},
        {"http://h?proxy_protocol=%76%32&mode=path", true, PROXY_V2},
        {"http://h?proxy_protocol=v2&proxy_protocol=v1", true, PROXY_V2},
        {"http://h?Proxy_protocol=v2", true, PROXY_NONE},
        {"http://h?proxy_protocol=", false, PROXY_NONE},
        {"http://h?proxy_protocol", false, PROXY_NONE},
        {"http://h?proxy_protocol=v3", false, PROXY_NONE},
        {"http://h?proxy_protocol=V1", false, PROXY_NONE},
        {"http://h?proxy_protocol=v1%00", false, PROXY_NONE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum proxy_version version = PROXY_NONE;

        assert_int_equal(parse(rows[i].url), WSP_OK);
        assert_int_equal(forward_proxy_version(&fwd, &version), rows[i].ok);
        assert_int_equal(version, rows[i].version);
    }
}

static void test_channel_name(void **state)
{
    static const char *const rows[][2] = {
        {"http://127.0.0.1:80/api/?mode=path&value=api", "http:path:api"},
        {"https://h?mode=domain&value=%61.b", "http:domain:a.b"},
        {"http://vpn:pw@:80", "http::"},
        {"tcp://h:5900?mode=path&value=vnc", "http:path:vnc"},
        {"tcp://ssh:pw@h:22?mode=&value=x", "ssh"},
        {"tcp://s%73h@h", "ssh"},
        {"tunnel://vpn:pw@", "vpn"},
        {"tcp://h:1", ""},
    };
    char out[32];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(rows[i][0]), WSP_OK);
        assert_int_equal(forward_channel_name(&fwd, out, sizeof(out), &len), WSP_OK);
        assert_true(slice_eq_str(slice_of(out, len), rows[i][1]));
        if (len)
            assert_int_equal(forward_channel_name(&fwd, out, len - 1, &len), WSP_ERR_LIMIT);
    }
}

static void test_open_write(void **state)
{
    static const struct {
        const char *scheme, *channel, *password, *host;
        unsigned port;
        const char *url;
    } rows[] = {
        {"socks5", "", NULL, "127.0.0.1", 28020, "socks5://127.0.0.1:28020"},
        {"socks5", "", NULL, "::1", 1, "socks5://[::1]:1"},
        {"socks5", "", NULL, "fe80::1%eth0", 1, "socks5://[fe80::1%25eth0]:1"},
        {"http", "", NULL, "example.com", 443, "http://example.com:443"},
        {"tcp", "ssh", "pw", "127.0.0.1", 28030, "tcp://ssh:pw@127.0.0.1:28030"},
        {"socks5", "vpn", NULL, "h", 65535, "socks5://vpn@h:65535"},
        {"socks5", "vpn", "", "h", 0, "socks5://vpn:@h:0"},
        {"tcp", "a/b", "c:d@e!", "", 22, "tcp://a%2Fb:c%3Ad%40e%21@:22"},
        {"tcp", "\xe4\xbf\xa1", NULL, "h", 22, "tcp://%E4%BF%A1@h:22"},
        {"tcp", "", "unused", "a b", 22, "tcp://a%20b:22"},
    };
    char out[64];
    size_t len;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct forward_open o = {
            .scheme = rows[i].scheme,
            .channel = slice_str(rows[i].channel),
            .has_password = rows[i].password != NULL,
            .password = slice_str(rows[i].password ? rows[i].password : ""),
            .host = slice_str(rows[i].host),
            .port = rows[i].port,
        };
        size_t need = strlen(rows[i].url);
        assert_int_equal(forward_open_write(&o, out, need - 1, &len), WSP_ERR_LIMIT);
        assert_int_equal(forward_open_write(&o, out, need, &len), WSP_OK);
        assert_true(slice_eq_str(slice_of(out, len), rows[i].url));
    }
}

static void test_fields(void **state)
{
    (void)state;
    assert_int_equal(parse("TCP://[FE80::1%25eth0]:80/a%20b?x#f"), WSP_OK);
    assert_true(slice_eq_str(fwd.scheme, "tcp"));
    assert_true(fwd.host_is_v6);
    assert_string_equal((const char *)fwd.host.p, "FE80::1%eth0");
    assert_string_equal((const char *)fwd.raw_host.p, "[FE80::1%25eth0]:80");
    assert_string_equal((const char *)fwd.path.p, "/a b");
    assert_string_equal((const char *)fwd.raw_path.p, "/a%20b");
    assert_string_equal((const char *)fwd.query.p, "x");
    assert_string_equal((const char *)fwd.fragment.p, "f");
    assert_string_equal((const char *)fwd.mode.p, "");
    assert_string_equal((const char *)fwd.password.p, "");
    assert_false(fwd.has_user);

    assert_int_equal(parse("tcp://h"), WSP_OK);
    assert_false(fwd.host_is_v6 || fwd.has_query);
    assert_int_equal(fwd.port, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recorded),      cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_error_secrets), cmocka_unit_test(test_error_is_cut),
        cmocka_unit_test(test_limits),        cmocka_unit_test(test_write_needs_room),
        cmocka_unit_test(test_redact),        cmocka_unit_test(test_proxy_version),
        cmocka_unit_test(test_channel_name),  cmocka_unit_test(test_open_write),
        cmocka_unit_test(test_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
