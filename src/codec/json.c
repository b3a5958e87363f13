#include "codec/json.h"

/* jansson recurses 2,048 deep, which takes 190 KiB of a stack that may have 512. */
static bool too_deep(struct pl_str text)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len && depth <= PL_JSON_DEPTH_MAX; i++) {
        char c = text.ptr[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        }
    }
    return depth > PL_JSON_DEPTH_MAX;
}

static pail_code parse(struct pl_str text, const char *name, json_type root, json_t **out,
                       struct pail_error **err)
{
    json_error_t where = {0};
    *out = NULL;
    if (text.len > PL_JSON_MAX) {
        return pl_fail(err, PAIL_E_PROTOCOL, "%s is longer than %d bytes", name, PL_JSON_MAX);
    }
    if (too_deep(text)) {
        return pl_fail(err, PAIL_E_PROTOCOL, "%s is nested too deep", name);
    }
    *out = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES, &where);
    if (!*out) {
        return pl_fail(err, PAIL_E_PROTOCOL, "%s is no JSON: line %d column %d", name, where.line,
                       where.column);
    }
    if (json_typeof(*out) != root) {
        json_decref(*out);
        *out = NULL;
        return pl_fail(err, PAIL_E_PROTOCOL, "%s is no JSON %s", name,
                       root == JSON_OBJECT ? "object" : "array");
    }
    return PAIL_OK;
}

pail_code pl_json_parse(struct pl_str text, const char *name, json_t **out, struct pail_error **err)
{
    return parse(text, name, JSON_OBJECT, out, err);
}

pail_code pl_json_parse_array(struct pl_str text, const char *name, json_t **out,
                              struct pail_error **err)
{
    return parse(text, name, JSON_ARRAY, out, err);
}

const char *pl_json_text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

bool pl_json_u64(const json_t *object, const char *member, uint64_t *out)
{
    const json_t *value = json_object_get(object, member);
    if (json_is_integer(value)) {
        *out = (uint64_t)json_integer_value(value);
        return json_integer_value(value) >= 0;
    }
    const char *text = json_string_value(value);
    return text && pl_str_u64(pl_str_c(text), out);
}

bool pl_json_quote(struct pl_buf *out, struct pl_str text)
{
    static const char hex[] = "0123456789abcdef";
    if (!pl_utf8_valid(text)) {
        return false;
    }
    pl_buf_putc(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c == '"' || c == '\\') {
            pl_buf_putc(out, '\\');
        }
        if (c < 0x20) {
            pl_buf_printf(out, "\\u00%c%c", hex[c >> 4], hex[c & 15]);
        } else {
            pl_buf_putc(out, (char)c);
        }
    }
    pl_buf_putc(out, '"');
    return true;
}

static void zero_texts(json_t *value, int depth)
{
    const char *name;
    json_t *child;
    size_t i;
    if (depth > PL_JSON_DEPTH_MAX) {
        return;
    }
    if (json_is_string(value)) { /* freed next: nobody reads what the library takes for constant */
        pl_zero((void *)(uintptr_t)json_string_value(value), json_string_length(value));
    }
    json_object_foreach(value, name, child)
    {
        zero_texts(child, depth + 1);
    }
    json_array_foreach(value, i, child)
    {
        zero_texts(child, depth + 1);
    }
}

void pl_json_free_secret(json_t *object)
{
    if (object) {
        zero_texts(object, 0);
    }
    json_decref(object);
}
