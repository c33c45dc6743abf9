/* The keys for TLS, of both files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/wspc_config.h"
#include "config/wsps_config.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define DOMAIN_FORM "expected a domain name such as example.com or *.example.com"

static enum wsp_err load_wsps(struct wsps_config *c, const char *ssl, char *error)
{
    char text[1024];

    snprintf(text, sizeof(text), "{\"port\":80,\n\"ssl\":%s}", ssl);
    wsps_config_init(c);
    strcpy(error, "");
    return wsps_config_load(
        c, &(struct config_source){.file = "wsps.json", .text = slice_str(text)}, error);
}

static enum wsp_err load_wspc(struct wspc_config *c, const char *server, const char *members,
                              char *error)
{
    char text[1024];

    snprintf(text, sizeof(text), "{\"client\":[{\"server\":\"%s\"%s%s}]}", server,
             *members ? ",\n" : "", members);
    wspc_config_init(c);
    strcpy(error, "");
    return wspc_config_load(
        c, &(struct config_source){.file = "wspc.json", .text = slice_str(text)}, error);
}

/* ---- wsps */

#define PAIR "\"enable\":true,\"cert\":\"c\",\"key\":\"k\""

static const struct {
    const char *ssl;
    const char *error; /* behind "wsps.json:2:" */
} bad_ssl[] = {
    {"1", "7: ssl: expected an object, found a number"},
    {"{\"enable\":true}",
     "7: ssl: key \"cert\" is missing: expected a PEM file with the certificate and its chain"},
    {"{\"enable\":true,\"cert\":\"\",\"key\":\"k\"}",
     "7: ssl: key \"cert\" is missing: expected a PEM file with the certificate and its chain"},
    {"{\"enable\":true,\"cert\":\"c\"}",
     "7: ssl: key \"key\" is missing: expected a PEM file with the certificate's key"},
    {"{\"enable\":true,\"cert\":1}", "29: ssl.cert: expected a string, found a number"},
    {"{" PAIR ",\"min_version\":1.2}", "57: ssl.min_version: expected a string, found a number"},
    {"{" PAIR ",\"min_version\":\"1.1\"}", "57: ssl.min_version: expected \"1.2\" or \"1.3\""},
    {"{" PAIR ",\"min_version\":\"\"}", "57: ssl.min_version: expected \"1.2\" or \"1.3\""},
    {"{" PAIR ",\"cipher\":\"\"}", "43: ssl: unknown key \"cipher\": did you mean \"ciphers\"?"},
    {"{" PAIR ",\"crl\":\"r\"}", "49: ssl.crl: needs \"client_ca\" beside it"},
    {"{" PAIR ",\"certs\":{}}", "51: ssl.certs: expected an array, found an object"},
    {"{" PAIR ",\"certs\":[1]}", "52: ssl.certs[0]: expected an object, found a number"},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\"}]}",
     "52: ssl.certs[0]: key \"domains\" is missing: expected the names this certificate is shown "
     "to"},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\",\"domains\":[]}]}",
     "52: ssl.certs[0]: key \"domains\" is missing: expected the names this certificate is shown "
     "to"},
    {"{" PAIR ",\"certs\":[{\"domains\":[\"a\"],\"key\":\"k\"}]}",
     "52: ssl.certs[0]: key \"cert\" is missing: expected a PEM file with the certificate and its "
     "chain"},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\",\"domains\":[\"a\",\"1.2.3.4\"]}]}",
     "89: ssl.certs[0].domains[1]: " DOMAIN_FORM},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\",\"domains\":[\"*\"]}]}",
     "85: ssl.certs[0].domains[0]: " DOMAIN_FORM},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\",\"domains\":[\"*.\"]}]}",
     "85: ssl.certs[0].domains[0]: " DOMAIN_FORM},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\",\"domains\":[\"a.*.b\"]}]}",
     "85: ssl.certs[0].domains[0]: " DOMAIN_FORM},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\",\"domains\":[\"a:443\"]}]}",
     "85: ssl.certs[0].domains[0]: " DOMAIN_FORM},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\",\"domains\":\"a\"}]}",
     "84: ssl.certs[0].domains: expected an array, found a string"},
    {"{" PAIR ",\"certs\":[{\"cert\":\"c\",\"key\":\"k\",\"domain\":[\"a\"]}]}",
     "74: ssl.certs[0]: unknown key \"domain\": did you mean \"domains\"?"},
};

static void test_bad_ssl(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_ssl); i++) {
        char error[CONFIG_ERROR_MAX];
        struct wsps_config c;

        assert_int_equal(load_wsps(&c, bad_ssl[i].ssl, error), WSP_ERR_CONFIG);
        assert_memory_equal(error, "wsps.json:2:", 12);
        assert_string_equal(error + 12, bad_ssl[i].error);
        wsps_config_fini(&c);
    }
}

static void test_ssl_off(void **state)
{
    static const char *const texts[] = {
        "null", "{}", "{\"enable\":false,\"cert\":\"\",\"key\":\"\"}",
        "{\"cert\":\"c\",\"key\":\"k\",\"certs\":[]}", /* as it is filled in */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char error[CONFIG_ERROR_MAX];
        struct wsps_config c;

        assert_int_equal(load_wsps(&c, texts[i], error), WSP_OK);
        assert_false(c.ssl.enable);
        assert_int_equal(c.ssl.pair_count, 0);
        wsps_config_fini(&c);
    }
}

static void test_ssl_defaults(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;

    (void)state;
    assert_int_equal(load_wsps(&c, "{" PAIR ",\"ciphers\":\"\",\"crl\":\"\"}", error), WSP_OK);
    assert_true(c.ssl.enable);
    assert_int_equal(c.ssl.pair_count, 1);
    assert_string_equal(c.ssl.pair[0].cert, "c");
    assert_string_equal(c.ssl.pair[0].key, "k");
    assert_null(c.ssl.pair[0].domains);
    assert_false(c.ssl.tls_1_3);
    assert_null(c.ssl.ciphers);
    assert_null(c.ssl.client_ca);
    assert_null(c.ssl.crl);
    wsps_config_fini(&c);
}

static void test_ssl_full(void **state)
{
    static const char text[] =
        "{" PAIR ",\"min_version\":\"1.3\",\"ciphers\":\"ECDHE+AESGCM\",\"client_ca\":\"a\","
        "\"crl\":\"r\",\"certs\":[{\"domains\":[\"A.example\",\"*.b.example\"],\"cert\":\"c1\","
        "\"key\":\"k1\"},{\"domains\":[\"localhost\"],\"cert\":\"c2\",\"key\":\"k2\"}]}";
    char error[CONFIG_ERROR_MAX];
    struct wsps_config c;

    (void)state;
    assert_int_equal(load_wsps(&c, text, error), WSP_OK);
    assert_true(c.ssl.tls_1_3);
    assert_string_equal(c.ssl.ciphers, "ECDHE+AESGCM");
    assert_string_equal(c.ssl.client_ca, "a");
    assert_string_equal(c.ssl.crl, "r");
    assert_int_equal(c.ssl.pair_count, 3);
    assert_string_equal(c.ssl.pair[1].cert, "c1");
    assert_string_equal(c.ssl.pair[1].domains[0], "A.example");
    assert_string_equal(c.ssl.pair[1].domains[1], "*.b.example");
    assert_null(c.ssl.pair[1].domains[2]);
    assert_string_equal(c.ssl.pair[2].key, "k2");
    wsps_config_fini(&c);
}

/* ---- wspc */

static const struct {
    const char *server, *members;
    const char *error; /* behind "wspc.json:2:" */
} bad_clients[] = {
    {"wss://h", "\"cert\":\"c\"", "8: client[0].cert: needs \"key\" beside it"},
    {"wss://h", "\"key\":\"k\"", "7: client[0].key: needs \"cert\" beside it"},
    {"wss://h", "\"ca\":1", "6: client[0].ca: expected a string, found a number"},
    {"wss://h", "\"insecure\":1", "12: client[0].insecure: expected true or false, found a number"},
    {"wss://h", "\"sni\":\"a:443\"",
     "7: client[0].sni: expected a domain name, without scheme and port"},
    {"wss://h", "\"sni\":\"wss://a\"",
     "7: client[0].sni: expected a domain name, without scheme and port"},
    {"wss://h", "\"snl\":\"a\"", "1: client[0]: unknown key \"snl\": did you mean \"sni\"?"},
    {"ws://h", "\"ca\":\"a\"", "6: client[0].ca: is for a server at wss:// only"},
    {"ws://h", "\"crl\":\"\"", "7: client[0].crl: is for a server at wss:// only"},
    {"ws://h", "\"cert\":\"a\"", "8: client[0].cert: is for a server at wss:// only"},
    {"ws://h", "\"key\":\"a\"", "7: client[0].key: is for a server at wss:// only"},
    {"ws://h", "\"sni\":\"a\"", "7: client[0].sni: is for a server at wss:// only"},
    {"ws://h", "\"insecure\":false", "12: client[0].insecure: is for a server at wss:// only"},
};

static void test_bad_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bad_clients); i++) {
        char error[CONFIG_ERROR_MAX];
        struct wspc_config c;

        assert_int_equal(load_wspc(&c, bad_clients[i].server, bad_clients[i].members, error),
                         WSP_ERR_CONFIG);
        assert_memory_equal(error, "wspc.json:2:", 12);
        assert_string_equal(error + 12, bad_clients[i].error);
        wspc_config_fini(&c);
    }
}

static void test_servers(void **state)
{
    static const struct {
        const char *url;
        bool secure;
        unsigned port;
    } rows[] = {
        {"ws://h", false, 80},        {"wss://h", true, 443},   {"WSS://h/p", true, 443},
        {"wss://h:8443", true, 8443}, {"wss://h:80", true, 80}, {"ws://h:443", false, 443},
        {"wss://[::1]", true, 443},   {"wss://h?k", true, 443},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char error[CONFIG_ERROR_MAX];
        struct wspc_config c;

        assert_int_equal(load_wspc(&c, rows[i].url, "", error), WSP_OK);
        assert_int_equal(c.client[0].secure, rows[i].secure);
        assert_int_equal(c.client[0].port, rows[i].port);
        assert_null(c.client[0].tls.ca);
        assert_null(c.client[0].tls.sni);
        assert_false(c.client[0].tls.insecure);
        wspc_config_fini(&c);
    }
}

static void test_client_full(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct wspc_config c;

    (void)state;
    assert_int_equal(load_wspc(&c, "wss://h",
                               "\"ca\":\"a\",\"crl\":\"r\",\"cert\":\"c\",\"key\":\"k\","
                               "\"sni\":\"x.example\",\"insecure\":true",
                               error),
                     WSP_OK);
    assert_string_equal(c.client[0].tls.ca, "a");
    assert_string_equal(c.client[0].tls.crl, "r");
    assert_string_equal(c.client[0].tls.cert, "c");
    assert_string_equal(c.client[0].tls.key, "k");
    assert_string_equal(c.client[0].tls.sni, "x.example");
    assert_true(c.client[0].tls.insecure);
    wspc_config_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_ssl),      cmocka_unit_test(test_ssl_off),
        cmocka_unit_test(test_ssl_defaults), cmocka_unit_test(test_ssl_full),
        cmocka_unit_test(test_bad_clients),  cmocka_unit_test(test_servers),
        cmocka_unit_test(test_client_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
