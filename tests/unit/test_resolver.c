#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/resolver.h"
#include "unit/fake_dns.h"

static const struct fake_record zone[] = {
    {"four.test", FAKE_A, FAKE_ANSWER, {"10.0.0.1", "10.0.0.2"}},
    {"four.test", FAKE_AAAA, FAKE_ANSWER, {0}},
    {"six.test", FAKE_A, FAKE_ANSWER, {0}},
    {"six.test", FAKE_AAAA, FAKE_ANSWER, {"2001:db8::1"}},
    {"slow4.test", FAKE_A, FAKE_HOLD, {"10.0.0.3"}},
    {"slow4.test", FAKE_AAAA, FAKE_ANSWER, {"2001:db8::3"}},
    {"slow6.test", FAKE_A, FAKE_ANSWER, {"10.0.0.4"}},
    {"slow6.test", FAKE_AAAA, FAKE_HOLD, {"2001:db8::4"}},
    {"bad.test", FAKE_A, FAKE_SERVFAIL, {0}},
    {"bad.test", FAKE_AAAA, FAKE_SERVFAIL, {0}},
    {"half.test", FAKE_A, FAKE_ANSWER, {"10.0.0.5"}},
    {"half.test", FAKE_AAAA, FAKE_SERVFAIL, {0}},
    {"mute.test", FAKE_A, FAKE_SILENT, {0}},
    {"mute.test", FAKE_AAAA, FAKE_SILENT, {0}},
    {"mute4.test", FAKE_A, FAKE_SILENT, {0}},
    {"mute4.test", FAKE_AAAA, FAKE_ANSWER, {0}},
    {"noise.test", FAKE_A, FAKE_GARBAGE, {"10.0.0.6"}},
    {"noise.test", FAKE_AAAA, FAKE_GARBAGE, {0}},
    {"held.test", FAKE_A, FAKE_HOLD, {"10.0.0.7"}},
    {"held.test", FAKE_AAAA, FAKE_HOLD, {"2001:db8::7"}},
    {"box.one.test", FAKE_A, FAKE_ANSWER, {"10.0.1.1"}},
    {"box.two.test", FAKE_A, FAKE_ANSWER, {"10.0.1.2"}},
    {0},
};

struct query {
    struct resolve q;
    struct fake_dns *dns;
    char got[512]; /* " address" of each, '|' after each call */
    bool called, last;
    bool release;  /* held answers, at the first call */
    bool cancel;   /* at the first call */
    bool starting; /* inside resolve_start */
};

struct fixture {
    struct wsp_loop *loop;
    struct fake_dns dns;
    struct resolver *resolver;
    char conf[64];  /* a resolv.conf of our own */
    char hosts[64]; /* and a hosts file */
};

static const char hosts_text[] = "# comment\n"
                                 "\t10.9.0.1 pinned.test alias\r\n"
                                 "\n"
                                 "10.9.0.2\n"
                                 "not-an-address pinned.test\n"
                                 "10.9.0.3 other.test#pinned.test\n"
                                 "10.9.0.4   x y\tPINNED.test # pinned.test\n"
                                 "fd00::1 dual.test\n"
                                 "10.9.0.5 dual.test four.test localhost\n"
                                 "10.9.0.6 last.test";

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

static void make_file(char path[64])
{
    int fd;

    strcpy(path, "/tmp/test_resolver.XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    make_file(f->conf);
    make_file(f->hosts);
    write_file(f->conf, "search one.test\n");
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    assert_true(fake_dns_init(&f->dns, f->loop, zone));
    f->resolver = resolver_new_with(f->loop, &(struct resolver_options){.servers = f->dns.address,
                                                                        .resolv_conf = f->conf,
                                                                        .hosts = f->hosts,
                                                                        .timeout_ms = 250,
                                                                        .recheck_us = 1});
    assert_non_null(f->resolver);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    resolver_free(f->resolver);
    fake_dns_fini(&f->dns);
    wsp_loop_free(f->loop);
    unlink(f->conf);
    unlink(f->hosts);
    free(f);
    return 0;
}

static void on_addresses(struct resolve *q, const struct address *list, size_t count, bool last)
{
    struct query *query = container_of(q, struct query, q);

    assert_false(query->starting);
    assert_false(query->last);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(query->got);
        char text[ADDRESS_TEXT_MAX];

        address_host_text(&list[i], text);
        assert_int_equal(address_port(&list[i]), 0);
        snprintf(query->got + len, sizeof(query->got) - len, " %s", text);
    }
    strcat(query->got, "|");
    query->called = true;
    query->last = last;
    if (query->cancel)
        resolve_cancel(q);
    if (query->release)
        fake_dns_release(query->dns);
}

static void start(struct fixture *f, struct query *query, const char *name)
{
    memset(query, 0, sizeof(*query));
    query->q.on_addresses = on_addresses;
    query->dns = &f->dns;
    query->starting = true;
    assert_int_equal(resolve_start(f->resolver, &query->q, name), WSP_OK);
    query->starting = false;
}

static void resolve(struct fixture *f, struct query *query, const char *name)
{
    start(f, query, name);
    query->release = true;
    assert_true(fake_run(f->loop, &query->last));
    assert_null(query->q.state);
}

struct answer_case {
    const char *name;
    const char *got;
    const char *got_reversed; /* NULL: the order of the answers is sure */
    enum resolve_status status;
    bool asks;
};

static const struct answer_case cases[] = {
    {"four.test", "| 10.0.0.1 10.0.0.2|", " 10.0.0.1 10.0.0.2||", RESOLVE_OK, true},
    {"FOUR.test", "| 10.0.0.1 10.0.0.2|", " 10.0.0.1 10.0.0.2||", RESOLVE_OK, true},
    {"six.test", " 2001:db8::1||", "| 2001:db8::1|", RESOLVE_OK, true},
    {"slow4.test", " 2001:db8::3| 10.0.0.3|", NULL, RESOLVE_OK, true},
    {"slow6.test", " 10.0.0.4| 2001:db8::4|", NULL, RESOLVE_OK, true},
    {"none.test", "||", NULL, RESOLVE_NO_SUCH_HOST, true},
    {"bad.test", "||", NULL, RESOLVE_FAILED, true},
    {"half.test", "| 10.0.0.5|", " 10.0.0.5||", RESOLVE_OK, true},
    {"mute.test", "||", NULL, RESOLVE_TIMEOUT, true},
    {"mute4.test", "||", NULL, RESOLVE_TIMEOUT, true},
    {"noise.test", "||", NULL, RESOLVE_FAILED, true},
    {"192.0.2.7", " 192.0.2.7|", NULL, RESOLVE_OK, false},
    {"2001:db8::9", " 2001:db8::9|", NULL, RESOLVE_OK, false},
    {"localhost", " ::1| 127.0.0.1|", NULL, RESOLVE_OK, false},
    {"LocalHost.", " ::1| 127.0.0.1|", NULL, RESOLVE_OK, false},
    {"a.localhost", " ::1| 127.0.0.1|", NULL, RESOLVE_OK, false},
    {"no.such.invalid", "|", NULL, RESOLVE_NO_SUCH_HOST, false},
    {"", "|", NULL, RESOLVE_NO_SUCH_HOST, false},
    {"two words.test", "|", NULL, RESOLVE_NO_SUCH_HOST, false},
    {"esc\\097pe.test", "|", NULL, RESOLVE_NO_SUCH_HOST, false},
    {"label..test", "||", NULL, RESOLVE_NO_SUCH_HOST, false},
    {"notlocalhost.test", "||", NULL, RESOLVE_NO_SUCH_HOST, true},
};

static void test_answers(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const struct answer_case *c = &cases[i];
        struct query query;

        f->dns.questions = 0;
        resolve(f, &query, c->name);
        if (!c->got_reversed || strcmp(query.got, c->got_reversed) != 0)
            assert_string_equal(query.got, c->got);
        if (query.q.status != c->status)
            fail_msg("%s: status %d", c->name, (int)query.q.status);
        if ((f->dns.questions > 0) != c->asks)
            fail_msg("%s: asked %u times", c->name, f->dns.questions);
    }
}

static void test_dotted_name_is_asked_as_it_is(void **state)
{
    struct fixture *f = *state;
    struct query query;

    resolve(f, &query, "none.example");
    assert_non_null(strstr(f->dns.asked, " none.example/1"));
    assert_null(strstr(f->dns.asked, "one.test"));
}

static void test_hosts_file_overrides_dns(void **state)
{
    static const char *const expected[][2] = {
        {"pinned.test", " 10.9.0.1 10.9.0.4|"},
        {"Alias", " 10.9.0.1|"},
        {"other.test", " 10.9.0.3|"},
        {"dual.test", " fd00::1| 10.9.0.5|"},
        {"four.test", " 10.9.0.5|"},
        {"last.test", " 10.9.0.6|"},
        {"localhost", " ::1| 127.0.0.1|"},
    };
    struct fixture *f = *state;
    struct query query;

    write_file(f->hosts, hosts_text);
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        resolve(f, &query, expected[i][0]);
        assert_string_equal(query.got, expected[i][1]);
        assert_int_equal(query.q.status, RESOLVE_OK);
    }
    assert_int_equal(f->dns.questions, 0);
    resolve(f, &query, "x.y");
    assert_int_equal(query.q.status, RESOLVE_NO_SUCH_HOST);
    unlink(f->hosts);
    resolve(f, &query, "four.test");
    assert_non_null(strstr(query.got, " 10.0.0.1"));
}

static void test_search_list_and_change_of_resolv_conf(void **state)
{
    struct fixture *f = *state;
    struct query held, query;

    resolve(f, &query, "box");
    assert_string_equal(query.q.status == RESOLVE_OK ? "" : query.got, "");
    assert_non_null(strstr(query.got, " 10.0.1.1"));
    start(f, &held, "held.test");
    assert_true(fake_run(f->loop, &f->dns.holding));
    write_file(f->conf, "search two.test one.test\n");
    resolve(f, &query, "box");
    assert_non_null(strstr(query.got, " 10.0.1.2"));
    assert_true(held.last || fake_run(f->loop, &held.last));
    assert_non_null(strstr(held.got, " 10.0.0.7"));
    assert_non_null(strstr(held.got, " 2001:db8::7"));
}

static void test_cancel_before_the_first_turn(void **state)
{
    struct fixture *f = *state;
    const char *const names[] = {"localhost", "four.test", "mute.test", "label..test"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct query cancelled, other;

        start(f, &cancelled, names[i]);
        resolve_cancel(&cancelled.q);
        assert_null(cancelled.q.state);
        resolve_cancel(&cancelled.q);
        resolve(f, &other, "four.test");
        assert_false(cancelled.called);
    }
}

static void test_cancel_in_flight_outlives_the_owner(void **state)
{
    struct fixture *f = *state;
    struct query *gone = malloc(sizeof(*gone));
    struct query other;

    assert_non_null(gone);
    start(f, gone, "held.test");
    resolve(f, &other, "six.test"); /* its callback releases what is held */
    resolve_cancel(&gone->q);
    free(gone);
    fake_dns_release(&f->dns);
    resolve(f, &other, "four.test");
}

static void test_cancel_from_the_callback(void **state)
{
    struct fixture *f = *state;
    const char *const names[] = {"localhost", "slow4.test", "four.test", "127.0.0.1"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct query cancelled, other;

        start(f, &cancelled, names[i]);
        cancelled.cancel = true;
        assert_true(fake_run(f->loop, &cancelled.called));
        assert_null(cancelled.q.state);
        resolve(f, &other, "six.test");
        assert_non_null(strchr(cancelled.got, '|'));
        assert_ptr_equal(strchr(cancelled.got, '|'), strrchr(cancelled.got, '|'));
    }
}

/* The answer never comes: c-ares calls back from resolver_free. */
static void test_free_with_cancelled_queries(void **state)
{
    struct fixture *f = *state;
    struct query a, b;

    start(f, &a, "mute.test");
    start(f, &b, "held.test");
    wsp_loop_turn(f->loop);
    resolve_cancel(&a.q);
    resolve_cancel(&b.q);
}

static void test_many_at_once(void **state)
{
    enum { COUNT = 200 };
    struct fixture *f = *state;
    struct query *queries = calloc(COUNT, sizeof(*queries));

    assert_non_null(queries);
    for (size_t i = 0; i < COUNT; i++)
        start(f, &queries[i], i % 2 ? "four.test" : "mute.test");
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(queries[i].last || fake_run(f->loop, &queries[i].last));
        assert_int_equal(queries[i].q.status, i % 2 ? RESOLVE_OK : RESOLVE_TIMEOUT);
    }
    free(queries);
}

static void test_no_server_listens(void **state)
{
    struct fixture *f = *state;
    struct query query;

    resolver_free(f->resolver);
    f->resolver = resolver_new_with(
        f->loop, &(struct resolver_options){.servers = "127.0.0.1:1", .timeout_ms = 250});
    assert_non_null(f->resolver);
    resolve(f, &query, "four.test");
    assert_int_equal(query.q.status, RESOLVE_FAILED);
}

static void test_default_resolver(void **state)
{
    struct fixture *f = *state;
    struct query query;

    resolver_free(f->resolver);
    f->resolver = resolver_new(f->loop);
    assert_non_null(f->resolver);
    resolve(f, &query, "localhost");
    assert_string_equal(query.got, " ::1| 127.0.0.1|");
    resolver_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dotted_name_is_asked_as_it_is, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hosts_file_overrides_dns, setup, teardown),
        cmocka_unit_test_setup_teardown(test_search_list_and_change_of_resolv_conf, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_cancel_before_the_first_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_in_flight_outlives_the_owner, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cancel_from_the_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_with_cancelled_queries, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_server_listens, setup, teardown),
        cmocka_unit_test_setup_teardown(test_default_resolver, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
