/* TLS in the role of the server: the certificate for a name, clients' certificates, versions and
 * ciphers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/tls_files.h"
#include "unit/tls_pair.h"

/* ---- a server, and connections to it */

static char *const a_domains[] = {"a.test", "A2.test", NULL};
static char *const wild_domains[] = {"*.wild.test", NULL};
static char *const deep_domains[] = {"b.test", "deep.wild.test", NULL};

static struct tls_context *server_new(bool asks_clients, const char *crl_file)
{
    struct tls_pair pairs[] = {{certs[DEFAULT], keys[DEFAULT], NULL},
                               {certs[A], keys[A], a_domains},
                               {certs[WILD], keys[WILD], wild_domains},
                               {certs[DEEP], keys[DEEP], deep_domains}};
    struct tls_server_options opt = {.pair = pairs,
                                     .pair_count = COUNT(pairs),
                                     .client_ca_file = asks_clients ? certs[CA] : NULL,
                                     .client_crl_file = crl_file};
    char error[TLS_TEXT_MAX] = "";
    struct tls_context *x = tls_server_new(&opt, error, sizeof(error));

    assert_string_equal(error, "");
    assert_non_null(x);
    return x;
}

static struct tls_context *client_new(enum who who)
{
    struct tls_options opt = {.insecure = true};
    char error[TLS_TEXT_MAX];
    struct tls_context *x;

    if (who != NOBODY) {
        opt.cert_file = certs[who];
        opt.key_file = keys[who];
    }
    x = tls_context_new(&opt, error, sizeof(error));
    assert_non_null(x);
    return x;
}

/* Both know how the handshake went; `server` and `client` are taken. */
static void shake_hands(struct tls_context *server, struct tls_context *client, const char *name)
{
    int fds[2];

    server_tls = server;
    client_tls = client;
    tcp_pair(fds, 0);
    pair_start_plain(fds);
    pair_secure_server();
    assert_int_equal(stream_secure(&pair.client.stream, client, name), WSP_OK);
    tls_context_unref(server);
    tls_context_unref(client);
    end_run(&pair.client);
    wait_for(pair.loop, -1,
             (stream_is_ready(&pair.server.stream) || pair.server.last == STREAM_ERROR) &&
                 pair.client.shaken != WSP_ERR_MORE);
}

static void part(void)
{
    stream_close(&pair.client.stream);
    stream_close(&pair.server.stream);
    turn_until_idle(pair.loop);
}

static const char *shown_name(void)
{
    static char name[64];
    X509 *cert = SSL_get0_peer_certificate(pair.client.stream.tls->ssl);

    X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name, sizeof(name));
    return name;
}

/* ---- the certificate for a name */

static const struct {
    const char *asked;
    enum who shown;
} names[] = {
    {"a.test", A},           {"A.TEST", A},
    {"a2.test", A},          {"b.test", DEEP},
    {"x.wild.test", WILD},   {"DEEP.Wild.test", DEEP},
    {"wild.test", DEFAULT},  {"x.y.wild.test", DEFAULT},
    {"xwild.test", DEFAULT}, {"aa.test", DEFAULT},
    {"a.tes", DEFAULT},      {"default.test", DEFAULT},
    {"127.0.0.1", DEFAULT}, /* for which no name is sent */
};

static void test_certificate_by_name(void **state)
{
    struct tls_context *server = server_new(false, NULL);

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(names); i++) {
        struct tls_context *client = client_new(NOBODY);
        const uint8_t *alpn;
        unsigned len;

        SSL_CTX_set_max_proto_version(client->ctx, versions[i % 2]);
        shake_hands(tls_context_ref(server), client, names[i / 2].asked);
        assert_string_equal(shown_name(), specs[names[i / 2].shown].spec.cn);
        SSL_get0_alpn_selected(pair.client.stream.tls->ssl, &alpn, &len);
        assert_int_equal(len, 8);
        part();
    }
    tls_context_unref(server);
}

/* What else the client speaks is not chosen, and a client that does not speak ours is let in. */
static void test_alpn(void **state)
{
    static const struct {
        const char *offered;
        unsigned chosen;
    } rows[] = {{"\x02h2\x08http/1.1", 8}, {"\x02h2", 0}, {"\x08http/1.0", 0}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tls_context *client = client_new(NOBODY);
        const uint8_t *alpn;
        unsigned len;

        SSL_CTX_set_alpn_protos(client->ctx, (const uint8_t *)rows[i].offered,
                                (unsigned)strlen(rows[i].offered));
        shake_hands(server_new(false, NULL), client, "a.test");
        assert_int_equal(pair.client.shaken, WSP_OK);
        SSL_get0_alpn_selected(pair.client.stream.tls->ssl, &alpn, &len);
        assert_int_equal(len, rows[i].chosen);
        part();
    }
}

/* ---- clients' certificates */

static const struct {
    enum who who;
    bool crl;
    const char *fault;
} clients[] = {
    {NOBODY, false, "no client certificate"},
    {CLIENT, false, NULL},
    {CLIENT, true, NULL},
    {SUB_CLIENT, false, NULL},
    {SUB_CLIENT, true, NULL},
    {REVOKED, false, NULL},
    {REVOKED, true, "certificate revoked"},
    {REVOKED_SUB, false, NULL},
    {REVOKED_SUB, true, "certificate revoked"},
    {EXPIRED, false, "certificate has expired"},
    {EXPIRED, true, "certificate has expired"},
    {EXPIRED_REVOKED, true, "certificate revoked"},
    {FUTURE, false, "certificate is not yet valid"},
    {FOREIGN, false, "unable to get local issuer certificate"},
    {FOREIGN, true, "unable to get local issuer certificate"},
    {ALONE, false, "self-signed certificate"},
};

/* Whoever comes is let in, and what is wrong can be asked for; the certificate that the server
 * shows makes no difference. */
static void test_clients(void **state)
{
    (void)state;
    for (size_t i = 0; i < 4 * COUNT(clients); i++) {
        size_t row = i / 4;
        struct tls_context *client = client_new(clients[row].who);
        const char *fault;

        SSL_CTX_set_max_proto_version(client->ctx, versions[i % 2]);
        shake_hands(server_new(true, clients[row].crl ? crl : NULL), client,
                    i & 2 ? "a.test" : "default.test");
        assert_int_equal(pair.client.shaken, WSP_OK);
        assert_int_equal(sk_X509_NAME_num(SSL_get0_peer_CA_list(pair.client.stream.tls->ssl)), 1);
        fault = stream_peer_fault(&pair.server.stream);
        assert_int_equal(fault == NULL, clients[row].fault == NULL);
        if (fault)
            assert_string_equal(fault, clients[row].fault);
        part();
    }
}

static void test_clients_not_asked(void **state)
{
    (void)state;
    shake_hands(server_new(false, NULL), client_new(FOREIGN), "a.test");
    assert_null(stream_peer_fault(&pair.server.stream));
    assert_null(SSL_get0_peer_certificate(pair.server.stream.tls->ssl));
    part();
}

static SSL_SESSION *ticket; /* the last that the client got */

static int keep_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(ticket);
    ticket = session;
    return 1;
}

static void resume(struct tls_context *server, struct tls_context *client)
{
    int fds[2];

    server_tls = server;
    client_tls = client;
    tcp_pair(fds, 0);
    pair_start_plain(fds);
    pair_secure_server();
    assert_int_equal(stream_secure(&pair.client.stream, client_tls, "a.test"), WSP_OK);
    SSL_set_session(pair.client.stream.tls->ssl, ticket);
    end_run(&pair.client);
    wait_for(pair.loop, -1, pair_is_ready());
}

/* A session that is resumed stands on the certificate of the first. */
static void test_clients_resumed(void **state)
{
    static const enum who whos[] = {CLIENT, EXPIRED, NOBODY};

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(whos); i++) {
        struct tls_context *server = server_new(true, crl), *client = client_new(whos[i / 2]);
        bool bad = whos[i / 2] != CLIENT;

        SSL_CTX_set_max_proto_version(client->ctx, versions[i % 2]);
        SSL_CTX_set_session_cache_mode(client->ctx, SSL_SESS_CACHE_CLIENT);
        SSL_CTX_sess_set_new_cb(client->ctx, keep_ticket);
        shake_hands(tls_context_ref(server), tls_context_ref(client), "a.test");
        wait_for(pair.loop, -1, ticket);
        part();
        resume(server, client);
        assert_true(SSL_session_reused(pair.server.stream.tls->ssl));
        assert_int_equal(stream_peer_fault(&pair.server.stream) != NULL, bad);
        part();
        tls_context_unref(server);
        tls_context_unref(client);
        SSL_SESSION_free(ticket);
        ticket = NULL;
    }
}

/* ---- as clients see it: the authority's list counts for what is on the way, too */

static const struct {
    enum who shown;
    bool crl;
    const char *why; /* NULL: trusted */
} servers[] = {
    {CLIENT, true, NULL},
    {SUB_CLIENT, true, NULL},
    {REVOKED, false, NULL},
    {REVOKED, true, "tls: certificate check failed: certificate revoked: /CN=revoked"},
    {REVOKED_SUB, false, NULL},
    {REVOKED_SUB, true, "tls: certificate check failed: certificate revoked: /CN=revoked ca"},
    {EXPIRED, true, "tls: certificate check failed: certificate has expired: /CN=expired"},
    {FOREIGN, true,
     "tls: certificate check failed: unable to get local issuer certificate: /CN=foreign"},
};

static void test_servers_revoked(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(servers); i++) {
        struct tls_pair files = {certs[servers[i].shown], keys[servers[i].shown], NULL};
        struct tls_server_options server = {.pair = &files, .pair_count = 1};
        struct tls_options client = {.ca_file = certs[CA], .crl_file = servers[i].crl ? crl : NULL};
        char error[TLS_TEXT_MAX];

        shake_hands(tls_server_new(&server, error, sizeof(error)),
                    tls_context_new(&client, error, sizeof(error)), "host.test");
        if (servers[i].why)
            assert_string_equal(stream_why(&pair.client.stream), servers[i].why);
        assert_int_equal(pair.client.shaken, servers[i].why ? WSP_ERR_REFUSED : WSP_OK);
        part();
    }
}

/* ---- versions and ciphers */

static const struct {
    enum tls_version min;
    const char *ciphers; /* of the server */
    int max;             /* of the client */
    const char *offered; /* for TLS 1.2 by the client; NULL: what it likes */
    const char *chosen;  /* NULL: they do not come together */
} suites[] = {
    {TLS_1_2, NULL, TLS1_1_VERSION, NULL, NULL},
    {TLS_1_2, NULL, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256",
     "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {TLS_1_2, NULL, TLS1_2_VERSION, "NULL:@SECLEVEL=0", NULL},
    {TLS_1_2, NULL, TLS1_2_VERSION, "aNULL:@SECLEVEL=0", NULL},
    {TLS_1_3, NULL, TLS1_2_VERSION, NULL, NULL},
    {TLS_1_3, NULL, TLS1_3_VERSION, NULL, "TLS_AES_256_GCM_SHA384"},
    {TLS_1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION, NULL,
     "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {TLS_1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256",
     NULL},
    {TLS_1_2, "ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_3_VERSION, NULL, "TLS_AES_256_GCM_SHA384"},
    {TLS_1_2, "TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION, NULL, "TLS_CHACHA20_POLY1305_SHA256"},
    {TLS_1_2, "TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_3_VERSION, NULL,
     "TLS_AES_128_GCM_SHA256"},
    {TLS_1_2, "ECDHE-ECDSA-CHACHA20-POLY1305:TLS_AES_128_GCM_SHA256", TLS1_2_VERSION, NULL,
     "ECDHE-ECDSA-CHACHA20-POLY1305"},
};

/* The certificate that is chosen by name makes no difference here either. */
static void test_suites(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(suites); i++) {
        size_t row = i / 2;
        struct tls_pair pairs[] = {{certs[DEFAULT], keys[DEFAULT], NULL},
                                   {certs[A], keys[A], a_domains}};
        struct tls_server_options opt = {.pair = pairs,
                                         .pair_count = 2,
                                         .min_version = suites[row].min,
                                         .ciphers = suites[row].ciphers};
        char error[TLS_TEXT_MAX];
        struct tls_context *client = client_new(NOBODY);

        SSL_CTX_set_min_proto_version(client->ctx, TLS1_1_VERSION);
        SSL_CTX_set_max_proto_version(client->ctx, suites[row].max);
        if (suites[row].max < TLS1_2_VERSION)
            SSL_CTX_set_security_level(client->ctx, 0);
        if (suites[row].offered)
            assert_true(SSL_CTX_set_cipher_list(client->ctx, suites[row].offered));
        shake_hands(tls_server_new(&opt, error, sizeof(error)), client,
                    i & 1 ? "a.test" : "default.test");
        if (suites[row].chosen)
            assert_string_equal(SSL_get_cipher_name(pair.client.stream.tls->ssl),
                                suites[row].chosen);
        assert_int_equal(pair.client.shaken, suites[row].chosen ? WSP_OK : WSP_ERR_REFUSED);
        assert_int_equal(pair.server.last, suites[row].chosen ? STREAM_AGAIN : STREAM_ERROR);
        part();
    }
}

static int setup(void **state)
{
    return files_setup(state) || pair_setup(state);
}

static int teardown(void **state)
{
    return pair_teardown(state) || files_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_certificate_by_name),
        cmocka_unit_test(test_alpn),
        cmocka_unit_test(test_clients),
        cmocka_unit_test(test_clients_not_asked),
        cmocka_unit_test(test_clients_resumed),
        cmocka_unit_test(test_suites),
        cmocka_unit_test(test_servers_revoked),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
