#include "proto/no_proxy.h"

#include "proto/egress_rule.h"

static bool is_separator(uint8_t c)
{
    return c == ',' || c == ' ' || c == '\t';
}

static bool take_entry(struct slice *list, struct slice *entry)
{
    size_t n = 0;

    while (list->len && is_separator(list->p[0]))
        slice_advance(list, 1);
    while (n < list->len && !is_separator(list->p[n]))
        n++;
    *entry = slice_of(list->p, n);
    slice_advance(list, n);
    return n > 0;
}

static bool entry_matches(struct slice entry, struct slice host, unsigned port)
{
    struct egress_rule rule;
    struct ip_addr ip, forms[EGRESS_FORMS_MAX];
    const char *why;

    if (entry.len > 1 && entry.p[0] == '*' && entry.p[1] == '.')
        slice_advance(&entry, 1);
    if (entry.len > 1 && entry.p[0] == '.')
        slice_advance(&entry, 1);
    if (egress_rule_parse(entry, &rule, &why) != WSP_OK)
        return false;
    if (ip_addr_parse(host, &ip)) {
        egress_forms(&ip, forms); /* the first is the one that rules are in */
        return egress_rule_matches_ip(&rule, &forms[0], port);
    }
    if (egress_rule_matches_name(&rule, host, port))
        return true;
    if (rule.kind != EGRESS_NAME)
        return false;
    rule.kind = EGRESS_SUFFIX;
    return egress_rule_matches_name(&rule, host, port);
}

bool no_proxy_matches(struct slice list, const char *host, unsigned port)
{
    struct slice entry;

    while (take_entry(&list, &entry))
        if (entry_matches(entry, slice_str(host), port))
            return true;
    return false;
}
