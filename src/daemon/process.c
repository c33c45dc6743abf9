#include "daemon/process.h"

#include <stdlib.h>
#include <string.h>

static bool keep(const char **text)
{
    const char *lent = *text;

    *text = lent ? strdup(lent) : NULL;
    return *text || !lent;
}

bool process_copy(struct wsp_process *out, const struct wsp_process *from)
{
    bool ok;

    *out = *from;
    ok = keep(&out->log_output);
    ok = keep(&out->status) && ok;
    ok = keep(&out->user) && ok;
    return keep(&out->group) && ok;
}

void process_fini(struct wsp_process *p)
{
    free((char *)p->log_output);
    free((char *)p->status);
    free((char *)p->user);
    free((char *)p->group);
    *p = (struct wsp_process){.seccomp = false};
}

bool process_same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool process_same(const struct wsp_process *a, const struct wsp_process *b)
{
    return process_same_text(a->user, b->user) && process_same_text(a->group, b->group) &&
           a->uid == b->uid && a->gid == b->gid && a->seccomp == b->seccomp &&
           a->descriptors == b->descriptors;
}
