// The library as a C++ program uses it: owners free, callbacks are lambdas, a stream is a string.
#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <wsp/wsp.h>

extern "C" {
#include "api/tools.h"
}

namespace
{

template <auto free_it> struct Deleter {
    template <class T> void operator()(T *object) const
    {
        free_it(object);
    }
};

using Loop = std::unique_ptr<wsp_loop, Deleter<wsp_loop_free>>;
using Config = std::unique_ptr<wsp_config, Deleter<wsp_config_free>>;
using Server = std::unique_ptr<wsp_server, Deleter<wsp_server_free>>;
using Client = std::unique_ptr<wsp_client, Deleter<wsp_client_free>>;

/* One end of a channel; what it has to say, and what it has heard. */
class Talk
{
  public:
    explicit Talk(std::string text) : say(std::move(text))
    {
    }

    void open(wsp_client *client, const char *channel)
    {
        wsp_target target{};

        target.channel = channel;
        stream.reset(wsp_client_open(client, &target, &events, this, nullptr));
        REQUIRE(stream);
    }

    static bool accept(void *ctx, wsp_stream *stream)
    {
        auto *talk = static_cast<Talk *>(ctx);

        talk->stream.reset(stream);
        REQUIRE(wsp_stream_set_events(stream, &events, ctx) == WSP_OK);
        talk->send();
        return true;
    }

    [[nodiscard]] bool is_over() const
    {
        return over;
    }

    [[nodiscard]] const std::string &text() const
    {
        return heard;
    }

  private:
    std::unique_ptr<wsp_stream, Deleter<wsp_stream_free>> stream;
    std::string say, heard;
    bool sent = false, over = false;

    /* Too short to be taken in part; before it is open nothing is taken, and `writable` comes. */
    void send()
    {
        if (sent || wsp_stream_write(stream.get(), say.data(), say.size()) == WSP_ERR_MORE)
            return;
        sent = true;
        REQUIRE(wsp_stream_finish(stream.get()) == WSP_OK);
    }

    void read()
    {
        char data[64];
        ssize_t n;

        while ((n = wsp_stream_read(stream.get(), data, sizeof data)) > 0)
            heard.append(data, static_cast<std::size_t>(n));
    }

    static const wsp_stream_events events;
};

const wsp_stream_events Talk::events{
    [](wsp_stream *, void *ctx) { static_cast<Talk *>(ctx)->send(); },
    [](wsp_stream *, void *ctx) { static_cast<Talk *>(ctx)->read(); },
    [](wsp_stream *, void *ctx) { static_cast<Talk *>(ctx)->send(); },
    [](wsp_stream *, wsp_err why, const char *, void *ctx) {
        REQUIRE(why == WSP_OK);
        static_cast<Talk *>(ctx)->over = true;
    },
};

bool are_over(const void *what)
{
    const auto *talks = static_cast<const Talk *const *>(what);

    return talks[0]->is_over() && talks[1]->is_over();
}

bool is_set(const void *what)
{
    return *static_cast<const bool *>(what);
}

void on_event(void *ctx, const wsp_event *event)
{
    if (event->kind == WSP_NAME_REGISTERED && std::string_view(event->name) == "talk")
        *static_cast<bool *>(ctx) = true;
}

} // namespace

int main()
{
    Talk asks("who is there?"), answers("a channel");
    const Talk *talks[] = {&asks, &answers};
    bool registered = false;
    place at = place_listen();
    Loop loop(wsp_loop_new());
    Server server(server_at(loop.get(), at, nullptr, nullptr));
    Client client(client_of(loop.get(), at.port, on_event, &registered));
    wsp_serve serve{};
    std::string error(WSP_ERROR_MAX, '\0');
    Config bad(wsp_config_new());

    REQUIRE(wsp_config_set(bad.get(), "path", "/", nullptr) == WSP_OK);
    REQUIRE(wsp_config_check(bad.get(), WSP_SERVER, nullptr, error.data()) != WSP_OK);
    std::cout << "as expected: " << error.c_str() << '\n';
    serve.channel = "talk";
    serve.accept = Talk::accept;
    serve.ctx = &answers;
    REQUIRE(wsp_client_serve(client.get(), &serve, nullptr) == WSP_OK);
    REQUIRE(until(loop.get(), is_set, &registered));
    asks.open(client.get(), "talk");
    REQUIRE(until(loop.get(), are_over, talks));
    REQUIRE(asks.text() == "a channel" && answers.text() == "who is there?");
    return EXIT_SUCCESS;
}
