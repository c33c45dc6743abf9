#include "net/poller.h"

#include <sys/epoll.h>
#include <unistd.h>

enum { POLL_MAX = 256 };

enum wsp_err poller_init(struct poller *p)
{
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    return p->fd < 0 ? WSP_ERR_SYSTEM : WSP_OK;
}

void poller_fini(struct poller *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

static enum wsp_err control(struct poller *p, int op, int fd, unsigned interest, void *data)
{
    struct epoll_event ev = {.events = EPOLLRDHUP, .data.ptr = data};

    if (interest & POLLER_READ)
        ev.events |= EPOLLIN;
    if (interest & POLLER_WRITE)
        ev.events |= EPOLLOUT;
    if (!(interest & POLLER_LEVEL))
        ev.events |= EPOLLET;
    return epoll_ctl(p->fd, op, fd, &ev) < 0 ? WSP_ERR_SYSTEM : WSP_OK;
}

enum wsp_err poller_add(struct poller *p, int fd, unsigned interest, void *data)
{
    return control(p, EPOLL_CTL_ADD, fd, interest, data);
}

enum wsp_err poller_modify(struct poller *p, int fd, unsigned interest, void *data)
{
    return control(p, EPOLL_CTL_MOD, fd, interest, data);
}

void poller_remove(struct poller *p, int fd)
{
    epoll_ctl(p->fd, EPOLL_CTL_DEL, fd, NULL);
}

size_t poller_poll(struct poller *p, struct poller_ready *ready, size_t max)
{
    struct epoll_event ev[POLL_MAX];
    int n = epoll_wait(p->fd, ev, (int)(max < POLL_MAX ? max : POLL_MAX), 0);

    for (int i = 0; i < n; i++) {
        unsigned events = 0;

        if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            events |= POLLER_READ;
        if (ev[i].events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
            events |= POLLER_WRITE;
        if (ev[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
            events |= POLLER_HANGUP;
        if (ev[i].events & (EPOLLHUP | EPOLLERR))
            events |= POLLER_BROKEN;
        ready[i] = (struct poller_ready){ev[i].data.ptr, events};
    }
    return n < 0 ? 0 : (size_t)n;
}
