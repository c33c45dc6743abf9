/* The one error enum of the library. */
#ifndef WSP_ERR_H
#define WSP_ERR_H

#include <wsp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Negative values above -100 are the input's or the peer's fault, values from -100 down are ours.
 * A function that can fail says in its docstring which of these it returns.
 */
enum wsp_err {
    WSP_OK = 0,
    WSP_ERR_MORE = -1,      /* need more input, or not yet: nothing was consumed */
    WSP_ERR_MALFORMED = -2, /* the peer's fault: close this peer */
    WSP_ERR_LIMIT = -3,     /* well formed, but above a configured cap */
    WSP_ERR_REFUSED = -4,   /* well formed, but not allowed or not available */
    WSP_ERR_LOST = -5,      /* cut off: the link, or the far side, broke */
    WSP_ERR_NOMEM = -100,   /* out of memory */
    WSP_ERR_SYSTEM = -101,  /* a system call failed: errno tells which way */
    WSP_ERR_CONFIG = -102,  /* the configuration is unusable: the error text tells why */
    WSP_ERR_USAGE = -103,   /* the caller's fault: an argument, or a call at the wrong time */
};

/* Bytes of the longest error text with its NUL: where a function takes `char error[WSP_ERROR_MAX]`,
 * it is set to one line on failure and untouched otherwise. NULL is allowed: no text then. */
#define WSP_ERROR_MAX 512

/* A short English name of `err`, never NULL; static storage. */
WSP_API const char *wsp_strerror(enum wsp_err err);

#ifdef __cplusplus
}
#endif
#endif
