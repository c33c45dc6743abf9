/* Certificates of the public port that are replaced while it is in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/tls_context_parts.h"
#include "server/certificates.h"
#include "unit/tls_files.h"

static struct wsp_loop *loop;
static char cert[PATH_LEN], key[PATH_LEN], logged[1024];
static struct config_tls_pair pair = {.cert = cert, .key = key};
static struct config_ssl config = {.enable = true, .pair = &pair, .pair_count = 1};
static struct certificates subject;

static void keep(struct log *log, enum log_level level, const char *line, size_t len)
{
    (void)log;
    (void)level;
    snprintf(logged + strlen(logged), sizeof(logged) - strlen(logged), "%.*s|", (int)len, line);
}

int main(void)
{
    return 0;
}
