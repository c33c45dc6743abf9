#include "proto/utf8.h"

#define CONTINUATION_LOW 0x80
#define CONTINUATION_HIGH 0xbf
#define HIGH_BITS 0x8080808080808080u

/* The table of RFC 3629 section 4: shortest forms only, no surrogates, nothing above U+10FFFF. */
static bool begin(struct utf8 *u, uint8_t lead)
{
    u->low = CONTINUATION_LOW;
    u->high = CONTINUATION_HIGH;
    if (lead < 0x80) {
        u->left = 0;
    } else if (lead >= 0xc2 && lead <= 0xdf) {
        u->left = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        u->left = 2;
        u->low = lead == 0xe0 ? 0xa0 : u->low;
        u->high = lead == 0xed ? 0x9f : u->high;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        u->left = 3;
        u->low = lead == 0xf0 ? 0x90 : u->low;
        u->high = lead == 0xf4 ? 0x8f : u->high;
    } else {
        return false;
    }
    return true;
}

static bool go_on(struct utf8 *u, uint8_t byte)
{
    if (byte < u->low || byte > u->high)
        return false;
    u->left--;
    u->low = CONTINUATION_LOW;
    u->high = CONTINUATION_HIGH;
    return true;
}

/* Skips ASCII, which is most of most texts, eight bytes a step. */
static void skip_ascii(struct slice *s)
{
    uint64_t word;

    while (s->len >= sizeof(word)) {
        memcpy(&word, s->p, sizeof(word));
        if (word & HIGH_BITS)
            return;
        slice_advance(s, sizeof(word));
    }
}

bool utf8_follow(struct utf8 *u, struct slice piece)
{
    while (piece.len) {
        if (u->left == 0)
            skip_ascii(&piece);
        if (piece.len == 0)
            break;
        if (!(u->left ? go_on(u, piece.p[0]) : begin(u, piece.p[0])))
            return false;
        slice_advance(&piece, 1);
    }
    return true;
}
