/* What is loaded from files for TLS, and what is said of those that are no good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/tls_server.h"
#include "unit/tls_files.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static char *const a_domains[] = {"a.test", NULL};

#define NOT_THERE "there is none in it (PEM)"

static const struct {
    const char *cert, *key, *client_ca, *crl, *ciphers;
    const char *text; /* with the file's name for %s */
    const char *file;
} faults[] = {
    {missing, keys[A], NULL, NULL, NULL,
     "tls: cannot load the certificate from \"%s\": No such file or directory", missing},
    {empty, keys[A], NULL, NULL, NULL, "tls: cannot load the certificate from \"%s\": " NOT_THERE,
     empty},
    {keys[A], keys[A], NULL, NULL, NULL, "tls: cannot load the certificate from \"%s\": " NOT_THERE,
     keys[A]},
    {dir, keys[A], NULL, NULL, NULL, "tls: cannot load the certificate from \"%s\": " NOT_THERE,
     dir},
    {certs[A], missing, NULL, NULL, NULL,
     "tls: cannot load the key from \"%s\": No such file or directory", missing},
    {certs[A], certs[A], NULL, NULL, NULL, "tls: cannot load the key from \"%s\": " NOT_THERE,
     certs[A]},
    {certs[A], locked, NULL, NULL, NULL,
     "tls: the key in \"%s\" is encrypted, and nobody is there to type its passphrase: decrypt it "
     "with openssl pkey -in FILE -out NEW",
     locked},
    {certs[A], keys[WILD], NULL, NULL, NULL,
     "tls: the key in \"%s\" does not belong to the "
     "certificate in \"",
     keys[WILD]},
    {certs[A], keys[A], missing, NULL, NULL,
     "tls: cannot load certificates from \"%s\": No such file or directory", missing},
    {certs[A], keys[A], empty, NULL, NULL,
     "tls: cannot load certificates from \"%s\": no certificate or crl found", empty},
    {certs[A], keys[A], keys[A], NULL, NULL,
     "tls: cannot load certificates from \"%s\": no certificate or crl found", keys[A]},
    {certs[A], keys[A], certs[CA], missing, NULL,
     "tls: cannot load revoked certificates from \"%s\": No such file or directory", missing},
    {certs[A], keys[A], certs[CA], certs[CA], NULL,
     "tls: cannot load revoked certificates from \"%s\": " NOT_THERE, certs[CA]},
    {certs[A], keys[A], NULL, NULL, "no-such", "tls: ciphers \"%s\": no cipher match", "no-such"},
    {certs[A], keys[A], NULL, NULL, "TLS_NO_SUCH", "tls: ciphers \"%s\": ", "TLS_NO_SUCH"},
};

/* Those of the default, and of a further certificate. */
static void test_faults(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(faults); i++) {
        size_t row = i / 2;
        struct tls_pair bad = {faults[row].cert, faults[row].key, a_domains};
        struct tls_pair pairs[2] = {{certs[DEFAULT], keys[DEFAULT], NULL}, bad};
        struct tls_server_options opt = {.pair = i & 1 ? pairs : &bad,
                                         .pair_count = i & 1 ? 2 : 1,
                                         .client_ca_file = faults[row].client_ca,
                                         .client_crl_file = faults[row].crl,
                                         .ciphers = faults[row].ciphers};
        char error[TLS_TEXT_MAX] = "", expected[2 * TLS_TEXT_MAX];
        struct tls_context *x = tls_server_new(&opt, error, sizeof(error));

        assert_null(x);
        snprintf(expected, sizeof(expected), faults[row].text, faults[row].file);
        error[strlen(expected)] = '\0';
        assert_string_equal(error, expected);
    }
}

static void test_expiry(void **state)
{
    struct tls_pair pairs[] = {{certs[DEFAULT], keys[DEFAULT], NULL},
                               {certs[EXPIRED], keys[EXPIRED], a_domains}};
    struct tls_server_options opt = {.pair = pairs, .pair_count = 1};
    char error[TLS_TEXT_MAX];
    struct tls_context *x = tls_server_new(&opt, error, sizeof(error));
    long left_s;

    (void)state;
    assert_int_equal(tls_server_expires_first(x, &left_s), 0);
    assert_true(left_s > DAY - 60 && left_s <= DAY);
    tls_context_unref(x);
    opt.pair_count = 2;
    x = tls_server_new(&opt, error, sizeof(error));
    assert_int_equal(tls_server_expires_first(x, &left_s), 1);
    assert_true(left_s > -DAY - 60 && left_s <= -DAY);
    tls_context_unref(x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_expiry),
    };

    return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
