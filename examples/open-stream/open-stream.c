/*
 * Opens a stream through a wsps and prints what comes: from a channel that another client offers,
 * or from a port that the server can reach. It ends with the stream.
 *
 *     open-stream ws://127.0.0.1:8100 CHANNEL
 *     open-stream ws://127.0.0.1:8100 HOST PORT
 *
 * The secret of the server, where it has one, stands in the environment as WSP_AUTH.
 */
#include <stdio.h>
#include <stdlib.h>
#include <wsp/wsp.h>

static enum wsp_err outcome;

static void on_readable(struct wsp_stream *stream, void *ctx)
{
    char data[4096];
    ssize_t n;

    (void)ctx;
    while ((n = wsp_stream_read(stream, data, sizeof(data))) > 0)
        fwrite(data, 1, (size_t)n, stdout);
    if (n == 0) /* the far side has ended: so do we, and on_closed is called */
        wsp_stream_finish(stream);
}

static void on_closed(struct wsp_stream *stream, enum wsp_err why, const char *text, void *ctx)
{
    (void)stream;
    outcome = why;
    if (why != WSP_OK)
        fprintf(stderr, "open-stream: %s: %s\n", wsp_strerror(why), text);
    wsp_loop_stop(ctx);
}

int main(int argc, char **argv)
{
    const struct wsp_stream_events events = {.readable = on_readable, .closed = on_closed};
    const struct wsp_target target = {
        .channel = argc == 3 ? argv[2] : NULL,
        .host = argc == 4 ? argv[2] : NULL,
        .port = argc == 4 ? (unsigned)strtoul(argv[3], NULL, 10) : 0,
    };
    const struct wsp_client_options options = {.config = wsp_config_new(), .links_only = true};
    struct wsp_loop *loop = wsp_loop_new();
    struct wsp_client *client;
    struct wsp_stream *stream = NULL;
    char error[WSP_ERROR_MAX];

    wsp_config_set(options.config, "client[+].server", argc > 2 ? argv[1] : "", "SERVER");
    if (getenv("WSP_AUTH"))
        wsp_config_set(options.config, "client[].auth", getenv("WSP_AUTH"), "WSP_AUTH");
    client = wsp_client_new(loop, &options, error);
    if (client)
        stream = wsp_client_open(client, &target, &events, loop, error);
    if (stream)
        wsp_loop_run(loop);
    else
        fprintf(stderr, "open-stream: %s\n", error);
    wsp_stream_free(stream);
    wsp_client_free(client);
    wsp_config_free(options.config);
    wsp_loop_free(loop);
    return stream && outcome == WSP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
