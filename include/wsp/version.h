/* What is built in: the release and the protocol it speaks. */
#ifndef WSP_VERSION_H
#define WSP_VERSION_H

#define WSP_VERSION "0.1.0"
#define WSP_RELEASE_DATE "2026-11-24"
#define WSP_PROTOCOL "0.10"

#endif
