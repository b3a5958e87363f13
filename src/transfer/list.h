/* Listings, page by page, with the next page under way while one is read. */
#ifndef PL_TRANSFER_LIST_H
#define PL_TRANSFER_LIST_H

#include "transfer/queue.h"
#include "provider/provider.h"

/* One page and the request that brings it. */
struct pl_page {
    struct pl_op op;
    struct pl_list *list;
    bool under_way;
};

struct pl_list {
    struct pl_provider *provider;
    struct pl_queue queue;
    enum pl_op_kind kind;                                      /* list, mp_list, bucket_list */
    char *bucket, *prefix, *delimiter, *start_after, *pattern; /* owned; NULL: unset */
    bool versions;
    uint32_t page_size;
    const struct pail_cancel *cancel;
    pail_progress_fn progress; /* called while the caller waits; NULL: none */
    void *progress_ctx;
    uint32_t deadline_ms; /* for each page */
    pail_kv *headers;     /* in arena */
    size_t header_count;
    char *request_payer;
    struct pl_arena arena;
    bool read_ahead;

    struct pl_page *page, *ahead; /* NULL: none */
    size_t at;                    /* in page */
    bool begun;
    pail_code rc;   /* sticky after an error */
    uint64_t given; /* entries handed out */
};

/* Set provider, kind and the fields down to request_payer first (the queue is made here). */
void pl_list_init(struct pl_list *l);
/* The next entry: PAIL_OK, PAIL_DONE, or an error. *item is valid until the next call. */
PAIL_MUST pail_code pl_list_next(struct pl_list *l, const pail_info **item,
                                 struct pail_error **err);
/* The next entry is on the page that is there. */
bool pl_list_ready(const struct pl_list *l);
/* For who brings the pages itself: fills the request for the next page, and takes what it brought.
 * PAIL_DONE behind the last page; nothing else may use the listing between the two. */
PAIL_MUST pail_code pl_list_ask(struct pl_list *l, struct pl_op *op, struct pail_error **err);
PAIL_MUST pail_code pl_list_accept(struct pl_list *l, struct pl_op *op, struct pail_error **err);
void pl_list_dispose(struct pl_list *l);

#endif
