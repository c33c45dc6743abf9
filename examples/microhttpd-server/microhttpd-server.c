/*
 * A web server with GNU libmicrohttpd that takes wsp in: its port stays its own, and a connection
 * on which a client asks for a link becomes wsp's once the 101 was sent. Both are on one thread.
 *
 *     microhttpd-server 8100
 *
 * The secret that clients must know stands in the environment as WSP_AUTH. To see it work:
 *
 *     curl http://127.0.0.1:8100/
 *     wspc -s ws://127.0.0.1:8100/wsp -D socks5://127.0.0.1:1080
 *     curl --socks5-hostname 127.0.0.1:1080 http://127.0.0.1:8100/
 *
 * libmicrohttpd gives no connection away before a response, so services for visitors, which need
 * that, are not to be had at its port; the other things a link is for are.
 */
#include <arpa/inet.h>
#include <limits.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsp/wsp.h>

static const char CONFIG[] = "{\"path\": \"/wsp\"}";

static struct wsp_loop *loop;     /* owned */
static struct wsp_server *server; /* owned */
static unsigned links;
static volatile sig_atomic_t ended;

/* A request, from its first line on. */
struct visit {
    char *target;               /* raw; owned */
    bool has_head;              /* all header fields are there */
    struct wsp_upgrade upgrade; /* when it is for a link */
};

/* ---- links */

static void on_closed(void *ctx, bool reset)
{
    (void)reset; /* both sides of a link see by themselves that it was cut off */
    MHD_upgrade_action(ctx, MHD_UPGRADE_ACTION_CLOSE);
}

/* The 101 has been sent. */
static void on_upgraded(void *cls, struct MHD_Connection *connection, void *con_cls,
                        const char *early, size_t early_len, MHD_socket fd,
                        struct MHD_UpgradeResponseHandle *handle)
{
    struct visit *visit = cls;
    const struct wsp_connection link = {
        .fd = fd,
        .early = early,
        .early_len = early_len,
        .closed = on_closed,
        .ctx = handle,
    };

    (void)connection;
    (void)con_cls;
    if (wsp_server_take_upgraded(server, &visit->upgrade, &link, NULL) != WSP_OK)
        MHD_upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

/* Takes the response, which may be NULL. */
static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status,
                               struct MHD_Response *response)
{
    enum MHD_Result result = response ? MHD_queue_response(connection, status, response) : MHD_NO;

    if (response)
        MHD_destroy_response(response);
    return result;
}

static enum MHD_Result respond_text(struct MHD_Connection *connection, unsigned status, char *text)
{
    return respond(connection, status,
                   MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY));
}

static enum MHD_Result respond_link(struct MHD_Connection *connection, struct visit *visit,
                                    const struct wsp_request_head *head)
{
    struct wsp_upgrade *upgrade = &visit->upgrade;
    struct MHD_Response *response;

    if (wsp_server_upgrade(server, head, upgrade) != WSP_OK)
        return MHD_NO;
    response = upgrade->status == MHD_HTTP_SWITCHING_PROTOCOLS
                   ? MHD_create_response_for_upgrade(on_upgraded, visit)
                   : MHD_create_response_from_buffer(strlen(upgrade->text), upgrade->text,
                                                     MHD_RESPMEM_MUST_COPY);
    for (size_t i = 0; response && i < upgrade->header_count; i++)
        MHD_add_response_header(response, upgrade->header[i].name, upgrade->header[i].value);
    return respond(connection, upgrade->status, response);
}

/* ---- requests */

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    struct wsp_header **next = cls;

    (void)kind;
    *(*next)++ = (struct wsp_header){.name = name, .value = value ? value : ""};
    return MHD_YES;
}

static enum MHD_Result respond_page(struct MHD_Connection *connection, const char *path)
{
    char text[64];

    if (strcmp(path, "/") == 0)
        snprintf(text, sizeof(text), "a page of the web server\n");
    else if (strcmp(path, "/links") == 0)
        snprintf(text, sizeof(text), "links: %u\n", links);
    else
        return respond_text(connection, MHD_HTTP_NOT_FOUND, "not found\n");
    return respond_text(connection, MHD_HTTP_OK, text);
}

/* All of the request is there. */
static enum MHD_Result on_complete(struct MHD_Connection *connection, struct visit *visit,
                                   const char *path, const char *method, const char *version)
{
    int count = MHD_get_connection_values(connection, MHD_HEADER_KIND, NULL, NULL);
    struct wsp_header *header = calloc((size_t)count + 1, sizeof(*header)), *next = header;
    struct wsp_request_head head = {.method = method, .target = visit->target};
    enum MHD_Result result;

    if (!header)
        return MHD_NO;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, add_header, &next);
    head.is_http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_1) != 0;
    head.header = header;
    head.header_count = (size_t)(next - header);
    result = wsp_server_match(server, &head) == WSP_MATCH_LINK
                 ? respond_link(connection, visit, &head)
                 : respond_page(connection, path);
    free(header);
    return result;
}

/* The only place where libmicrohttpd tells the target before it decodes it. */
static void *on_first_line(void *cls, const char *target, struct MHD_Connection *connection)
{
    struct visit *visit = calloc(1, sizeof(*visit));

    (void)cls;
    (void)connection;
    if (visit)
        visit->target = strdup(target);
    return visit;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *connection, const char *path,
                                  const char *method, const char *version, const char *body,
                                  size_t *body_len, void **con_cls)
{
    struct visit *visit = *con_cls;

    (void)cls;
    (void)body;
    if (!visit || !visit->target)
        return MHD_NO;
    if (visit->has_head && *body_len == 0)
        return on_complete(connection, visit, path, method, version);
    visit->has_head = true;
    *body_len = 0; /* nobody here wants a body */
    return MHD_YES;
}

/* Of a link: when it has ended. */
static void on_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode how)
{
    struct visit *visit = *con_cls;

    (void)cls;
    (void)connection;
    (void)how;
    if (visit)
        free(visit->target);
    free(visit);
}

/* ---- start and end */

static void on_event(void *ctx, const struct wsp_event *event)
{
    (void)ctx;
    if (event->kind == WSP_LINK_UP)
        links++;
    else if (event->kind == WSP_LINK_DOWN)
        links--;
}

static void on_log(void *ctx, enum wsp_log_level level, const char *line, size_t len)
{
    (void)ctx;
    (void)len;
    fprintf(stderr, "%s: %s\n", wsp_log_level_name(level), line);
}

static struct wsp_server *server_start(void)
{
    struct wsp_config *config = wsp_config_new();
    const struct wsp_server_options options = {
        .config = config,
        .no_listener = true,
        .event = on_event,
    };
    char error[WSP_ERROR_MAX];
    struct wsp_server *started;

    wsp_config_text(config, "CONFIG", CONFIG, strlen(CONFIG));
    if (getenv("WSP_AUTH"))
        wsp_config_set(config, "auth", getenv("WSP_AUTH"), "WSP_AUTH");
    started = wsp_server_new(loop, &options, error);
    if (!started)
        fprintf(stderr, "microhttpd-server: %s\n", error);
    wsp_config_free(config);
    return started;
}

static struct MHD_Daemon *web_start(const char *port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };

    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_UPGRADE | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                            on_request, NULL, MHD_OPTION_SOCK_ADDR, &address,
                            MHD_OPTION_URI_LOG_CALLBACK, on_first_line, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_END);
}

static void on_signal(int number)
{
    (void)number;
    ended = 1;
    wsp_loop_wake(loop); /* also when poll has not begun to wait yet */
}

static void run(struct MHD_Daemon *web)
{
    struct pollfd fds[] = {
        {.fd = MHD_get_daemon_info(web, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN},
        {.fd = wsp_loop_fd(loop), .events = POLLIN},
    };
    MHD_UNSIGNED_LONG_LONG ms;

    while (!ended) {
        if (MHD_get_timeout(web, &ms) == MHD_NO)
            poll(fds, 2, -1);
        else
            poll(fds, 2, ms < INT_MAX ? (int)ms : INT_MAX);
        MHD_run(web);
        wsp_loop_turn(loop);
    }
}

int main(int argc, char **argv)
{
    struct MHD_Daemon *web = NULL;

    if (argc != 2) {
        fputs("microhttpd-server: expected PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* for libmicrohttpd; wsp needs it neither way */
    loop = wsp_loop_new();
    wsp_loop_set_log(loop, WSP_LOG_INFO, on_log, NULL);
    server = server_start();
    if (server)
        web = web_start(argv[1]);
    if (web) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        run(web);
    }
    wsp_server_free(server); /* gives all links back, without which the next must not be called */
    if (web)
        MHD_stop_daemon(web);
    wsp_loop_free(loop);
    return web ? EXIT_SUCCESS : EXIT_FAILURE;
}
