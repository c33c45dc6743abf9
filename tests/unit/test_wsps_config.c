#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/wsps_config.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

struct bad {
    const char *text;
    const char *error; /* behind "wsps.json:" */
};

static const struct bad bad[] = {
    {"[]", "1:1: expected an object, found an array"},
    {"{}", "1:1: key \"port\" is missing: expected a number from 1 to 65535"},
    {"{\"port\":null}", "1:1: key \"port\" is missing: expected a number from 1 to 65535"},
    {"{\"port\":0}", "1:9: port: expected a whole number from 1 to 65535"},
    {"{\"port\":65536}", "1:9: port: expected a whole number from 1 to 65535"},
    {"{\"port\":\"80\"}", "1:9: port: expected a whole number, found a string"},
    {"{\"prot\":80}", "1:2: unknown key \"prot\": did you mean \"port\"?"},
    {"{\"port\":80,\n\"log\":{\"levle\":\"info\"}}",
     "2:8: log: unknown key \"levle\": did you mean \"level\"?"},
    {"{\"port\":80,\n\"log\":{\"level\":\"loud\"}}",
     "2:16: log.level: expected error, warn, info, debug or trace"},
    {"{\"port\":80,\"log\":{\"output\":1}}", "1:28: log.output: expected a string, found a number"},
    {"{\"port\":80,\"bind\":\"[::1]\"}",
     "1:19: bind: expected an IPv4 or IPv6 address, without brackets and port"},
    {"{\"port\":80,\"bind\":\"localhost\"}",
     "1:19: bind: expected an IPv4 or IPv6 address, without brackets and port"},
    {"{\"port\":80,\"host\":\"wsp.example:80\"}",
     "1:19: host: expected a domain name, without scheme and port"},
    {"{\"port\":80,\"host\":\"http://wsp.example\"}",
     "1:19: host: expected a domain name, without scheme and port"},
    {"{\"port\":80,\"host\":\"a..b\"}",
     "1:19: host: expected a domain name, without scheme and port"},
    {"{\"port\":80,\"path\":\"/a b\"}",
     "1:19: path: expected a path such as /proxy, percent-encoded, without '?' and '#'"},
    {"{\"port\":80,\"path\":\"/a?b\"}",
     "1:19: path: expected a path such as /proxy, percent-encoded, without '?' and '#'"},
    {"{\"port\":80,\"path\":7}", "1:19: path: expected a string, found a number"},
    {"{\"port\":80,\"auth\":\"s3cret\\n\"}", "1:19: auth: control bytes are not allowed"},
    {"{\"port\":80,\"auth\":\"s3cret\n\"}", "1:19: auth: control bytes are not allowed"},
    {"{\"port\":80,\"auth\":\" s3cret\"}", "1:19: auth: must not start or end with a space"},
    {"{\"port\":80,\"auth\":\"s3cret \"}", "1:19: auth: must not start or end with a space"},
    {"{\"port\":80,\"ssl\":{\"enable\":true,\"key\":\"k\"}}",
     "1:18: ssl: key \"cert\" is missing: expected a PEM file with the certificate and its chain"},
    {"{\"port\":80,\"ssl\":{\"enable\":true,\"cert\":\"c\"}}",
     "1:18: ssl: key \"key\" is missing: expected a PEM file with the certificate's key"},
    {"{\"port\":80,\"ssl\":{\"enable\":1}}",
     "1:28: ssl.enable: expected true or false, found a number"},
    {"{\"port\":80,\"ssl\":{\"enabled\":true}}",
     "1:19: ssl: unknown key \"enabled\": did you mean \"enable\"?"},
    {"{\"port\":80,\"time\":{\"dial\":0}}", "1:27: time.dial: expected seconds from 0.01 to 86400"},
    {"{\"port\":80,\"time\":{\"ping\":60}}", "1:19: time: dead must be more than ping (60)"},
    {"{\"port\":80,\"time\":{\"dead\":25}}", "1:27: time.dead: must be more than ping (25)"},
    {"{\"port\":80,\"time\":{\"reconnect_min\":2.5,\"reconnect_max\":2}}",
     "1:56: time.reconnect_max: must not be less than reconnect_min (2.5)"},
    {"{\"port\":80,\"egress\":{\"allow\":[]}}",
     "1:30: egress.allow: is empty: leave it out to allow everything, or deny \"*\""},
    {"{\"port\":80,\"egress\":{\"deny\":[\"10.0.0.0/8\",\n\"10.0.0.0/33\"]}}",
     "2:1: egress.deny[1]: expected a prefix length from 0 to 32"},
    {"{\"port\":80,\"egress\":{\"allow\":[1]}}",
     "1:31: egress.allow[0]: expected a string, found a number"},
    {"{\"port\":80,\"egress\":{\"allow\":\"*\"}}",
     "1:30: egress.allow: expected an array, found a string"},
    {"{\"port\":80,\"egress\":{\"alow\":[]}}",
     "1:22: egress: unknown key \"alow\": did you mean \"allow\"?"},
    {"{\"port\":80,\"limits\":{\"links\":0}}",
     "1:30: limits.links: expected a whole number from 1 to 1000000"},
    {"{\"port\":80,\"limits\":{\"memory\":1000}}",
     "1:31: limits.memory: expected a whole number from 1048576 to 1099511627776"},
    {"{\"port\":80,\"dialect\":\"wsp.2\"}", "1:22: dialect: expected auto, 0.10 or wsp.1"},
    {"{\"port\":80,\"dialect\":1}", "1:22: dialect: expected a string, found a number"},
    {"{\"port\":80,\"client\":[]}",
     "1:12: unknown key \"client\": expected one of log, ssl, host, "
     "auth, path, port, bind, time, egress, limits, "
     "upstream_ca, dialect, proxy_protocol, trusted_proxies, status, "
     "user, group, seccomp"},
    {"{\"port\":80,\"status\":\"run/x\"}",
     "1:21: status: expected an absolute path of at most 107 bytes, or \"off\""},
    {"{\"port\":80,\"upstream_ca\":{\"a\":5}}",
     "1:31: upstream_ca.a: expected a string, found a number"},
    {"{\"port\":80,\"upstream_ca\":{\"a\":\"\"}}",
     "1:31: upstream_ca.a: expected the name of a PEM file"},
};

static enum wsp_err load(struct wsps_config *c, const char *text, char *error)
{
    wsps_config_init(c);
    strcpy(error, "");
    return wsps_config_load(
        c, &(struct config_source){.file = "wsps.json", .text = slice_str(text)}, error);
}

static void test_bad(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        char error[CONFIG_ERROR_MAX];
        struct wsps_config c;

        assert_int_equal(load(&c, bad[i].text, error), WSP_ERR_CONFIG);
        assert_memory_equal(error, "wsps.json:", 10);
        assert_string_equal(error + 10, bad[i].error);
        assert_null(strstr(error, "s3cret"));
        wsps_config_fini(&c);
    }
}

static void test_defaults(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;

    (void)state;
    assert_int_equal(load(&c, "{\"port\": 8010}", error), WSP_OK);
    assert_string_equal(error, "");
    assert_int_equal(c.port, 8010);
    assert_string_equal(c.path, "/");
    assert_null(c.bind);
    assert_null(c.auth);
    assert_null(c.host);
    assert_null(c.log.output);
    assert_int_equal(c.log.level, WSP_LOG_INFO);
    assert_null(c.egress_allow);
    assert_null(c.egress_deny);
    assert_int_equal(c.max_links, 1024);
    assert_int_equal(c.max_channels, 4096);
    assert_int_equal(c.max_connections, 8192);
    assert_int_equal(c.dialect, CONFIG_DIALECT_AUTO);
    assert_null(c.status);
    assert_in_range(c.memory.process_bytes, 64 << 20, 1 << 30);
    assert_int_equal(c.memory.link_bytes, c.memory.process_bytes / 4 * 3);
    assert_int_equal(c.memory.channel_bytes, 16 << 20);
    assert_int_equal(c.time.dial_us, 10000000);
    assert_int_equal(c.time.reconnect_min_us, 500000);
    assert_int_equal(c.time.drain_us, 30000000);
    wsps_config_fini(&c);
    wsps_config_fini(&c);
}

/* Of 107 bytes, and of one more. */
#define DIRECTORY_20 "/0123456789abcdef012"
#define PATH_107 DIRECTORY_20 DIRECTORY_20 DIRECTORY_20 DIRECTORY_20 DIRECTORY_20 "/123456"

static void test_status_path(void **state)
{
    static const struct {
        const char *value, *status; /* "!": refused */
    } cases[] = {
        {"\"\"", NULL},
        {"null", NULL},
        {"\"off\"", ""},
        {"\"/run/x\"", "/run/x"},
        {"\"x\"", "!"},
        {"false", "!"},
        {"\"/\"", "/"},
        {"\"" PATH_107 "\"", PATH_107},
        {"\"" PATH_107 "7\"", "!"},
    };
    char error[CONFIG_ERROR_MAX], text[160];
    struct wsps_config c;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        bool refused = cases[i].status && cases[i].status[0] == '!';

        snprintf(text, sizeof(text), "{\"port\":80,\"status\":%s}", cases[i].value);
        assert_int_equal(load(&c, text, error), refused ? WSP_ERR_CONFIG : WSP_OK);
        if (!refused && cases[i].status)
            assert_string_equal(c.status, cases[i].status);
        else if (!refused)
            assert_null(c.status);
        wsps_config_fini(&c);
    }
}

static const char full[] =
    "{\"log\":{\"level\":\"trace\",\"output\":\"/var/log/wsps.log\"},"
    "\"ssl\":{\"enable\":false,\"key\":\"\",\"cert\":\"\"},\"host\":\"Wsp.Example.com\","
    "\"auth\":\"s3cret\",\"path\":\"proxy\",\"port\":443,\"bind\":\"::1\","
    "\"time\":{\"dial\":1,\"open\":2,\"handshake\":3,\"ping\":4,\"dead\":5,\"probe\":6,"
    "\"probe_answer\":7,\"reconnect_min\":0.25,\"reconnect_max\":8,\"healthy\":9,\"stall\":10,"
    "\"drain\":11},\"egress\":{\"allow\":[\"*.example.com\",\"10.0.0.0/8:80-90\"],\"deny\":[]},"
    "\"limits\":{\"links\":1,\"channels_per_link\":2,\"connections\":3,"
    "\"memory\":8388608,\"link_memory\":4194304,\"channel_memory\":1048576},"
    "\"dialect\":\"wsp.1\",\"status\":\"/run/wsps.sock\",\"upstream_ca\":{\"own\":\"/etc/"
    "own.pem\"}}";

static void test_full(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;

    (void)state;
    assert_int_equal(load(&c, full, error), WSP_OK);
    assert_int_equal(c.log.level, WSP_LOG_TRACE);
    assert_string_equal(c.log.output, "/var/log/wsps.log");
    assert_string_equal(c.host, "Wsp.Example.com");
    assert_string_equal(c.auth, "s3cret");
    assert_string_equal(c.path, "/proxy");
    assert_string_equal(c.bind, "::1");
    assert_int_equal(c.time.dial_us, 1000000);
    assert_int_equal(c.time.probe_answer_us, 7000000);
    assert_int_equal(c.time.reconnect_min_us, 250000);
    assert_int_equal(c.time.drain_us, 11000000);
    assert_string_equal(c.egress_allow[1], "10.0.0.0/8:80-90");
    assert_null(c.egress_allow[2]);
    assert_null(c.egress_deny[0]);
    assert_int_equal(c.max_links, 1);
    assert_int_equal(c.max_channels, 2);
    assert_int_equal(c.max_connections, 3);
    assert_int_equal(c.memory.process_bytes, 8 << 20);
    assert_int_equal(c.memory.link_bytes, 4 << 20);
    assert_int_equal(c.memory.channel_bytes, 1 << 20);
    assert_int_equal(c.dialect, CONFIG_DIALECT_WSP_1);
    assert_string_equal(c.status, "/run/wsps.sock");
    assert_int_equal(c.upstream_ca_count, 1);
    assert_string_equal(c.upstream_ca[0].name, "own");
    assert_string_equal(c.upstream_ca[0].file, "/etc/own.pem");
    wsps_config_fini(&c);
}

static void test_ssl(void **state)
{
    static const char text[] =
        "{\"port\":443,\"ssl\":{\"enable\":true,\"cert\":\"c\",\"key\":\"k\",\"certs\":["
        "{\"cert\":\"c1\",\"key\":\"k1\",\"domains\":[\"a.example\",\"*.b.example\"]}]}}";
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;

    (void)state;
    assert_int_equal(load(&c, text, error), WSP_OK);
    assert_int_equal(c.ssl.pair_count, 2);
    assert_null(c.ssl.pair[0].domains);
    assert_string_equal(c.ssl.pair[1].key, "k1");
    assert_string_equal(c.ssl.pair[1].domains[0], "a.example");
    assert_string_equal(c.ssl.pair[1].domains[1], "*.b.example");
    assert_null(c.ssl.pair[1].domains[2]);
    wsps_config_fini(&c);
}

static void test_empty_is_unset(void **state)
{
    static const char *const outputs[] = {"", "stdout"};
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;
    char text[128];

    (void)state;
    for (size_t i = 0; i < COUNT(outputs); i++) {
        snprintf(text, sizeof(text),
                 "{\"port\":1,\"auth\":\"\",\"host\":\"\",\"bind\":\"\",\"path\":\"\","
                 "\"log\":{\"output\":\"%s\"}}",
                 outputs[i]);
        assert_int_equal(load(&c, text, error), WSP_OK);
        assert_null(c.auth);
        assert_null(c.host);
        assert_null(c.bind);
        assert_null(c.log.output);
        assert_string_equal(c.path, "/");
        wsps_config_fini(&c);
    }
}

/* Cut anywhere, the file is refused with one line and nothing is leaked. */
static void test_prefixes(void **state)
{
    (void)state;
    for (size_t n = 0; n < strlen(full); n++) {
        char error[CONFIG_ERROR_MAX] = "";
        struct wsps_config c;

        wsps_config_init(&c);
        assert_int_equal(
            wsps_config_load(&c, &(struct config_source){.file = "f", .text = slice_of(full, n)},
                             error),
            WSP_ERR_CONFIG);
        assert_null(strstr(error, "s3cret"));
        assert_memory_equal(error, "f:1:", 4);
        wsps_config_fini(&c);
    }
}

static void test_no_file(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;

    (void)state;
    wsps_config_init(&c);
    assert_int_equal(
        wsps_config_load(&c, &(struct config_source){.file = "/nonexistent/w.json"}, error),
        WSP_ERR_CONFIG);
    assert_string_equal(error, "/nonexistent/w.json: cannot open: No such file or directory");
    wsps_config_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),         cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_status_path), cmocka_unit_test(test_full),
        cmocka_unit_test(test_ssl),         cmocka_unit_test(test_empty_is_unset),
        cmocka_unit_test(test_prefixes),    cmocka_unit_test(test_no_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
