/*
 * Contexts are loaded, streams secured, and bytes sent both ways, while the memory for one
 * allocation after the other is refused, OpenSSL's own included. Linked with --wrap for malloc,
 * calloc, realloc and free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "unit/short_memory.h"
#include "unit/tls_pair.h"

enum { BYTES = 100000, STEP = 13 };

/* ---- OpenSSL's allocator: refused alike, and not counted as what leaks */

static void *ssl_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return memory_refuses() ? NULL : __real_malloc(len);
}

static void *ssl_realloc(void *p, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return memory_refuses() ? NULL : __real_realloc(p, len);
}

static void ssl_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    __real_free(p);
}

/* ---- the scenarios: false when memory was short */

static bool has_failed(const struct tls_end *e)
{
    return e->last != STREAM_AGAIN || e->shaken == WSP_ERR_REFUSED || e->stream.broken;
}

/* Both know what has become of it: a stream that fails closes, and the other hears that. */
static bool transfer(void)
{
    while (!pair_has_all() && !has_failed(&pair.client) && !has_failed(&pair.server))
        wait_step(pair.loop, -1);
    return pair_has_all();
}

static bool connection(void)
{
    int fds[2];
    bool ok;

    pair_setup(NULL);
    tcp_pair(fds, 4096);
    pair_start_plain(fds);
    pair.client.to_send = pair.server.to_send = BYTES;
    memory.armed = true;
    ok = stream_secure(&pair.server.stream, server_tls, NULL) == WSP_OK &&
         stream_secure(&pair.client.stream, client_tls, HOST) == WSP_OK;
    if (ok) {
        end_run(&pair.client);
        ok = transfer();
        stream_finish(&pair.client.stream);
    }
    stream_close(&pair.client.stream);
    stream_close(&pair.server.stream);
    memory.armed = false;
    pair_teardown(NULL);
    return ok;
}

static bool contexts(void)
{
    char error[TLS_TEXT_MAX] = "";
    struct tls_context *server, *client;

    memory.armed = true;
    server = tls_server_new(&server_options, error, sizeof(error));
    client = server ? tls_context_new(&client_options, error, sizeof(error)) : NULL;
    memory.armed = false;
    if (!client)
        assert_memory_equal(error, "tls: ", 5);
    tls_context_unref(server);
    tls_context_unref(client);
    return client != NULL;
}

/* ---- */

static void refuse_each(bool (*scenario)(void), unsigned step)
{
    unsigned total, failed = 0;
    long live;

    memory.fail = 0;
    scenario(); /* what is loaded once is there now */
    live = memory.live;
    memory.count = 0;
    assert_true(scenario());
    total = memory.count;
    for (memory.fail = 1; memory.fail <= total; memory.fail += step) {
        memory.count = 0;
        failed += !scenario();
        assert_int_equal(memory.live, live);
    }
    memory.fail = 0;
    assert_true(failed > 0);
    assert_true(scenario()); /* the contexts are as good as before */
}

static void test_connection(void **state)
{
    (void)state;
    refuse_each(connection, STEP);
}

static void test_contexts(void **state)
{
    (void)state;
    refuse_each(contexts, 10 * STEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_contexts),
    };

    if (!CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free))
        return 1;
    return cmocka_run_group_tests(tests, contexts_setup, contexts_teardown);
}
