#include "config/tls_config.h"

#include <stdlib.h>

#include "config/common.h"

/* A file's name, or NULL when it is not set. */
static bool read_file_name(const struct json_at *object, const char *key, char **out)
{
    if (!json_get_string(object, key, out))
        return false;
    config_drop_empty(out);
    return true;
}

static bool needs(const struct json_at *object, const char *key, const char *other)
{
    struct json_at at;

    json_member(object, key, &at);
    return json_fail(&at, "needs \"%s\" beside it", other);
}

/* ---- wspc */

static bool read_sni(const struct json_at *object, char **out)
{
    struct json_at at;

    if (!read_file_name(object, "sni", out))
        return false;
    if (*out && !config_host_ok(slice_str(*out)) && json_member(object, "sni", &at))
        return json_fail(&at, "expected a domain name, without scheme and port");
    return true;
}

/* A key without effect would be taken for protection. */
static bool check_unused(const struct json_at *object)
{
    static const char *const keys[] = {CONFIG_TLS_CLIENT_KEYS};
    struct json_at at;

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (json_member(object, keys[i], &at))
            return json_fail(&at, "is for a server at wss:// only");
    return true;
}

bool config_tls_client_read(const struct json_at *object, bool secure,
                            struct config_tls_client *out)
{
    if (!secure)
        return check_unused(object);
    if (!read_file_name(object, "ca", &out->ca) || !read_file_name(object, "crl", &out->crl) ||
        !read_file_name(object, "cert", &out->cert) || !read_file_name(object, "key", &out->key) ||
        !read_sni(object, &out->sni) || !json_get_bool(object, "insecure", &out->insecure))
        return false;
    if (out->cert && !out->key)
        return needs(object, "cert", "key");
    if (out->key && !out->cert)
        return needs(object, "key", "cert");
    return true;
}

void config_tls_client_fini(struct config_tls_client *tls)
{
    free(tls->ca);
    free(tls->crl);
    free(tls->cert);
    free(tls->key);
    free(tls->sni);
    *tls = (struct config_tls_client){0};
}

/* ---- wsps */

static bool read_pair(struct json_at *object, struct config_tls_pair *out)
{
    if (!read_file_name(object, "cert", &out->cert) || !read_file_name(object, "key", &out->key))
        return false;
    if (!out->cert)
        return config_fail_missing(object, "cert", "a PEM file with the certificate and its chain");
    return out->key || config_fail_missing(object, "key", "a PEM file with the certificate's key");
}

/* A name, or "*." and a name. */
static bool domain_ok(const char *text)
{
    struct slice s = slice_str(text);

    if (s.len > 2 && s.p[0] == '*' && s.p[1] == '.')
        slice_advance(&s, 2);
    return config_host_ok(s) && !config_address_ok(s);
}

static bool read_domains(struct json_at *pair, char ***out)
{
    struct json_at array, item = {.value = NULL};
    bool present;
    size_t i = 0;

    if (!json_get_array(pair, "domains", &array, &present))
        return false;
    if (!present || json_count(&array) == 0)
        return config_fail_missing(pair, "domains", "the names this certificate is shown to");
    *out = calloc(json_count(&array) + 1, sizeof(**out));
    if (!*out)
        return json_fail(&array, "out of memory");
    while (json_next(&array, &item, &i)) {
        const char *text;

        if (!json_expect_string(&item, &text))
            return false;
        if (!domain_ok(text))
            return json_fail(&item, "expected a domain name such as example.com or *.example.com");
        (*out)[i] = strdup(text);
        if (!(*out)[i])
            return json_fail(&item, "out of memory");
    }
    return true;
}

static bool read_named(struct json_at *item, struct config_tls_pair *out)
{
    static const char *const keys[] = {"domains", "cert", "key", NULL};

    return json_expect_object(item) && json_known_keys(item, keys) && read_pair(item, out) &&
           read_domains(item, &out->domains);
}

static bool read_pairs(struct json_at *ssl, struct config_ssl *out)
{
    struct json_at array, item = {.value = NULL};
    bool present;
    size_t i = 0;

    if (!json_get_array(ssl, "certs", &array, &present))
        return false;
    out->pair = calloc(1 + (present ? json_count(&array) : 0), sizeof(*out->pair));
    if (!out->pair)
        return json_fail(ssl, "out of memory");
    out->pair_count = 1;
    if (!read_pair(ssl, &out->pair[0]))
        return false;
    while (present && json_next(&array, &item, &i))
        if (!read_named(&item, &out->pair[out->pair_count++]))
            return false;
    return true;
}

static bool read_min_version(const struct json_at *ssl, bool *tls_1_3)
{
    struct json_at at;
    const char *text;

    if (!json_member(ssl, "min_version", &at))
        return true;
    if (!json_expect_string(&at, &text))
        return false;
    *tls_1_3 = strcmp(text, "1.3") == 0;
    return *tls_1_3 || strcmp(text, "1.2") == 0 || json_fail(&at, "expected \"1.2\" or \"1.3\"");
}

/* While it is off, it may be half filled in, as in the original's template. */
bool config_ssl_read(const struct json_at *root, struct config_ssl *out)
{
    static const char *const keys[] = {"enable",  "key",       "cert", "certs", "min_version",
                                       "ciphers", "client_ca", "crl",  NULL};
    struct json_at ssl;
    bool present;

    if (!json_get_object(root, "ssl", &ssl, &present) || !present)
        return !present;
    if (!json_known_keys(&ssl, keys) || !json_get_bool(&ssl, "enable", &out->enable))
        return false;
    if (!out->enable)
        return true;
    if (!read_pairs(&ssl, out) || !read_min_version(&ssl, &out->tls_1_3) ||
        !read_file_name(&ssl, "ciphers", &out->ciphers) ||
        !read_file_name(&ssl, "client_ca", &out->client_ca) ||
        !read_file_name(&ssl, "crl", &out->crl))
        return false;
    return !out->crl || out->client_ca || needs(&ssl, "crl", "client_ca");
}

void config_ssl_fini(struct config_ssl *ssl)
{
    for (size_t i = 0; i < ssl->pair_count; i++) {
        free(ssl->pair[i].cert);
        free(ssl->pair[i].key);
        for (char **d = ssl->pair[i].domains; d && *d; d++)
            free(*d);
        free(ssl->pair[i].domains);
    }
    free(ssl->pair);
    free(ssl->ciphers);
    free(ssl->client_ca);
    free(ssl->crl);
    *ssl = (struct config_ssl){0};
}
