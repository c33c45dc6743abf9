#include "api/response.h"

#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "api/head.h"
#include "proto/handshake.h"

/* IMF-fixdate (RFC 9110 section 5.6.7), in English whatever the program's locale is. */
static void write_date(char *out, size_t cap)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm t;

    gmtime_r(&now, &t);
    snprintf(out, cap, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[t.tm_wday], t.tm_mday,
             months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
}

/* What follows from the connection and the body is ours to say. */
static bool is_ours(const char *name)
{
    static const char *const names[] = {"Content-Length", "Date", "Connection", "Transfer-Encoding",
                                        "Upgrade"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

static bool is_usable(const struct wsp_response *r)
{
    if (r->status < 200 || r->status > 599 || (!r->body && r->body_len) ||
        (!r->header && r->header_count))
        return false;
    for (size_t i = 0; i < r->header_count; i++) {
        const struct wsp_header *h = &r->header[i];

        if (!h->name || !h->value || !head_field_ok(h) || is_ours(h->name))
            return false;
    }
    return true;
}

enum wsp_err response_write(const struct wsp_response *r, const struct http1_head *request,
                            bool keep, struct buf *out)
{
    bool bare = r->status == 204 || r->status == 304;
    char line[96], date[40];
    enum wsp_err err = WSP_OK;

    if (!is_usable(r))
        return WSP_ERR_USAGE;
    snprintf(line, sizeof(line), "HTTP/1.1 %u %s\r\n", r->status, handshake_reason(r->status));
    buf_add(out, slice_str(line), &err);
    write_date(date, sizeof(date));
    snprintf(line, sizeof(line), "Date: %s\r\n", date);
    buf_add(out, slice_str(line), &err);
    for (size_t i = 0; i < r->header_count; i++) {
        buf_add(out, slice_str(r->header[i].name), &err);
        buf_add(out, slice_str(": "), &err);
        buf_add(out, slice_str(r->header[i].value), &err);
        buf_add(out, slice_str("\r\n"), &err);
    }
    snprintf(line, sizeof(line), "Content-Length: %zu\r\n", r->body_len);
    buf_add(out, slice_str(bare ? "" : line), &err);
    buf_add(out, slice_str(keep ? "\r\n" : "Connection: close\r\n\r\n"), &err);
    if (!bare && !slice_eq_str(request->method, "HEAD"))
        buf_add(out, slice_of(r->body, r->body_len), &err);
    return err;
}
