#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <cjson/cJSON.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "api/status_socket.c" /* how long a client has, and who is one */
#include "unit/net_help.h"

enum {
    NOBODY = 65534,
    FILLING = 1024 * 1024, /* bytes, which no socket takes at once */
};

struct fixture {
    struct wsp_loop *loop;
    struct wsp_status_socket *status; /* NULL while it is closed */
    struct wsp_status_options options;
    char directory[32], path[64], error[WSP_ERROR_MAX];
    size_t filling;                       /* bytes that the document has more */
    void (*meanwhile)(struct fixture *f); /* something done while the document is asked for */
    unsigned logged;
    char line[256]; /* the last that was logged */
};

static void on_log(void *ctx, enum wsp_log_level level, const char *line, size_t len)
{
    struct fixture *f = ctx;

    (void)level;
    f->logged++;
    snprintf(f->line, sizeof(f->line), "%.*s", (int)len, line);
}

static char *document(void *ctx)
{
    struct fixture *f = ctx;
    size_t room = f->filling + 32;
    char *text = malloc(room);

    if (f->meanwhile)
        f->meanwhile(f);
    if (text)
        snprintf(text, room, "{\"filling\":\"%0*d\"}", (int)f->filling, 0);
    return text;
}

static bool start(struct fixture *f, const char *path)
{
    f->options.path = path;
    f->status = wsp_status_open(f->loop, &f->options, f->error);
    return f->status != NULL;
}

static void stop(struct fixture *f)
{
    wsp_status_close(f->status);
    f->status = NULL;
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->loop = wsp_loop_new();
    assert_non_null(f->loop);
    wsp_loop_set_log(f->loop, WSP_LOG_INFO, on_log, f);
    f->filling = 1;
    snprintf(f->directory, sizeof(f->directory), "/tmp/wsp-status-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->path, sizeof(f->path), "%s/wsps.sock", f->directory);
    f->options = (struct wsp_status_options){.program = "wsps",
                                             .version = "1.2",
                                             .file = "/dev/../dev/null",
                                             .document = document,
                                             .ctx = f};
    unsetenv("RUNTIME_DIRECTORY");
    unsetenv("XDG_RUNTIME_DIR");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    stop(f);
    wsp_loop_free(f->loop);
    unlink(f->path);
    assert_int_equal(rmdir(f->directory), 0);
    free(f);
    return 0;
}

/* A socket at the path that nobody listens on, or (live) somebody else does. */
static int other_socket(const struct fixture *f, bool live)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(a.sun_path, f->path, sizeof(f->path));
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    if (live)
        assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static int ask(const struct fixture *f)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    memcpy(a.sun_path, f->path, sizeof(f->path));
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* All that comes, up to the end; closes the descriptor. */
static struct buf read_all(struct fixture *f, int fd)
{
    struct buf in = {0};
    char piece[65536];
    ssize_t n = -1;

    while (n != 0) {
        wait_step(f->loop, fd);
        n = recv(fd, piece, sizeof(piece), 0);
        assert_true(n >= 0 || errno == EAGAIN);
        if (n > 0)
            assert_int_equal(buf_append(&in, piece, (size_t)n), WSP_OK);
    }
    close(fd);
    return in;
}

static void assert_document(struct fixture *f, int fd)
{
    struct buf in = read_all(f, fd);
    cJSON *root = cJSON_ParseWithLength((const char *)buf_slice(&in).p, in.len);

    assert_int_equal(buf_slice(&in).p[in.len - 1], '\n');
    assert_string_equal(cJSON_GetObjectItem(root, "program")->valuestring, "wsps");
    assert_string_equal(cJSON_GetObjectItem(root, "config")->valuestring, "/dev/null");
    assert_int_equal(cJSON_GetObjectItem(root, "pid")->valueint, getpid());
    assert_string_equal(cJSON_GetObjectItem(root, "version")->valuestring, "1.2");
    assert_int_equal(strlen(cJSON_GetObjectItem(root, "filling")->valuestring), f->filling);
    cJSON_Delete(root);
    buf_fini(&in);
}

static void test_answer(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    umask(0);
    assert_true(start(f, f->path));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_document(f, ask(f));
    f->filling = FILLING;
    assert_document(f, ask(f));
    stop(f);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(f->logged, 0);
}

static void test_stale_is_replaced(void **state)
{
    struct fixture *f = *state;

    close(other_socket(f, false));
    assert_true(start(f, f->path));
    assert_document(f, ask(f));
}

/* One that somebody answers on is left alone: an error at a configured path, a line at a default
 * one. */
static void test_live_is_not(void **state)
{
    struct fixture *f = *state;
    int other = other_socket(f, true);

    assert_false(start(f, f->path));
    assert_non_null(strstr(f->error, f->path));
    setenv("RUNTIME_DIRECTORY", f->directory, 1);
    assert_true(start(f, NULL));
    assert_int_equal(f->logged, 1);
    assert_non_null(strstr(f->line, "Address already in use"));
    stop(f);
    assert_int_equal(access(f->path, F_OK), 0);
    close(other);
}

/* A file of somebody's that a wrong path names is not ours to replace. */
static void test_file_is_not(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    close(open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_false(start(f, f->path));
    assert_non_null(strstr(f->error, "Address already in use"));
    assert_int_equal(lstat(f->path, &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

static void test_places(void **state)
{
    struct fixture *f = *state;
    char expected[STATUS_PATH_MAX], path[STATUS_PATH_MAX], list[128];

    assert_false(status_place(0, "wsps", path));
    setenv("RUNTIME_DIRECTORY", "relative", 1);
    assert_false(status_place(0, "wsps", path));
    snprintf(list, sizeof(list), "%s:/other", f->directory);
    setenv("RUNTIME_DIRECTORY", list, 1);
    assert_true(status_place(0, "wsps", path));
    assert_string_equal(path, f->path);
    assert_true(usual_place("wsps", path));
    assert_string_equal(path, f->path);
    setenv("RUNTIME_DIRECTORY", "/nonexistent", 1);
    setenv("XDG_RUNTIME_DIR", f->directory, 1);
    snprintf(expected, sizeof(expected), "%s/wspc.sock", f->directory);
    assert_true(status_place(2, "wspc", path));
    assert_string_equal(path, expected);
    memset(list, 'x', sizeof(list) - 1);
    list[0] = '/';
    list[sizeof(list) - 1] = '\0';
    setenv("XDG_RUNTIME_DIR", list, 1);
    assert_false(status_place(2, "wspc", path));
}

static void test_off(void **state)
{
    struct fixture *f = *state;

    setenv("RUNTIME_DIRECTORY", f->directory, 1);
    assert_true(start(f, ""));
    assert_int_equal(access(f->path, F_OK), -1);
    stop(f);
    assert_true(start(f, NULL));
    assert_int_equal(access(f->path, F_OK), 0);
}

/* A reload; what cannot be done changes nothing. */
static void test_moves(void **state)
{
    struct fixture *f = *state;
    uint64_t began_us;

    assert_int_equal(wsp_status_move(f->status, f->path, f->error), WSP_ERR_USAGE);
    setenv("RUNTIME_DIRECTORY", f->directory, 1);
    assert_false(start(f, "/nonexistent/x"));
    assert_true(start(f, ""));
    began_us = f->status->began_us;
    assert_int_equal(wsp_status_move(f->status, "/nonexistent/x", f->error), WSP_ERR_SYSTEM);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(wsp_status_move(f->status, f->path, f->error), WSP_OK);
    assert_document(f, ask(f));
    assert_int_equal(wsp_status_move(f->status, "/nonexistent/x", f->error), WSP_ERR_SYSTEM);
    assert_document(f, ask(f));
    assert_int_equal(wsp_status_move(f->status, "", f->error), WSP_OK);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_int_equal(wsp_status_move(f->status, NULL, f->error), WSP_OK);
    assert_document(f, ask(f));
    assert_int_equal(f->status->began_us, began_us);
}

/* Those who do not read have their time, and others wait; then it is their turn. */
static void test_stalled_readers(void **state)
{
    struct fixture *f = *state;
    int stalled[CLIENTS_MAX], fd;

    f->filling = FILLING;
    assert_true(start(f, f->path));
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        stalled[i] = ask(f);
    wait_for(f->loop, -1, list_count(&f->status->clients) == CLIENTS_MAX);
    fd = ask(f);
    turn_until_idle(f->loop);
    assert_int_equal(list_count(&f->status->clients), CLIENTS_MAX);
    for (struct list *n = f->status->clients.next; n != &f->status->clients; n = n->next) {
        struct status_client *c = container_of(n, struct status_client, node);

        assert_true(c->timer.due_us <= loop_now(f->loop) + CLIENT_US);
        timer_set(f->loop, &c->timer, loop_now(f->loop)); /* now already */
    }
    assert_document(f, fd);
    assert_true(list_empty(&f->status->clients));
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        close(stalled[i]);
}

/* Who leaves, and who sends instead of reading, is forgotten; a stop ends what is open. */
static void test_ends(void **state)
{
    struct fixture *f = *state;
    int fd, held;

    f->filling = FILLING;
    assert_true(start(f, f->path));
    fd = ask(f);
    wait_for(f->loop, -1, list_count(&f->status->clients) == 1);
    assert_int_equal(send(fd, "GET", 3, 0), 3);
    close(fd);
    wait_for(f->loop, -1, list_empty(&f->status->clients));
    held = ask(f);
    wait_for(f->loop, -1, list_count(&f->status->clients) == 1);
    stop(f);
    assert_int_equal(ask(f), -1);
    close(held);
}

static void move_away(struct fixture *f)
{
    f->meanwhile = NULL;
    assert_int_equal(wsp_status_move(f->status, "", f->error), WSP_OK);
    assert_int_equal(wsp_status_move(f->status, f->path, f->error), WSP_OK);
}

static void close_it(struct fixture *f)
{
    f->meanwhile = NULL;
    stop(f);
}

static void free_loop_and_close(struct fixture *f)
{
    f->meanwhile = NULL;
    wsp_loop_free(f->loop);
    stop(f);
    f->loop = NULL;
}

/* Who asks for the document is let down, and whoever asks next is not. */
static void test_document_does_more(void **state)
{
    struct fixture *f = *state;
    struct buf in;
    int fd;

    f->meanwhile = move_away;
    assert_true(start(f, f->path));
    in = read_all(f, ask(f));
    assert_int_equal(in.len, 0);
    buf_fini(&in);
    assert_document(f, ask(f));
    f->meanwhile = close_it;
    in = read_all(f, ask(f));
    assert_int_equal(in.len, 0);
    buf_fini(&in);
    assert_int_equal(access(f->path, F_OK), -1);
    assert_true(start(f, f->path));
    f->meanwhile = free_loop_and_close;
    fd = ask(f);
    wsp_loop_turn(f->loop);
    assert_null(f->loop);
    assert_int_equal(recv(fd, &in, 1, 0), 0);
    close(fd);
}

static char *no_memory(void *ctx)
{
    (void)ctx;
    return NULL;
}

static void test_misuse(void **state)
{
    struct fixture *f = *state;
    struct wsp_status_options none = {.program = "wsps"};
    struct buf in;

    assert_null(wsp_status_open(NULL, &f->options, f->error));
    assert_null(wsp_status_open(f->loop, NULL, NULL));
    assert_null(wsp_status_open(f->loop, &none, f->error));
    assert_int_equal(wsp_status_move(NULL, "", f->error), WSP_ERR_USAGE);
    wsp_status_close(NULL);
    f->options.document = no_memory;
    assert_true(start(f, f->path));
    in = read_all(f, ask(f));
    assert_int_equal(in.len, 0);
    wsp_loop_free(f->loop); /* the status socket holds it */
    f->loop = NULL;
}

/* As another user: 0 when not one byte came. */
static int ask_as_nobody(const struct fixture *f)
{
    char c;
    int fd;

    if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
        return 2;
    fd = ask(f);
    if (fd < 0)
        return errno == EACCES ? 0 : 3;
    poll(&(struct pollfd){fd, POLLIN, 0}, 1, WAIT_MS);
    return recv(fd, &c, 1, 0) > 0 ? 4 : 0;
}

static void test_other_users(void **state)
{
    struct fixture *f = *state;

    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(f->directory, 0755), 0);
    assert_true(start(f, f->path));
    for (int open = 0; open < 2; open++) {
        int status = -1, ended[2]; /* a pipe that ends with the child */
        pid_t pid;

        if (open)
            assert_int_equal(chmod(f->path, 0666), 0);
        assert_int_equal(pipe(ended), 0);
        pid = fork();
        if (pid == 0)
            _exit(ask_as_nobody(f));
        close(ended[1]);
        wait_for(f->loop, ended[0], waitpid(pid, &status, WNOHANG) == pid);
        close(ended[0]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(f->logged, open);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stale_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(test_live_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_file_is_not, setup, teardown),
        cmocka_unit_test_setup_teardown(test_places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_moves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stalled_readers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_document_does_more, setup, teardown),
        cmocka_unit_test_setup_teardown(test_misuse, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_users, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
