/* What is built in: the release and the protocol it speaks. */
#ifndef WSP_VERSION_H
#define WSP_VERSION_H

#include <wsp/api.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WSP_VERSION "0.1.0"
#define WSP_RELEASE_DATE "2026-11-24"
#define WSP_PROTOCOL "0.10"

/* The release of the library that the program runs with, which may be a later one than that of the
 * headers it was compiled with (WSP_VERSION). Static storage. */
WSP_API const char *wsp_version(void);

#ifdef __cplusplus
}
#endif
#endif
