/* Identities of all kinds, in files; include it behind cmocka.h. */
#ifndef TESTS_UNIT_TLS_FILES_H
#define TESTS_UNIT_TLS_FILES_H

#include "unit/tls_certs.h"

enum { PATH_LEN = 64 };

enum who {
    CA,
    SUB_CA,
    REVOKED_CA,
    OTHER_CA,
    DEFAULT,
    A,
    WILD,
    DEEP,
    CLIENT,
    SUB_CLIENT,
    REVOKED,
    REVOKED_SUB,
    EXPIRED,
    EXPIRED_REVOKED,
    FUTURE,
    FOREIGN,
    ALONE,
    IDENTITIES,
    NOBODY = IDENTITIES
};

static const struct {
    struct cert_spec spec;
    enum who issuer; /* NOBODY: itself */
} specs[IDENTITIES] = {
    [CA] = {{"ca", NULL, -1, 1, true}, NOBODY},
    [SUB_CA] = {{"sub ca", NULL, -1, 1, true}, CA},
    [REVOKED_CA] = {{"revoked ca", NULL, -1, 1, true}, CA},
    [OTHER_CA] = {{"other ca", NULL, -1, 1, true}, NOBODY},
    [DEFAULT] = {{"default", "DNS:default.test", -1, 1, false}, CA},
    [A] = {{"a", "DNS:a.test", -1, 1, false}, CA},
    [WILD] = {{"wild", "DNS:*.wild.test", -1, 1, false}, CA},
    [DEEP] = {{"deep", "DNS:deep.wild.test", -1, 1, false}, CA},
    [CLIENT] = {{"client", "DNS:host.test", -1, 1, false}, CA},
    [SUB_CLIENT] = {{"client of sub", "DNS:host.test", -1, 1, false}, SUB_CA},
    [REVOKED] = {{"revoked", "DNS:host.test", -1, 1, false}, CA},
    [REVOKED_SUB] = {{"client of revoked", "DNS:host.test", -1, 1, false}, REVOKED_CA},
    [EXPIRED] = {{"expired", "DNS:host.test", -3, -1, false}, CA},
    [EXPIRED_REVOKED] = {{"expired and revoked", "DNS:host.test", -3, -1, false}, CA},
    [FUTURE] = {{"future", "DNS:host.test", 1, 3, false}, CA},
    [FOREIGN] = {{"foreign", "DNS:host.test", -1, 1, false}, OTHER_CA},
    [ALONE] = {{"alone", "DNS:host.test", -1, 1, false}, NOBODY},
};

static struct identity ids[IDENTITIES];
static char dir[] = "/tmp/test-tls-XXXXXX";
static char certs[IDENTITIES][PATH_LEN], keys[IDENTITIES][PATH_LEN];
static char crl[PATH_LEN], locked[PATH_LEN], missing[PATH_LEN], empty[PATH_LEN];

static inline void name_file(char *path, const char *name)
{
    snprintf(path, PATH_LEN, "%s/%s-XXXXXX", dir, name);
}

/* A certificate with the intermediate authority it needs behind it. */
static inline void save(enum who who)
{
    enum who issuer = specs[who].issuer;
    FILE *f;

    name_file(certs[who], "cert");
    cert_save(&ids[who], certs[who]);
    if (issuer != NOBODY && specs[issuer].issuer != NOBODY) {
        f = fopen(certs[who], "a");
        assert_true(f && PEM_write_X509(f, ids[issuer].cert));
        fclose(f);
    }
    name_file(keys[who], "key");
    key_save(&ids[who], NULL, keys[who]);
}

static inline void save_crls(void)
{
    X509_CRL *lists[] = {
        crl_make(&ids[CA], (const struct identity *[]){&ids[REVOKED], &ids[EXPIRED_REVOKED],
                                                       &ids[REVOKED_CA], NULL}),
        crl_make(&ids[SUB_CA], (const struct identity *[]){NULL}),
        crl_make(&ids[REVOKED_CA], (const struct identity *[]){NULL})};
    FILE *f;

    name_file(crl, "crl");
    f = pem_file(crl);
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        assert_true(PEM_write_X509_CRL(f, lists[i]));
        X509_CRL_free(lists[i]);
    }
    fclose(f);
}

static inline int files_setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    for (size_t i = 0; i < IDENTITIES; i++) {
        enum who issuer = specs[i].issuer;

        ids[i] = cert_make(&specs[i].spec, issuer == NOBODY ? NULL : &ids[issuer]);
        save((enum who)i);
    }
    save_crls();
    name_file(locked, "locked");
    key_save(&ids[DEFAULT], "secret", locked);
    name_file(empty, "empty");
    fclose(pem_file(empty));
    name_file(missing, "missing");
    return 0;
}

static inline int files_teardown(void **state)
{
    char command[PATH_LEN + 16];

    (void)state;
    for (size_t i = 0; i < IDENTITIES; i++)
        cert_free(&ids[i]);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    assert_int_equal(system(command), 0);
    return 0;
}

#endif
