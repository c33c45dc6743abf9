#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "config/process.h"
#include "config/wspc_config.h"
#include "config/wsps_config.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Behind "wspc.json:1:": as the server's, read by the same functions. */
static const struct {
    const char *text, *error;
} bad[] = {
    {"{\"user\":\"no such user\"}", "9: user: there is no such user on this machine"},
    {"{\"user\":0}", "9: user: expected a string, found a number"},
    {"{\"group\":\"no such group\"}", "10: group: there is no such group on this machine"},
    {"{\"seccomp\":\"on\"}", "12: seccomp: expected true or false, found a string"},
    {"{\"limits\":{\"descriptors\":10}}",
     "26: limits.descriptors: expected a whole number from 64 to 1073741824"},
};

static void test_bad(void **state)
{
    char error[CONFIG_ERROR_MAX];
    struct wspc_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        wspc_config_init(&c);
        assert_int_equal(wspc_config_load(&c,
                                          &(struct config_source){.file = "wspc.json",
                                                                  .text = slice_str(bad[i].text)},
                                          error),
                         WSP_ERR_CONFIG);
        assert_memory_equal(error, "wspc.json:1:", 12);
        assert_string_equal(error + 12, bad[i].error);
        wspc_config_fini(&c);
    }
}

static void load(struct wsps_config *c, const char *text)
{
    char error[CONFIG_ERROR_MAX];

    wsps_config_init(c);
    if (wsps_config_load(c, &(struct config_source){.file = "wsps.json", .text = slice_str(text)},
                         error) != WSP_OK)
        fail_msg("%s", error);
}

static void test_defaults(void **state)
{
    static const char *const texts[] = {"{\"port\":1}",
                                        "{\"port\":1,\"user\":\"\",\"group\":null,\"limits\":{}}"};
    struct wsps_config c;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        load(&c, texts[i]);
        assert_null(c.process.user);
        assert_null(c.process.group);
        assert_true(c.process.seccomp);
        assert_int_equal(c.process.descriptors, 0);
        wsps_config_fini(&c);
    }
}

/* A group in the file wins over the user's own. */
static void test_names(void **state)
{
    const struct passwd *nobody = getpwnam("nobody");
    const struct group *adm = getgrnam("adm");
    struct wsps_config c;

    (void)state;
    if (!nobody || !adm)
        skip();
    load(&c, "{\"port\":1,\"user\":\"nobody\",\"seccomp\":false,\"limits\":{\"descriptors\":64}}");
    assert_string_equal(c.process.user, "nobody");
    assert_int_equal(c.process.uid, nobody->pw_uid);
    assert_int_equal(c.process.gid, nobody->pw_gid);
    assert_false(c.process.seccomp);
    assert_int_equal(c.process.descriptors, 64);
    wsps_config_fini(&c);
    load(&c, "{\"port\":1,\"group\":\"adm\",\"user\":\"nobody\"}");
    assert_int_equal(c.process.uid, nobody->pw_uid);
    assert_int_equal(c.process.gid, adm->gr_gid);
    wsps_config_fini(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
