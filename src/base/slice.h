/* A borrowed run of bytes, not NUL-terminated. */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p; /* borrowed; may be NULL when len is 0 */
    size_t len;
};

/* Prints a slice with "%.*s"; for text known to hold no control bytes. */
#define SLICE_FMT(s) (int)(s).len, (const char *)(s).p

static inline struct slice slice_of(const void *p, size_t len)
{
    return (struct slice){p, len};
}

static inline struct slice slice_str(const char *s)
{
    return (struct slice){(const uint8_t *)s, strlen(s)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool slice_eq_str(struct slice a, const char *s)
{
    return slice_eq(a, slice_str(s));
}

/* Removes the first n bytes; n must not exceed s->len. */
static inline void slice_advance(struct slice *s, size_t n)
{
    s->p += n;
    s->len -= n;
}

/* Equal but for the case of ASCII letters. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* Without leading and trailing spaces and tabs. */
struct slice slice_trim(struct slice s);

/* Any byte below 0x20, or 0x7f. */
bool slice_has_control(struct slice s);

/* Decimal digits only, at least one; false on anything else or on overflow, `out` then untouched.
 */
bool slice_to_u64(struct slice s, uint64_t *out);

/* Takes the same time whatever the contents: for secrets. The lengths are not hidden. */
bool slice_eq_secret(struct slice a, struct slice b);

/* Bytes of the UTF-8 character that `s` begins with; 0 when it begins with none. */
size_t slice_utf8_len(struct slice s);

/* True when `s` is valid UTF-8 (RFC 3629: shortest form, no surrogates, up to U+10FFFF). */
bool slice_is_utf8(struct slice s);

#endif
