#include "server/visitor.h"

#include "proto/forwarded_for.h"

bool visitor_is_proxy(const struct wsps_proxies *trusted, const struct address *peer)
{
    struct ip_port at;

    if (peer->sa.sa_family == AF_UNIX)
        return trusted->trusts_unix;
    return address_ip_port(peer, &at) && wsps_proxies_trust(trusted, &at.ip);
}

/* Goes through a list from its end. False once the visitor is found, or nothing left of here can
 * be believed. */
static bool go_back(const struct wsps_proxies *trusted, struct slice list, struct address *visitor)
{
    struct slice entry;
    struct ip_port at;
    bool more;

    do {
        more = forwarded_for_cut(&list, &entry);
        if (entry.len == 0) /* lists can have such, RFC 9110 section 5.6.1.2 */
            continue;
        if (!forwarded_for_parse(entry, &at))
            return false;
        *visitor = address_of_ip_port(&at);
        if (!wsps_proxies_trust(trusted, &at.ip))
            return false;
    } while (more);
    return true;
}

struct address visitor_of_request(const struct wsps_proxies *trusted, const struct address *peer,
                                  const struct http1_head *head)
{
    const struct http1_header *real_ip = http1_find(head, "X-Real-IP");
    struct address visitor = *peer;
    struct ip_port at;

    if (http1_find(head, "X-Forwarded-For")) {
        for (size_t i = head->count; i-- > 0;)
            if (slice_eq_nocase(head->header[i].name, slice_str("X-Forwarded-For")) &&
                !go_back(trusted, head->header[i].value, &visitor))
                break;
    } else if (http1_count(head, "X-Real-IP") == 1 && forwarded_for_parse(real_ip->value, &at)) {
        visitor = address_of_ip_port(&at);
    }
    return visitor;
}
