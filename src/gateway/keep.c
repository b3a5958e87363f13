/* A body that is kept whole: small ones, files of forms, and what came without a length. Beyond its
 * first bytes it lies in memory of the pool, so that all of them together stay within the limit. */
#include "base/sys.h"
#include "gateway/gateway.h"

enum {
    FREE_MAX = 512 << 10, /* beside the pool: what a small body may have too */
    FIRST_ROOM = 2 << 20,
    WAIT_S = 30
};

void pl_gw_keep_dispose(struct pl_gw_call *c)
{
    struct pl_gw_body *b = &c->body;
    if (b->pooled) {
        pl_pool_give(c->g->pool, b->small.ptr, b->pooled);
        b->small = PL_BUF_MAX(PL_GW_KEPT_MAX);
        b->pooled = 0;
    }
    pl_buf_dispose(&b->small);
}

/* The rest is read over, so that the client comes to read why. */
static bool give_up(struct pl_gw_call *c, const char *code, const char *why)
{
    pl_gw_keep_dispose(c);
    c->body.dropped = true;
    c->body.refusal = code;
    c->body.refusal_text = why;
    return false;
}

/* More than is ever kept. An object whose length is told needs not be kept. */
static bool too_long(struct pl_gw_call *c, const char *why)
{
    bool told = c->route->body != PL_GW_BYTES || c->body.length != UINT64_MAX;
    return told ? give_up(c, "EntityTooLarge", why)
                : give_up(c, "MissingContentLength",
                          "Without a Content-Length a body is kept in memory, 64 MiB and what "
                          "memory_limit allows at most: send a file, or the parts of a multipart "
                          "upload");
}

/* With n more bytes, which have come, and all that was announced; of unknown length twice as much
 * as before. */
static uint64_t room_for(const struct pl_gw_body *b, size_t n)
{
    bool told = b->length != UINT64_MAX;
    uint64_t need = b->small.len + n + 1 + (told ? b->length - b->seen : 0);
    uint64_t most = told ? 0 : b->pooled ? 2 * b->pooled : FIRST_ROOM;
    need = need > most ? need : most;
    return need < PL_GW_KEPT_MAX + 1 ? need : PL_GW_KEPT_MAX + 1;
}

/* Who has none of the pool's memory yet waits, with his bytes unread; who has must not, for others
 * may be waiting for that. */
bool pl_gw_keep_room(struct pl_gw_call *c, size_t n)
{
    struct pl_gw_body *b = &c->body;
    size_t have = b->pooled ? b->pooled - 1 : FREE_MAX, len = b->small.len;
    if (len + n <= have) {
        return true;
    }
    size_t size = (size_t)room_for(b, n);
    if (len + n >= size) {
        return too_long(c, NULL);
    }
    if (size + b->pooled > c->g->pool->limit) {
        return too_long(c, "the body is larger than the setting memory_limit allows");
    }
    int64_t until = pl_sys.mono_ns() + (int64_t)WAIT_S * 1000000000;
    char *room =
        b->pooled ? pl_pool_try(c->g->pool, size) : pl_pool_take(c->g->pool, size, until, NULL);
    if (!room) {
        return give_up(c, "SlowDown", NULL);
    }
    if (len) {
        memcpy(room, b->small.ptr, len);
    }
    pl_gw_keep_dispose(c);
    b->small = (struct pl_buf){.ptr = room, .len = len, .cap = size, .max = size - 1};
    b->pooled = size;
    return true;
}
