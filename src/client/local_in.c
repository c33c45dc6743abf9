#include "client/local_in.h"

#include "client/proxy_listener.h"
#include "client/tunnel.h"

void local_in_accept(struct proxy_listener *p, int fd)
{
    struct tunnel_start start = {.session = p->session,
                                 .owner = &p->owner,
                                 .to = proxy_listener_target(p, NULL, slice_of(NULL, 0), 0),
                                 .fd = fd};

    tunnel_open(&start);
}
