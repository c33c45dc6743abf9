/* Certificates of the public port that are replaced while it is in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/tls_context_parts.h"
#include "server/certificates.h"
#include "unit/tls_files.h"

static struct wsp_loop *loop;
static char cert[PATH_LEN], key[PATH_LEN], text[TLS_TEXT_MAX];
static char logged[2048];
static struct config_tls_pair pair = {.cert = cert, .key = key};
static struct config_ssl config = {.enable = true, .pair = &pair, .pair_count = 1};
static struct certificates subject;

static void keep(void *ctx, enum wsp_log_level level, const char *line, size_t len)
{
    const char *hours = memmem(line, len, " in 2", 5); /* 23 or 24 */
    size_t n = strlen(logged);

    (void)ctx;
    if (hours)
        len = (size_t)(hours - line);
    snprintf(logged + n, sizeof(logged) - n, "%s %.*s\n", wsp_log_level_name(level), (int)len,
             line);
}

/* What was logged since the last time is this, with the name of the certificate's file for %s. */
static void assert_logged(const char *format)
{
    char expected[sizeof(text) * 2];

    snprintf(expected, sizeof(expected), format, cert);
    assert_string_equal(logged, expected);
    logged[0] = '\0';
}

static void copy(const char *from, const char *to)
{
    char command[5 * PATH_LEN];

    snprintf(command, sizeof(command), "cp %s %s.new && mv %s.new %s", from, to, to, to);
    assert_int_equal(system(command), 0);
}

static void use(enum who who)
{
    copy(certs[who], cert);
    copy(keys[who], key);
}

/* As the timer does every ten seconds. */
static void look(void)
{
    timer_clear(loop, &subject.look);
    subject.look.fire(&subject.look);
    assert_true(timer_is_set(&subject.look));
}

static void assert_shows(enum who who)
{
    char name[64];
    X509 *shown = SSL_CTX_get0_certificate(subject.tls->ctx);

    X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, name, sizeof(name));
    assert_string_equal(name, specs[who].spec.cn);
}

static void test_replaced(void **state)
{
    struct tls_context *old = tls_context_ref(subject.tls);

    (void)state;
    look();
    assert_logged("");
    assert_ptr_equal(subject.tls, old);
    use(WILD);
    look();
    assert_logged("info certificates: loaded again\nwarn certificates: \"%s\" expires\n");
    assert_shows(WILD);
    assert_int_equal(old->refs, 1); /* ours: connections go on with it */
    tls_context_unref(old);
}

/* In between, the certificate and the key do not fit. */
static void test_half_replaced(void **state)
{
    (void)state;
    copy(certs[WILD], cert);
    look();
    snprintf(text, sizeof(text),
             "error certificates: tls: the key in \"%s\" does not belong to the certificate in "
             "\"%%s\"; those loaded before stay in use\n",
             key);
    assert_logged(text);
    assert_shows(A);
    look(); /* it is said once */
    assert_logged("");
    copy(keys[WILD], key);
    look();
    assert_logged("info certificates: loaded again\nwarn certificates: \"%s\" expires\n");
    assert_shows(WILD);
}

static void test_unreadable(void **state)
{
    (void)state;
    unlink(cert);
    look();
    assert_logged("error certificates: tls: cannot load the certificate from \"%s\": No such file "
                  "or directory; those loaded before stay in use\n");
    assert_shows(A);
    copy(empty, cert);
    look();
    assert_logged("error certificates: tls: cannot load the certificate from \"%s\": there is none "
                  "in it (PEM); those loaded before stay in use\n");
    use(A);
    look();
    assert_logged("info certificates: loaded again\nwarn certificates: \"%s\" expires\n");
}

/* Whoever runs for months is told each day. */
static void test_expires(void **state)
{
    const uint64_t hour_us = (uint64_t)3600 * 1000000;

    (void)state;
    subject.told_us = loop_now(loop) - 23 * hour_us;
    look();
    assert_logged("");
    subject.told_us -= hour_us;
    look();
    assert_logged("warn certificates: \"%s\" expires\n");
    look();
    assert_logged("");
    use(EXPIRED);
    look();
    assert_logged("info certificates: loaded again\nwarn certificates: \"%s\" has expired\n");
}

/* A configuration that goes on without TLS, and with it again. */
static void test_renewed(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct certificates_read read = {.tls = NULL};

    (void)state;
    certificates_renew(&subject, &read);
    assert_null(subject.tls);
    assert_false(timer_is_set(&subject.look));
    assert_int_equal(certificates_load(&config, &read, error), WSP_OK);
    certificates_renew(&subject, &read);
    assert_true(timer_is_set(&subject.look));
    assert_logged("warn certificates: \"%s\" expires\n");
}

static void test_load(void **state)
{
    struct config_ssl off = {.enable = false};
    char error[CONFIG_ERROR_MAX];
    struct certificates_read read = {.tls = subject.tls};

    (void)state;
    assert_int_equal(certificates_load(&off, &read, error), WSP_OK);
    assert_null(read.tls);
    unlink(key);
    assert_int_equal(certificates_load(&config, &read, error), WSP_ERR_CONFIG);
    assert_null(read.tls);
    snprintf(text, sizeof(text),
             "ssl: tls: cannot load the key from \"%s\": No such file or directory", key);
    assert_string_equal(error, text);
}

static int setup(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct certificates_read read;

    (void)state;
    loop = wsp_loop_new();
    *loop_log(loop) = (struct log){.level = WSP_LOG_INFO, .write = keep};
    name_file(cert, "used");
    name_file(key, "used-key");
    use(A);
    if (certificates_load(&config, &read, error) != WSP_OK)
        return -1;
    certificates_start(&subject, loop, &config, &read);
    logged[0] = '\0';
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    certificates_stop(&subject);
    wsp_loop_free(loop);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_half_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unreadable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renewed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_load, setup, teardown),
    };

    return cmocka_run_group_tests(tests, files_setup, files_teardown);
}
