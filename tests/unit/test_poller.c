#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/poller.h"
#include "unit/net_help.h"

struct fixture {
    struct poller poller;
    int fds[2]; /* the first is in the poller */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(poller_init(&f->poller), WSP_OK);
    unix_pair(f->fds);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    poller_fini(&f->poller);
    close(f->fds[0]);
    if (f->fds[1] >= 0)
        close(f->fds[1]);
    free(f);
    return 0;
}

/* What the poller reports for the one descriptor now; 0: nothing. */
static unsigned events(struct fixture *f)
{
    struct poller_ready ready[4];
    size_t n = poller_poll(&f->poller, ready, 4);

    assert_in_range(n, 0, 1);
    if (n == 0)
        return 0;
    assert_ptr_equal(ready[0].data, f);
    return ready[0].events;
}

static void test_edge(void **state)
{
    struct fixture *f = *state;
    char c;

    assert_int_equal(poller_add(&f->poller, f->fds[0], POLLER_READ | POLLER_WRITE, f), WSP_OK);
    assert_int_equal(events(f), POLLER_WRITE);
    assert_int_equal(events(f), 0);
    assert_int_equal(write(f->fds[1], "ab", 2), 2);
    assert_int_equal(events(f) & POLLER_READ, POLLER_READ);
    assert_int_equal(events(f), 0);
    assert_int_equal(read(f->fds[0], &c, 1), 1);
    assert_int_equal(events(f), 0); /* half-read: no new edge */
    assert_int_equal(write(f->fds[1], "c", 1), 1);
    assert_int_equal(events(f) & POLLER_READ, POLLER_READ);
}

static void test_level(void **state)
{
    struct fixture *f = *state;
    char c;

    assert_int_equal(poller_add(&f->poller, f->fds[0], POLLER_READ | POLLER_LEVEL, f), WSP_OK);
    assert_int_equal(events(f), 0);
    assert_int_equal(write(f->fds[1], "a", 1), 1);
    assert_int_equal(events(f), POLLER_READ);
    assert_int_equal(events(f), POLLER_READ);
    assert_int_equal(read(f->fds[0], &c, 1), 1);
    assert_int_equal(events(f), 0);
}

/* Changing the interest reports again what is there already. */
static void test_modify(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(poller_modify(&f->poller, f->fds[0], POLLER_READ, f), WSP_ERR_SYSTEM);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(poller_add(&f->poller, f->fds[0], 0, f), WSP_OK);
    assert_int_equal(poller_add(&f->poller, f->fds[0], 0, f), WSP_ERR_SYSTEM);
    assert_int_equal(errno, EEXIST);
    assert_int_equal(write(f->fds[1], "a", 1), 1);
    assert_int_equal(events(f), 0);
    assert_int_equal(poller_modify(&f->poller, f->fds[0], POLLER_READ, f), WSP_OK);
    assert_int_equal(events(f), POLLER_READ);
    poller_remove(&f->poller, f->fds[0]);
    assert_int_equal(write(f->fds[1], "b", 1), 1);
    assert_int_equal(events(f), 0);
}

static void test_hangup(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(poller_add(&f->poller, f->fds[0], POLLER_READ, f), WSP_OK);
    shutdown(f->fds[1], SHUT_WR);
    assert_int_equal(events(f), POLLER_READ | POLLER_HANGUP);
    close(f->fds[1]);
    f->fds[1] = -1;
    assert_int_equal(events(f), POLLER_READ | POLLER_WRITE | POLLER_HANGUP | POLLER_BROKEN);
}

static void test_max(void **state)
{
    struct fixture *f = *state;
    struct poller_ready ready[2] = {{0}};
    int fds[3];

    for (size_t i = 0; i < 3; i++) {
        fds[i] = dup(f->fds[0]);
        assert_int_equal(poller_add(&f->poller, fds[i], POLLER_WRITE, &fds[i]), WSP_OK);
    }
    assert_int_equal(poller_poll(&f->poller, ready, 2), 2);
    assert_ptr_not_equal(ready[0].data, ready[1].data);
    assert_int_equal(poller_poll(&f->poller, ready, 2), 1);
    assert_int_equal(poller_poll(&f->poller, ready, 2), 0);
    for (size_t i = 0; i < 3; i++)
        close(fds[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_edge, setup, teardown),
        cmocka_unit_test_setup_teardown(test_level, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modify, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hangup, setup, teardown),
        cmocka_unit_test_setup_teardown(test_max, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
