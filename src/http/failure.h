/* Why an open failed, in the words of either proxy protocol. */
#ifndef HTTP_FAILURE_H
#define HTTP_FAILURE_H

#include "base/slice.h"
#include "proto/socks5.h"

enum failure {
    FAILURE_NONE,
    FAILURE_GENERAL,
    FAILURE_NO_LINK, /* to the server */
    FAILURE_REFUSED,
    FAILURE_NETWORK_UNREACHABLE,
    FAILURE_HOST_UNREACHABLE,
    FAILURE_NO_SUCH_HOST,
    FAILURE_TIMEOUT,
    FAILURE_NOT_ALLOWED,
};

/* From the error text of a RESPOND: what dialling says here and in the original. */
enum failure failure_of_text(struct slice text);

enum socks5_reply failure_socks5(enum failure f);
unsigned failure_http_status(enum failure f);
const char *failure_text(enum failure f);

#endif
