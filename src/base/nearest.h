/* Spelling advice: which of the known words a mistyped one is nearest to. */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

/* The nearest of `known` (NULL-terminated) by typing slips, ignoring case; NULL when none shares
 * enough with `word`. */
const char *nearest_word(const char *word, const char *const *known);

#endif
