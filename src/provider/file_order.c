#include "provider/file_order.h"

enum { FIRST_ROOM = 64 };

int pl_order_compare(struct pl_str a, struct pl_str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int c = n ? memcmp(a.ptr, b.ptr, n) : 0;
    return c ? c : a.len < b.len ? -1 : a.len > b.len;
}

static void swap(struct pl_str *a, struct pl_str *b)
{
    struct pl_str held = *a;
    *a = *b;
    *b = held;
}

static void sift_up(struct pl_str *heap, size_t i)
{
    for (; i && pl_order_compare(heap[(i - 1) / 2], heap[i]) < 0; i = (i - 1) / 2) {
        swap(&heap[(i - 1) / 2], &heap[i]);
    }
}

static void sift_down(struct pl_str *heap, size_t count)
{
    for (size_t i = 0, next; (next = 2 * i + 1) < count; i = next) {
        next += next + 1 < count && pl_order_compare(heap[next], heap[next + 1]) < 0;
        if (pl_order_compare(heap[i], heap[next]) >= 0) {
            return;
        }
        swap(&heap[i], &heap[next]);
    }
}

static bool grow(struct pl_window *w)
{
    size_t room = w->room ? w->room * 2 : FIRST_ROOM;
    room = room < w->most ? room : w->most;
    struct pl_str *at = pl_realloc(w->at, room * sizeof *at);
    if (at) {
        w->at = at;
        w->room = room;
    }
    return at != NULL;
}

void pl_window_offer(struct pl_window *w, struct pl_str text)
{
    if (w->failed || (w->after.ptr && pl_order_compare(text, w->after) <= 0)) {
        return;
    }
    bool full = w->count == w->most;
    w->overflow |= full;
    if (full && pl_order_compare(text, w->at[0]) >= 0) {
        return;
    }
    char *copy = full || w->count < w->room || grow(w) ? pl_strndup(text.ptr, text.len) : NULL;
    if (!copy) {
        w->failed = true;
        return;
    }
    if (full) {
        pl_free((char *)(uintptr_t)w->at[0].ptr);
        w->at[0] = pl_str_n(copy, text.len);
        sift_down(w->at, w->count);
    } else {
        w->at[w->count++] = pl_str_n(copy, text.len);
        sift_up(w->at, w->count - 1);
    }
}

static void clear(struct pl_window *w)
{
    while (w->count) {
        pl_free((char *)(uintptr_t)w->at[--w->count].ptr);
    }
    w->overflow = false;
}

/* From a heap to ascending order. */
static void sort(struct pl_window *w)
{
    for (size_t n = w->count; n > 1; n--) {
        swap(&w->at[0], &w->at[n - 1]);
        sift_down(w->at, n - 1);
    }
}

pail_code pl_order_run(const struct pl_order *order, size_t most)
{
    struct pl_window w = {.most = most};
    char *last = NULL;
    bool more = true;
    pail_code rc = PAIL_OK;
    while (rc == PAIL_OK && more) {
        rc = order->fill(&w, order->ctx);
        rc = rc ? rc : w.failed ? PAIL_E_NO_MEMORY : PAIL_OK;
        sort(&w);
        for (size_t i = 0; rc == PAIL_OK && i < w.count; i++) {
            rc = order->visit(w.at[i], order->ctx);
        }
        more = w.overflow && w.count;
        if (rc == PAIL_OK && more) {
            struct pl_str end = w.at[w.count - 1];
            pl_free(last);
            last = pl_strndup(end.ptr, end.len);
            w.after = pl_str_n(last, end.len);
            rc = last ? PAIL_OK : PAIL_E_NO_MEMORY;
        }
        clear(&w);
    }
    pl_free(last);
    pl_free(w.at);
    return rc;
}
