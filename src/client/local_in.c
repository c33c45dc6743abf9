#include "client/local_in.h"

#include "client/tunnel.h"

void local_in_accept(struct proxy_listener *p, int fd)
{
    struct tunnel_start start = {.listener = p, .fd = fd};

    tunnel_open(&start);
}
