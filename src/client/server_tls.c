#include "client/server_tls.h"

#include "net/file_stamp.h"
#include "net/tls_context.h"

enum wsp_err server_tls_refresh(struct session *s, char *error, size_t cap)
{
    const struct config_tls_client *config = &s->config->tls;
    const char *const files[] = {config->ca, config->crl, config->cert, config->key};
    uint64_t stamp = file_stamp(1, files, sizeof(files) / sizeof(*files));
    struct tls_options options = {
        .ca_file = config->ca,
        .crl_file = config->crl,
        .cert_file = config->cert,
        .key_file = config->key,
        .insecure = config->insecure,
    };
    struct tls_context *fresh;

    if (!s->config->secure || stamp == s->tls_stamp)
        return WSP_OK;
    s->tls_stamp = stamp;
    fresh = tls_context_new(&options, error, cap);
    if (!fresh)
        return WSP_ERR_CONFIG;
    tls_context_unref(s->tls);
    s->tls = fresh;
    return WSP_OK;
}

const char *server_tls_name(const struct session *s)
{
    return s->config->tls.sni ? s->config->tls.sni : s->config->host;
}
