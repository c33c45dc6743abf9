#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "daemon/args.c" /* the daemons' own code is not in the library */

enum { ARGS_MAX = 6, OUTPUT_MAX = 4096 };

struct captured {
    FILE *file;
    int fd, saved;
    char text[OUTPUT_MAX];
};

static void capture_start(struct captured *c, FILE *stream)
{
    fflush(stream);
    c->fd = fileno(stream);
    c->saved = dup(c->fd);
    c->file = tmpfile();
    assert_non_null(c->file);
    assert_true(dup2(fileno(c->file), c->fd) >= 0);
}

static void capture_end(struct captured *c, FILE *stream)
{
    size_t n;

    fflush(stream);
    dup2(c->saved, c->fd);
    close(c->saved);
    rewind(c->file);
    n = fread(c->text, 1, sizeof(c->text) - 1, c->file);
    c->text[n] = '\0';
    fclose(c->file);
}

struct run {
    struct args args;
    int status;
    struct captured out, err;
};

static void run(struct run *r, const char *const argv[ARGS_MAX])
{
    char copies[ARGS_MAX][32];
    char *args[ARGS_MAX + 1] = {NULL};
    int argc = 0;

    for (; argc < ARGS_MAX && argv[argc]; argc++) {
        snprintf(copies[argc], sizeof(copies[argc]), "%s", argv[argc]);
        args[argc] = copies[argc];
    }
    r->args = (struct args){.program = "wspx", .help = "HELP TEXT", .config = "wspx.json"};
    optind = 0; /* starts getopt anew */
    capture_start(&r->out, stdout);
    capture_start(&r->err, stderr);
    r->status = args_parse(&r->args, argc, args);
    capture_end(&r->err, stderr);
    capture_end(&r->out, stdout);
    if (r->args.config != NULL && strcmp(r->args.config, "wspx.json") != 0)
        r->args.config = strcmp(r->args.config, "my.json") == 0 ? "my.json" : "wrong";
}

static void test_accepted(void **state)
{
    static const struct {
        const char *argv[ARGS_MAX];
        const char *config;
        bool check;
    } cases[] = {
        {{"wspx"}, "wspx.json", false},
        {{"wspx", "-c", "my.json"}, "my.json", false},
        {{"wspx", "-cmy.json"}, "my.json", false},
        {{"wspx", "--config", "my.json"}, "my.json", false},
        {{"wspx", "--config=my.json", "-t"}, "my.json", true},
        {{"wspx", "-tc", "my.json"}, "my.json", true},
        {{"wspx", "--test"}, "wspx.json", true},
        {{"wspx", "-c", "other", "-c", "my.json"}, "my.json", false},
    };
    struct run r;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        run(&r, cases[i].argv);
        assert_int_equal(r.status, -1);
        assert_string_equal(r.args.config, cases[i].config);
        assert_int_equal(r.args.check, cases[i].check);
        assert_string_equal(r.out.text, "");
        assert_string_equal(r.err.text, "");
    }
}

static void test_bad_usage(void **state)
{
    static const char *const cases[][ARGS_MAX] = {
        {"wspx", "-x"},         {"wspx", "--nope"},   {"wspx", "-c"},       {"wspx", "file"},
        {"wspx", "-t", "file"}, {"wspx", "--config"}, {"wspx", "--test=1"}, {"wspx", "-x", "-h"},
    };
    struct run r;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        run(&r, cases[i]);
        assert_int_equal(r.status, EXIT_USAGE);
        assert_string_equal(r.out.text, "");
        assert_non_null(strstr(r.err.text, "try 'wspx -h'\n"));
    }
    run(&r, cases[3]);
    assert_non_null(strstr(r.err.text, "unexpected argument 'file'"));
}

static void test_version_and_help(void **state)
{
    static const char *const version[][ARGS_MAX] = {{"wspx", "-v"}, {"wspx", "--version"}};
    static const char *const help[][ARGS_MAX] = {{"wspx", "-h"}, {"wspx", "--help"}};
    struct run r;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        run(&r, version[i]);
        assert_int_equal(r.status, EXIT_OK);
        assert_string_equal(r.out.text, "wspx " WSP_VERSION ", released " WSP_RELEASE_DATE
                                        ", protocol " WSP_PROTOCOL "\n");
        run(&r, help[i]);
        assert_int_equal(r.status, EXIT_OK);
        assert_memory_equal(r.out.text, "usage: wspx ", 12);
        assert_non_null(strstr(r.out.text, "(default: wspx.json)"));
        assert_non_null(strstr(r.out.text, "\nHELP TEXT\n"));
        assert_string_equal(r.err.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_bad_usage),
        cmocka_unit_test(test_version_and_help),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
