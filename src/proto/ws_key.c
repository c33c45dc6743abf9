#include "proto/ws.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 section 1.3 */

static bool is_base64(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* The four spare bits of the last digit may be anything: decoders drop them. */
bool ws_key_valid(struct slice key)
{
    if (key.len != WS_KEY_LEN)
        return false;
    for (size_t i = 0; i < WS_KEY_LEN - 2; i++)
        if (!is_base64(key.p[i]))
            return false;
    return key.p[WS_KEY_LEN - 2] == '=' && key.p[WS_KEY_LEN - 1] == '=';
}

void ws_accept_key(struct slice key, char out[WS_ACCEPT_LEN + 1])
{
    uint8_t text[WS_KEY_LEN + sizeof(GUID) - 1];
    uint8_t digest[SHA_DIGEST_LENGTH] = {0};
    size_t n = key.len < WS_KEY_LEN ? key.len : WS_KEY_LEN;

    if (n)
        memcpy(text, key.p, n);
    memcpy(text + n, GUID, sizeof(GUID) - 1);
    /* Fails only where OpenSSL has no SHA-1 at all; the peer then refuses the zero digest. */
    SHA1(text, n + sizeof(GUID) - 1, digest);
    EVP_EncodeBlock((uint8_t *)out, digest, sizeof(digest));
}

void ws_key_write(const uint8_t random[16], char out[WS_KEY_LEN + 1])
{
    EVP_EncodeBlock((uint8_t *)out, random, 16);
}
