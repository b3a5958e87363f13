/* The signatures of the verbs on one object. */
#include "module.h"

#define AT(type, field) offsetof(struct type, field)
/* What every call takes. */
#define CALL_ARGS(type)                                                                            \
    {"timeout", ARG_SECONDS, AT(type, o.call.deadline_ms)},                                        \
        {"cancel", ARG_CANCEL, AT(type, o.call.cancel)},                                           \
        {"progress", ARG_PROGRESS, AT(type, progress)},                                            \
        {"headers", ARG_PAIRS, AT(type, o.call.headers)},                                          \
    {                                                                                              \
        "request_payer", ARG_TEXT, AT(type, o.call.request_payer)                                  \
    }
#define CONDITION_ARGS(type, cond)                                                                 \
    {"if_match", ARG_TEXT, AT(type, cond.if_match)},                                               \
        {"if_none_match", ARG_TEXT, AT(type, cond.if_none_match)},                                 \
        {"if_modified_since", ARG_TIME, AT(type, cond.if_modified_since_ms)},                      \
    {                                                                                              \
        "if_unmodified_since", ARG_TIME, AT(type, cond.if_unmodified_since_ms)                     \
    }
#define ENCRYPTION_ARGS(type)                                                                      \
    {"encryption", ARG_TEXT, AT(type, o.encryption.algorithm)},                                    \
        {"kms_key_id", ARG_TEXT, AT(type, o.encryption.kms_key_id)},                               \
    {                                                                                              \
        "customer_key", ARG_TEXT, AT(type, o.encryption.customer_key_base64)                       \
    }
#define ATTRIBUTE_ARGS(type, attr)                                                                 \
    {"content_type", ARG_TEXT, AT(type, attr.content_type)},                                       \
        {"content_encoding", ARG_TEXT, AT(type, attr.content_encoding)},                           \
        {"content_language", ARG_TEXT, AT(type, attr.content_language)},                           \
        {"content_disposition", ARG_TEXT, AT(type, attr.content_disposition)},                     \
        {"cache_control", ARG_TEXT, AT(type, attr.cache_control)},                                 \
        {"metadata", ARG_PAIRS, AT(type, attr.metadata)},                                          \
        {"tags", ARG_PAIRS, AT(type, attr.tags)},                                                  \
        {"storage_class", ARG_TEXT, AT(type, attr.storage_class)},                                 \
    {                                                                                              \
        "acl", ARG_TEXT, AT(type, attr.canned_acl)                                                 \
    }
#define PART_ARGS(type)                                                                            \
    {"part_size", ARG_BYTES, AT(type, o.part_size)},                                               \
    {                                                                                              \
        "concurrency", ARG_COUNT, AT(type, o.concurrency)                                          \
    }

static const struct arg get_args[] = {
    {"key", ARG_TEXT, AT(get_call, key)},
    {"sink", ARG_OBJECT, AT(get_call, sink)},
    {"offset", ARG_BYTES, AT(get_call, o.range.offset)},
    {"length", ARG_BYTES, AT(get_call, o.range.length)},
    {"suffix", ARG_BYTES, AT(get_call, o.range.suffix)},
    {"version", ARG_TEXT, AT(get_call, o.version)},
    {"sync", ARG_FLAG, AT(get_call, o.sync)},
    {"with_info", ARG_FLAG, AT(get_call, with_info)},
    CONDITION_ARGS(get_call, o.cond),
    ENCRYPTION_ARGS(get_call),
    PART_ARGS(get_call),
    CALL_ARGS(get_call),
};
const struct spec py_get_spec = SPEC("get", 1, 2, get_args);

static const struct arg put_args[] = {
    {"key", ARG_TEXT, AT(put_call, key)},
    {"source", ARG_OBJECT, AT(put_call, source)},
    {"expected_size", ARG_BYTES, AT(put_call, expected_size)},
    ATTRIBUTE_ARGS(put_call, o.attr),
    CONDITION_ARGS(put_call, o.cond),
    ENCRYPTION_ARGS(put_call),
    PART_ARGS(put_call),
    CALL_ARGS(put_call),
};
const struct spec py_put_spec = SPEC("put", 2, 2, put_args);

static const struct arg stat_args[] = {
    {"key", ARG_TEXT, AT(stat_call, key)},
    {"version", ARG_TEXT, AT(stat_call, o.version)},
    CONDITION_ARGS(stat_call, o.cond),
    ENCRYPTION_ARGS(stat_call),
    CALL_ARGS(stat_call),
};
const struct spec py_stat_spec = SPEC("stat", 1, 1, stat_args);

static const struct arg delete_args[] = {
    {"key", ARG_TEXT, AT(delete_call, key)},
    {"version", ARG_TEXT, AT(delete_call, o.version)},
    {"if_match", ARG_TEXT, AT(delete_call, o.if_match)},
    {"missing_is_error", ARG_FLAG, AT(delete_call, o.missing_is_error)},
    CALL_ARGS(delete_call),
};
const struct spec py_delete_spec = SPEC("delete", 1, 1, delete_args);

static const struct arg copy_args[] = {
    {"key", ARG_TEXT, AT(copy_call, key)},
    {"to_key", ARG_TEXT, AT(copy_call, to_key)},
    {"to_bucket", ARG_BUCKET, AT(copy_call, to_bucket)},
    {"version", ARG_TEXT, AT(copy_call, o.source_version)},
    {"source_if_match", ARG_TEXT, AT(copy_call, o.source_cond.if_match)},
    {"source_if_none_match", ARG_TEXT, AT(copy_call, o.source_cond.if_none_match)},
    {"if_match", ARG_TEXT, AT(copy_call, o.cond.if_match)},
    {"if_none_match", ARG_TEXT, AT(copy_call, o.cond.if_none_match)},
    {"replace", ARG_FLAG, AT(copy_call, replace)},
    {"source_customer_key", ARG_TEXT, AT(copy_call, o.source_encryption.customer_key_base64)},
    ATTRIBUTE_ARGS(copy_call, attr),
    ENCRYPTION_ARGS(copy_call),
    PART_ARGS(copy_call),
    CALL_ARGS(copy_call),
};
const struct spec py_copy_spec = SPEC("copy", 2, 3, copy_args);
