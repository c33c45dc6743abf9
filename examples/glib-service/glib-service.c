/*
 * A glib program that is a client of a wsps and serves a channel, without any TCP socket: it gives
 * back in upper case what it is sent.
 *
 *     glib-service ws://127.0.0.1:8100 CHANNEL
 *
 * The secret of the server, where it has one, stands in the environment as WSP_AUTH. To see it
 * work:
 *
 *     echo hello | wspc -s ws://127.0.0.1:8100 -W CHANNEL
 */
#include <glib-unix.h>
#include <glib.h>
#include <stdlib.h>
#include <wsp/wsp.h>

struct service {
    GMainLoop *main_loop;   /* owned */
    struct wsp_loop *loop;  /* owned */
    GHashTable *caller_set; /* owned, as are the callers in it */
};

/* Who has opened the channel. */
struct caller {
    struct service *service;   /* borrowed */
    struct wsp_stream *stream; /* owned */
    char text[4096];           /* what is to be sent: from `at` to `len` */
    size_t at, len;
};

static void caller_free(gpointer ctx)
{
    struct caller *caller = ctx;

    wsp_stream_free(caller->stream);
    g_free(caller);
}

static ssize_t caller_read(struct caller *caller)
{
    ssize_t n = wsp_stream_read(caller->stream, caller->text, sizeof(caller->text));

    caller->at = 0;
    caller->len = n > 0 ? (size_t)n : 0;
    for (size_t i = 0; i < caller->len; i++)
        caller->text[i] = g_ascii_toupper(caller->text[i]);
    if (n == 0)
        wsp_stream_finish(caller->stream);
    return n;
}

static ssize_t caller_write(struct caller *caller)
{
    ssize_t n =
        wsp_stream_write(caller->stream, caller->text + caller->at, caller->len - caller->at);

    caller->at += n > 0 ? (size_t)n : 0;
    return n;
}

/*
 * Something can be read, or written again. Nothing more is read before all answers are gone: a
 * caller who does not take them has to wait, and no memory fills up. A negative count needs no
 * care: after WSP_ERR_MORE this is called again, after all others on_closed.
 */
static void on_progress(struct wsp_stream *stream, void *ctx)
{
    struct caller *caller = ctx;
    ssize_t n;

    (void)stream;
    do
        n = caller->at < caller->len ? caller_write(caller) : caller_read(caller);
    while (n > 0);
}

static void on_closed(struct wsp_stream *stream, enum wsp_err why, const char *text, void *ctx)
{
    struct caller *caller = ctx;

    (void)stream;
    if (why != WSP_OK)
        g_printerr("a caller is lost: %s\n", text);
    g_hash_table_remove(caller->service->caller_set, caller);
}

static bool on_accept(void *ctx, struct wsp_stream *stream)
{
    static const struct wsp_stream_events events = {
        .readable = on_progress,
        .writable = on_progress,
        .closed = on_closed,
    };
    struct service *service = ctx;
    struct caller *caller = g_new0(struct caller, 1);

    caller->service = service;
    caller->stream = stream;
    g_hash_table_add(service->caller_set, caller);
    wsp_stream_set_events(stream, &events, caller);
    return true;
}

static void on_event(void *ctx, const struct wsp_event *event)
{
    (void)ctx;
    if (event->kind == WSP_LINK_UP)
        g_print("connected to %s\n", event->peer);
    else if (event->kind == WSP_LINK_DOWN)
        g_print("disconnected: %s\n", event->text);
    else if (event->kind == WSP_NAME_REGISTERED)
        g_print("serving %s\n", event->name);
    else if (event->kind == WSP_NAME_REFUSED)
        g_print("refused %s: %s\n", event->name, event->text);
}

/* The one place where the two loops meet. */
static gboolean on_loop(gint fd, GIOCondition condition, gpointer ctx)
{
    (void)fd;
    (void)condition;
    wsp_loop_turn(ctx);
    return G_SOURCE_CONTINUE;
}

static gboolean on_signal(gpointer ctx)
{
    g_main_loop_quit(ctx);
    return G_SOURCE_CONTINUE;
}

static struct wsp_client *connect_to(struct service *service, const char *server, char *error)
{
    struct wsp_config *config = wsp_config_new();
    const struct wsp_client_options options = {.config = config, .event = on_event};
    struct wsp_client *client;

    wsp_config_set(config, "client[+].server", server, "SERVER");
    if (g_getenv("WSP_AUTH"))
        wsp_config_set(config, "client[].auth", g_getenv("WSP_AUTH"), "WSP_AUTH");
    client = wsp_client_new(service->loop, &options, error);
    wsp_config_free(config);
    return client;
}

int main(int argc, char **argv)
{
    char error[WSP_ERROR_MAX] = "expected SERVER CHANNEL";
    struct service service = {
        .main_loop = g_main_loop_new(NULL, FALSE),
        .loop = wsp_loop_new(),
        .caller_set = g_hash_table_new_full(NULL, NULL, caller_free, NULL),
    };
    struct wsp_serve serve = {.channel = argv[argc - 1], .accept = on_accept, .ctx = &service};
    struct wsp_client *client = argc == 3 ? connect_to(&service, argv[1], error) : NULL;
    int status = EXIT_FAILURE;

    if (client && wsp_client_serve(client, &serve, error) == WSP_OK) {
        g_unix_fd_add(wsp_loop_fd(service.loop), G_IO_IN, on_loop, service.loop);
        g_unix_signal_add(SIGINT, on_signal, service.main_loop);
        g_unix_signal_add(SIGTERM, on_signal, service.main_loop);
        g_main_loop_run(service.main_loop);
        status = EXIT_SUCCESS;
    } else {
        g_printerr("glib-service: %s\n", error);
    }
    wsp_client_free(client);
    g_hash_table_unref(service.caller_set); /* streams are their owner's, also without the client */
    wsp_loop_free(service.loop);
    g_main_loop_unref(service.main_loop);
    return status;
}
