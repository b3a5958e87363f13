#include "contract.h"

/* NATIVE must hold, NO must say so before any request. Unknown services say NO until a probe has
 * shown more. */
#define CONDITIONAL(ability, expression, want)                                                     \
    do {                                                                                           \
        pail_error_free(err);                                                                      \
        err = NULL;                                                                                \
        pail_code code_ = (expression);                                                            \
        pail_code want_ = supports(ability) ? (want) : PAIL_E_UNSUPPORTED;                         \
        if (code_ != want_) {                                                                      \
            test_failed = 1;                                                                       \
            printf("# %s:%d: %s is %s, want %s: %s\n", __FILE__, __LINE__, #expression,            \
                   pail_code_name(code_), pail_code_name(want_), pail_error_message(err));         \
        }                                                                                          \
    } while (0)

static char etag[256];

static void put_and_note_etag(const char *key, const char *text)
{
    pail_info *info = NULL;
    put_text(key, text);
    CODE(pail_stat(bucket, key, NULL, &info, &err), PAIL_OK);
    snprintf(etag, sizeof etag, "%s", info && info->etag ? info->etag : "");
    pail_info_free(info);
}

static void test_condition__create_only_wins_once(void)
{
    const pail_put_opts *only = PAIL_OPTS(put, .cond = {.if_none_match = "*"});
    CONDITIONAL(PAIL_CAN_PUT_CREATE_ONLY, pail_put(bucket, "k", PAIL_BUF("1", 1), only, NULL, &err),
                PAIL_OK);
    CONDITIONAL(PAIL_CAN_PUT_CREATE_ONLY, pail_put(bucket, "k", PAIL_BUF("2", 1), only, NULL, &err),
                PAIL_E_EXISTS);
    if (supports(PAIL_CAN_PUT_CREATE_ONLY)) {
        expect_text("k", "1");
    } else {
        CHECK(!object_there("k"));
    }
}

static void test_condition__put_if_match_replaces_only_what_it_knows(void)
{
    put_and_note_etag("k", "1");
    CONDITIONAL(PAIL_CAN_PUT_IF_MATCH,
                pail_put(bucket, "k", PAIL_BUF("2", 1),
                         PAIL_OPTS(put, .cond = {.if_match = "0123456789abcdef0123456789abcdef"}),
                         NULL, &err),
                PAIL_E_PRECONDITION);
    expect_text("k", "1");
    CONDITIONAL(PAIL_CAN_PUT_IF_MATCH,
                pail_put(bucket, "k", PAIL_BUF("2", 1), PAIL_OPTS(put, .cond = {.if_match = etag}),
                         NULL, &err),
                PAIL_OK);
    expect_text("k", supports(PAIL_CAN_PUT_IF_MATCH) ? "2" : "1");
    CONDITIONAL(PAIL_CAN_PUT_IF_MATCH,
                pail_put(bucket, "gone", PAIL_BUF("2", 1),
                         PAIL_OPTS(put, .cond = {.if_match = etag}), NULL, &err),
                PAIL_E_PRECONDITION);
    CHECK(!object_there("gone"));
}

static void test_condition__reads_by_etag_and_time(void)
{
    char buf[8];
    put_and_note_etag("k", "1");
    int64_t past = INT64_C(946684800000), future = INT64_C(4102444800000);
    const struct {
        pail_conditions cond;
        pail_code want;
    } cases[] = {{{.if_match = etag}, PAIL_OK},
                 {{.if_match = "*"}, PAIL_OK},
                 {{.if_match = "other"}, PAIL_E_PRECONDITION},
                 {{.if_none_match = etag}, PAIL_E_NOT_MODIFIED},
                 {{.if_none_match = "other"}, PAIL_OK},
                 {{.if_modified_since_ms = past}, PAIL_OK},
                 {{.if_unmodified_since_ms = past}, PAIL_E_PRECONDITION},
                 {{.if_unmodified_since_ms = future}, PAIL_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CODE(pail_stat(bucket, "k", PAIL_OPTS(stat, .cond = cases[i].cond), NULL, &err),
             cases[i].want);
        CODE(pail_get(bucket, "k", PAIL_BUF(buf, 8), PAIL_OPTS(get, .cond = cases[i].cond), NULL,
                      &err),
             cases[i].want);
    }
}

static void test_condition__upload_in_parts_create_only(void)
{
    uint64_t part = pail_client_limit(client, PAIL_LIMIT_PART_MIN);
    part = part < 256 << 10 ? 256 << 10 : part;
    unsigned char *data = pattern(part + 1, 1);
    pail_writer *w = NULL;
    put_text("k", "old");
    CODE(pail_writer_open(bucket, "k",
                          PAIL_OPTS(put, .part_size = part, .cond = {.if_none_match = "*"}), &w,
                          &err),
         PAIL_OK);
    pail_code rc = w ? pail_writer_write(w, data, part + 1, &err) : PAIL_OK;
    CONDITIONAL(PAIL_CAN_MULTIPART_CREATE_ONLY, rc ? rc : pail_writer_commit(w, NULL, &err),
                PAIL_E_EXISTS);
    pail_writer_free(w);
    expect_text("k", "old");
    free(data);
}

static void test_condition__delete_if_match(void)
{
    put_and_note_etag("k", "1");
    CONDITIONAL(PAIL_CAN_DELETE_IF_MATCH,
                pail_delete(bucket, "k", PAIL_OPTS(delete, .if_match = "other"), &err),
                PAIL_E_PRECONDITION);
    expect_text("k", "1");
    CONDITIONAL(PAIL_CAN_DELETE_IF_MATCH,
                pail_delete(bucket, "k", PAIL_OPTS(delete, .if_match = etag), &err), PAIL_OK);
    CHECK(object_there("k") == !supports(PAIL_CAN_DELETE_IF_MATCH));
}

static void test_condition__copy_create_only_and_by_the_sources_etag(void)
{
    put_and_note_etag("from", "1");
    put_text("to", "old");
    CONDITIONAL(PAIL_CAN_COPY_CREATE_ONLY,
                pail_copy(bucket, "from", bucket, "to",
                          PAIL_OPTS(copy, .cond = {.if_none_match = "*"}), NULL, &err),
                PAIL_E_EXISTS);
    expect_text("to", "old");
    CONDITIONAL(PAIL_CAN_COPY_SOURCE_IF_MATCH,
                pail_copy(bucket, "from", bucket, "to2",
                          PAIL_OPTS(copy, .source_cond = {.if_match = "other"}), NULL, &err),
                PAIL_E_PRECONDITION);
    CHECK(!object_there("to2"));
    CONDITIONAL(PAIL_CAN_COPY_SOURCE_IF_MATCH,
                pail_copy(bucket, "from", bucket, "to2",
                          PAIL_OPTS(copy, .source_cond = {.if_match = etag}), NULL, &err),
                PAIL_OK);
}

void condition_suite(void)
{
    CONTRACT(test_condition__create_only_wins_once);
    CONTRACT(test_condition__put_if_match_replaces_only_what_it_knows);
    CONTRACT(test_condition__reads_by_etag_and_time);
    CONTRACT(test_condition__upload_in_parts_create_only);
    CONTRACT(test_condition__delete_if_match);
    CONTRACT(test_condition__copy_create_only_and_by_the_sources_etag);
}
