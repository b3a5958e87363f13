#include "json.h"

#include "mem.h"
#include "out.h"

#include <string.h>

static bool is_utf8(const char *text)
{
    while (*text != '\0') {
        size_t n = out_sequence(text);
        if (n == 0) {
            return false;
        }
        text += n;
    }
    return true;
}

static void quoted(const char *text)
{
    out_text("\"");
    const char *from = text;
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
            continue;
        }
        out_bytes(from, (size_t)(p - from));
        from = p + 1;
        if (c == '"' || c == '\\') {
            out_printf("\\%c", c);
        } else {
            out_printf("\\u%04x", c);
        }
    }
    out_text(from);
    out_text("\"");
}

static void base64(const char *text)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)text;
    out_text("\"");
    for (size_t n = strlen(text); n > 0;) {
        size_t take = n < 3 ? n : 3;
        uint32_t bits = (uint32_t)p[0] << 16;
        bits |= take > 1 ? (uint32_t)p[1] << 8 : 0;
        bits |= take > 2 ? (uint32_t)p[2] : 0;
        char four[] = {set[bits >> 18], set[bits >> 12 & 63], set[bits >> 6 & 63], set[bits & 63]};
        memset(four + 1 + take, '=', 3 - take);
        out_bytes(four, sizeof four);
        p += take;
        n -= take;
    }
    out_text("\"");
}

void json_begin(const char *type)
{
    out_printf("{\"v\":1,\"type\":\"%s\"", type);
}

void json_text(const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    if (is_utf8(value)) {
        out_printf(",\"%s\":", name);
        quoted(value);
    } else {
        out_printf(",\"%s_b64\":", name);
        base64(value);
    }
}

void json_int(const char *name, int64_t value)
{
    out_printf(",\"%s\":%lld", name, (long long)value);
}

void json_uint(const char *name, uint64_t value)
{
    out_printf(",\"%s\":%llu", name, (unsigned long long)value);
}

void json_bool(const char *name, bool value)
{
    out_printf(",\"%s\":%s", name, value ? "true" : "false");
}

void json_time(const char *name, int64_t unix_ms)
{
    if (unix_ms >= 0) {
        char room[OUT_ROOM];
        json_text(name, out_time(room, unix_ms, true));
    }
}

void json_pairs(const char *name, const pail_kv *pairs, size_t count)
{
    if (count == 0) {
        return;
    }
    out_printf(",\"%s\":{", name);
    for (size_t i = 0; i < count; i++) {
        out_text(i > 0 ? "," : "");
        quoted(pairs[i].name);
        out_text(":");
        quoted(pairs[i].value);
    }
    out_text("}");
}

void json_end(void)
{
    out_text("}\n");
}

static void checksum(const char *text)
{
    const char *colon = text == NULL ? NULL : strchr(text, ':');
    if (colon != NULL) {
        char *algorithm = mem_text(text);
        algorithm[colon - text] = '\0';
        json_pairs("checksum", &(pail_kv){algorithm, colon + 1}, 1);
        mem_free(algorithm);
    }
}

void json_info(const char *type, const char *url, const char *bucket, const pail_info *info)
{
    json_begin(type);
    json_text("url", url);
    json_text("bucket", bucket);
    json_text("key", info->key);
    if (!info->is_prefix && !info->is_delete_marker && info->upload_id == NULL) {
        json_uint("size", info->size);
    }
    json_text("etag", info->etag);
    json_time(info->upload_id != NULL ? "initiated" : "mtime", info->mtime_ms);
    json_text("class", info->storage_class);
    if (info->version != NULL) {
        json_text("version", info->version);
        json_bool("latest", info->is_latest);
    }
    json_text("upload_id", info->upload_id);
    json_text("content_type", info->content_type);
    json_text("content_encoding", info->content_encoding);
    json_text("content_language", info->content_language);
    json_text("content_disposition", info->content_disposition);
    json_text("cache_control", info->cache_control);
    json_text("encryption", info->encryption);
    checksum(info->checksum);
    json_pairs("metadata", info->metadata, info->metadata_count);
    json_pairs("tags", info->tags, info->tag_count);
    json_end();
}
