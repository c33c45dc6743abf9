#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <pthread.h>
#include <string.h>

#include "unit/net_help.h"

struct fixture {
    struct wsp_loop *loop;
    char order[64]; /* one letter for each callback, in the order they came */
    size_t count;
};

static void note(struct fixture *f, char letter)
{
    assert_in_range(f->count, 0, sizeof(f->order) - 2);
    f->order[f->count++] = letter;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    wsp_loop_free(f->loop);
    free(f);
    return 0;
}

struct alarm {
    struct timer timer;
    struct fixture *f;
    char letter;
    uint64_t again_us; /* sets itself that much later, a few times; 0: not at all */
    unsigned repeats;
    uint64_t fired_us;
    struct timer *clears; /* or NULL */
};

static void on_alarm(struct timer *t)
{
    struct alarm *a = container_of(t, struct alarm, timer);

    assert_false(timer_is_set(t));
    assert_true(t->due_us <= loop_now(a->f->loop));
    a->fired_us = loop_now(a->f->loop);
    note(a->f, a->letter);
    if (a->clears)
        timer_clear(a->f->loop, a->clears);
    if (a->repeats > 0) {
        a->repeats--;
        assert_int_equal(timer_set(a->f->loop, t, loop_now(a->f->loop) + a->again_us), WSP_OK);
    }
}

static struct alarm alarm_of(struct fixture *f, char letter)
{
    return (struct alarm){.timer.fire = on_alarm, .f = f, .letter = letter};
}

static void set_in(struct alarm *a, uint64_t us)
{
    assert_int_equal(timer_set(a->f->loop, &a->timer, loop_now(a->f->loop) + us), WSP_OK);
}

static void test_timers_in_order(void **state)
{
    struct fixture *f = *state;
    struct alarm a = alarm_of(f, 'a'), b = alarm_of(f, 'b'), c = alarm_of(f, 'c');

    set_in(&a, 30000);
    set_in(&b, 10000);
    set_in(&c, 20000);
    wait_for(f->loop, -1, f->count == 3);
    assert_string_equal(f->order, "bca");
}

/* Set from outside a turn, a deadline makes the descriptor readable by itself. */
static void test_timer_moves(void **state)
{
    struct fixture *f = *state;
    struct alarm a = alarm_of(f, 'a'), b = alarm_of(f, 'b');
    uint64_t start = loop_now(f->loop);

    set_in(&a, 60000000);
    turn_until_idle(f->loop);
    set_in(&a, 5000); /* sooner */
    set_in(&b, 1000);
    turn_until_idle(f->loop);
    set_in(&b, 40000); /* later: the descriptor may wake us in vain, nothing fires too early */
    wait_for(f->loop, -1, f->count == 2);
    assert_string_equal(f->order, "ab");
    assert_true(b.fired_us >= start + 40000);
}

static void test_timer_cleared(void **state)
{
    struct fixture *f = *state;
    struct alarm a = alarm_of(f, 'a'), b = alarm_of(f, 'b'), c = alarm_of(f, 'c');

    a.clears = &b.timer;
    set_in(&a, 0);
    set_in(&b, 1);
    set_in(&c, 2000);
    wait_for(f->loop, -1, c.fired_us != 0);
    assert_string_equal(f->order, "ac");
    assert_false(timer_is_set(&b.timer));
}

/* A timer that is always due again does not hold the turn, nor is it forgotten. */
static void test_timer_due_again(void **state)
{
    struct fixture *f = *state;
    struct alarm a = alarm_of(f, 'a'), b = alarm_of(f, 'b');

    a.repeats = 40;
    set_in(&a, 0);
    set_in(&b, 0);
    wsp_loop_turn(f->loop);
    assert_true(a.repeats > 0);
    wait_for(f->loop, -1, a.repeats == 0 && !timer_is_set(&a.timer));
    assert_int_equal(f->count, 42);
    assert_non_null(strchr(f->order, 'b'));
}

struct job {
    struct task task;
    struct fixture *f;
    char letter;
    unsigned repeats; /* posts itself again so often */
    struct job *cancels, *posts;
};

static void on_job(struct task *t)
{
    struct job *j = container_of(t, struct job, task);

    note(j->f, j->letter);
    if (j->cancels)
        task_cancel(&j->cancels->task);
    if (j->posts)
        task_post(j->f->loop, &j->posts->task);
    if (j->repeats > 0) {
        j->repeats--;
        task_post(j->f->loop, t);
    }
}

static void job_init(struct job *j, struct fixture *f, char letter)
{
    *j = (struct job){.f = f, .letter = letter};
    task_init(&j->task, on_job);
}

static void test_tasks(void **state)
{
    struct fixture *f = *state;
    struct job a, b, c;

    job_init(&a, f, 'a');
    job_init(&b, f, 'b');
    job_init(&c, f, 'c');
    a.cancels = &b;
    a.posts = &c;
    assert_false(loop_is_ready(f->loop));
    task_post(f->loop, &a.task);
    task_post(f->loop, &b.task);
    task_post(f->loop, &a.task);
    assert_true(loop_is_ready(f->loop));
    turn_until_idle(f->loop);
    assert_string_equal(f->order, "ac");
    task_cancel(&a.task);
    task_post(f->loop, &b.task);
    turn_until_idle(f->loop);
    assert_string_equal(f->order, "acb");
}

static void test_task_again(void **state)
{
    struct fixture *f = *state;
    struct job a, b;

    job_init(&a, f, 'a');
    job_init(&b, f, 'b');
    a.repeats = 40;
    task_post(f->loop, &a.task);
    task_post(f->loop, &b.task);
    wsp_loop_turn(f->loop);
    assert_memory_equal(f->order, "aba", 3);
    assert_in_range(a.repeats, 1, 39); /* the turn is bounded */
    assert_true(loop_is_ready(f->loop));
    turn_until_idle(f->loop);
    assert_int_equal(f->count, 42);
}

struct ear {
    struct watch watch;
    struct fixture *f;
    struct ear *stops, *moves_to; /* or NULL: what it does to the other, or where it goes */
    struct ear *from;
    unsigned calls;
};

static void on_ear(struct watch *w, unsigned events)
{
    struct ear *e = container_of(w, struct ear, watch);
    char c;

    assert_true(events & POLLER_READ);
    e->calls++;
    assert_int_equal(read(w->fd, &c, 1), 1);
    if (e->stops)
        watch_stop(e->f->loop, &e->stops->watch);
    if (e->moves_to)
        assert_int_equal(watch_move(e->f->loop, &e->moves_to->watch, &e->from->watch, POLLER_READ),
                         WSP_OK);
}

static void ear_init(struct ear *e, struct fixture *f)
{
    *e = (struct ear){.f = f, .watch = {.fd = -1, .on_event = on_ear}};
}

/* Two descriptors ready in the same batch: whoever is first stops the other. */
static void test_stop_what_is_fetched(void **state)
{
    struct fixture *f = *state;
    struct ear ears[2];
    int a[2], b[2];

    unix_pair(a);
    unix_pair(b);
    ear_init(&ears[0], f);
    ear_init(&ears[1], f);
    ears[0].stops = &ears[1];
    ears[1].stops = &ears[0];
    assert_int_equal(watch_start(f->loop, &ears[0].watch, a[0], POLLER_READ), WSP_OK);
    assert_int_equal(watch_start(f->loop, &ears[1].watch, b[0], POLLER_READ), WSP_OK);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "x", 1), 1);
    turn_until_idle(f->loop);
    assert_int_equal(ears[0].calls + ears[1].calls, 1);
    assert_int_equal(ears[0].watch.fd == -1, ears[0].calls == 0);
    for (size_t i = 0; i < 2; i++) {
        watch_stop(f->loop, &ears[i].watch);
        watch_stop(f->loop, &ears[i].watch);
        close(a[i]);
        close(b[i]);
    }
}

/* The first of two ready descriptors moves the second: its event, already fetched, goes along. */
static void test_move_what_is_fetched(void **state)
{
    struct fixture *f = *state;
    struct ear first, second, heir;
    int a[2], b[2];

    unix_pair(a);
    unix_pair(b);
    ear_init(&first, f);
    ear_init(&second, f);
    ear_init(&heir, f);
    first.from = &second;
    first.moves_to = &heir;
    assert_int_equal(watch_start(f->loop, &first.watch, a[0], POLLER_READ), WSP_OK);
    assert_int_equal(watch_start(f->loop, &second.watch, b[0], POLLER_READ), WSP_OK);
    assert_int_equal(write(a[1], "x", 1), 1);
    assert_int_equal(write(b[1], "xy", 2), 2);
    wsp_loop_turn(f->loop);
    assert_int_equal(first.calls, 1);
    assert_int_equal(second.calls, 0);
    assert_in_range(heir.calls, 1, 2);
    assert_int_equal(second.watch.fd, -1);
    assert_int_equal(heir.watch.fd, b[0]);
    watch_stop(f->loop, &first.watch);
    watch_stop(f->loop, &heir.watch);
    for (size_t i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

static void *wake_from_thread(void *loop)
{
    wsp_loop_wake(loop);
    return NULL;
}

static void test_wake(void **state)
{
    struct fixture *f = *state;
    struct pollfd pfd = {wsp_loop_fd(f->loop), POLLIN, 0};
    pthread_t thread;

    assert_false(loop_is_ready(f->loop));
    assert_int_equal(pthread_create(&thread, NULL, wake_from_thread, f->loop), 0);
    assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
    pthread_join(thread, NULL);
    wsp_loop_turn(f->loop);
    assert_false(loop_is_ready(f->loop));
}

struct orphan {
    struct loop_owned owned;
    struct wsp_loop *loop;
    unsigned ended;
};

static void on_orphan_end(struct loop_owned *o)
{
    struct orphan *orphan = container_of(o, struct orphan, owned);

    loop_disown(orphan->loop, o);
    orphan->ended++;
}

static void test_owned(void **state)
{
    struct wsp_loop *loop = wsp_loop_new();
    struct orphan a = {.owned.end = on_orphan_end, .loop = loop}, b = a, c = a;

    (void)state;
    assert_non_null(loop);
    loop_own(loop, &a.owned);
    loop_own(loop, &b.owned);
    loop_own(loop, &c.owned);
    assert_int_equal(loop_owned_count(loop), 3);
    loop_disown(loop, &b.owned);
    assert_int_equal(loop_owned_count(loop), 2);
    wsp_loop_free(loop);
    assert_int_equal(a.ended, 1);
    assert_int_equal(b.ended, 0);
    assert_int_equal(c.ended, 1);
    wsp_loop_free(NULL);
}

static void test_random_bytes(void **state)
{
    uint8_t a[32] = {0}, b[32] = {0};

    (void)state;
    loop_random(a, sizeof(a));
    loop_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_timers_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_cleared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timer_due_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tasks, setup, teardown),
        cmocka_unit_test_setup_teardown(test_task_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stop_what_is_fetched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_move_what_is_fetched, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake, setup, teardown),
        cmocka_unit_test(test_owned),
        cmocka_unit_test(test_random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
