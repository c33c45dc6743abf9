/* HTTP heads and bodies: a body taken in two pieces ends where it ends in one. */
#include <assert.h>
#include <stdlib.h>

#include "proto/http1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void scan(struct http1_body body, struct slice in)
{
    struct http1_body split = body;
    size_t used = 0, first = 0, second = 0, cut = in.len / 2;
    enum wsp_err whole = http1_body_scan(&body, in, &used), part;

    part = http1_body_scan(&split, slice_of(in.p, cut), &first);
    if (part == WSP_ERR_MORE)
        part = http1_body_scan(&split, slice_of(in.p + cut, in.len - cut), &second);
    assert(whole == part);
    assert(whole == WSP_ERR_MALFORMED || used == first + second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http1_head *head = malloc(sizeof(*head));
    struct slice in = slice_of(data, size), host, scheme, path;
    struct http1_body body;
    int port;

    if (!head)
        return 0;
    if (http1_request_parse(&in, head) == WSP_OK) {
        assert(in.p >= data && in.p + in.len == data + size);
        for (size_t i = 0; i < head->count; i++)
            http1_is_hop_by_hop(head, &head->header[i]);
        http1_absolute_split(head->target, &scheme, &host, &path);
        http1_authority_parse(head->target, &host, &port);
        http1_has_dot_segment(head->target);
        if (http1_request_body(head, &body) == WSP_OK)
            scan(body, in);
    }
    in = slice_of(data, size);
    if (http1_response_parse(&in, head) == WSP_OK &&
        http1_response_body(head, slice_str("GET"), &body) == WSP_OK)
        scan(body, in);
    free(head);
    return 0;
}
