/* Messages of the link: what is parsed is written again, and parsed to the same. */
#include <assert.h>
#include <string.h>

#include "proto/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = slice_of(data, size), id;
    struct msg m;
    struct msg_request request, again;
    struct msg_response response;
    uint8_t out[4096];
    size_t head, len;

    if (msg_transfer_peek(in, size, &id, &head) == WSP_OK && slice_is_utf8(id)) {
        assert(msg_parse(in, &m) == WSP_OK);
        assert(m.cmd == MSG_TRANSFER && slice_eq(m.id, id) && m.data.p == data + head);
    }
    msg_parse(in, &m);
    msg_response_parse(in, &response);
    if (msg_request_parse(in, &request) != WSP_OK)
        return 0;
    request.raw.len = 0;
    if (msg_request_write(&request, out, sizeof(out), &len) == WSP_OK) {
        assert(msg_request_parse(slice_of(out, len), &again) == WSP_OK);
        assert(again.type == request.type && slice_eq(again.url, request.url));
    }
    return 0;
}
