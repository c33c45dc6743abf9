#include "proto/forwarded_for.h"

#include "proto/http1.h"

bool forwarded_for_cut(struct slice *list, struct slice *entry)
{
    const uint8_t *comma = list->len ? memrchr(list->p, ',', list->len) : NULL;
    size_t before = comma ? (size_t)(comma - list->p) : 0;

    *entry = *list;
    if (comma)
        slice_advance(entry, before + 1);
    *entry = slice_trim(*entry);
    list->len = before;
    return comma != NULL;
}

bool forwarded_for_parse(struct slice entry, struct ip_port *out)
{
    struct ip_port got = {.port = 0};
    struct slice host;
    int port;

    if (!ip_addr_parse(entry, &got.ip)) {
        if (http1_authority_parse(entry, &host, &port) != WSP_OK || !ip_addr_parse(host, &got.ip))
            return false;
        got.port = port < 0 ? 0 : (uint16_t)port;
    }
    *out = got;
    return true;
}
