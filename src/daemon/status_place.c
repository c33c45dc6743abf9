#include "daemon/status_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static bool directory_is_writable(const char *path)
{
    char directory[STATUS_PATH_MAX];

    snprintf(directory, sizeof(directory), "%.*s", (int)(strrchr(path, '/') - path), path);
    return access(directory, W_OK | X_OK) == 0;
}

bool status_place_for_daemon(const char *program, char out[STATUS_PATH_MAX])
{
    for (unsigned i = 0; i < STATUS_PLACES; i++)
        if (status_place(i, program, out) && directory_is_writable(out))
            return true;
    return false;
}
