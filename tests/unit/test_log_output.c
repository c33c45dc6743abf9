/* Where the log goes, and that it can go elsewhere (daemon/log_output.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "daemon/log_output.c" /* the daemons' own code is not in the library */

enum { PATH_MAX_HERE = 64, TEXT_MAX = 4096 };

struct fixture {
    char dir[PATH_MAX_HERE / 2];
    char a[PATH_MAX_HERE], b[PATH_MAX_HERE], moved[PATH_MAX_HERE], nowhere[PATH_MAX_HERE];
    struct log_output out;
    struct log log;
    char error[WSP_ERROR_MAX];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    strcpy(f->dir, "/tmp/wsp-log-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->a, sizeof(f->a), "%s/a.log", f->dir);
    snprintf(f->b, sizeof(f->b), "%s/b.log", f->dir);
    snprintf(f->moved, sizeof(f->moved), "%s/a.log.1", f->dir);
    snprintf(f->nowhere, sizeof(f->nowhere), "%s/none/c.log", f->dir);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    log_output_close(&f->out);
    log_output_close(&f->out);
    unlink(f->a);
    unlink(f->b);
    unlink(f->moved);
    rmdir(f->dir);
    free(f);
    return 0;
}

static void open_log(struct fixture *f, const char *path)
{
    f->log.level = WSP_LOG_INFO;
    assert_int_equal(log_output_open(&f->out, path, &f->log, f->error), WSP_OK);
}

/* The file's lines are these words, each behind a time and a level. */
static void expect(const char *file, const char *words)
{
    char text[TEXT_MAX], found[TEXT_MAX] = "";
    FILE *in = fopen(file, "r");

    assert_non_null(in);
    while (fgets(text, sizeof(text), in)) {
        assert_non_null(strrchr(text, ' '));
        strcat(found, strrchr(text, ' '));
        found[strlen(found) - 1] = '\0';
    }
    fclose(in);
    assert_string_equal(found, words);
}

static void test_appends(void **state)
{
    struct fixture *f = *state;

    open_log(f, f->a);
    log_info(&f->log, "one");
    log_output_close(&f->out);
    open_log(f, f->a);
    log_info(&f->log, "two");
    expect(f->a, " one two");
}

static void test_renamed(void **state)
{
    struct fixture *f = *state;

    open_log(f, f->a);
    log_info(&f->log, "one");
    assert_int_equal(rename(f->a, f->moved), 0);
    log_info(&f->log, "two");
    assert_int_equal(log_output_reopen(&f->out, f->out.path, f->error), WSP_OK);
    log_info(&f->log, "three");
    expect(f->moved, " one two");
    expect(f->a, " three");
}

static void test_elsewhere(void **state)
{
    struct fixture *f = *state;
    int fd;

    open_log(f, f->a);
    fd = f->out.fd;
    assert_int_equal(log_output_reopen(&f->out, f->b, f->error), WSP_OK);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    log_info(&f->log, "one");
    expect(f->a, "");
    expect(f->b, " one");
    fd = f->out.fd;
    assert_int_equal(log_output_reopen(&f->out, NULL, f->error), WSP_OK);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_int_equal(f->out.fd, STDOUT_FILENO);
    assert_null(f->out.path);
    assert_int_equal(log_output_reopen(&f->out, f->b, f->error), WSP_OK);
    assert_int_not_equal(fcntl(STDOUT_FILENO, F_GETFD), -1);
    log_info(&f->log, "two");
    expect(f->b, " one two");
}

static void test_cannot_be_opened(void **state)
{
    struct fixture *f = *state;
    char want[WSP_ERROR_MAX];

    open_log(f, f->a);
    snprintf(want, sizeof(want), "log.output: %s: %s", f->nowhere, strerror(ENOENT));
    assert_int_equal(log_output_reopen(&f->out, f->nowhere, f->error), WSP_ERR_SYSTEM);
    assert_string_equal(f->error, want);
    log_info(&f->log, "one");
    expect(f->a, " one");
    assert_string_equal(f->out.path, f->a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_appends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_renamed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cannot_be_opened, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
