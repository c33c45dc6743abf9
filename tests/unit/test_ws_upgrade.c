/* The server's side of a visitor's WebSocket handshake (RFC 6455 section 4.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ws_upgrade.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* The key and accept value of RFC 6455 section 1.3. */
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: keep-alive, Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define GOOD UPGRADE CONNECTION VERSION KEY

static void check(const char *line, const char *fields, const char *origins, struct ws_upgrade *u)
{
    char text[1024];
    struct slice in = {(const uint8_t *)text, 0};
    struct http1_head head;

    in.len = (size_t)snprintf(text, sizeof(text), "%s\r\nHost: h\r\n%s\r\n", line, fields);
    assert_int_equal(http1_request_parse(&in, &head), WSP_OK);
    ws_upgrade_check(&head, origins, u);
}

static void test_good(void **state)
{
    struct ws_upgrade u;
    char out[WS_UPGRADE_ANSWER_MAX];
    size_t len;
    static const char wanted[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                 "Connection: Upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n";

    (void)state;
    check("GET / HTTP/1.1", GOOD "Content-Length: 0\r\n", NULL, &u);
    assert_int_equal(u.status, 101);
    len = ws_upgrade_write(&u, out);
    assert_true(slice_eq_str(slice_of(out, len), wanted));
}

static void test_refusals(void **state)
{
    static const struct {
        const char *name, *line, *fields;
        unsigned status;
    } cases[] = {
        {"plain", "GET / HTTP/1.1", "", 426},
        {"plain HEAD", "HEAD / HTTP/1.1", "", 426},
        {"plain POST", "POST / HTTP/1.1", "Content-Length: 2\r\n", 426},
        {"HTTP/1.0", "GET / HTTP/1.0", GOOD, 426},
        {"another upgrade", "GET / HTTP/1.1", "Upgrade: h2c\r\n" CONNECTION VERSION KEY, 426},
        {"POST", "POST / HTTP/1.1", GOOD, 405},
        {"no Connection", "GET / HTTP/1.1", UPGRADE VERSION KEY, 400},
        {"wrong Connection", "GET / HTTP/1.1", "Connection: x\r\n" UPGRADE VERSION KEY, 400},
        {"no version", "GET / HTTP/1.1", UPGRADE CONNECTION KEY, 400},
        {"two versions", "GET / HTTP/1.1", GOOD VERSION, 400},
        {"version 8", "GET / HTTP/1.1", UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n", 426},
        {"no key", "GET / HTTP/1.1", UPGRADE CONNECTION VERSION, 400},
        {"two keys", "GET / HTTP/1.1", GOOD KEY, 400},
        {"short key", "GET / HTTP/1.1",
         UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j\r\n", 400},
        {"a body", "GET / HTTP/1.1", GOOD "Content-Length: 4\r\n", 400},
        {"a chunked body", "GET / HTTP/1.1", GOOD "Transfer-Encoding: chunked\r\n", 400},
    };
    struct ws_upgrade u;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        check(cases[i].line, cases[i].fields, NULL, &u);
        if (u.status != cases[i].status || !*u.text)
            fail_msg("%s: %u %s", cases[i].name, u.status, u.text);
        /* RFC 9110 section 15.5.22 and RFC 6455 section 4.4. */
        if (u.status == 426)
            assert_non_null(strstr(u.extra, UPGRADE "Connection: Upgrade\r\n" VERSION));
    }
}

static void test_origins(void **state)
{
    static const char list[] = "https://a.example, http://b.example:8080/,HTTP://C.example";
    static const struct {
        const char *origin, *origins;
        bool allowed;
    } cases[] = {
        {"https://a.example", list, true},
        {"HTTPS://A.example", list, true},
        {"http://b.example:8080", list, true},
        {"http://c.example", list, true},
        {"http://a.example", list, false},
        {"https://a.example:8443", list, false},
        {"https://a.example.evil.example", list, false},
        {"https://evil.example", list, false},
        {"http://b.example", list, false},
        {"null", list, false},
        {"", list, false},
        {"https://a.example", "", false},
        {"", "", false},
        {"", ",", false},
        {"https://evil.example", NULL, true},
    };
    struct ws_upgrade u;
    char fields[512];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        snprintf(fields, sizeof(fields), GOOD "Origin: %s\r\n", cases[i].origin);
        check("GET / HTTP/1.1", fields, cases[i].origins, &u);
        if (u.status != (cases[i].allowed ? 101 : 403))
            fail_msg("%s: %u", cases[i].origin, u.status);
    }
    check("GET / HTTP/1.1", GOOD, list, &u);
    assert_int_equal(u.status, 101);
    check("GET / HTTP/1.1", GOOD "Origin: https://a.example\r\nOrigin: https://x\r\n", list, &u);
    assert_int_equal(u.status, 403);
}

static void test_subprotocol(void **state)
{
    static const struct {
        const char *fields;
        bool binary;
    } cases[] = {
        {"", false},
        {"Sec-WebSocket-Protocol: binary\r\n", true},
        {"Sec-WebSocket-Protocol: base64,binary\r\n", true},
        {"sec-websocket-protocol: base64\r\nSec-WebSocket-Protocol: x , binary\r\n", true},
        {"Sec-WebSocket-Protocol: Binary\r\n", false},
        {"Sec-WebSocket-Protocol: binary2, base64\r\n", false},
    };
    char fields[512], out[WS_UPGRADE_ANSWER_MAX];
    struct ws_upgrade u;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t len;

        snprintf(fields, sizeof(fields), GOOD "%s", cases[i].fields);
        check("GET / HTTP/1.1", fields, NULL, &u);
        assert_int_equal(u.status, 101);
        assert_int_equal(u.binary, cases[i].binary);
        len = ws_upgrade_write(&u, out);
        out[len] = '\0';
        assert_int_equal(strstr(out, "\r\nSec-WebSocket-Protocol: binary\r\n\r\n") != NULL,
                         cases[i].binary);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_subprotocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
