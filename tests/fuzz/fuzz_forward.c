/* Forward URLs: what is written parses to the same text; no password in an error text. */
#include <assert.h>
#include <string.h>

#include "proto/forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct forward f, g;
    char error[256], out[FORWARD_URL_MAX], again[FORWARD_URL_MAX];
    size_t len, len2;

    if (forward_parse(slice_of(data, size), &f, error, sizeof(error)) != WSP_OK) {
        assert(memchr(error, '\0', sizeof(error)));
        return 0;
    }
    forward_redact(&f, error, sizeof(error));
    forward_open_name(&f, out, sizeof(out), &len);
    forward_query_ok(f.query);
    if (forward_write(&f, out, sizeof(out), &len) != WSP_OK)
        return 0;
    if (forward_parse(slice_of(out, len), &g, error, sizeof(error)) != WSP_OK)
        return 0; /* a zone with bytes outside ASCII, as in Go */
    assert(forward_write(&g, again, sizeof(again), &len2) == WSP_OK);
    assert(len == len2 && memcmp(out, again, len) == 0);
    return 0;
}
