#include "provider/provider.h"

static bool is_address(const char *s)
{
    int dots = 0;
    for (; *s; s++) {
        if (*s == '.') {
            dots++;
        } else if (*s < '0' || *s > '9') {
            return false;
        }
    }
    return dots == 3;
}

static bool alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* SPEC Amazon S3 User Guide, "General purpose bucket naming rules". */
static const char *broken_rule(const char *s)
{
    size_t n = strlen(s);
    if (n < 3 || n > 63) {
        return "it must have 3 to 63 characters";
    }
    for (size_t i = 0; i < n; i++) {
        if (!alnum(s[i]) && s[i] != '-' && s[i] != '.') {
            return "it may have only lower-case letters, digits, hyphens and dots";
        }
        if (s[i] == '.' && (s[i + 1] == '.' || s[i + 1] == '-' || (i && s[i - 1] == '-'))) {
            return "a dot must stand between letters or digits";
        }
    }
    if (!alnum(s[0]) || !alnum(s[n - 1])) {
        return "it must begin and end with a letter or digit";
    }
    return is_address(s) ? "it may not look like an IP address" : NULL;
}

pail_code pl_bucket_name_check(const char *name, struct pail_error **err)
{
    const char *rule = name ? broken_rule(name) : "it is missing";
    return rule ? pl_fail(err, PAIL_E_BAD_BUCKET_NAME, "bad bucket name \"%s\": %s",
                          name ? name : "", rule)
                : PAIL_OK;
}

enum { KEY_MAX = 1024 };

pail_code pl_key_check(const char *key, struct pail_error **err)
{
    size_t n = key ? strlen(key) : 0;
    if (n == 0) {
        return pl_fail(err, PAIL_E_BAD_KEY, "the key is empty; a key has 1 to 1024 bytes");
    }
    if (n > KEY_MAX) {
        return pl_fail(err, PAIL_E_BAD_KEY,
                       "the key has %zu bytes, at most 1024 are allowed: \"%.40s...\"", n, key);
    }
    if (!pl_utf8_valid(pl_str_n(key, n))) {
        return pl_fail(err, PAIL_E_BAD_KEY,
                       "the key is not valid UTF-8; encode its name, for example in percent form");
    }
    return PAIL_OK;
}
