#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/server_url.h"
#include "config/wspc_config.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define LOCAL_FORM "expected tcp://channel[:password]@[address]:port with a port from 1 to 65535"
#define FORM "expected socks5://[address]:port or http://[address]:port with a port from 1 to 65535"

struct bad {
    const char *text;
    const char *error;
};

/* Whole files; the error stands behind "wspc.json:". */
static const struct bad bad_files[] = {
    {"{}", "1:1: key \"client\" is missing: expected an array of at least one entry"},
    {"{\"client\":null}",
     "1:1: key \"client\" is missing: expected an array of at least one entry"},
    {"{\"client\":[]}", "1:11: client: is empty: expected at least one entry"},
    {"{\"client\":{}}", "1:11: client: expected an array, found an object"},
    {"{\"client\":[1]}", "1:12: client[0]: expected an object, found a number"},
    {"{\"clinet\":[]}", "1:2: unknown key \"clinet\": did you mean \"client\"?"},
    {"{\"limits\":{\"links\":1},\"client\":[]}",
     "1:12: limits: unknown key \"links\": expected one of connections, "
     "descriptors, memory, link_memory, channel_memory"},
    {"{\"client\":[\n{\"sever\":\"ws://h\"}]}",
     "2:2: client[0]: unknown key \"sever\": did you mean \"server\"?"},
};

/* The members of one client behind its server; the error stands behind the place. */
static const struct bad bad_clients[] = {
    {"\"local\":[\"tcp://127.0.0.1:22\"]", "local[0]: " LOCAL_FORM},
    {"\"local\":[\"socks5://a:s3cret@:22\"]", "local[0]: " LOCAL_FORM},
    {"\"local\":[\"tcp://a:s3cret@:0\"]", "local[0]: " LOCAL_FORM},
    {"\"local\":[\"tcp://a:s3cret@:22\"],\"dynamic\":[\"http://:22\"]",
     "local[0]: same address and port as http://:22 of client[0]"},
    {"\"remote\":[\"tcp://h:22\"]",
     "remote[0]: expected a channel (tcp://channel:password@host:port) or ?mode=…&value=…"},
    {"\"remote\":[\"tunnel://:s3cret@\"]",
     "remote[0]: expected a channel (tcp://channel:password@host:port) or ?mode=…&value=…"},
    {"\"remote\":[\"tcp://http%3Apath%3Aa:s3cret@h:1\"]",
     "remote[0]: a channel must not begin with \"http:\""},
    {"\"remote\":[\"tcp://a:s3cret@h\"]", "remote[0]: expected a port from 1 to 65535"},
    {"\"remote\":[\"http://h:1\"]",
     "remote[0]: expected ?mode=path&value=… or ?mode=domain&value=…"},
    {"\"remote\":[\"http://h:1?mode=x&value=a\"]", "remote[0]: expected a mode of path or domain"},
    {"\"remote\":[\"http://h:1?mode=path\"]",
     "remote[0]: expected a value for the mode: the path or the domain"},
    {"\"remote\":[\"http://h:1?mode=domain&value=1.2.3.4\"]",
     "remote[0]: expected a domain name as value, without port"},
    {"\"remote\":[\"tcp://h?mode=path&value=a\"]", "remote[0]: expected a port from 1 to 65535"},
    {"\"remote\":[\"http://h?mode=path&value=a&proxy=v1\"]",
     "remote[0]: unknown option: expected mode, value, proxy_protocol, insecure, pin or ca"},
    {"\"remote\":[\"tcp://h:1?mode=path&value=a&proxy=v1\"]",
     "remote[0]: unknown option: expected mode, value, proxy_protocol or origin"},
    {"\"remote\":[\"tcp://h:1?mode=path&value=a&proxy_protocol=1\"]",
     "remote[0]: expected v1 or v2 as proxy_protocol"},
    {"\"remote\":[\"tcp://a:s3cret@h:1?proxy_protocol=v1\"]",
     "remote[0]: proxy_protocol needs a mode: what comes over a channel has no visitor's address"},
    {"\"remote\":[\"tunnel://a:s3cret@?proxy_protocol=v9\"]",
     "remote[0]: proxy_protocol needs a mode: what comes over a channel has no visitor's address"},
    {"\"remote\":[\"http://:1?mode=path&value=a\"]",
     "remote[0]: expected the service's host, IPv6 in brackets"},
    {"\"remote\":[\"ftp://h:1?mode=path&value=a\"]",
     "remote[0]: expected a scheme of http://, https://, tcp://, unix:// or tunnel://"},
    {"\"remote\":[\"http://h:1?mode=path&value=a\",\"tcp://h:2?mode=path&value=a\"]",
     "remote[1]: same mode and value as http://h:1?mode=path&value=a"},
    {"\"dialect\":\"0.1\"", "dialect: expected auto, 0.10 or wsp.1"},
    {"\"connections\":17", "connections: expected a whole number from 1 to 16"},
    {"\"dialect\":\"0.10\",\"connections\":2", "connections: dialect 0.10 has one connection only"},
    {"\"remote\":{}", "remote: expected an array, found an object"},
    {"\"auth\":\"s3cret\\u0007\"", "auth: control bytes are not allowed"},
    {"\"auth\":1", "auth: expected a string, found a number"},
    {"\"dynamic_auth\":\"s3cret\"",
     "dynamic_auth: expected \"user:password\", each of 1 to 255 bytes and without control bytes"},
    {"\"dynamic_auth\":\":s3cret\"",
     "dynamic_auth: expected \"user:password\", each of 1 to 255 bytes and without control bytes"},
    {"\"dynamic_auth\":\"s3cret:\"",
     "dynamic_auth: expected \"user:password\", each of 1 to 255 bytes and without control bytes"},
    {"\"dynamic_auth\":\"u:s3cret\\n\"",
     "dynamic_auth: expected \"user:password\", each of 1 to 255 bytes and without control bytes"},
    {"\"dynamic\":[\"socks5://:s3cret@127.0.0.1:1080\"]",
     "dynamic[0]: expected a channel before the '@'"},
    {"\"dynamic\":[\"socks5://vpn:s3cret%zz@:1080\"]", "dynamic[0]: " FORM},
    {"\"dynamic\":[\":1080\"]", "dynamic[0]: " FORM},
    {"\"dynamic\":[\"socks4://:1080\"]", "dynamic[0]: expected a scheme of socks5:// or http://"},
    {"\"dynamic\":[\"socks5://:0\"]", "dynamic[0]: " FORM},
    {"\"dynamic\":[\"socks5://127.0.0.1\"]", "dynamic[0]: " FORM},
    {"\"dynamic\":[\"socks5://:1080\",\"http://:65536\"]", "dynamic[1]: " FORM},
    {"\"dynamic\":[\"socks5://a$b:1080\"]",
     "dynamic[0]: expected an address to listen on, IPv6 in brackets, or none for all"},
    {"\"dynamic\":[\"http://:1080/x\"]", "dynamic[0]: expected nothing behind the port"},
    {"\"dynamic\":[\"http://:1080?mode=path\"]", "dynamic[0]: expected nothing behind the port"},
    {"\"dynamic\":[\"http://:1080#x\"]", "dynamic[0]: expected nothing behind the port"},
    {"\"dynamic\":[1080]", "dynamic[0]: expected a string, found a number"},
    {"\"dynamic\":[\"socks5://:1080\",\"http://:1080\"]",
     "dynamic[1]: same address and port as socks5://:1080 of client[0]"},
};

static const struct bad bad_servers[] = {
    {"", "expected ws:// or wss://, then host[:port][/path][?query]"},
    {"host:80", "expected ws:// or wss://, then host[:port][/path][?query]"},
    {"http://host", "expected ws:// or wss://, then host[:port][/path][?query]"},
    {"ws://", "expected a host: a name, an IPv4 address or an IPv6 address in brackets"},
    {"ws:///path", "expected a host: a name, an IPv4 address or an IPv6 address in brackets"},
    {"ws://::1", "expected a host: a name, an IPv4 address or an IPv6 address in brackets"},
    {"ws://[::1", "expected a host: a name, an IPv4 address or an IPv6 address in brackets"},
    {"ws://[host]", "expected a host: a name, an IPv4 address or an IPv6 address in brackets"},
    {"ws://[127.0.0.1]", "expected a host: a name, an IPv4 address or an IPv6 address in brackets"},
    {"ws://a%41/", "expected a host: a name, an IPv4 address or an IPv6 address in brackets"},
    {"ws://host:", "expected a port from 1 to 65535 behind the host"},
    {"ws://host:0", "expected a port from 1 to 65535 behind the host"},
    {"ws://host:65536/", "expected a port from 1 to 65535 behind the host"},
    {"ws://host:8x", "expected a port from 1 to 65535 behind the host"},
    {"ws://[::1]80", "expected a port from 1 to 65535 behind the host"},
    {"ws://u:s3cret@host", "expected a URL without user and password; the secret belongs in auth"},
    {"ws://host/#s3cret", "expected a URL without fragment (#)"},
    {"ws://host/a b", "spaces, control and non-ASCII characters must be percent-encoded"},
    {"ws://h\xc3\xb6st", "spaces, control and non-ASCII characters must be percent-encoded"},
};

static enum wsp_err load(struct wspc_config *c, const char *text, char *error)
{
    wspc_config_init(c);
    strcpy(error, "");
    return wspc_config_load(
        c, &(struct config_source){.file = "wspc.json", .text = slice_str(text)}, error);
}

/* `error` is compared from behind `skip`. */
static void expect_error(const char *text, const char *skip, const char *expected)
{
    char error[CONFIG_ERROR_MAX];
    struct wspc_config c;

    assert_int_equal(load(&c, text, error), WSP_ERR_CONFIG);
    assert_non_null(strstr(error, skip));
    assert_string_equal(strstr(error, skip) + strlen(skip), expected);
    assert_null(strstr(error, "s3cret"));
    wspc_config_fini(&c);
}

static void test_bad_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_files); i++)
        expect_error(bad_files[i].text, "wspc.json:", bad_files[i].error);
    expect_error("{\"client\":[{\"auth\":\"s3cret\"}]}", "wspc.json:",
                 "1:12: client[0]: key \"server\" is missing: expected "
                 "ws:// or wss://, then host[:port][/path][?query]");
    expect_error(
        "{\"client\":[{\"server\":\"ws://a\",\"dynamic\":[\"http://[::1]:80\"]},\n"
        "{\"server\":\"ws://a\",\"dynamic\":[\"http://:80\",\"socks5://[::1]:80\"]}]}",
        "wspc.json:",
        "2:44: client[1].dynamic[1]: same address and port as http://[::1]:80 of client[0]");
}

static void test_bad_clients(void **state)
{
    char text[512];

    (void)state;
    for (size_t i = 0; i < COUNT(bad_clients); i++) {
        snprintf(text, sizeof(text), "{\"client\":[{\"server\":\"ws://h\",\n%s}]}",
                 bad_clients[i].text);
        expect_error(text, ": client[0].", bad_clients[i].error);
    }
    snprintf(text, sizeof(text),
             "{\"client\":[{\"server\":\"ws://h\",\"dynamic_auth\":\"%0256d:p\"}]}", 0);
    expect_error(text, "wspc.json:1:46: client[0].dynamic_auth: ",
                 "expected \"user:password\", each of 1 to 255 bytes and without control bytes");
}

static void test_bad_servers(void **state)
{
    char text[512];

    (void)state;
    for (size_t i = 0; i < COUNT(bad_servers); i++) {
        snprintf(text, sizeof(text), "{\"client\":[{\"server\":\"%s\"}]}", bad_servers[i].text);
        expect_error(text, "wspc.json:1:22: client[0].server: ", bad_servers[i].error);
    }
}

static const struct {
    const char *url, *host, *authority, *target;
    unsigned port;
} servers[] = {
    {"ws://mywsps.com:8010", "mywsps.com", "mywsps.com:8010", "/", 8010},
    {"WS://A.b", "A.b", "A.b", "/", 80},
    {"ws://a/", "a", "a", "/", 80},
    {"ws://a?k=v", "a", "a", "/?k=v", 80},
    {"ws://a/p%20q/@x?k=/v@", "a", "a", "/p%20q/@x?k=/v@", 80},
    {"ws://[2001:db8::1]", "2001:db8::1", "[2001:db8::1]", "/", 80},
    {"ws://[::1]:65535/x", "::1", "[::1]:65535", "/x", 65535},
    {"ws://127.0.0.1:1", "127.0.0.1", "127.0.0.1:1", "/", 1},
};

static void test_servers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(servers); i++) {
        char error[CONFIG_ERROR_MAX], text[256];
        struct wspc_config c;

        snprintf(text, sizeof(text), "{\"client\":[{\"server\":\"%s\"}]}", servers[i].url);
        assert_int_equal(load(&c, text, error), WSP_OK);
        assert_string_equal(c.client[0].server, servers[i].url);
        assert_string_equal(c.client[0].host, servers[i].host);
        assert_string_equal(c.client[0].authority, servers[i].authority);
        assert_string_equal(c.client[0].target, servers[i].target);
        assert_int_equal(c.client[0].port, servers[i].port);
        wspc_config_fini(&c);
    }
}

/* A cut URL is refused or another URL, but never read behind its end. */
static void test_server_prefixes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(servers); i++)
        for (size_t n = 0; n <= strlen(servers[i].url); n++) {
            struct server_url url = {.port = 7};
            const char *why = NULL;
            char *copy = malloc(n ? n : 1);
            enum wsp_err err;

            assert_non_null(copy);
            memcpy(copy, servers[i].url, n);
            err = server_url_parse(slice_of(copy, n), &url, &why);
            assert_int_equal(err != WSP_OK, why != NULL);
            assert_int_equal(err != WSP_OK, url.port == 7);
            free(copy);
        }
}

static const char full[] =
    "{\"log\":{\"level\":\"debug\"},\"status\":\"off\",\"limits\":{\"connections\":9},\"time\":{"
    "\"reconnect_max\":5},"
    "\"client\":[{\"server\":\"ws://a:1/p\",\"auth\":\"s3cret\",\"local\":[\"tcp://"
    "a%3Ab:p%40w@:22\"],"
    "\"remote\":[\"tcp://ssh:p:w@h:22\",\"tunnel://vpn@\","
    "\"HTTP://h:81/b/?mode=path&value=api\",\"https://[::1]?mode=domain&value=A.test\","
    "\"tcp://h:5900?mode=path&value=vnc\"],"
    "\"dynamic\":[\"http://:80\",\"SOCKS5://127.0.0.1:1080\",\"socks5://[::1]:1080/\"],"
    "\"dynamic_auth\":\"me:pass:s3cret\"},{\"server\":\"ws://b\",\"auth\":\"\","
    "\"dynamic_auth\":\"\",\"dynamic\":[\"socks5://localhost:1080\"]}]}";

static void expect_remote(const struct wspc_remote *r, const char *url, const char *name,
                          unsigned port)
{
    assert_string_equal(r->url, url);
    assert_string_equal(r->redacted, url);
    assert_string_equal(r->name, name);
    assert_int_equal(r->port, port);
}

/* What only matters to wsp.1. */
static void test_dialect(void **state)
{
    static const char text[] =
        "{\"limits\":{\"memory\":8388608,\"channel_memory\":262144},\"client\":["
        "{\"server\":\"ws://a\",\"dialect\":\"wsp.1\",\"connections\":4},"
        "{\"server\":\"ws://b\",\"dialect\":\"0.10\",\"connections\":1},"
        "{\"server\":\"ws://c\",\"dialect\":\"auto\"},{\"server\":\"ws://d\"}]}";
    static const enum config_dialect want[] = {CONFIG_DIALECT_WSP_1, CONFIG_DIALECT_0_10,
                                               CONFIG_DIALECT_AUTO, CONFIG_DIALECT_AUTO};
    char error[CONFIG_ERROR_MAX];
    struct wspc_config c;

    (void)state;
    assert_int_equal(load(&c, text, error), WSP_OK);
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_int_equal(c.client[i].dialect, want[i]);
        assert_int_equal(c.client[i].connections, i == 0 ? 4 : 1);
    }
    assert_int_equal(c.memory.process_bytes, 8 << 20);
    assert_int_equal(c.memory.link_bytes, 6 << 20); /* three quarters of that */
    assert_int_equal(c.memory.channel_bytes, 256 << 10);
    wspc_config_fini(&c);
}

static void test_full(void **state)
{
    const struct wspc_listener *l;
    char error[CONFIG_ERROR_MAX];
    struct wspc_config c;

    (void)state;
    assert_int_equal(load(&c, full, error), WSP_OK);
    assert_int_equal(c.log.level, WSP_LOG_DEBUG);
    assert_int_equal(c.max_connections, 9);
    assert_int_equal(c.time.reconnect_max_us, 5000000);
    assert_int_equal(c.client_count, 2);
    assert_string_equal(c.client[0].auth, "s3cret");
    assert_string_equal(c.client[0].dynamic_user, "me");
    assert_string_equal(c.client[0].dynamic_password, "pass:s3cret");
    assert_null(c.client[1].auth);
    assert_null(c.client[1].dynamic_user);
    assert_int_equal(c.client[0].listener_count, 4);
    assert_int_equal(c.client[0].remote_count, 5);
    expect_remote(&c.client[0].remote[2], "http://h:81/b/?mode=path&value=api", "http:path:api",
                  81);
    expect_remote(&c.client[0].remote[3], "https://[::1]?mode=domain&value=A.test",
                  "http:domain:A.test", 443);
    expect_remote(&c.client[0].remote[4], "tcp://h:5900?mode=path&value=vnc", "http:path:vnc",
                  5900);
    assert_string_equal(c.client[0].remote[3].host, "::1");
    assert_string_equal(c.client[0].remote[0].name, "ssh");
    assert_string_equal(c.client[0].remote[0].password, "p:w");
    assert_string_equal(c.client[0].remote[0].redacted, "tcp://ssh:***@h:22");
    assert_true(c.client[0].remote[1].is_tunnel);
    assert_null(c.client[0].remote[1].password);
    l = c.client[0].listener;
    assert_int_equal(l[3].kind, WSPC_LOCAL);
    assert_string_equal(l[3].channel, "a:b");
    assert_string_equal(l[3].password, "p@w");
    assert_string_equal(l[3].url, "tcp://a%3Ab:p%40w@:22");
    assert_int_equal(l[0].kind, WSPC_HTTP);
    assert_null(l[0].bind);
    assert_int_equal(l[0].port, 80);
    assert_int_equal(l[1].kind, WSPC_SOCKS5);
    assert_string_equal(l[1].bind, "127.0.0.1");
    assert_string_equal(l[1].url, "socks5://127.0.0.1:1080");
    assert_string_equal(l[1].redacted, "socks5://127.0.0.1:1080");
    assert_string_equal(l[2].bind, "::1");
    assert_string_equal(c.client[1].listener[0].bind, "localhost");
    wspc_config_fini(&c);
    wspc_config_fini(&c);
}

static void test_prefixes(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(full); n++) {
        char error[CONFIG_ERROR_MAX] = "";
        struct wspc_config c;

        wspc_config_init(&c);
        assert_int_equal(
            wspc_config_load(&c, &(struct config_source){.file = "f", .text = slice_of(full, n)},
                             error),
            WSP_ERR_CONFIG);
        assert_memory_equal(error, "f:1:", 4);
        assert_null(strstr(error, "s3cret"));
        wspc_config_fini(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files),       cmocka_unit_test(test_bad_clients),
        cmocka_unit_test(test_bad_servers),     cmocka_unit_test(test_servers),
        cmocka_unit_test(test_server_prefixes), cmocka_unit_test(test_full),
        cmocka_unit_test(test_dialect),         cmocka_unit_test(test_prefixes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
