/* Keys and certificates made for a test; include it behind cmocka.h. */
#ifndef TESTS_UNIT_TLS_CERTS_H
#define TESTS_UNIT_TLS_CERTS_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

enum { DAY = 24 * 60 * 60 };

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

struct cert_spec {
    const char *cn;
    const char *san; /* "DNS:…,IP:…"; NULL: none */
    int from_days, to_days;
    bool ca;
};

static inline void cert_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    assert_true(X509_add_ext(cert, e, -1));
    X509_EXTENSION_free(e);
}

/* Signed by `issuer`, or by itself when that is NULL. */
static inline struct identity cert_make(const struct cert_spec *spec, const struct identity *issuer)
{
    struct identity id = {EVP_EC_gen("P-256"), X509_new()};
    X509_NAME *name;
    static long serial;

    assert_true(id.key && id.cert);
    if (!issuer)
        issuer = &id;
    X509_set_version(id.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), (long)spec->from_days * DAY);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), (long)spec->to_days * DAY);
    X509_set_pubkey(id.cert, id.key);
    name = X509_get_subject_name(id.cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)spec->cn, -1, -1, 0);
    X509_set_issuer_name(id.cert, X509_get_subject_name(issuer->cert));
    cert_extension(id.cert, issuer->cert, NID_basic_constraints,
                   spec->ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (spec->san)
        cert_extension(id.cert, issuer->cert, NID_subject_alt_name, spec->san);
    assert_true(X509_sign(id.cert, issuer->key, EVP_sha256()) > 0);
    return id;
}

static inline void cert_free(struct identity *id)
{
    EVP_PKEY_free(id->key);
    X509_free(id->cert);
}

/* SHA-256 of the SubjectPublicKeyInfo, made another way than the code under test does. */
static inline void cert_pin(const struct identity *id, uint8_t pin[32])
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(id->key, &der);

    assert_true(len > 0 && EVP_Digest(der, (size_t)len, pin, NULL, EVP_sha256(), NULL));
    OPENSSL_free(der);
}

/* A new file; `path` is a template for mkstemp. */
static inline FILE *pem_file(char *path)
{
    int fd = mkstemp(path);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

    assert_non_null(f);
    return f;
}

/* Writes a file of one certificate. */
static inline void cert_save(const struct identity *id, char *path)
{
    FILE *f = pem_file(path);

    assert_true(PEM_write_X509(f, id->cert));
    fclose(f);
}

/* Writes a file of the key, with a passphrase unless that is NULL. */
static inline void key_save(const struct identity *id, const char *passphrase, char *path)
{
    FILE *f = pem_file(path);

    assert_true(PEM_write_PKCS8PrivateKey(f, id->key, passphrase ? EVP_aes_128_cbc() : NULL,
                                          passphrase, passphrase ? (int)strlen(passphrase) : 0,
                                          NULL, NULL));
    fclose(f);
}

/* A list of what `issuer` revokes: certificates of its own, NULL at the end. */
static inline X509_CRL *crl_make(const struct identity *issuer, const struct identity **revoked)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *at = X509_gmtime_adj(NULL, -DAY);

    assert_true(crl && at);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
    X509_CRL_set1_lastUpdate(crl, at);
    for (; *revoked; revoked++) {
        X509_REVOKED *entry = X509_REVOKED_new();

        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber((*revoked)->cert));
        X509_REVOKED_set_revocationDate(entry, at);
        assert_true(X509_CRL_add0_revoked(crl, entry)); /* taken */
    }
    X509_gmtime_adj(at, DAY);
    X509_CRL_set1_nextUpdate(crl, at);
    ASN1_TIME_free(at);
    assert_true(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
    return crl;
}

#endif
