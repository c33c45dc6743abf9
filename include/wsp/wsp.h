/* All of libwsp. docs/embedding.md leads from here to programs that run. */
#ifndef WSP_WSP_H
#define WSP_WSP_H

#include <wsp/client.h>
#include <wsp/config.h>
#include <wsp/connection.h>
#include <wsp/err.h>
#include <wsp/event.h>
#include <wsp/log.h>
#include <wsp/loop.h>
#include <wsp/request.h>
#include <wsp/server.h>
#include <wsp/status.h>
#include <wsp/stream.h>
#include <wsp/version.h>

#endif
