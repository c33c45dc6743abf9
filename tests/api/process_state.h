/* What a library must leave alone: signal dispositions and mask, directory, umask, locale, limits,
 * environment, and descriptors other than its own. */
#ifndef TESTS_API_PROCESS_STATE_H
#define TESTS_API_PROCESS_STATE_H

struct process_state {
    char text[16384];
};

void process_state_note(struct process_state *out);

/* Gives up, showing both, when they differ. */
void process_state_compare(const struct process_state *before, const struct process_state *after);

#endif
