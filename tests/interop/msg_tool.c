/*
 * Our message codec behind standard input and output, for test_protoc.py. A request is a line, and
 * so is its answer; bytes are hex, "-" stands for none.
 *
 *     encode msg CMD ID DATA              MESSAGE
 *     encode request TYPE URL             REQUEST
 *     encode response SUCCESS ERROR BOUND RESPONSE
 *     decode msg|request|response BYTES   the same fields, or "malformed"
 *     peek TOTAL BYTES                    "ok" ID HEAD_LEN, or "more", or "refused"
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/msg.h"

#define BYTES_MAX (256 * 1024)
#define WORDS_MAX 5

static uint8_t store[WORDS_MAX][BYTES_MAX]; /* what unhex made of each word */

static struct slice unhex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    unsigned byte;

    for (; n < BYTES_MAX && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[n++] = (uint8_t)byte;
    return slice_of(out, n);
}

static void put(struct slice s)
{
    if (s.len == 0)
        putchar('-');
    for (size_t i = 0; i < s.len; i++)
        printf("%02x", s.p[i]);
}

static void put_line(struct slice s)
{
    put(s);
    putchar('\n');
}

static void encode_msg(char **word)
{
    static uint8_t out[2 * BYTES_MAX + MSG_HEAD_MAX];
    enum msg_cmd cmd = (enum msg_cmd)atoi(word[2]);
    struct slice id = unhex(word[3], store[3]);
    struct slice data = unhex(word[4], store[4]);
    size_t n = msg_head_write(out, id, cmd, data.len);

    if (n != msg_head_len(id.len, cmd, data.len))
        abort();
    memcpy(out + n, data.p, data.len);
    put_line(slice_of(out, n + data.len));
}

static void encode_inner(char **word)
{
    static uint8_t out[2 * BYTES_MAX];
    size_t n = 0;

    if (strcmp(word[1], "request") == 0) {
        struct msg_request r = {.type = atoi(word[2]), .url = unhex(word[3], store[3])};

        msg_request_write(&r, out, sizeof(out), &n);
    } else {
        struct msg_response r = {.success = atoi(word[2]) != 0,
                                 .error = unhex(word[3], store[3]),
                                 .bound = unhex(word[4], store[4])};

        msg_response_write(&r, out, sizeof(out), &n);
    }
    put_line(slice_of(out, n));
}

static bool decode_msg(struct slice in)
{
    struct msg m;

    if (msg_parse(in, &m) != WSP_OK)
        return false;
    printf("%" PRId32 " ", m.cmd);
    put(m.id);
    putchar(' ');
    put_line(m.data);
    return true;
}

static bool decode_request(struct slice in)
{
    struct msg_request r;

    if (msg_request_parse(in, &r) != WSP_OK)
        return false;
    printf("%" PRId32 " ", r.type);
    put_line(r.url);
    return true;
}

static bool decode_response(struct slice in)
{
    struct msg_response r;

    if (msg_response_parse(in, &r) != WSP_OK)
        return false;
    printf("%d ", r.success);
    put(r.error);
    putchar(' ');
    put_line(r.bound);
    return true;
}

static void decode(char **word)
{
    struct slice in = unhex(word[2], store[2]);
    bool ok;

    if (strcmp(word[1], "msg") == 0)
        ok = decode_msg(in);
    else if (strcmp(word[1], "request") == 0)
        ok = decode_request(in);
    else
        ok = decode_response(in);
    if (!ok)
        puts("malformed");
}

static void peek(char **word)
{
    struct slice id;
    size_t head;
    enum wsp_err err =
        msg_transfer_peek(unhex(word[2], store[2]), strtoull(word[1], NULL, 10), &id, &head);

    if (err != WSP_OK) {
        puts(err == WSP_ERR_MORE ? "more" : "refused");
        return;
    }
    printf("ok ");
    put(id);
    printf(" %zu\n", head);
}

static void answer(char *line)
{
    char *word[WORDS_MAX] = {"", "", "", "", ""};
    char *rest = line;

    for (size_t i = 0; i < WORDS_MAX && rest; i++)
        word[i] = strsep(&rest, " \n");
    if (strcmp(word[0], "peek") == 0)
        peek(word);
    else if (strcmp(word[0], "decode") == 0)
        decode(word);
    else if (strcmp(word[1], "msg") == 0)
        encode_msg(word);
    else
        encode_inner(word);
}

int main(void)
{
    char *line = NULL;
    size_t cap = 0;

    while (getline(&line, &cap, stdin) > 0) {
        answer(line);
        fflush(stdout);
    }
    free(line);
    return 0;
}
