#include "server/certificates.h"

#include <stdio.h>
#include <stdlib.h>

#include "net/file_stamp.h"
#include "net/tls_server.h"

enum { LOOK_US = 10000000, SOON_S = 7 * 24 * 60 * 60 };

static const uint64_t DAY_US = (uint64_t)24 * 60 * 60 * 1000000;

static uint64_t stamp_of(const struct config_ssl *config)
{
    const char *const shared[] = {config->client_ca, config->crl};
    uint64_t stamp = file_stamp(1, shared, 2);

    for (size_t i = 0; i < config->pair_count; i++) {
        const char *const files[] = {config->pair[i].cert, config->pair[i].key};

        stamp = file_stamp(stamp, files, 2);
    }
    return stamp;
}

static struct tls_context *make(const struct config_ssl *config, char *error, size_t cap)
{
    struct tls_server_options options = {
        .pair_count = config->pair_count,
        .min_version = config->tls_1_3 ? TLS_1_3 : TLS_1_2,
        .ciphers = config->ciphers,
        .client_ca_file = config->client_ca,
        .client_crl_file = config->crl,
    };
    struct tls_pair *pair = calloc(config->pair_count, sizeof(*pair));
    struct tls_context *x;

    if (!pair) {
        snprintf(error, cap, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < config->pair_count; i++)
        pair[i] = (struct tls_pair){.cert_file = config->pair[i].cert,
                                    .key_file = config->pair[i].key,
                                    .domains = config->pair[i].domains};
    options.pair = pair;
    x = tls_server_new(&options, error, cap);
    free(pair);
    return x;
}

/* Once a day, and when they are loaded. */
static void tell_expiry(struct certificates *c)
{
    long left_s;
    const char *file = c->config->pair[tls_server_expires_first(c->tls, &left_s)].cert;

    c->told_us = loop_now(c->loop);
    if (left_s < 0)
        log_warn(loop_log(c->loop), "certificates: \"%s\" has expired", file);
    else if (left_s < SOON_S)
        log_warn(loop_log(c->loop), "certificates: \"%s\" expires in %ld h", file,
                 left_s / (60 * 60));
}

static void look_later(struct certificates *c)
{
    if (timer_set(c->loop, &c->look, loop_now(c->loop) + LOOK_US) != WSP_OK)
        log_error(loop_log(c->loop), "certificates: out of memory for a deadline");
}

void certificates_renew(struct certificates *c, const struct certificates_read *read)
{
    tls_context_unref(c->tls);
    c->tls = read->tls;
    c->stamp = read->stamp;
    timer_clear(c->loop, &c->look);
    if (!c->tls)
        return;
    tell_expiry(c);
    look_later(c);
}

/* Those that cannot be used are told of, and the old ones stay. */
static void load_again(struct certificates *c)
{
    char why[TLS_TEXT_MAX];
    struct certificates_read fresh = {.stamp = c->stamp};

    fresh.tls = make(c->config, why, sizeof(why));
    if (!fresh.tls) {
        log_error(loop_log(c->loop), "certificates: %s; those loaded before stay in use", why);
        return;
    }
    log_info(loop_log(c->loop), "certificates: loaded again");
    certificates_renew(c, &fresh);
}

static void on_look(struct timer *t)
{
    struct certificates *c = container_of(t, struct certificates, look);
    uint64_t stamp = stamp_of(c->config);

    if (stamp != c->stamp) {
        c->stamp = stamp; /* or a fault would be told again and again */
        load_again(c);
    }
    if (loop_now(c->loop) - c->told_us >= DAY_US)
        tell_expiry(c);
    look_later(c);
}

enum wsp_err certificates_load(const struct config_ssl *config, struct certificates_read *out,
                               char error[CONFIG_ERROR_MAX])
{
    char why[TLS_TEXT_MAX];

    *out = (struct certificates_read){.tls = NULL};
    if (!config->enable)
        return WSP_OK;
    out->stamp = stamp_of(config);
    out->tls = make(config, why, sizeof(why));
    if (out->tls)
        return WSP_OK;
    snprintf(error, CONFIG_ERROR_MAX, "ssl: %s", why);
    return WSP_ERR_CONFIG;
}

void certificates_start(struct certificates *c, struct wsp_loop *loop,
                        const struct config_ssl *config, const struct certificates_read *read)
{
    *c = (struct certificates){.loop = loop, .config = config};
    c->look.fire = on_look;
    certificates_renew(c, read);
}

void certificates_stop(struct certificates *c)
{
    if (c->loop)
        certificates_renew(c, &(struct certificates_read){.tls = NULL});
}
