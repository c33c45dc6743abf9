/* Texts of public values. They are not part of base, which the daemons have, too. */
#include "base/log.h"
#include "wsp/err.h"
#include "wsp/version.h"

const char *wsp_version(void)
{
    return WSP_VERSION;
}

const char *wsp_log_level_name(enum wsp_log_level level)
{
    return log_level_text(level);
}

const char *wsp_strerror(enum wsp_err err)
{
    switch (err) {
    case WSP_OK:
        return "ok";
    case WSP_ERR_MORE:
        return "need more input";
    case WSP_ERR_MALFORMED:
        return "malformed input";
    case WSP_ERR_LIMIT:
        return "over the limit";
    case WSP_ERR_REFUSED:
        return "refused";
    case WSP_ERR_LOST:
        return "cut off";
    case WSP_ERR_NOMEM:
        return "out of memory";
    case WSP_ERR_SYSTEM:
        return "system error";
    case WSP_ERR_CONFIG:
        return "bad configuration";
    case WSP_ERR_USAGE:
        return "bad usage";
    }
    return "unknown error";
}
