#include "config/wsps_proxies.h"

#include <stdlib.h>

static bool read_protocol(const struct json_at *root, bool *required)
{
    struct json_at at;
    const char *text;

    if (!json_member(root, "proxy_protocol", &at))
        return true;
    if (!json_expect_string(&at, &text))
        return false;
    *required = strcmp(text, "required") == 0;
    return *required || strcmp(text, "off") == 0 || json_fail(&at, "expected off or required");
}

/* An address or network, without a port. */
static bool is_network(struct slice text, struct egress_rule *rule)
{
    const char *why;

    return egress_rule_parse(text, rule, &why) == WSP_OK && rule->kind == EGRESS_NET &&
           rule->port_low == 0;
}

static bool read_trusted(const struct json_at *root, struct wsps_proxies *out)
{
    struct json_at array, item = {.value = NULL};
    const char *text;
    bool present;
    size_t i = 0;

    if (!json_get_array(root, "trusted_proxies", &array, &present) || !present)
        return !present;
    out->trusted = calloc(json_count(&array) + 1, sizeof(*out->trusted));
    if (!out->trusted)
        return json_fail(&array, "out of memory");
    while (json_next(&array, &item, &i)) {
        if (!json_expect_string(&item, &text))
            return false;
        if (strcmp(text, "unix") == 0)
            out->trusts_unix = true;
        else if (is_network(slice_str(text), &out->trusted[out->trusted_count]))
            out->trusted_count++;
        else
            return json_fail(&item, "expected an address, a network (address/bits) or unix");
    }
    return true;
}

bool wsps_proxies_read(const struct json_at *root, struct wsps_proxies *out)
{
    return read_protocol(root, &out->header_required) && read_trusted(root, out);
}

void wsps_proxies_fini(struct wsps_proxies *p)
{
    free(p->trusted);
}

bool wsps_proxies_trust(const struct wsps_proxies *p, const struct ip_addr *ip)
{
    struct ip_addr form[EGRESS_FORMS_MAX];

    egress_forms(ip, form);
    for (size_t i = 0; i < p->trusted_count; i++)
        if (egress_rule_matches_ip(&p->trusted[i], &form[0], 0))
            return true;
    return false;
}
