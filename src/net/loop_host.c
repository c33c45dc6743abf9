#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "net/loop_parts.h"

void wsp_loop_free(struct wsp_loop *loop)
{
    if (!loop || loop->abandoned)
        return;
    loop->abandoned = true;
    if (!loop->in_turn)
        loop_run_endings(loop);
    loop_unref(loop);
}

void wsp_loop_set_log(struct wsp_loop *loop, enum wsp_log_level level, wsp_log_write *write,
                      void *ctx)
{
    if (loop)
        loop->log = (struct log){.level = level, .write = write, .ctx = ctx};
}

int wsp_loop_fd(const struct wsp_loop *loop)
{
    return loop ? loop->poller.fd : -1;
}

static bool is_readable(const struct wsp_loop *loop, int timeout_ms)
{
    struct pollfd p = {.fd = loop->poller.fd, .events = POLLIN};

    return poll(&p, 1, timeout_ms) > 0;
}

int wsp_loop_timeout_ms(struct wsp_loop *loop)
{
    uint64_t now, due, ms;

    if (!loop || loop->abandoned)
        return -1;
    if (is_readable(loop, 0))
        return 0;
    if (loop->heap.count == 0)
        return -1;
    now = loop_clock_us();
    due = loop->heap.item[0]->due_us;
    ms = due > now ? (due - now + 999) / 1000 : 0;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

enum wsp_err wsp_loop_wait(struct wsp_loop *loop, int timeout_ms)
{
    if (!loop || loop->in_turn || loop->abandoned)
        return WSP_ERR_USAGE;
    if (!is_readable(loop, timeout_ms))
        return WSP_ERR_MORE;
    wsp_loop_turn(loop);
    return WSP_OK;
}

enum wsp_err wsp_loop_run(struct wsp_loop *loop)
{
    if (!loop || loop->in_turn || loop->abandoned)
        return WSP_ERR_USAGE;
    loop_ref(loop);
    while (!loop->abandoned && !atomic_exchange(&loop->stopped, false))
        wsp_loop_wait(loop, -1);
    loop_unref(loop);
    return WSP_OK;
}

void wsp_loop_stop(struct wsp_loop *loop)
{
    if (!loop)
        return;
    atomic_store(&loop->stopped, true);
    wsp_loop_wake(loop);
}

void wsp_loop_wake(struct wsp_loop *loop)
{
    uint64_t one = 1;
    ssize_t n;

    if (!loop)
        return;
    do
        n = write(loop->wake_fd, &one, sizeof(one));
    while (n < 0 && errno == EINTR);
}

void wsp_loop_on_freed(struct wsp_loop *loop, void (*give_back)(void))
{
    if (loop)
        loop->give_back = give_back;
}
