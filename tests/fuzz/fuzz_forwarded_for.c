/* X-Forwarded-For: every entry lies in the list, and their number is that of the commas. */
#include <assert.h>

#include "proto/forwarded_for.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice list = slice_of(data, size), entry;
    size_t commas = 0, entries = 1;
    struct ip_port at;

    for (size_t i = 0; i < size; i++)
        commas += data[i] == ',';
    while (forwarded_for_cut(&list, &entry)) {
        assert(entry.p >= data && entry.p + entry.len <= data + size);
        forwarded_for_parse(entry, &at);
        entries++;
    }
    forwarded_for_parse(entry, &at);
    assert(entries == commas + 1);
    return 0;
}
