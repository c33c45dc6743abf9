#include "net/egress.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * Link-local addresses and those where clouds serve instance credentials: nothing a tunnel's user
 * should reach by accident of where wsps runs.
 */
static const char *const builtin_deny[] = {
    "169.254.0.0/16", "fe80::/10",   "fd00:ec2::254", "100.100.100.200",
    "168.63.129.16",  "192.0.0.192", "fd20:ce::254",  NULL,
};

static void list_fini(struct egress_list *l)
{
    free(l->rule);
    free(l->text);
    *l = (struct egress_list){0};
}

static enum wsp_err list_reserve(struct egress_list *l, const char *const *entries)
{
    size_t count = 0, bytes = 0;

    for (; entries[count]; count++)
        bytes += strlen(entries[count]);
    l->rule = calloc(count + 1, sizeof(*l->rule));
    l->text = malloc(bytes + 1);
    return l->rule && l->text ? WSP_OK : WSP_ERR_NOMEM;
}

static enum wsp_err list_init(struct egress_list *l, const char *what, const char *const *entries,
                              char error[EGRESS_ERROR_MAX])
{
    char *text;

    if (!entries)
        return WSP_OK;
    l->given = true;
    if (list_reserve(l, entries) != WSP_OK) {
        snprintf(error, EGRESS_ERROR_MAX, "%s: out of memory", what);
        return WSP_ERR_NOMEM;
    }
    text = l->text;
    for (; entries[l->count]; l->count++) {
        struct slice entry = slice_str(entries[l->count]);
        const char *why;

        memcpy(text, entry.p, entry.len);
        if (egress_rule_parse(slice_of(text, entry.len), &l->rule[l->count], &why) != WSP_OK) {
            snprintf(error, EGRESS_ERROR_MAX, "%s[%zu] \"%.64s\": %s", what, l->count,
                     entries[l->count], why);
            return WSP_ERR_CONFIG;
        }
        text += entry.len;
    }
    return WSP_OK;
}

enum wsp_err egress_init(struct egress *e, char *const *allow, char *const *deny,
                         char error[EGRESS_ERROR_MAX])
{
    enum wsp_err err;

    *e = (struct egress){0};
    err = list_init(&e->builtin, "built-in", builtin_deny, error);
    if (err == WSP_OK)
        err = list_init(&e->allow, "allow", (const char *const *)allow, error);
    if (err == WSP_OK)
        err = list_init(&e->deny, "deny", (const char *const *)deny, error);
    if (err != WSP_OK)
        egress_fini(e);
    return err;
}

void egress_fini(struct egress *e)
{
    list_fini(&e->allow);
    list_fini(&e->deny);
    list_fini(&e->builtin);
}

static bool list_has_name(const struct egress_list *l, struct slice name, unsigned port)
{
    for (size_t i = 0; i < l->count; i++)
        if (egress_rule_matches_name(&l->rule[i], name, port))
            return true;
    return false;
}

static bool list_has_ip(const struct egress_list *l, const struct ip_addr *ip, unsigned port)
{
    for (size_t i = 0; i < l->count; i++)
        if (egress_rule_matches_ip(&l->rule[i], ip, port))
            return true;
    return false;
}

/* Whether some address could match at this port. */
static bool list_has_net(const struct egress_list *l, unsigned port)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->rule[i].kind == EGRESS_NET &&
            egress_rule_matches_ip(&l->rule[i], &l->rule[i].net, port))
            return true;
    return false;
}

/* By an address or network: "*:port" is too broad to open what is denied by default. */
static bool is_excepted(const struct egress_list *allow, const struct ip_addr *ip, unsigned port)
{
    for (size_t i = 0; i < allow->count; i++)
        if (allow->rule[i].kind == EGRESS_NET && egress_rule_matches_ip(&allow->rule[i], ip, port))
            return true;
    return false;
}

bool egress_address_ok(const struct egress *e, struct slice host, const struct address *address)
{
    struct ip_port at;
    struct ip_addr form[EGRESS_FORMS_MAX];
    unsigned port = address_port(address);
    bool named = list_has_name(&e->allow, host, port);
    size_t forms;

    if (!address_ip_port(address, &at) || list_has_name(&e->deny, host, port))
        return false;
    forms = egress_forms(&at.ip, form);
    for (size_t i = 0; i < forms; i++) {
        if (list_has_ip(&e->deny, &form[i], port))
            return false;
        if (list_has_ip(&e->builtin, &form[i], port) && !is_excepted(&e->allow, &form[i], port))
            return false;
        if (e->allow.given && !named && !list_has_ip(&e->allow, &form[i], port))
            return false;
    }
    return true;
}

bool egress_host_ok(const struct egress *e, struct slice host, unsigned port)
{
    struct address literal;

    if (address_parse(host, port, &literal))
        return egress_address_ok(e, host, &literal);
    if (list_has_name(&e->deny, host, port))
        return false;
    return !e->allow.given || list_has_name(&e->allow, host, port) || list_has_net(&e->allow, port);
}

void egress_refusal(struct slice host, int port, char *out, size_t cap)
{
    bool v6 = host.len && memchr(host.p, ':', host.len);
    int shown = host.len > 253 ? 253 : (int)host.len;

    snprintf(out, cap, "dial tcp %s%.*s%s:%d: not allowed by egress rules", v6 ? "[" : "", shown,
             (const char *)host.p, v6 ? "]" : "", port);
}
