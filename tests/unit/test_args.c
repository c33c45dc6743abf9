#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "capture.h"
#include "daemon/args.c" /* the daemons' own code is not in the library */
#include "daemon/args_help.c"
#include "wsp/version.h"

enum { ARGS_MAX = 6, ARG_MAX_BYTES = 64 };

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static const struct args_option table[] = {
    {.letter = 'c', .name = "config", .value = "FILE", .help = "a file"},
    {.letter = 'D',
     .name = "dynamic",
     .value = "URL",
     .help = "a proxy",
     .is_secret = true,
     .is_repeatable = true},
    {.name = "path", .value = "PATH", .help = "a path", .environment = "WSPX_PATH"},
    {.letter = 't', .name = "check", .help = "check"},
    {.letter = 'v', .name = "version", .help = "version"},
    {.letter = 'h', .name = "help", .help = "help"},
    {.name = NULL},
};

struct run {
    struct args args;
    int status;
    char argv[ARGS_MAX][ARG_MAX_BYTES]; /* as they stand afterwards */
    struct captured out, err;
};

/* args_fini is left to the caller. */
static void run(struct run *r, const char *const argv[ARGS_MAX])
{
    char *args[ARGS_MAX + 1] = {NULL};
    int argc = 0;

    for (; argc < ARGS_MAX && argv[argc]; argc++) {
        snprintf(r->argv[argc], ARG_MAX_BYTES, "%s", argv[argc]);
        args[argc] = r->argv[argc];
    }
    r->args = (struct args){.program = "wspx", .option = table, .examples = "EXAMPLES\n"};
    capture_start(&r->out, stdout);
    capture_start(&r->err, stderr);
    r->status = args_parse(&r->args, argc, args);
    capture_end(&r->err, stderr);
    capture_end(&r->out, stdout);
}

static void test_accepted(void **state)
{
    static const struct {
        const char *argv[ARGS_MAX];
        const char *config;
        bool check;
    } cases[] = {
        {{"wspx"}, NULL, false},
        {{"wspx", "-c", "my.json"}, "my.json", false},
        {{"wspx", "-cmy.json"}, "my.json", false},
        {{"wspx", "--config", "my.json"}, "my.json", false},
        {{"wspx", "--config=my.json", "-t"}, "my.json", true},
        {{"wspx", "-tc", "my.json"}, "my.json", true},
        {{"wspx", "-ttcmy.json"}, "my.json", true},
        {{"wspx", "--check", "--check"}, NULL, true},
        {{"wspx", "-c", "-t"}, "-t", false},
        {{"wspx", "-c", ""}, "", false},
        {{"wspx", "--config="}, "", false},
        {{"wspx", "--config=a=b"}, "a=b", false},
    };
    struct run r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        run(&r, cases[i].argv);
        assert_int_equal(r.status, -1);
        assert_string_equal(r.out.text, "");
        assert_string_equal(r.err.text, "");
        assert_int_equal(args_has(&r.args, "config"), cases[i].config != NULL);
        if (cases[i].config)
            assert_string_equal(args_value(&r.args, "config"), cases[i].config);
        assert_int_equal(args_has(&r.args, "check"), cases[i].check);
        args_fini(&r.args);
    }
}

static void test_repeatable(void **state)
{
    static const char *const argv[] = {"wspx", "-D", "a://", "-t", "--dynamic=b://", NULL};
    struct run r;

    (void)state;
    run(&r, argv);
    assert_int_equal(r.status, -1);
    assert_int_equal(r.args.given_count, 3);
    assert_string_equal(r.args.given[0].text, "a://");
    assert_null(r.args.given[1].text);
    assert_string_equal(r.args.given[2].text, "b://");
    args_fini(&r.args);
}

/* Each names the option and what to do, and shows no value. */
static void test_bad_usage(void **state)
{
    static const struct {
        const char *argv[ARGS_MAX];
        const char *error;
    } cases[] = {
        {{"wspx", "-x"}, "-x: unknown option"},
        {{"wspx", "-x", "-h"}, "-x: unknown option"},
        {{"wspx", "-tx"}, "-x: unknown option"},
        {{"wspx", "--nonsense=s3cret"}, "--nonsense: unknown option"},
        {{"wspx", "--dynamics=s3cret"}, "--dynamics: unknown option: did you mean --dynamic?"},
        {{"wspx", "-c"}, "-c: expected a value: -c FILE"},
        {{"wspx", "--config"}, "-c: expected a value: -c FILE"},
        {{"wspx", "--path"}, "--path: expected a value: --path PATH"},
        {{"wspx", "--check=s3cret"}, "--check: takes no value"},
        {{"wspx", "-c", "a", "-c", "b"}, "-c: given twice: expected once"},
        {{"wspx", "s3cret"}, "argument 1 is no option: expected -X VALUE or --name VALUE"},
        {{"wspx", "-t", "s3cret"}, "argument 2 is no option: expected -X VALUE or --name VALUE"},
        {{"wspx", "--"}, "argument 1 is no option: expected -X VALUE or --name VALUE"},
        {{"wspx", "-"}, "argument 1 is no option: expected -X VALUE or --name VALUE"},
        {{"wspx", ""}, "argument 1 is no option: expected -X VALUE or --name VALUE"},
    };
    struct run r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char expected[256];

        run(&r, cases[i].argv);
        snprintf(expected, sizeof(expected), "wspx: %s\ntry 'wspx -h'\n", cases[i].error);
        assert_int_equal(r.status, EXIT_USAGE);
        assert_string_equal(r.out.text, "");
        assert_string_equal(r.err.text, expected);
        args_fini(&r.args);
    }
}

static void test_version_and_help(void **state)
{
    static const char *const version[][ARGS_MAX] = {{"wspx", "-v"}, {"wspx", "--version"}};
    static const char *const help[][ARGS_MAX] = {{"wspx", "-h"}, {"wspx", "-t", "--help"}};
    struct run r;

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        run(&r, version[i]);
        assert_int_equal(r.status, EXIT_OK);
        assert_string_equal(r.out.text, "wspx " WSP_VERSION ", released " WSP_RELEASE_DATE
                                        ", protocol " WSP_PROTOCOL "\n");
        args_fini(&r.args);
        run(&r, help[i]);
        assert_int_equal(r.status, EXIT_OK);
        assert_string_equal(
            r.out.text,
            "usage: wspx [OPTION]...\n\n"
            "  -c, --config FILE  a file\n"
            "  -D, --dynamic URL  a proxy (repeatable)\n"
            "      --path PATH    a path\n"
            "  -t, --check        check\n"
            "  -v, --version      version\n"
            "  -h, --help         help\n"
            "\nEXAMPLES\n"
            "exit status: 0 ended as asked; 1 configuration or start-up error; 2 bad usage\n");
        assert_string_equal(r.err.text, "");
        args_fini(&r.args);
    }
}

static void test_secrets_are_wiped(void **state)
{
    static const struct {
        const char *value, *left;
    } cases[] = {
        {"tcp://ssh:pw@h:1", "tcp://ssh:**@h:1"},
        {"tcp://ssh:p@w:x@h:1", "tcp://ssh:*****@h:1"},
        {"tcp://ssh@h:1", "tcp://ssh@h:1"},
        {"socks5://:1080", "socks5://:1080"},
        {"http://h:1?mode=path&value=a", "http://h:1?mode=path&value=a"},
        {"ws://u:pw@h/p?token=x", "ws://u:**@h/p?*******"},
        {"WSS://h?x", "WSS://h?*"},
        {"ssh:pw", "ssh:**"},
        {"ssh:p@w", "ssh:***"},
        {"tcp:ssh:pw@h", "tcp:********"},
        {"ssh", "ssh"},
        {"", ""},
    };
    struct run r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char joined[ARG_MAX_BYTES], left[ARG_MAX_BYTES];
        const char *const argv[ARGS_MAX] = {"wspx", "-D", cases[i].value, joined};

        snprintf(joined, sizeof(joined), "--dynamic=%s", cases[i].value);
        snprintf(left, sizeof(left), "--dynamic=%s", cases[i].left);
        run(&r, argv);
        assert_int_equal(r.status, -1);
        assert_string_equal(r.argv[2], cases[i].left);
        assert_string_equal(r.argv[3], left);
        assert_string_equal(r.args.given[0].text, cases[i].value);
        assert_string_equal(r.args.given[1].text, cases[i].value);
        args_fini(&r.args);
    }
}

static void test_environment(void **state)
{
    static const struct {
        const char *argv[ARGS_MAX];
        const char *set, *path;
        bool from_environment;
    } cases[] = {
        {{"wspx"}, "/env", "/env", true},
        {{"wspx", "--path", "/arg"}, "/env", "/arg", false},
        {{"wspx"}, "", NULL, false},
    };
    struct run r;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char variable[] = "WSPX_PATH=....";

        strcpy(variable + 10, cases[i].set);
        putenv(variable);
        run(&r, cases[i].argv);
        assert_int_equal(r.status, -1);
        assert_null(getenv("WSPX_PATH"));
        assert_string_equal(variable, "WSPX_PATH="); /* and /proc does not show it */
        assert_int_equal(args_has(&r.args, "path"), cases[i].path != NULL);
        if (cases[i].path) {
            assert_string_equal(args_value(&r.args, "path"), cases[i].path);
            assert_int_equal(r.args.given[0].from_environment, cases[i].from_environment);
        }
        args_fini(&r.args);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),          cmocka_unit_test(test_repeatable),
        cmocka_unit_test(test_bad_usage),         cmocka_unit_test(test_version_and_help),
        cmocka_unit_test(test_secrets_are_wiped), cmocka_unit_test(test_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
