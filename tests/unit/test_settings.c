#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "api/config.h"
#include "capture.h"
#include "daemon/args.c" /* the daemons' own code is not in the library */
#include "daemon/args_help.c"
#include "daemon/process.c"
#include "daemon/settings.c"
#define options wsps_options
#include "wsps/settings.c"
#undef options
#define options wspc_options
#include "wspc/settings.c"
#undef options

enum { ARGS_MAX = 16, ARG_MAX_BYTES = 96 };

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static char file[] = "/tmp/wsp_settings_XXXXXX"; /* the tests' one file */
static struct settings settings;
static struct wsp_process process; /* of the last that was loaded */
static char error[WSP_ERROR_MAX];
static struct captured warnings;

static int make_file(void **state)
{
    int fd = mkstemp(file);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    process_fini(&process);
    return unlink(file);
}

static void write_file(const char *text, mode_t mode)
{
    FILE *f = fopen(file, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(file, mode), 0);
}

/* "FILE" in the arguments is the tests' file. */
static void parse(const struct settings_rules *rules, const char *const argv[ARGS_MAX])
{
    static char copies[ARGS_MAX][ARG_MAX_BYTES];
    char *copy[ARGS_MAX + 2] = {(char *)"wspx"};
    int argc = 0;

    for (; argc < ARGS_MAX && argv[argc]; argc++) {
        const char *text = strcmp(argv[argc], "FILE") == 0 ? file : argv[argc];

        snprintf(copies[argc], ARG_MAX_BYTES, "%s", text);
        copy[argc + 1] = copies[argc];
    }
    assert_int_equal(settings_parse(&settings, rules, argc + 1, copy), -1);
}

static enum wsp_err load_wsps_again(struct wsps_config *c)
{
    struct configured configured;
    enum wsp_err err = settings_load(&settings, &configured, error);

    if (err == WSP_OK)
        err = config_load_server(configured.config, false, c, error);
    else
        wsps_config_init(c);
    process_fini(&process);
    process = configured.process;
    configured.process = (struct wsp_process){.seccomp = false};
    configured_fini(&configured);
    return err;
}

static enum wsp_err load_wsps(struct wsps_config *c, const char *const argv[ARGS_MAX])
{
    enum wsp_err err;

    parse(&wsps_settings, argv);
    capture_start(&warnings, stderr);
    err = load_wsps_again(c);
    capture_end(&warnings, stderr);
    settings_fini(&settings);
    return err;
}

static enum wsp_err load_wspc(struct wspc_config *c, const char *const argv[ARGS_MAX])
{
    struct configured configured;
    enum wsp_err err;

    parse(&wspc_settings, argv);
    err = settings_load(&settings, &configured, error);
    if (err == WSP_OK)
        err = config_load_client(configured.config, c, error);
    else
        wspc_config_init(c);
    configured_fini(&configured);
    settings_fini(&settings);
    return err;
}

static void test_wsps_without_a_file(void **state)
{
    static const char *const argv[ARGS_MAX] = {"-p",          "8010",        "--path",     "/proxy",
                                               "--host",      "example.com", "--bind",     "::1",
                                               "--log-level", "debug",       "--log-file", "x.log"};
    struct wsps_config c;

    (void)state;
    assert_int_equal(load_wsps(&c, argv), WSP_OK);
    assert_int_equal(c.port, 8010);
    assert_string_equal(c.path, "/proxy");
    assert_string_equal(c.host, "example.com");
    assert_string_equal(c.bind, "::1");
    assert_null(c.auth);
    assert_int_equal(process.log_level, WSP_LOG_DEBUG);
    assert_string_equal(process.log_output, "x.log");
    wsps_config_fini(&c);
}

/* The option wins, and the file may lack what it gives; a second load finds what has changed. */
static void test_wsps_over_a_file(void **state)
{
    static const char *const argv[ARGS_MAX] = {"-c", "FILE", "-p", "81", "--log-level", "warn"};
    struct wsps_config c;

    (void)state;
    parse(&wsps_settings, argv);
    write_file("{\"port\":80,\"path\":\"/a\",\"log\":{\"level\":\"trace\"}}", 0600);
    assert_int_equal(load_wsps_again(&c), WSP_OK);
    assert_int_equal(c.port, 81);
    assert_string_equal(c.path, "/a");
    assert_int_equal(c.log.level, WSP_LOG_WARN);
    wsps_config_fini(&c);
    write_file("{\"path\":\"/b\"}", 0600);
    assert_int_equal(load_wsps_again(&c), WSP_OK);
    assert_int_equal(c.port, 81);
    assert_string_equal(c.path, "/b");
    wsps_config_fini(&c);
    settings_fini(&settings);
}

static void test_auth_file(void **state)
{
    static const char *const argv[ARGS_MAX] = {"-p", "80", "--auth-file", "FILE"};
    static const struct {
        const char *text, *auth; /* NULL: an error */
        mode_t mode;
    } cases[] = {
        {"s3cret\n", "s3cret", 0600},
        {"s3cret", "s3cret", 0640},
        {"s3cret\r\nmore", "s3cret", 0400},
        {"s3cret\n", "s3cret", 0604},
        {"", NULL, 0600},
        {"\ns3cret\n", NULL, 0600},
        {" s3cret\n", NULL, 0600},
    };
    struct wsps_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool is_open = cases[i].mode & S_IRWXO;

        write_file(cases[i].text, cases[i].mode);
        assert_int_equal(load_wsps(&c, argv) == WSP_OK, cases[i].auth != NULL);
        if (cases[i].auth)
            assert_string_equal(c.auth, cases[i].auth);
        else
            assert_null(strstr(error, "s3cret"));
        assert_int_equal(strstr(warnings.text, "is open to all users") != NULL, is_open);
        wsps_config_fini(&c);
    }
}

static void test_auth_file_that_cannot_be_used(void **state)
{
    static const struct {
        const char *argv[ARGS_MAX];
        enum wsp_err err;
        const char *error;
    } cases[] = {
        {{"-p", "80", "--auth-file", "/nonexistent/s"},
         WSP_ERR_CONFIG,
         "--auth-file: /nonexistent/s: No such file or directory"},
        {{"-p", "80", "--auth-file", "/"}, WSP_ERR_CONFIG, "--auth-file: /: Is a directory"},
        {{"-p", "80", "--auth-file", "/dev/zero"},
         WSP_ERR_CONFIG,
         "--auth-file: /dev/zero: expected text, found a NUL byte"},
    };
    struct wsps_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load_wsps(&c, cases[i].argv), cases[i].err);
        assert_string_equal(error, cases[i].error);
        wsps_config_fini(&c);
    }
}

static void test_auth_in_the_environment(void **state)
{
    static const char *const over[ARGS_MAX] = {"-p", "80", "--auth-file", "FILE"};
    char variable[] = "WSP_AUTH=from-there", bad[] = "WSP_AUTH= s3cret";
    struct wsps_config c;

    (void)state;
    write_file("from-the-file\n", 0600);
    putenv(variable);
    assert_int_equal(load_wsps(&c, over), WSP_OK);
    assert_string_equal(c.auth, "from-the-file");
    wsps_config_fini(&c);
    strcpy(variable, "WSP_AUTH=from-there");
    putenv(variable);
    assert_int_equal(load_wsps(&c, (const char *const[ARGS_MAX]){"-p", "80"}), WSP_OK);
    assert_string_equal(c.auth, "from-there");
    wsps_config_fini(&c);
    putenv(bad);
    assert_int_equal(load_wsps(&c, (const char *const[ARGS_MAX]){"-p", "80"}), WSP_ERR_USAGE);
    assert_string_equal(error, "WSP_AUTH: must not start or end with a space");
    wsps_config_fini(&c);
}

static void test_wspc_without_a_file(void **state)
{
    static const char *const argv[ARGS_MAX] = {"-D", "socks5://:1080",
                                               "-L", "tcp://ssh:pw@127.0.0.1:2200",
                                               "-s", "ws://h:8010/p",
                                               "-D", "http://:8080",
                                               "-R", "http://127.0.0.1:1?mode=path&value=api"};
    const struct wspc_client *client;
    struct wspc_config c;

    (void)state;
    assert_int_equal(load_wspc(&c, argv), WSP_OK);
    assert_int_equal(c.client_count, 1);
    client = &c.client[0];
    assert_string_equal(client->authority, "h:8010");
    assert_int_equal(client->listener_count, 3);
    assert_int_equal(client->listener[0].port, 1080);
    assert_int_equal(client->listener[1].kind, WSPC_HTTP);
    assert_int_equal(client->listener[2].kind, WSPC_LOCAL);
    assert_string_equal(client->listener[2].password, "pw");
    assert_int_equal(client->remote_count, 1);
    assert_string_equal(client->remote[0].name, "http:path:api");
    wspc_config_fini(&c);
}

#define TWO_ENTRIES                                                                       \
    "{\"client\":[{\"server\":\"ws://a\",\"auth\":\"of-a\",\"dynamic\":[\"http://:1\"]}," \
    "{\"server\":\"ws://b\",\"local\":[\"tcp://x@:2\"]}]}"

/* With -s one more entry, without it the first one of the file gets what is given. */
static void test_wspc_over_a_file(void **state)
{
    static const char *const with[ARGS_MAX] = {"-c", "FILE", "-s", "ws://c", "-D", "http://:3"};
    static const char *const without[ARGS_MAX] = {"-c",        "FILE", "-D",
                                                  "http://:3", "-R",   "tunnel://t@"};
    char variable[] = "WSP_AUTH=given";
    struct wspc_config c;

    (void)state;
    write_file(TWO_ENTRIES, 0600);
    putenv(variable);
    assert_int_equal(load_wspc(&c, with), WSP_OK);
    assert_int_equal(c.client_count, 3);
    assert_int_equal(c.client[0].listener_count, 1);
    assert_string_equal(c.client[0].auth, "of-a");
    assert_string_equal(c.client[2].host, "c");
    assert_string_equal(c.client[2].auth, "given");
    assert_int_equal(c.client[2].listener_count, 1);
    wspc_config_fini(&c);
    assert_int_equal(load_wspc(&c, without), WSP_OK);
    assert_int_equal(c.client_count, 2);
    assert_int_equal(c.client[0].listener_count, 2);
    assert_int_equal(c.client[0].listener[1].port, 3);
    assert_int_equal(c.client[0].remote_count, 1);
    assert_string_equal(c.client[0].auth, "of-a");
    wspc_config_fini(&c);
}

/* -W: one link, and of the entries only those of the command line. */
static void test_wspc_for_a_channel(void **state)
{
    static const struct {
        const char *argv[ARGS_MAX], *host;
        size_t listeners, remotes;
    } cases[] = {
        {{"-c", "FILE", "-W", "x"}, "a", 0, 0},
        {{"-c", "FILE", "-W", "x", "-D", "http://:3"}, "a", 1, 0},
        {{"-c", "FILE", "-W", "x", "-s", "ws://c", "-R", "tunnel://t@"}, "c", 0, 1},
        {{"-W", "x", "-s", "ws://c"}, "c", 0, 0},
    };
    struct wspc_config c;

    (void)state;
    write_file(TWO_ENTRIES, 0600);
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load_wspc(&c, cases[i].argv), WSP_OK);
        wspc_config_keep_one(&c); /* as a client does with links_only */
        assert_int_equal(c.client_count, 1);
        assert_string_equal(c.client[0].host, cases[i].host);
        assert_int_equal(c.client[0].listener_count, cases[i].listeners);
        assert_int_equal(c.client[0].remote_count, cases[i].remotes);
        wspc_config_fini(&c);
    }
}

static void test_faults_name_the_option(void **state)
{
    static const struct {
        const char *argv[ARGS_MAX], *error; /* up to the end of this text */
    } wsps[] =
        {
            {{"-p", "0"}, "-p: expected a whole number from 1 to 65535"},
            {{"-p", "80x"}, "-p: expected a whole number from 1 to 65535"},
            {{"-p", ""}, "-p: expected a whole number from 1 to 65535"},
            {{"-p", "80", "--path", "/a b"}, "--path: expected a path such as /proxy"},
            {{"-p", "80", "--host", "a b"}, "--host: expected a domain name"},
            {{"-p", "80", "--bind", "x"}, "--bind: expected an IPv4 or IPv6 address"},
            {{"-p", "80", "--log-level", "loud"}, "--log-level: expected error, warn, info"},
        },
      wspc[] = {
          {{"-s", "http://s3cret"},
           "-s: expected ws:// or wss://, then host[:port][/path][?query]"},
          {{"-s", "ws://h", "-D", "s3cret"}, "-D: expected socks5://[address]:port or http://"},
          {{"-s", "ws://h", "-D", "http://:1", "-D", "http://:s3cret"}, "-D 2: expected socks5://"},
          {{"-s", "ws://h", "-D", "http://:1", "-D", "http://:1"}, "-D 2: same address and port"},
          {{"-s", "ws://h", "-L", "tcp://c:s3cret@:0"}, "-L: expected tcp://channel[:password]@"},
          {{"-s", "ws://h", "-R", "tcp://c:s3cret@h"}, "-R: expected a port from 1 to 65535"},
          {{"-s", "ws://h", "-R", "tunnel://t:s3cret@", "-R", "tcp://t@h:1"}, "-R 2: same "},
      };
    union {
        struct wsps_config wsps;
        struct wspc_config wspc;
    } c;

    (void)state;
    for (size_t i = 0; i < COUNT(wsps); i++) {
        assert_int_equal(load_wsps(&c.wsps, wsps[i].argv), WSP_ERR_USAGE);
        assert_memory_equal(error, wsps[i].error, strlen(wsps[i].error));
        wsps_config_fini(&c.wsps);
    }
    for (size_t i = 0; i < COUNT(wspc); i++) {
        assert_int_equal(load_wspc(&c.wspc, wspc[i].argv), WSP_ERR_USAGE);
        assert_memory_equal(error, wspc[i].error, strlen(wspc[i].error));
        assert_null(strstr(error, "s3cret"));
        wspc_config_fini(&c.wspc);
    }
}

/* The fault is the file's, whatever the command line adds to it. */
static void test_faults_of_the_file(void **state)
{
    static const char *const argv[ARGS_MAX] = {"-c", "FILE", "-D", "http://:3"};
    static const char *const cases[][2] = {
        {"{}", ":1:1: key \"client\" is missing"},
        {"{\"client\":[]}", ":1:11: client: is empty"},
        {"{\"client\":[{\"server\":\"ws://a\",\n\"dynamic\":7}]}", ":2:11: client[0].dynamic: "},
        {"{\"client\":[{\"server\":\"ws://a\",\n\"remote\":[\"x\"]}]}",
         ":2:11: client[0].remote[0]: "},
    };
    struct wspc_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_file(cases[i][0], 0600);
        assert_int_equal(load_wspc(&c, argv), WSP_ERR_CONFIG);
        assert_memory_equal(error + strlen(file), cases[i][1], strlen(cases[i][1]));
        wspc_config_fini(&c);
    }
}

/* The library's own words, and what does without the usual file. */
static void test_files_that_cannot_be_read(void **state)
{
    static const struct {
        const char *argv[ARGS_MAX], *error;
    } cases[] = {
        {{"-c", "/nonexistent/f"}, "/nonexistent/f: cannot open: No such file or directory"},
        {{"-c", "/"}, "/: cannot read: Is a directory"},
        {{"-c", ""}, ": cannot open: No such file or directory"},
        {{"-c", "/dev/zero"}, "/dev/zero: larger than 1 MiB"},
        {{"-c", "/dev/null"}, "/dev/null:1:1: the file ends too early: expected a value"},
        {{NULL},
         "wsps.json: cannot open: No such file or directory: -c FILE names another, -p PORT does "
         "without"},
    };
    struct wsps_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(load_wsps(&c, cases[i].argv), WSP_ERR_CONFIG);
        assert_string_equal(error, cases[i].error);
        wsps_config_fini(&c);
    }
}

/* What a daemon goes by outlives the configuration; a reload compares the two. */
static void test_process(void **state)
{
    static const char *const argv[ARGS_MAX] = {"-c", "FILE"};
    struct wsp_process before;
    struct wsps_config c;

    (void)state;
    write_file("{\"port\":80,\"user\":\"root\",\"group\":\"root\",\"status\":\"/s\","
               "\"limits\":{\"connections\":7}}",
               0600);
    assert_int_equal(load_wsps(&c, argv), WSP_OK);
    wsps_config_fini(&c);
    assert_string_equal(process.user, "root");
    assert_string_equal(process.group, "root");
    assert_string_equal(process.status, "/s");
    assert_int_equal(process.connections, 7);
    assert_true(process_copy(&before, &process));
    write_file("{\"port\":80,\"user\":\"root\",\"group\":\"root\",\"status\":\"/t\"}", 0600);
    assert_int_equal(load_wsps(&c, argv), WSP_OK);
    wsps_config_fini(&c);
    assert_true(process_same(&before, &process));
    write_file("{\"port\":80,\"user\":\"root\"}", 0600);
    assert_int_equal(load_wsps(&c, argv), WSP_OK);
    wsps_config_fini(&c);
    assert_false(process_same(&before, &process));
    process_fini(&before);
}

/* A screen of 24 lines and 80 columns holds it. */
static void test_help_fits_one_screen(void **state)
{
    static const struct settings_rules *const rules[] = {&wsps_settings, &wspc_settings};
    char *argv[] = {(char *)"wspx", (char *)"-h", NULL};
    struct captured out;

    (void)state;
    for (size_t i = 0; i < COUNT(rules); i++) {
        size_t lines = 0;

        capture_start(&out, stdout);
        assert_int_equal(settings_parse(&settings, rules[i], 2, argv), EXIT_OK);
        capture_end(&out, stdout);
        for (const char *p = out.text; *p; p += strcspn(p, "\n") + 1, lines++)
            assert_in_range(strcspn(p, "\n"), 0, 80);
        assert_in_range(lines, 10, 24);
        settings_fini(&settings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wsps_without_a_file),
        cmocka_unit_test(test_wsps_over_a_file),
        cmocka_unit_test(test_auth_file),
        cmocka_unit_test(test_auth_file_that_cannot_be_used),
        cmocka_unit_test(test_auth_in_the_environment),
        cmocka_unit_test(test_wspc_without_a_file),
        cmocka_unit_test(test_wspc_over_a_file),
        cmocka_unit_test(test_wspc_for_a_channel),
        cmocka_unit_test(test_faults_name_the_option),
        cmocka_unit_test(test_faults_of_the_file),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_process),
        cmocka_unit_test(test_help_fits_one_screen),
    };

    return cmocka_run_group_tests(tests, make_file, remove_file);
}
