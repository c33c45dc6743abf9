#include "base/json_out.h"

#include <inttypes.h>
#include <stdio.h>

static void put(struct json_out *j, const void *p, size_t n)
{
    if (!j->failed && buf_append(&j->text, p, n) != WSP_OK)
        j->failed = true;
}

static void put_str(struct json_out *j, const char *s)
{
    put(j, s, strlen(s));
}

/* What stands in front of a value. */
static void begin(struct json_out *j, const char *key)
{
    if (j->comma)
        put_str(j, ",");
    j->comma = true;
    if (!key)
        return;
    put_str(j, "\"");
    put_str(j, key);
    put_str(j, "\":");
}

/* Quotation marks, backslashes and control characters: those from U+0080 to U+009F need not be
 * escaped (RFC 8259 section 7), but terminals obey them. */
static bool is_special(const uint8_t *p, size_t n)
{
    if (n == 2)
        return p[0] == 0xc2 && p[1] < 0xa0;
    return n == 1 && (*p < ' ' || *p == 0x7f || *p == '"' || *p == '\\');
}

/* Bytes at the front of `s` that can stand in a string as they are. */
static size_t plain_len(struct slice s)
{
    size_t len = 0;

    while (len < s.len) {
        size_t n = slice_utf8_len(slice_of(s.p + len, s.len - len));

        if (n == 0 || is_special(s.p + len, n))
            break;
        len += n;
    }
    return len;
}

/* Puts the first character, which is special or none at all, in another form; returns its bytes. */
static size_t put_special(struct json_out *j, struct slice s)
{
    size_t n = slice_utf8_len(s);
    char out[8] = "\xef\xbf\xbd";

    if (s.p[0] == '"' || s.p[0] == '\\')
        snprintf(out, sizeof(out), "\\%c", s.p[0]);
    else if (n)
        snprintf(out, sizeof(out), "\\u%04x", s.p[n - 1]);
    put_str(j, out);
    return n ? n : 1;
}

void json_out_string(struct json_out *j, const char *key, struct slice value)
{
    begin(j, key);
    put_str(j, "\"");
    while (value.len) {
        size_t n = plain_len(value);

        put(j, value.p, n);
        slice_advance(&value, n);
        if (value.len)
            slice_advance(&value, put_special(j, value));
    }
    put_str(j, "\"");
}

void json_out_text(struct json_out *j, const char *key, const char *value)
{
    if (value)
        json_out_string(j, key, slice_str(value));
    else
        json_out_null(j, key);
}

static void open_with(struct json_out *j, const char *key, const char *bracket)
{
    begin(j, key);
    put_str(j, bracket);
    j->comma = false;
}

static void close_with(struct json_out *j, const char *bracket)
{
    put_str(j, bracket);
    j->comma = true;
}

void json_out_object(struct json_out *j, const char *key)
{
    open_with(j, key, "{");
}

void json_out_array(struct json_out *j, const char *key)
{
    open_with(j, key, "[");
}

void json_out_end_object(struct json_out *j)
{
    close_with(j, "}");
}

void json_out_end_array(struct json_out *j)
{
    close_with(j, "]");
}

void json_out_uint(struct json_out *j, const char *key, uint64_t value)
{
    char out[24];

    begin(j, key);
    snprintf(out, sizeof(out), "%" PRIu64, value);
    put_str(j, out);
}

void json_out_bool(struct json_out *j, const char *key, bool value)
{
    begin(j, key);
    put_str(j, value ? "true" : "false");
}

void json_out_null(struct json_out *j, const char *key)
{
    begin(j, key);
    put_str(j, "null");
}

/* Not by printf of a double: its decimal point is the locale's. */
static void put_thousandths(struct json_out *j, const char *key, uint64_t value)
{
    char out[32];

    begin(j, key);
    snprintf(out, sizeof(out), "%" PRIu64 ".%03u", value / 1000, (unsigned)(value % 1000));
    put_str(j, out);
}

void json_out_seconds(struct json_out *j, const char *key, uint64_t us)
{
    put_thousandths(j, key, us / 1000);
}

void json_out_millis(struct json_out *j, const char *key, uint64_t us)
{
    put_thousandths(j, key, us);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice trim_blanks(struct slice s)
{
    while (s.len && is_blank(s.p[s.len - 1]))
        s.len--;
    while (s.len && is_blank(*s.p))
        slice_advance(&s, 1);
    return s;
}

void json_out_members(struct json_out *j, struct slice object)
{
    object = trim_blanks(object);
    if (object.len < 2 || object.p[0] != '{' || object.p[object.len - 1] != '}')
        return;
    object = trim_blanks(slice_of(object.p + 1, object.len - 2));
    if (object.len == 0)
        return;
    begin(j, NULL);
    put(j, object.p, object.len);
}

char *json_out_take(struct json_out *j)
{
    char *text = NULL;

    if (!j->failed && buf_append(&j->text, "", 1) == WSP_OK)
        text = (char *)j->text.mem;
    else
        buf_fini(&j->text);
    *j = (struct json_out){.failed = false};
    return text;
}
