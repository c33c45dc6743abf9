#include "config/process.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "config/common.h"

enum {
    DESCRIPTORS_MIN = 64,
    DESCRIPTORS_MAX = 1 << 30, /* what Linux can be set to (fs.nr_open) */
};

void config_process_init(struct config_process *p)
{
    *p = (struct config_process){.seccomp = true};
}

void config_process_fini(struct config_process *p)
{
    free(p->user);
    free(p->group);
    *p = (struct config_process){0};
}

static bool read_user(const struct json_at *root, struct config_process *p)
{
    const struct passwd *found;
    struct json_at at;

    if (!json_get_string(root, "user", &p->user))
        return false;
    config_drop_empty(&p->user);
    if (!p->user || !json_member(root, "user", &at))
        return true;
    found = getpwnam(p->user);
    if (!found)
        return json_fail(&at, "there is no such user on this machine");
    p->uid = found->pw_uid;
    p->gid = found->pw_gid;
    return true;
}

static bool read_group(const struct json_at *root, struct config_process *p)
{
    const struct group *found;
    struct json_at at;

    if (!json_get_string(root, "group", &p->group))
        return false;
    config_drop_empty(&p->group);
    if (!p->group || !json_member(root, "group", &at))
        return true;
    found = getgrnam(p->group);
    if (!found)
        return json_fail(&at, "there is no such group on this machine");
    p->gid = found->gr_gid;
    return true;
}

bool config_process_read(const struct json_at *root, struct config_process *p)
{
    return read_user(root, p) && read_group(root, p) && json_get_bool(root, "seccomp", &p->seccomp);
}

bool config_descriptors_read(const struct json_at *limits, struct config_process *p)
{
    return json_get_int(limits, CONFIG_DESCRIPTORS_KEY, DESCRIPTORS_MIN, DESCRIPTORS_MAX,
                        &p->descriptors);
}
