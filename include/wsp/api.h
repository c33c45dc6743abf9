/* What marks the functions that the shared library offers; nothing to call. */
#ifndef WSP_API_H
#define WSP_API_H

#if defined(__GNUC__)
#define WSP_API __attribute__((visibility("default")))
#else
#define WSP_API
#endif

#endif
