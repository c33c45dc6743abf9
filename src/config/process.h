/* Keys of both files that say what the process may do: user, group, seccomp, limits.descriptors. */
#ifndef CONFIG_PROCESS_H
#define CONFIG_PROCESS_H

#include <sys/types.h>

#include "config/json.h"

struct config_process {
    char *user;       /* owned; key user: to become after the start; NULL: stay who we are */
    char *group;      /* owned; key group; NULL: the user's */
    uid_t uid;        /* of `user` */
    gid_t gid;        /* of `group`, else of `user` */
    bool seccomp;     /* key seccomp: true */
    long descriptors; /* key limits.descriptors; 0: as many as the system allows */
};

void config_process_init(struct config_process *p);
void config_process_fini(struct config_process *p);

/* The keys in the root, and its reader; asks the system for the names. False with the document's
 * error set. */
#define CONFIG_PROCESS_KEYS "user", "group", "seccomp"
bool config_process_read(const struct json_at *root, struct config_process *p);

/* The key `descriptors` in an object `limits`. */
#define CONFIG_DESCRIPTORS_KEY "descriptors"
bool config_descriptors_read(const struct json_at *limits, struct config_process *p);

#endif
