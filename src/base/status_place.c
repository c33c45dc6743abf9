#include "base/status_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool status_place(unsigned index, const char *program, char out[STATUS_PATH_MAX])
{
    const char *const directories[STATUS_PLACES] = {getenv("RUNTIME_DIRECTORY"), "/run/wsp",
                                                    getenv("XDG_RUNTIME_DIR")};
    const char *directory = directories[index];
    int n;

    if (!directory || *directory != '/')
        return false;
    /* RUNTIME_DIRECTORY may be a list. */
    n = snprintf(out, STATUS_PATH_MAX, "%.*s/%s.sock", (int)strcspn(directory, ":"), directory,
                 program);
    return n > 0 && n < STATUS_PATH_MAX;
}
