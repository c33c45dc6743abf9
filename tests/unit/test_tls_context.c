/* Which services are trusted, and what is said of the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_world.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NAMES "DNS:a.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1"

enum which { GOOD, EXPIRED, FUTURE, ALONE, FOREIGN, NO_SAN, IDENTITIES };

enum trust {
    BY_CA,
    BY_SYSTEM,
    BY_ITSELF, /* the certificate is its own root */
    BY_NOTHING,
    BY_PIN,
    BY_OTHER_PIN
};

static struct identity ca, other_ca, ids[IDENTITIES];
static char ca_path[] = "/tmp/test-tls-XXXXXX", alone_path[] = "/tmp/test-tls-XXXXXX";

static struct tls_context *context_new(enum trust trust, enum which which)
{
    struct tls_options opt = {.insecure = trust == BY_NOTHING, .has_pin = trust >= BY_PIN};
    char error[TLS_TEXT_MAX];
    struct tls_context *x;

    if (trust == BY_CA || trust == BY_ITSELF)
        opt.ca_file = trust == BY_CA ? ca_path : alone_path;
    cert_pin(&ids[which], opt.pin);
    if (trust == BY_OTHER_PIN)
        opt.pin[31] ^= 1;
    x = tls_context_new(&opt, error, sizeof(error));
    assert_non_null(x);
    return x;
}

/* Connects to a service with that certificate. */
static void run(enum which which, enum trust trust, const char *name, int version,
                struct record *seen)
{
    SSL_CTX *server = SSL_CTX_new(TLS_server_method());
    struct tls_context *x = context_new(trust, which);
    struct world w;

    SSL_CTX_use_certificate(server, ids[which].cert);
    SSL_CTX_use_PrivateKey(server, ids[which].key);
    SSL_CTX_set_min_proto_version(server, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server, version);
    SSL_CTX_set_security_level(server, 0);
    world_start(&w, server);
    world_open(&w, x, name);
    tls_context_unref(x);
    world_run(&w);
    assert_int_equal(w.seen.opened, w.seen.closed == 0);
    *seen = w.seen;
    if (w.seen.opened) {
        const char *sni = SSL_get_servername(w.service.ssl, TLSEXT_NAMETYPE_host_name);
        bool is_name = strstr(name, "test") != NULL;

        assert_int_equal(sni != NULL, is_name);
        assert_true(!sni || sni[strlen(sni) - 1] != '.');
    }
    world_stop(&w);
    SSL_CTX_free(server);
}

static const struct {
    enum which which;
    enum trust trust;
    const char *name;
    const char *text; /* NULL: trusted */
} rows[] = {
    {GOOD, BY_CA, "a.test", NULL},
    {GOOD, BY_CA, "A.test", NULL},
    {GOOD, BY_CA, "a.test.", NULL},
    {GOOD, BY_CA, "x.wild.test", NULL},
    {GOOD, BY_CA, "127.0.0.1", NULL},
    {GOOD, BY_CA, "::1", NULL},
    {GOOD, BY_CA, "0:0:0:0:0:0:0:1", NULL},
    {GOOD, BY_CA, "b.test", "tls: host name check failed: the certificate is not for b.test"},
    {GOOD, BY_CA, "x.y.wild.test",
     "tls: host name check failed: the certificate is not for x.y.wild.test"},
    {GOOD, BY_CA, "127.0.0.2", "tls: address check failed: the certificate is not for 127.0.0.2"},
    {GOOD, BY_CA, "::2", "tls: address check failed: the certificate is not for "},
    {NO_SAN, BY_CA, "a.test", "tls: host name check failed: the certificate is not for a.test"},
    {EXPIRED, BY_CA, "a.test", "tls: certificate check failed: certificate has expired"},
    {FUTURE, BY_CA, "a.test", "tls: certificate check failed: certificate is not yet valid"},
    {ALONE, BY_CA, "a.test", "tls: certificate check failed: self-signed certificate"},
    {FOREIGN, BY_CA, "a.test",
     "tls: certificate check failed: unable to get local issuer certificate"},
    {GOOD, BY_SYSTEM, "a.test",
     "tls: certificate check failed: unable to get local issuer certificate"},
    {ALONE, BY_ITSELF, "a.test", NULL},
    {ALONE, BY_ITSELF, "b.test", "tls: host name check failed: the certificate is not for b.test"},
    {GOOD, BY_NOTHING, "b.test", NULL},
    {EXPIRED, BY_NOTHING, "127.0.0.9", NULL},
    {ALONE, BY_NOTHING, "a.test", NULL},
    {GOOD, BY_PIN, "a.test", NULL},
    {EXPIRED, BY_PIN, "b.test", NULL},
    {ALONE, BY_PIN, "10.0.0.1", NULL},
    {GOOD, BY_OTHER_PIN, "a.test", "tls: pin check failed: the peer's public key is sha256:"},
    {ALONE, BY_OTHER_PIN, "a.test", "tls: pin check failed: the peer's public key is sha256:"},
};

static void test_trust(void **state)
{
    struct record seen;

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        size_t r = i / 2;

        run(rows[r].which, rows[r].trust, rows[r].name, i & 1 ? TLS1_2_VERSION : TLS1_3_VERSION,
            &seen);
        if (!rows[r].text) {
            assert_string_equal(seen.text, "");
            assert_int_equal(seen.opened, 1);
            continue;
        }
        assert_int_equal(seen.how, CHAN_END_FAILED);
        seen.text[strlen(rows[r].text)] = '\0';
        assert_string_equal(seen.text, rows[r].text);
    }
}

static void test_pin_is_shown(void **state)
{
    struct record seen;
    uint8_t pin[32];
    char base64[45];

    (void)state;
    cert_pin(&ids[GOOD], pin);
    EVP_EncodeBlock((unsigned char *)base64, pin, sizeof(pin));
    run(GOOD, BY_OTHER_PIN, "a.test", TLS1_3_VERSION, &seen);
    assert_string_equal(strstr(seen.text, "sha256:") + 7, base64);
}

static void test_old_version(void **state)
{
    struct record seen;

    (void)state;
    run(GOOD, BY_NOTHING, "a.test", TLS1_1_VERSION, &seen);
    assert_int_equal(seen.how, CHAN_END_FAILED);
    assert_string_equal(seen.text, "tls: handshake failed: tlsv1 alert protocol version");
}

static void test_names(void **state)
{
    struct tls_context *x = context_new(BY_CA, GOOD);
    char long_name[300];
    struct tls_chan t;

    (void)state;
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    assert_int_equal(tls_chan_init(&t, &owner_ops, x, ""), WSP_ERR_REFUSED);
    assert_int_equal(tls_chan_init(&t, &owner_ops, x, "."), WSP_ERR_REFUSED);
    assert_int_equal(tls_chan_init(&t, &owner_ops, x, long_name), WSP_ERR_REFUSED);
    tls_chan_fini(&t);
    long_name[255] = '\0';
    assert_int_equal(tls_chan_init(&t, &owner_ops, x, long_name), WSP_OK);
    tls_context_unref(x);
    tls_chan_fini(&t);
}

static void test_bad_files(void **state)
{
    struct tls_options opt = {.ca_file = "/nonexistent/ca.pem"};
    char error[TLS_TEXT_MAX];

    (void)state;
    assert_null(tls_context_new(&opt, error, sizeof(error)));
    assert_string_equal(error, "tls: cannot load certificates from \"/nonexistent/ca.pem\": "
                               "No such file or directory");
    opt.ca_file = "/dev/null";
    assert_null(tls_context_new(&opt, error, sizeof(error)));
    assert_string_equal(error, "tls: cannot load certificates from \"/dev/null\": "
                               "no certificate or crl found");
    opt.has_pin = true; /* then no roots are needed */
    tls_context_unref(tls_context_new(&opt, error, sizeof(error)));
    tls_context_unref(NULL);
}

static int setup(void **state)
{
    struct cert_spec authority = {"ca", NULL, -1, 1, true};

    (void)state;
    ca = cert_make(&authority, NULL);
    authority.cn = "other ca";
    other_ca = cert_make(&authority, NULL);
    ids[GOOD] = cert_make(&(struct cert_spec){"good", NAMES, -1, 1, false}, &ca);
    ids[EXPIRED] = cert_make(&(struct cert_spec){"expired", NAMES, -3, -1, false}, &ca);
    ids[FUTURE] = cert_make(&(struct cert_spec){"future", NAMES, 1, 3, false}, &ca);
    ids[ALONE] = cert_make(&(struct cert_spec){"alone", NAMES, -1, 1, false}, NULL);
    ids[FOREIGN] = cert_make(&(struct cert_spec){"foreign", NAMES, -1, 1, false}, &other_ca);
    ids[NO_SAN] = cert_make(&(struct cert_spec){"a.test", NULL, -1, 1, false}, &ca);
    cert_save(&ca, ca_path);
    cert_save(&ids[ALONE], alone_path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(ca_path);
    unlink(alone_path);
    cert_free(&ca);
    cert_free(&other_ca);
    for (size_t i = 0; i < IDENTITIES; i++)
        cert_free(&ids[i]);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trust),       cmocka_unit_test(test_pin_is_shown),
        cmocka_unit_test(test_old_version), cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad_files),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
