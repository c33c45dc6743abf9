#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/file_stamp.h"

static char dir[] = "/tmp/test-stamp-XXXXXX";
static char a[64], b[64], link_name[64], other[64];

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void touch(const char *name, time_t seconds, long nanoseconds)
{
    const struct timespec times[2] = {{seconds, 0}, {seconds, nanoseconds}};

    assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

static uint64_t stamp(void)
{
    const char *const files[] = {a, NULL, link_name};
    uint64_t s = file_stamp(1, files, 3);

    assert_int_equal(file_stamp(1, files, 3), s);
    return s;
}

/* Does one thing after the other: each must be noticed. */
static void test_changes(void **state)
{
    uint64_t before = stamp(), now;

    (void)state;
#define noticed(what)           \
    what;                       \
    now = stamp();              \
    assert_true(now != before); \
    before = now

    noticed(write_file(a, "x"));
    noticed(write_file(a, "xy"));
    noticed(touch(a, 1000000000, 0));
    noticed(touch(a, 1000000000, 1));
    noticed(touch(a, 1000000001, 1));
    write_file(other, "xy");
    touch(other, 1000000001, 1);
    noticed(rename(other, a)); /* as alike as can be, but another file */
    write_file(b, "1");
    noticed(assert_int_equal(symlink(b, link_name), 0));
    noticed(write_file(b, "22"));
    write_file(other, "22");
    unlink(link_name); /* as certbot does */
    noticed(assert_int_equal(symlink(other, link_name), 0));
    noticed(unlink(other)); /* the link leads nowhere */
    noticed(unlink(a));
#undef noticed
}

static void test_order(void **state)
{
    const char *const files[] = {a, b}, *const reversed[] = {b, a}, *const less[] = {a, NULL};

    (void)state;
    write_file(a, "1");
    write_file(b, "22");
    assert_true(file_stamp(1, files, 2) != file_stamp(1, reversed, 2));
    assert_true(file_stamp(1, files, 2) == file_stamp(file_stamp(1, files, 1), files + 1, 1));
    assert_true(file_stamp(1, less, 2) == file_stamp(1, files, 1));
    assert_true(file_stamp(1, NULL, 0) == 1);
}

static int setup(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(a, sizeof(a), "%s/a", dir);
    snprintf(b, sizeof(b), "%s/b", dir);
    snprintf(link_name, sizeof(link_name), "%s/link", dir);
    snprintf(other, sizeof(other), "%s/other", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(a);
    unlink(b);
    unlink(link_name);
    unlink(other);
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_order),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
