/* A struct wsp_process to keep: its strings are its own, and outlive the configuration. */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <stdbool.h>
#include <wsp/config.h>

/* False without memory; process_fini either way. */
bool process_copy(struct wsp_process *out, const struct wsp_process *from);
void process_fini(struct wsp_process *p);

/* Both NULL, or equal. */
bool process_same_text(const char *a, const char *b);

/* Whether a running process needs nothing that only a restart gives it to become the other. */
bool process_same(const struct wsp_process *a, const struct wsp_process *b);

#endif
