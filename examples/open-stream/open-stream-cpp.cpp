// The same as open-stream.c in C++: the headers work there as they are, and what has to be freed
// can be owned by pointers that do it.
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <wsp/wsp.h>

namespace
{
wsp_err outcome = WSP_ERR_LOST;

struct Free {
    void operator()(wsp_loop *loop) const
    {
        wsp_loop_free(loop);
    }
    void operator()(wsp_config *config) const
    {
        wsp_config_free(config);
    }
    void operator()(wsp_client *client) const
    {
        wsp_client_free(client);
    }
    void operator()(wsp_stream *stream) const
    {
        wsp_stream_free(stream);
    }
};
template <class T> using Owned = std::unique_ptr<T, Free>;

// Callbacks are called from C: no exception may leave them.
void on_readable(wsp_stream *stream, void *) noexcept
{
    char data[4096];
    ssize_t n;

    while ((n = wsp_stream_read(stream, data, sizeof(data))) > 0)
        std::fwrite(data, 1, static_cast<size_t>(n), stdout);
    if (n == 0)
        wsp_stream_finish(stream);
}

void on_closed(wsp_stream *, wsp_err why, const char *text, void *loop) noexcept
{
    outcome = why;
    if (why != WSP_OK)
        std::fprintf(stderr, "open-stream-cpp: %s: %s\n", wsp_strerror(why), text);
    wsp_loop_stop(static_cast<wsp_loop *>(loop));
}
} // namespace

int main(int argc, char **argv)
{
    char error[WSP_ERROR_MAX] = "expected SERVER CHANNEL";
    Owned<wsp_loop> loop(wsp_loop_new()); // the first here is the last to go
    Owned<wsp_config> config(wsp_config_new());
    wsp_client_options options{};
    wsp_target target{};
    wsp_stream_events events{};

    options.config = config.get();
    options.links_only = true;
    events.readable = on_readable;
    events.closed = on_closed;
    if (argc == 3) {
        wsp_config_set(config.get(), "client[+].server", argv[1], "SERVER");
        target.channel = argv[2];
    }
    if (const char *auth = std::getenv("WSP_AUTH"))
        wsp_config_set(config.get(), "client[].auth", auth, "WSP_AUTH");
    Owned<wsp_client> client(wsp_client_new(loop.get(), &options, error));
    Owned<wsp_stream> stream(
        client ? wsp_client_open(client.get(), &target, &events, loop.get(), error) : nullptr);
    if (!stream) {
        std::fprintf(stderr, "open-stream-cpp: %s\n", error);
        return EXIT_FAILURE;
    }
    wsp_loop_run(loop.get());
    return outcome == WSP_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
