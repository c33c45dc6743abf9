/*
 * A request that a server standing in front does not want: what the program's fallback handler
 * gets. It is valid until the handler returns. The handler calls wsp_request_respond or
 * wsp_request_detach, once.
 */
#ifndef WSP_REQUEST_H
#define WSP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <wsp/connection.h>
#include <wsp/err.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Parts of it as they were received; borrowed from the request. The header is the first of that
 * name, in any case, NULL when there is none; the peer is as in struct wsp_connection. */
WSP_API const char *wsp_request_method(const struct wsp_request *request);
WSP_API const char *wsp_request_target(const struct wsp_request *request);
WSP_API const char *wsp_request_header(const struct wsp_request *request, const char *name);
WSP_API const char *wsp_request_peer(const struct wsp_request *request);
WSP_API bool wsp_request_is_secure(const struct wsp_request *request);

/* A response. Zero-initialise. Content-Length and Date, and Connection where it is needed, are
 * added; header fields of these names, Transfer-Encoding and Upgrade must not be among `header`. */
struct wsp_response {
    unsigned status;                 /* 200 to 599 */
    const struct wsp_header *header; /* copied, as is the body */
    size_t header_count;
    const void *body; /* left out for HEAD, 204 and 304 */
    size_t body_len;
};

/* Answers it. The connection goes on, unless the request has a body: that is not read. WSP_OK,
 * WSP_ERR_USAGE (answered already, or not to be sent so) or WSP_ERR_NOMEM. */
WSP_API enum wsp_err wsp_request_respond(struct wsp_request *request,
                                         const struct wsp_response *response);

/* A connection that is the program's now. */
struct wsp_detached {
    int fd;     /* non-blocking; owned by the caller */
    char *data; /* the request as it was received, and what was read behind it: as if it were still
                 * to be read from `fd`; free() it */
    size_t len;
};

/*
 * Takes the connection: the program's web server reads `data`, then `fd`. Only this request is its:
 * so that the next one comes to wsp first, "close" is put in front of what its Connection fields
 * say. Of a connection with TLS, or one with callbacks, `fd` is a socket pair behind which the
 * library goes on, and it counts in limits.connections until it ends; a plain one does not. WSP_OK,
 * WSP_ERR_USAGE (answered already), WSP_ERR_SYSTEM or WSP_ERR_NOMEM: then it can still be answered.
 */
WSP_API enum wsp_err wsp_request_detach(struct wsp_request *request, struct wsp_detached *out);

#ifdef __cplusplus
}
#endif
#endif
