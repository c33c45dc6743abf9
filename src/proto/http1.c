#include "proto/http1.h"

#include "proto/http1_chars.h"

const uint8_t http1_tchar[256] = {
    ['0' ... '9'] = 1, ['A' ... 'Z'] = 1, ['a' ... 'z'] = 1, ['!'] = 1, ['#'] = 1, ['$'] = 1,
    ['%'] = 1,         ['&'] = 1,         ['\''] = 1,        ['*'] = 1, ['+'] = 1, ['-'] = 1,
    ['.'] = 1,         ['^'] = 1,         ['_'] = 1,         ['`'] = 1, ['|'] = 1, ['~'] = 1,
};

/* The next two loops don't stop early, so that the compiler can vectorise them. */

static bool is_text(struct slice s)
{
    uint8_t bad = 0;

    for (size_t i = 0; i < s.len; i++)
        bad = (uint8_t)(bad | !http1_is_text(s.p[i]));
    return !bad;
}

static bool is_visible(struct slice s)
{
    uint8_t bad = 0;

    for (size_t i = 0; i < s.len; i++)
        bad = (uint8_t)(bad | ((uint8_t)(s.p[i] - 0x21) > 0x7e - 0x21));
    return !bad;
}

/* Takes what stands before the first `end`, and the `end` itself; false when there is none. */
static bool take_until(struct slice *in, char end, struct slice *out)
{
    const uint8_t *at = in->len ? memchr(in->p, end, in->len) : NULL;

    if (!at)
        return false;
    *out = slice_of(in->p, (size_t)(at - in->p));
    slice_advance(in, out->len + 1);
    return true;
}

/* Takes a line; `line` is without its CRLF. A CR elsewhere in it is left to the caller to find. */
static enum wsp_err take_line(struct slice *in, struct slice *line)
{
    if (!take_until(in, '\n', line))
        return WSP_ERR_MORE;
    if (line->len == 0 || line->p[line->len - 1] != '\r')
        return WSP_ERR_MALFORMED;
    line->len--;
    return WSP_OK;
}

/* RFC 9112 section 2.3; the name is case-sensitive. */
static bool parse_version(struct slice s, unsigned *minor)
{
    if (s.len != 8 || memcmp(s.p, "HTTP/1.", 7) != 0)
        return false;
    if (s.p[7] != '0' && s.p[7] != '1')
        return false;
    *minor = s.p[7] - (unsigned)'0';
    return true;
}

/* RFC 9112 section 3. */
static bool parse_request_line(struct slice line, struct http1_head *head)
{
    head->status = 0;
    head->reason = slice_of(NULL, 0);
    return take_until(&line, ' ', &head->method) && http1_is_token(head->method) &&
           take_until(&line, ' ', &head->target) && head->target.len > 0 &&
           is_visible(head->target) && parse_version(line, &head->minor);
}

/* RFC 9112 section 4. The space before an empty reason is missing from many servers' answers. */
static bool parse_status_line(struct slice line, struct http1_head *head)
{
    struct slice version;
    uint64_t status;

    head->method = head->target = slice_of(NULL, 0);
    if (!take_until(&line, ' ', &version) || !parse_version(version, &head->minor))
        return false;
    if (line.len < 3 || !slice_to_u64(slice_of(line.p, 3), &status) || status < 100)
        return false;
    head->status = (unsigned)status;
    slice_advance(&line, 3);
    if (line.len > 0) {
        if (line.p[0] != ' ')
            return false;
        slice_advance(&line, 1);
    }
    head->reason = line;
    return is_text(line);
}

/* RFC 9112 section 5. A token as name leaves no place for obs-fold or blanks at the colon. */
static bool parse_field(struct slice line, struct http1_header *h)
{
    struct slice value = line;

    h->line = line;
    if (!take_until(&value, ':', &h->name) || !http1_is_token(h->name) || !is_text(value))
        return false;
    h->value = slice_trim(value);
    return true;
}

static enum wsp_err parse_fields(struct slice *in, struct http1_head *head)
{
    struct slice line;

    head->count = 0;
    for (;;) {
        enum wsp_err err = take_line(in, &line);

        if (err)
            return err;
        if (line.len == 0)
            return WSP_OK;
        if (head->count == HTTP1_HEADERS_MAX)
            return WSP_ERR_LIMIT;
        if (!parse_field(line, &head->header[head->count]))
            return WSP_ERR_MALFORMED;
        head->count++;
    }
}

static enum wsp_err parse_request(struct slice *in, struct http1_head *head)
{
    struct slice line;

    do {
        enum wsp_err err = take_line(in, &line);

        if (err)
            return err;
    } while (line.len == 0);
    return parse_request_line(line, head) ? parse_fields(in, head) : WSP_ERR_MALFORMED;
}

static enum wsp_err parse_response(struct slice *in, struct http1_head *head)
{
    struct slice line;
    enum wsp_err err = take_line(in, &line);

    if (err)
        return err;
    return parse_status_line(line, head) ? parse_fields(in, head) : WSP_ERR_MALFORMED;
}

/* `parse` sees at most HTTP1_HEAD_MAX bytes; a head that does not end in those never will. */
static enum wsp_err parse_capped(struct slice *in, struct http1_head *head,
                                 enum wsp_err (*parse)(struct slice *, struct http1_head *))
{
    bool full = in->len >= HTTP1_HEAD_MAX;
    struct slice rest = slice_of(in->p, full ? HTTP1_HEAD_MAX : in->len);
    enum wsp_err err = parse(&rest, head);

    if (err == WSP_ERR_MORE && full)
        return WSP_ERR_LIMIT;
    if (err == WSP_OK)
        slice_advance(in, (size_t)(rest.p - in->p));
    return err;
}

enum wsp_err http1_request_parse(struct slice *in, struct http1_head *head)
{
    return parse_capped(in, head, parse_request);
}

enum wsp_err http1_response_parse(struct slice *in, struct http1_head *head)
{
    return parse_capped(in, head, parse_response);
}

bool http1_line_completed(struct slice in, size_t *scanned)
{
    bool found = in.len > *scanned && memchr(in.p + *scanned, '\n', in.len - *scanned) != NULL;

    *scanned = in.len;
    return found || in.len >= HTTP1_HEAD_MAX;
}
