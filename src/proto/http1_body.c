/* Where a message's body ends: RFC 9112 sections 6 and 7. */
#include "proto/http1.h"
#include "proto/http1_chars.h"

#define LENGTH_MAX ((uint64_t)INT64_MAX)
#define SIZE_DIGITS_MAX 16
#define SIZE_LINE_MAX 4096
#define TRAILERS_MAX 16384

/*
 * What the next byte of a chunked body belongs to. BWS is the blanks that section 7.1.1 allows
 * before a ';'. Trailer fields are held to the same syntax as those of a head.
 */
enum chunk_state {
    CHUNK_SIZE,
    CHUNK_BWS,
    CHUNK_EXT,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER, /* at the start of a line */
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_LAST_LF,
    CHUNK_END,
    CHUNK_BAD,
};

/* The framing that the fields declare; `absent` is what none at all means. */
static enum wsp_err declared_body(const struct http1_head *head, enum http1_framing absent,
                                  struct http1_body *body)
{
    const struct http1_header *length = http1_find(head, "Content-Length");
    const struct http1_header *coding = http1_find(head, "Transfer-Encoding");

    *body = (struct http1_body){.framing = absent, .done = absent == HTTP1_NO_BODY};
    if (coding) {
        if (length || head->minor == 0 || http1_count(head, "Transfer-Encoding") != 1 ||
            !slice_eq_nocase(coding->value, slice_str("chunked")))
            return WSP_ERR_MALFORMED;
        *body = (struct http1_body){.framing = HTTP1_CHUNKED, .state = CHUNK_SIZE};
    } else if (length) {
        uint64_t n;

        if (http1_count(head, "Content-Length") != 1 || !slice_to_u64(length->value, &n) ||
            n > LENGTH_MAX)
            return WSP_ERR_MALFORMED;
        *body = (struct http1_body){.framing = HTTP1_LENGTH, .remaining = n, .done = n == 0};
    }
    return WSP_OK;
}

enum wsp_err http1_request_body(const struct http1_head *head, struct http1_body *body)
{
    return declared_body(head, HTTP1_NO_BODY, body);
}

/* Section 6.3, items 1 and 2: these have no body whatever their fields say. */
static bool is_bodiless(unsigned status, struct slice request_method)
{
    if (status < 200 || status == 204 || status == 304)
        return true;
    return slice_eq_str(request_method, "HEAD") ||
           (slice_eq_str(request_method, "CONNECT") && status < 300);
}

enum wsp_err http1_response_body(const struct http1_head *head, struct slice request_method,
                                 struct http1_body *body)
{
    enum wsp_err err = declared_body(head, HTTP1_UNTIL_CLOSE, body);

    if (err == WSP_OK && is_bodiless(head->status, request_method))
        *body = (struct http1_body){.framing = HTTP1_NO_BODY, .done = true};
    return err;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In CHUNK_SIZE every byte of the line so far was a digit, so line_bytes counts them. */
static enum chunk_state size_byte(struct http1_body *b, uint8_t c)
{
    int digit = hex_value(c);

    if (digit >= 0) {
        if (b->line_bytes == SIZE_DIGITS_MAX || b->remaining > LENGTH_MAX >> 4)
            return CHUNK_BAD;
        b->remaining = b->remaining << 4 | (uint64_t)digit;
        return CHUNK_SIZE;
    }
    if (b->line_bytes == 0)
        return CHUNK_BAD;
    switch (c) {
    case '\r':
        return CHUNK_SIZE_LF;
    case ';':
        return CHUNK_EXT;
    case ' ':
    case '\t':
        return CHUNK_BWS;
    default:
        return CHUNK_BAD;
    }
}

static enum chunk_state bws_byte(uint8_t c)
{
    if (c == ';')
        return CHUNK_EXT;
    return c == ' ' || c == '\t' ? CHUNK_BWS : CHUNK_BAD;
}

/* A text that runs to CRLF: stays in `same`, goes to `lf` after the CR. */
static enum chunk_state text_byte(uint8_t c, enum chunk_state same, enum chunk_state lf)
{
    if (c == '\r')
        return lf;
    return http1_is_text(c) ? same : CHUNK_BAD;
}

static enum chunk_state trailer_byte(uint8_t c)
{
    if (c == '\r')
        return CHUNK_LAST_LF;
    return http1_tchar[c] ? CHUNK_TRAILER_NAME : CHUNK_BAD;
}

static enum chunk_state trailer_name_byte(uint8_t c)
{
    if (c == ':')
        return CHUNK_TRAILER_VALUE;
    return http1_tchar[c] ? CHUNK_TRAILER_NAME : CHUNK_BAD;
}

static enum chunk_state expect(uint8_t c, uint8_t wanted, enum chunk_state next)
{
    return c == wanted ? next : CHUNK_BAD;
}

static enum chunk_state next_state(struct http1_body *b, uint8_t c)
{
    switch ((enum chunk_state)b->state) {
    case CHUNK_SIZE:
        return size_byte(b, c);
    case CHUNK_BWS:
        return bws_byte(c);
    case CHUNK_EXT:
        return text_byte(c, CHUNK_EXT, CHUNK_SIZE_LF);
    case CHUNK_SIZE_LF:
        return expect(c, '\n', b->remaining ? CHUNK_DATA : CHUNK_TRAILER);
    case CHUNK_DATA_CR:
        return expect(c, '\r', CHUNK_DATA_LF);
    case CHUNK_DATA_LF:
        return expect(c, '\n', CHUNK_SIZE);
    case CHUNK_TRAILER:
        return trailer_byte(c);
    case CHUNK_TRAILER_NAME:
        return trailer_name_byte(c);
    case CHUNK_TRAILER_VALUE:
        return text_byte(c, CHUNK_TRAILER_VALUE, CHUNK_TRAILER_LF);
    case CHUNK_TRAILER_LF:
        return expect(c, '\n', CHUNK_TRAILER);
    case CHUNK_LAST_LF:
        return expect(c, '\n', CHUNK_END);
    case CHUNK_DATA:
    case CHUNK_END:
    case CHUNK_BAD:
        break;
    }
    return CHUNK_BAD;
}

/* Counts a byte read in state `before` against its line's limit; line_bytes is 0 outside lines. */
static bool count_line(struct http1_body *b, enum chunk_state before)
{
    if (before == CHUNK_SIZE_LF || before == CHUNK_DATA_CR || before == CHUNK_DATA_LF) {
        b->line_bytes = 0;
        return true;
    }
    b->line_bytes++;
    return b->line_bytes <= (before >= CHUNK_TRAILER ? TRAILERS_MAX : SIZE_LINE_MAX);
}

static size_t skip_data(struct http1_body *b, size_t available)
{
    size_t n = b->remaining < available ? (size_t)b->remaining : available;

    b->remaining -= n;
    return n;
}

static enum wsp_err scan_chunked(struct http1_body *b, struct slice in, size_t *used)
{
    size_t i = 0;

    while (i < in.len && b->state != CHUNK_END) {
        enum chunk_state before = (enum chunk_state)b->state;

        if (before == CHUNK_DATA) {
            i += skip_data(b, in.len - i);
            if (b->remaining == 0)
                b->state = CHUNK_DATA_CR;
            continue;
        }
        b->state = (uint8_t)next_state(b, in.p[i]);
        if (b->state == CHUNK_BAD || !count_line(b, before))
            return WSP_ERR_MALFORMED;
        i++;
    }
    b->done = b->state == CHUNK_END;
    *used = i;
    return b->done ? WSP_OK : WSP_ERR_MORE;
}

static enum wsp_err scan_length(struct http1_body *b, struct slice in, size_t *used)
{
    *used = skip_data(b, in.len);
    b->done = b->remaining == 0;
    return b->done ? WSP_OK : WSP_ERR_MORE;
}

enum wsp_err http1_body_scan(struct http1_body *body, struct slice in, size_t *used)
{
    struct http1_body b = *body;
    enum wsp_err err = WSP_OK;

    *used = 0;
    switch (b.framing) {
    case HTTP1_NO_BODY:
        break;
    case HTTP1_LENGTH:
        err = scan_length(&b, in, used);
        break;
    case HTTP1_CHUNKED:
        err = scan_chunked(&b, in, used);
        break;
    case HTTP1_UNTIL_CLOSE:
        *used = in.len;
        err = WSP_ERR_MORE;
        break;
    }
    if (err != WSP_ERR_MALFORMED)
        *body = b;
    return err;
}
