/*
 * A web server with libwebsockets, and a wsp server that stands in front of it, both on one thread
 * and one port: links and services are wsp's, all other requests are handed on to libwebsockets.
 *
 *     lws-server 8100
 *
 * The secret that clients must know stands in the environment as WSP_AUTH. To see it work:
 *
 *     curl http://127.0.0.1:8100/
 *     wspc -s ws://127.0.0.1:8100/wsp -R 'http://127.0.0.1:8080?mode=path&value=app'
 *     curl http://127.0.0.1:8100/app/
 */
#include <fcntl.h>
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wsp/wsp.h>

static const char CONFIG[] = "{\"bind\": \"127.0.0.1\", \"path\": \"/wsp\"}";

static struct wsp_loop *loop;       /* owned */
static struct wsp_server *server;   /* owned */
static struct lws_context *context; /* owned */
static unsigned links;
static volatile sig_atomic_t ended;

/* ---- the web server, as it would be without wsp */

/* What a request gets. */
struct page {
    char text[64];
};

static int refuse(struct lws *wsi, unsigned status)
{
    lws_return_http_status(wsi, status, NULL);
    return -1; /* with a body, if there is one, unread */
}

static int page_begin(struct lws *wsi, struct page *page, const char *path)
{
    unsigned char buffer[LWS_PRE + 512];
    unsigned char *start = buffer + LWS_PRE, *at = start, *end = buffer + sizeof(buffer) - 1;

    if (lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI) == 0)
        return refuse(wsi, HTTP_STATUS_METHOD_NOT_ALLOWED);
    if (strcmp(path, "/") == 0)
        snprintf(page->text, sizeof(page->text), "a page of the web server\n");
    else if (strcmp(path, "/links") == 0)
        snprintf(page->text, sizeof(page->text), "links: %u\n", links);
    else
        return refuse(wsi, HTTP_STATUS_NOT_FOUND);
    if (lws_add_http_common_headers(wsi, HTTP_STATUS_OK, "text/plain", strlen(page->text), &at,
                                    end) ||
        lws_finalize_write_http_header(wsi, start, &at, end))
        return -1;
    lws_callback_on_writable(wsi);
    return 0;
}

static int page_end(struct lws *wsi, const struct page *page)
{
    unsigned char buffer[LWS_PRE + sizeof(page->text)];
    size_t len = strlen(page->text);

    memcpy(buffer + LWS_PRE, page->text, len);
    if (lws_write(wsi, buffer + LWS_PRE, len, LWS_WRITE_HTTP_FINAL) != (int)len)
        return -1;
    return lws_http_transaction_completed(wsi) ? -1 : 0;
}

static int on_http(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    if (reason == LWS_CALLBACK_HTTP)
        return page_begin(wsi, user, in);
    if (reason == LWS_CALLBACK_HTTP_WRITEABLE)
        return page_end(wsi, user);
    return lws_callback_http_dummy(wsi, reason, user, in, len);
}

/* ---- what wsp adds */

/* The loop's descriptor is readable. */
static int on_loop(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                   size_t len)
{
    (void)wsi;
    (void)user;
    (void)in;
    (void)len;
    if (reason == LWS_CALLBACK_RAW_RX_FILE)
        wsp_loop_turn(loop);
    return 0;
}

static const struct lws_protocols protocols[] = {
    {.name = "http", .callback = on_http, .per_session_data_size = sizeof(struct page)},
    {.name = "wsp-loop", .callback = on_loop},
    {.name = NULL},
};

/* lws closes what it has adopted, and the descriptor is the loop's: it gets a duplicate. */
static bool watch_loop(struct lws_vhost *vhost)
{
    lws_sock_file_fd_type fd = {.filefd = fcntl(wsp_loop_fd(loop), F_DUPFD_CLOEXEC, 3)};

    return fd.filefd >= 0 &&
           lws_adopt_descriptor_vhost(vhost, LWS_ADOPT_RAW_FILE_DESC, fd, protocols[1].name, NULL);
}

/* A request that is neither for a link nor for a service: lws reads it as if from the socket. */
static void on_other_request(void *ctx, struct wsp_request *request)
{
    struct wsp_detached connection;

    if (wsp_request_detach(request, &connection) != WSP_OK)
        return; /* the visitor gets 404 */
    lws_adopt_socket_vhost_readbuf(ctx, connection.fd, connection.data, connection.len);
    free(connection.data);
}

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

static struct wsp_server *server_start(struct lws_vhost *vhost, const char *port)
{
    struct wsp_config *config = wsp_config_new();
    const struct wsp_server_options options = {
        .config = config,
        .fallback = on_other_request,
        .event = on_event,
        .ctx = vhost,
    };
    char error[WSP_ERROR_MAX];
    struct wsp_server *started;

    wsp_config_text(config, "CONFIG", CONFIG, strlen(CONFIG));
    wsp_config_set_number(config, "port", strtod(port, NULL), "PORT");
    if (getenv("WSP_AUTH"))
        wsp_config_set(config, "auth", getenv("WSP_AUTH"), "WSP_AUTH");
    started = wsp_server_new(loop, &options, error);
    if (!started)
        fprintf(stderr, "lws-server: %s\n", error);
    wsp_config_free(config);
    return started;
}

static void on_signal(int number)
{
    (void)number;
    ended = 1;
    wsp_loop_wake(loop);
}

/* Everything is there, or it says what is not. */
static bool start(const char *port)
{
    const struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER, /* before wsp: the public port */
        .protocols = protocols,
        .gid = -1,
        .uid = -1,
        .vhost_name = "pages",
    };
    struct lws_vhost *vhost;

    lws_set_log_level(LLL_WARN, NULL); /* lws 4.1 takes each adoption for an error */
    context = lws_create_context(&info);
    loop = wsp_loop_new();
    vhost = context ? lws_get_vhost_by_name(context, info.vhost_name) : NULL;
    if (!vhost || !loop || !watch_loop(vhost)) {
        perror("lws-server: no event loop");
        return false;
    }
    wsp_loop_set_log(loop, WSP_LOG_INFO, on_log, NULL);
    server = server_start(vhost, port);
    return server != NULL;
}

int main(int argc, char **argv)
{
    int status = EXIT_FAILURE;

    if (argc != 2) {
        fputs("lws-server: expected PORT\n", stderr);
        return 2;
    }
    if (start(argv[1])) {
        signal(SIGINT, on_signal);
        signal(SIGTERM, on_signal);
        while (!ended && lws_service(context, 0) >= 0)
            ;
        status = EXIT_SUCCESS;
    }
    wsp_server_free(server);
    if (context)
        lws_context_destroy(context);
    wsp_loop_free(loop);
    return status;
}
