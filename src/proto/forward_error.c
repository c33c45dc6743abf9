/* The error texts: as Go's, but for the secrets. */
#include "proto/forward_text.h"

#include <stdio.h>

struct region {
    size_t from, to; /* offsets; from == to: nothing is hidden */
};

/* Code points below U+10000 that Go quotes as \u: the invisible and the private ones, roughly. */
static const struct {
    uint32_t from, to;
} unprintable[] = {
    {0x80, 0xa0},     {0xad, 0xad},     {0x61c, 0x61c},   {0x1680, 0x1680}, {0x180e, 0x180e},
    {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f}, {0x3000, 0x3000}, {0xe000, 0xf8ff},
    {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff},
};

static bool is_printable(uint32_t rune)
{
    for (size_t i = 0; i < sizeof(unprintable) / sizeof(unprintable[0]); i++)
        if (rune >= unprintable[i].from && rune <= unprintable[i].to)
            return false;
    return true;
}

/* Bytes of the UTF-8 character `s` starts with, which is not ASCII; 0 when it isn't UTF-8. */
static size_t rune_length(struct slice s)
{
    for (size_t n = 2; n <= 4 && n <= s.len; n++)
        if (slice_is_utf8(slice_of(s.p, n)))
            return n;
    return 0;
}

static uint32_t rune_value(struct slice s)
{
    uint32_t v = s.p[0] & (0x7fu >> s.len);

    for (size_t i = 1; i < s.len; i++)
        v = v << 6 | (s.p[i] & 0x3f);
    return v;
}

static void add_format(struct forward_text *t, const char *format, unsigned v)
{
    char text[16];

    snprintf(text, sizeof(text), format, v);
    forward_add_str(t, text);
}

static void add_ascii_quoted(struct forward_text *t, uint8_t c)
{
    static const char special[] = "\a\b\t\n\v\f\r\"\\";
    static const char letter[] = "abtnvfr\"\\";
    const char *at = c ? strchr(special, c) : NULL;

    if (at) {
        forward_put(t, '\\');
        forward_put(t, (uint8_t)letter[at - special]);
    } else if (c < 0x20 || c >= 0x7f) {
        add_format(t, "\\x%02x", c);
    } else {
        forward_put(t, c);
    }
}

/* As Go's %q, without the quotes around. */
static void add_quoted(struct forward_text *t, struct slice s)
{
    while (s.len) {
        size_t n = s.p[0] < 0x80 ? 0 : rune_length(s);
        struct slice rune = slice_of(s.p, n);

        if (n == 0)
            add_ascii_quoted(t, s.p[0]);
        else if (is_printable(rune_value(rune)))
            forward_add(t, rune);
        else
            add_format(t, "\\u%04x", rune_value(rune));
        slice_advance(&s, n ? n : 1);
    }
}

/* The first of `set` at `from` or behind, s.len without any. */
static size_t find(struct slice s, size_t from, const char *set)
{
    while (from < s.len && (s.p[from] == 0 || !strchr(set, s.p[from])))
        from++;
    return from;
}

/* Behind the last `c` of s[from, to), `from` without any. */
static size_t behind_last(struct slice s, size_t from, size_t to, uint8_t c)
{
    while (to > from && s.p[to - 1] != c)
        to--;
    return to;
}

/* Where the authority begins: behind "scheme://", right or wrong; else at the start. */
static size_t authority_start(struct slice url)
{
    size_t colon = find(url, 0, ":");

    return url.len - colon >= 3 && memcmp(url.p + colon, "://", 3) == 0 ? colon + 3 : 0;
}

/*
 * From the first ':' of the authority to the last '@', wherever: a password may hold '/', '?' or
 * '#' by mistake. Without '@' a port that is none may be the password of a forgotten host.
 */
static struct region secret_region(struct slice url)
{
    struct region none = {0, 0};
    size_t start = authority_start(url);
    size_t at = behind_last(url, start, url.len, '@');
    size_t end = find(url, start, "/?#");
    size_t colon;
    int port;

    if (at > start) {
        colon = find(url, start, ":");
        return colon + 1 < at ? (struct region){colon + 1, at - 1} : none;
    }
    if (start < end && url.p[start] == '[')
        start = behind_last(url, start, end, ']');
    colon = find(url, start, ":");
    if (colon >= end || url.p[start] == '[' ||
        forward_port(slice_of(url.p + colon, end - colon), &port))
        return none;
    return (struct region){colon + 1, url.len};
}

static void add_url(struct forward_text *t, struct slice url, struct region hide, size_t len)
{
    if (hide.from == hide.to || hide.from > len) {
        add_quoted(t, slice_of(url.p, len));
        return;
    }
    add_quoted(t, slice_of(url.p, hide.from));
    forward_add_str(t, "***");
    if (hide.to < len)
        add_quoted(t, slice_of(url.p + hide.to, len - hide.to));
}

static void add_token(struct forward_text *t, struct slice url, struct region hide,
                      struct slice token)
{
    size_t at = (size_t)(token.p - url.p);

    forward_put(t, '"');
    if (at < hide.to && at + token.len > hide.from)
        forward_add_str(t, "***");
    else
        add_quoted(t, token);
    forward_put(t, '"');
}

void forward_fault_write(struct slice url, const struct forward_fault *fault, char *out, size_t cap)
{
    struct region hide = secret_region(url);
    size_t len = fault->in_fragment ? url.len : find(url, 0, "#");
    struct forward_text t = {.p = out, .cap = cap ? cap - 1 : 0};

    if (cap == 0)
        return;
    forward_add_str(&t, "parse \"");
    add_url(&t, url, hide, len);
    forward_add_str(&t, "\": ");
    forward_add_str(&t, fault->prefix);
    if (fault->token.p) {
        add_token(&t, url, hide, fault->token);
        forward_add_str(&t, fault->suffix);
    }
    out[t.len] = '\0';
}
