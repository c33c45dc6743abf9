#include "daemon/privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static enum wsp_err failed(char error[WSP_ERROR_MAX], const char *what)
{
    snprintf(error, WSP_ERROR_MAX, "user: %s: %s", what, strerror(errno));
    return WSP_ERR_SYSTEM;
}

/* Of those that the process has, keeps the capabilities in `mask` and loses the others
 * (capabilities(7); glibc has no function for it). */
static bool keep_capabilities(uint32_t mask)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) < 0)
        return false;
    data[0].permitted &= mask;
    data[0].effective = data[0].permitted;
    data[1].permitted = data[1].effective = 0;
    data[0].inheritable = data[1].inheritable = 0;
    return syscall(SYS_capset, &header, data) == 0;
}

static bool is_already(const struct wsp_process *p)
{
    return (!p->user || geteuid() == p->uid) && getegid() == p->gid;
}

enum wsp_err privileges_drop(const struct wsp_process *p, char error[WSP_ERROR_MAX])
{
    if ((!p->user && !p->group) || is_already(p))
        return WSP_OK;
    if (geteuid() != 0) {
        snprintf(error, WSP_ERROR_MAX,
                 "%s: only root can become another one, and this process runs as uid %u: start it "
                 "as root, or leave the key out",
                 p->user ? "user" : "group", geteuid());
        return WSP_ERR_CONFIG;
    }
    if ((p->user ? initgroups(p->user, p->gid) : setgroups(1, &p->gid)) < 0)
        return failed(error, "setting groups");
    if (setresgid(p->gid, p->gid, p->gid) < 0)
        return failed(error, "setresgid");
    if (!p->user || p->uid == 0)
        return WSP_OK;
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
        return failed(error, "PR_SET_KEEPCAPS");
    if (setresuid(p->uid, p->uid, p->uid) < 0)
        return failed(error, "setresuid");
    if (!keep_capabilities(1u << CAP_NET_BIND_SERVICE))
        return failed(error, "keeping CAP_NET_BIND_SERVICE");
    return WSP_OK;
}

/* What must be impossible is tried, since no return value of the calls before proves it. */
static bool is_user_for_good(const struct wsp_process *p)
{
    uid_t uid[3];
    gid_t gid[3];

    if (getresuid(&uid[0], &uid[1], &uid[2]) < 0 || getresgid(&gid[0], &gid[1], &gid[2]) < 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uid[i] != p->uid || gid[i] != p->gid)
            return false;
    return setresuid(0, 0, 0) < 0;
}

enum wsp_err privileges_settle(const struct wsp_process *p, char error[WSP_ERROR_MAX])
{
    if (p->user && p->uid != 0) {
        if (!keep_capabilities(0))
            return failed(error, "dropping capabilities");
        if (!is_user_for_good(p)) {
            snprintf(error, WSP_ERROR_MAX, "user: the process could become root again");
            return WSP_ERR_SYSTEM;
        }
    }
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return failed(error, "PR_SET_NO_NEW_PRIVS");
    return WSP_OK;
}
