#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/status_print.c" /* the daemons' own code is not in the library */
#include "daemon/status_text.c"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LONG40 "0123456789012345678901234567890123456789"
#define LONG LONG40 LONG40 LONG40

static const char server[] =
    "{\"program\":\"wsps\",\"version\":\"1.2\",\"pid\":7,\"uptime_s\":90.5,\"config\":null,"
    "\"memory\":{\"buffers_bytes\":2048,\"reserved_bytes\":1024,\"limit_bytes\":1048576},"
    "\"listeners\":[{\"address\":\"[::]:8010\",\"path\":\"/p\"}],"
    "\"limits\":{\"links\":10,\"connections\":20},"
    "\"usage\":{\"links\":2,\"channels\":5,\"names\":2,\"names_offline\":1,\"connections\":4,"
    "\"held_bytes\":100},"
    "\"totals\":{\"links\":9,\"links_refused\":1,\"channels_opened\":8,\"channels_refused\":0,"
    "\"bytes_in\":3072,\"bytes_out\":10},"
    "\"links\":[{\"name\":\"link 3\",\"address\":\"192.0.2.1:999\",\"dialect\":\"wsp.1\","
    "\"age_s\":61,\"rtt_ms\":12,\"channels\":5,\"bytes_in\":1024,\"bytes_out\":1,"
    "\"queued_bytes\":40,\"held_bytes\":60}],"
    "\"names\":[{\"name\":\"zoo\",\"kind\":\"channel\",\"online\":true,\"link\":\"link 3\","
    "\"users\":2},{\"name\":\"http:path:a\",\"kind\":\"http\",\"online\":false,\"link\":null,"
    "\"users\":0}],\"channels\":[]}";

static const char server_text[] =
    "wsps 1.2, pid 7, up 1m, no configuration file\n"
    "listening  [::]:8010, links on path /p\n"
    "now        2 of 10 links, 5 channels, 2 names, 4 of 20 connections\n"
    "so far     3.0K in, 10 out; 9 links (1 refused), 8 channels\n"
    "memory     2.0K in buffers; 1.0K of 1.0M set aside, 100 of it waits for readers\n"
    "\n"
    "LINK        FROM                  PROTO     UP    RTT CHANS     IN    OUT QUEUED\n"
    "link 3      192.0.2.1:999         wsp.1     1m   12ms     5   1.0K      1    100\n"
    "and 1 more\n"
    "\n"
    "NAME                                                  KIND    LINK         USERS\n"
    "http:path:a                                           http    offline          0\n"
    "zoo                                                   channel link 3           2\n"
    "and 1 more\n";

static const char client[] =
    "{\"program\":\"wspc\",\"version\":\"1.2\",\"pid\":7,\"uptime_s\":1,\"config\":\"/c\","
    "\"memory\":{},\"usage\":{},\"totals\":{},\"clients\":[{\"server\":\"ws://h/\",\"links\":["
    "{\"name\":\"link 1\",\"state\":\"up\",\"dialect\":\"0.10\",\"age_s\":1,\"rtt_ms\":null,"
    "\"leaving\":true},"
    "{\"name\":\"link 1.2\",\"state\":\"waiting\",\"last_error\":\"no such host\","
    "\"next_try_s\":3.4}],"
    "\"listeners\":[{\"kind\":\"local\",\"address\":\"/run/x\",\"channel\":\"ssh\","
    "\"connections\":2}],"
    "\"remote\":[{\"name\":\"a\",\"target\":\"tcp://a@b:1\",\"state\":\"registered\","
    "\"last_error\":null},{\"name\":\"b\",\"target\":\"\",\"state\":\"refused\","
    "\"last_error\":\"taken\",\"next_try_s\":10}]}]}";

static const char client_text[] =
    "wspc 1.2, pid 7, up 1s, /c\n"
    "now        0 links, 0 channels, 0 names, 0 connections\n"
    "so far     0 in, 0 out; 0 links, 0 channels\n"
    "memory     0 in buffers; 0 of 0 set aside, 0 of it waits for readers\n"
    "\n"
    "server     ws://h/\n"
    "\n"
    "LINK        STATE      PROTO     UP    RTT CHANS     IN    OUT QUEUED\n"
    "link 1      leaving    0.10      1s      -     0      0      0      0\n"
    "link 1.2    waiting    next try in 3s\n"
    "    no such host\n"
    "\n"
    "LISTENER                                KIND   CHANNEL              CONNECTIONS\n"
    "/run/x                                  local  ssh                            2\n"
    "\n"
    "REMOTE                      STATE      TARGET\n"
    "a                           registered tcp://a@b:1\n"
    "b                           refused    next try in 10s\n"
    "    taken\n";

/* What is printed for a document; NULL: nothing, it is none. Owned. */
static char *print(struct slice document)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    bool ok;

    assert_non_null(out);
    ok = status_print(out, document);
    fclose(out);
    if (ok)
        return text;
    assert_int_equal(len, 0);
    free(text);
    return NULL;
}

static void test_tables(void **state)
{
    static const struct {
        const char *document, *text;
    } cases[] = {{server, server_text}, {client, client_text}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *got = print(slice_str(cases[i].document));

        assert_non_null(got);
        assert_string_equal(got, cases[i].text);
        free(got);
    }
}

static void assert_lines(const char *text)
{
    char fitted[STATUS_CELL_MAX], line[4096];

    while (*text) {
        size_t len = strcspn(text, "\n");

        assert_true(text[len] == '\n' && len < sizeof(line));
        snprintf(line, sizeof(line), "%.*s", (int)len, text);
        status_fit(line, STATUS_COLUMNS, fitted);
        assert_string_equal(fitted, line); /* neither cut nor cleaned: it was */
        text += len + 1;
    }
}

/* Each string in turn replaced by one that is long, wide, or obeyed by terminals. */
static void test_hostile_strings(void **state)
{
    static const char *const hostile[] = {
        LONG,
        "\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac\xe6\x97\xa5\xe6\x9c\xac" LONG,
        "\\u001b[2J\\n\\u009b1m\\u202e" LONG,
    };
    static const char *const documents[] = {server, client};

    (void)state;
    for (size_t i = 0; i < COUNT(documents) * COUNT(hostile); i++) {
        const char *from = documents[i % COUNT(documents)], *at = from;

        while ((at = strstr(at, ":\""))) {
            const char *end = strchr(at + 2, '"');
            char *document, *got;

            assert_true(asprintf(&document, "%.*s%s%s", (int)(at + 2 - from), from,
                                 hostile[i / COUNT(documents)], end) > 0);
            got = print(slice_str(document));
            assert_non_null(got);
            assert_lines(got);
            free(got);
            free(document);
            at = end;
        }
    }
}

/* Whatever stands in a member's place, or nothing at all, a table is made of it. */
static void test_odd_members(void **state)
{
    static const char *const odd[] = {"null",  "-1",     "1e999",     "{}",    "[]",
                                      "[[1]]", "[null]", "{\"a\":1}", "\"x\"", "true"};
    static const char *const keys[] = {"memory", "listeners", "usage",   "limits",   "totals",
                                       "links",  "names",     "clients", "uptime_s", "config"};
    char document[256], *got;

    (void)state;
    for (size_t i = 0; i < COUNT(odd) * COUNT(keys); i++) {
        snprintf(document, sizeof(document), "{\"program\":\"p\",\"%s\":%s}", keys[i / COUNT(odd)],
                 odd[i % COUNT(odd)]);
        got = print(slice_str(document));
        assert_non_null(got);
        assert_lines(got);
        free(got);
    }
}

static void test_no_document(void **state)
{
    static const char *const none[] = {"", "{", "[]", "{}", "{\"program\":1}", "HTTP/1.1 200 OK"};

    (void)state;
    for (size_t i = 0; i < COUNT(none); i++)
        assert_null(print(slice_str(none[i])));
    for (size_t n = 0; n < sizeof(server) - 1; n++)
        assert_null(print(slice_of(server, n)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_hostile_strings),
        cmocka_unit_test(test_odd_members),
        cmocka_unit_test(test_no_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
