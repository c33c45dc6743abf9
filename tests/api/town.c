#include "api/town.h"

#include <stdio.h>
#include <string.h>

static void on_event(void *ctx, const struct wsp_event *e)
{
    struct seen *seen = ctx;

    REQUIRE(e->kind <= WSP_CHANNEL_CLOSED);
    REQUIRE(e->link && e->peer && e->name && e->channel && e->text);
    REQUIRE(e->link[0]);
    seen->count[e->kind]++;
    seen->sent += e->sent;
    seen->received += e->received;
}

static struct wsp_client *client_of_both(struct town *t, struct seen *seen)
{
    struct wsp_config *config =
        config_of("{\"client\": [{\"server\": \"ws://127.0.0.1:%u/link\"},"
                  "{\"server\": \"ws://127.0.0.1:%u/link\"}]," SHORT_TIMES "}",
                  t->port[0], t->port[1]);
    struct wsp_client_options options = {.config = config, .event = on_event, .ctx = seen};
    struct wsp_client *client = wsp_client_new(t->loop, &options, NULL);

    wsp_config_free(config);
    REQUIRE(client);
    return client;
}

static void name_of(unsigned client, char out[16])
{
    snprintf(out, 16, "echo of %c", 'a' + (char)client);
}

static bool is_up(const void *what)
{
    const struct town *t = what;
    bool up = true;

    for (unsigned i = 0; i < SERVERS; i++)
        up &= t->at_server[i].count[WSP_LINK_UP] == CLIENTS &&
              t->at_server[i].count[WSP_NAME_REGISTERED] == CLIENTS;
    for (unsigned i = 0; i < CLIENTS; i++)
        up &= wsp_client_servers_up(t->client[i]) == SERVERS &&
              t->at_client[i].count[WSP_NAME_REGISTERED] == SERVERS;
    return up;
}

void town_open(struct town *t, size_t bytes)
{
    *t = (struct town){.loop = wsp_loop_new()};
    REQUIRE(t->loop);
    for (unsigned i = 0; i < SERVERS; i++) {
        struct place place = place_listen();

        t->port[i] = place.port;
        t->server[i] = server_at(t->loop, place, on_event, &t->at_server[i]);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        char name[16];

        name_of(i, name);
        t->client[i] = client_of_both(t, &t->at_client[i]);
        REQUIRE(wsp_client_servers(t->client[i]) == SERVERS);
        echo_serve(t->client[i], name, SERVERS, &t->service[i]);
    }
    for (unsigned i = 0; i < CALLERS; i++)
        t->caller[i] = (struct caller){.size = bytes, .seed = i};
    REQUIRE(until(t->loop, is_up, t));
}

void town_call(struct town *t)
{
    for (unsigned i = 0; i < CALLERS; i++) {
        unsigned from = i / SERVERS, to = (from + 1) % CLIENTS;
        char name[16];
        struct wsp_target target = {.channel = name, .server = i % SERVERS};

        name_of(to, name);
        caller_open(&t->caller[i], t->client[from], &target);
        REQUIRE(t->caller[i].stream);
    }
}

/* Each client calls and is called once through each server: both ends of all streams are told. */
static bool is_finished(const void *what)
{
    const struct town *t = what;
    bool finished = true;

    for (unsigned i = 0; i < CALLERS; i++)
        finished &= caller_is_content(&t->caller[i]);
    for (unsigned i = 0; i < CLIENTS; i++)
        finished &= !t->service[i].first &&
                    t->at_client[i].count[WSP_CHANNEL_CLOSED] == (size_t)2 * SERVERS;
    return finished;
}

void town_finish(struct town *t)
{
    REQUIRE(until(t->loop, is_finished, t));
    for (unsigned i = 0; i < CLIENTS; i++) {
        uint64_t bytes = (uint64_t)2 * SERVERS * t->caller[0].size;

        REQUIRE(t->service[i].accepted == SERVERS);
        REQUIRE(t->at_client[i].sent == bytes && t->at_client[i].received == bytes);
    }
}

static bool has_begun(const void *what)
{
    const struct town *t = what;
    bool begun = true;

    for (unsigned i = 0; i < CALLERS; i++)
        begun &= t->caller[i].got > 0;
    return begun;
}

void town_begin(struct town *t)
{
    REQUIRE(until(t->loop, has_begun, t));
}

static void free_callers(struct town *t)
{
    for (unsigned i = 0; i < CALLERS; i++)
        caller_free(&t->caller[i]);
}

static void free_services(struct town *t)
{
    for (unsigned i = 0; i < CLIENTS; i++)
        echo_service_free(&t->service[i]);
}

void town_free(struct town *t, const char *order)
{
    for (; *order; order++) {
        if (*order == '.')
            settle(t->loop);
        else if (*order == 'L')
            wsp_loop_free(t->loop);
        else if (*order == 's')
            free_callers(t);
        else if (*order == 'e')
            free_services(t);
        else if (*order >= 'a')
            wsp_client_free(t->client[*order - 'a']);
        else
            wsp_server_free(t->server[*order - '0']);
    }
}
