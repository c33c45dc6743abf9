#include "config/json_locate.h"

#define DEPTH_MAX 1000 /* cJSON's own limit */

/* One walk over the text, ended by the wanted value or by the first fault. */
struct walk {
    const uint8_t *start;
    struct slice in; /* what is left */
    size_t seen;     /* values started so far */
    size_t wanted;
    unsigned depth;
    struct json_place place;
    const char *expected; /* set at a fault */
};

static size_t offset_of(const struct walk *w)
{
    return (size_t)(w->in.p - w->start);
}

static bool at(const struct walk *w, char c)
{
    return w->in.len > 0 && w->in.p[0] == (uint8_t)c;
}

static bool fault(struct walk *w, const char *expected)
{
    bool comment = at(w, '/') || at(w, '#');

    w->expected = comment ? "comments are not part of JSON" : expected;
    return false;
}

/* As lenient as cJSON: every control byte is space. */
static void skip_space(struct walk *w)
{
    while (w->in.len > 0 && w->in.p[0] <= ' ')
        slice_advance(&w->in, 1);
}

static bool walk_string(struct walk *w)
{
    struct slice s = w->in;

    slice_advance(&s, 1);
    while (s.len > 0 && s.p[0] != '"') {
        if (s.p[0] != '\\') {
            slice_advance(&s, 1);
            continue;
        }
        if (s.len < 2)
            break;
        if (!strchr("\"\\/bfnrtu", s.p[1])) {
            w->in = s;
            return fault(w, "expected \\\", \\\\, \\/, \\b, \\f, \\n, \\r, \\t or \\u");
        }
        slice_advance(&s, 2);
    }
    if (s.len == 0 || s.p[0] != '"')
        return fault(w, "this string has no closing quote");
    slice_advance(&s, 1);
    w->in = s;
    return true;
}

static bool is_number_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.' || c == 'e' || c == 'E';
}

static bool walk_scalar(struct walk *w)
{
    static const char *const literals[] = {"true", "false", "null"};

    for (size_t i = 0; i < sizeof(literals) / sizeof(*literals); i++) {
        size_t n = strlen(literals[i]);
        if (w->in.len >= n && memcmp(w->in.p, literals[i], n) == 0) {
            slice_advance(&w->in, n);
            return true;
        }
    }
    if (w->in.len == 0 || !is_number_byte(w->in.p[0]))
        return fault(w, "expected a value");
    while (w->in.len > 0 && is_number_byte(w->in.p[0]))
        slice_advance(&w->in, 1);
    return true;
}

static bool walk_value(struct walk *w, const size_t *key);

static bool walk_member(struct walk *w, bool first)
{
    size_t key;

    skip_space(w);
    if (!at(w, '"'))
        return fault(w, at(w, '}') && !first
                            ? "expected a key; is there a comma too many before it?"
                            : "expected a key in double quotes");
    key = offset_of(w);
    if (!walk_string(w))
        return false;
    skip_space(w);
    if (!at(w, ':'))
        return fault(w, "expected ':' after the key");
    slice_advance(&w->in, 1);
    return walk_value(w, &key);
}

static bool walk_element(struct walk *w, bool first)
{
    skip_space(w);
    if (at(w, ']') && !first)
        return fault(w, "expected a value; is there a comma too many before it?");
    return walk_value(w, NULL);
}

/* An object or array, from its opening bracket to behind its closing one. */
static bool walk_container(struct walk *w, char close)
{
    bool first = true;

    slice_advance(&w->in, 1);
    skip_space(w);
    while (!at(w, close) || !first) {
        if (!(close == '}' ? walk_member(w, first) : walk_element(w, first)))
            return false;
        first = false;
        skip_space(w);
        if (at(w, close))
            break;
        if (!at(w, ','))
            return fault(w, close == '}' ? "expected ',' or '}'" : "expected ',' or ']'");
        slice_advance(&w->in, 1);
    }
    slice_advance(&w->in, 1);
    return true;
}

static bool walk_value(struct walk *w, const size_t *key)
{
    bool ok;

    skip_space(w);
    if (w->seen == w->wanted) {
        w->place.value = offset_of(w);
        w->place.key = key ? *key : w->place.value;
        return false;
    }
    w->seen++;
    if (at(w, '"'))
        return walk_string(w);
    if (!at(w, '{') && !at(w, '['))
        return walk_scalar(w);
    if (w->depth == DEPTH_MAX)
        return fault(w, "nested too deeply");
    w->depth++;
    ok = walk_container(w, at(w, '{') ? '}' : ']');
    w->depth--;
    return ok;
}

struct json_place json_locate(struct slice text, size_t before)
{
    struct walk w = {.start = text.p, .in = text, .wanted = before};

    walk_value(&w, NULL);
    return w.place;
}

const char *json_explain(struct slice text, size_t *offset)
{
    struct walk w = {.start = text.p, .in = text, .wanted = SIZE_MAX};

    if (walk_value(&w, NULL)) {
        skip_space(&w);
        if (w.in.len > 0)
            fault(&w, "expected nothing more after the end of the JSON value");
    }
    *offset = offset_of(&w);
    return w.expected;
}

void json_line_column(struct slice text, size_t offset, unsigned *line, unsigned *column)
{
    *line = *column = 1;
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.p[i] == '\n') {
            ++*line;
            *column = 1;
        } else if ((text.p[i] & 0xc0) != 0x80) {
            ++*column;
        }
    }
}
