/* Tables of calls that must not be taken well. */
#ifndef TESTS_API_ROWS_H
#define TESTS_API_ROWS_H

#include "api/tools.h"

/* A call, and whether it has answered as it must; the table's rows are evaluated in their order. */
struct row {
    const char *call;
    bool ok;
};

#define ROW(expected)       \
    {                       \
#expected, expected \
    }
#define QUIET(call)         \
    {                       \
#call, (call, true) \
    } /* returns nothing: not to crash is all it can do */

/* Gives up, with the names of those that have failed. */
#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof(*(rows)))
void check_rows(const struct row *rows, size_t count);

/* For calls with an error text: that has to be one line then. `told(f(…, unsaid()) == WSP_ERR_…)`
 */
char *unsaid(void);
bool told(bool as_expected);

/* A socket to be taken, and whether it is closed now. */
int lent_socket(void);
bool is_closed(void);

#endif
