#include "codec/date.h"

static const char days[] = "ThuFriSatSunMonTueWed"; /* the first day of 1970 was a Thursday */
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct civil {
    int year, month, day, hour, minute, second, ms, weekday; /* month 1-12; weekday as in days */
};

/* Days since 1970-01-01 of a day of the Gregorian calendar. The year is counted from March, so that
 * the leap day is its last; 719468 days lie between 0000-03-01 and 1970-01-01. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month)
{
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return lengths[month - 1] + (month == 2 && leap);
}

static struct civil civil_of(int64_t ms)
{
    const int64_t first = -62167219200000, last = 253402300799999; /* the years 0 and 9999 */
    ms = ms < first ? first : ms > last ? last : ms;
    int64_t day = (ms - first) / 86400000; /* from 0000-01-01, so never negative */
    int64_t rest = (ms - first) % 86400000;
    struct civil c = {.hour = (int)(rest / 3600000),
                      .minute = (int)(rest / 60000 % 60),
                      .second = (int)(rest / 1000 % 60),
                      .ms = (int)(rest % 1000)};
    int64_t unix_day = day + first / 86400000;
    c.weekday = (int)(((unix_day % 7) + 7) % 7);
    /* The reverse of days_of: eras of 400 years, years from March. */
    int64_t of_era = (unix_day + 719468) % 146097, era = (unix_day + 719468) / 146097;
    if (of_era < 0) {
        of_era += 146097;
        era--;
    }
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0 is March */
    c.day = (int)(of_year - (153 * month + 2) / 5) + 1;
    c.month = (int)(month < 10 ? month + 3 : month - 9);
    c.year = (int)(era * 400 + year) + (c.month <= 2);
    return c;
}

static bool ms_of(const struct civil *c, int64_t *ms)
{
    if (c->month < 1 || c->month > 12 || c->day < 1 || c->day > days_in(c->year, c->month) ||
        c->hour > 23 || c->minute > 59 || c->second > 60) {
        return false;
    }
    int64_t s = days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60;
    *ms = (s + c->second) * 1000 + c->ms;
    return true;
}

/* Writes by a picture: letters take digits of their field, all else is copied. W and B take the
 * names of the day and of the month. */
static void put_digits(char **out, int value, int count)
{
    for (int i = count - 1; i >= 0; i--, value /= 10) {
        (*out)[i] = (char)('0' + value % 10);
    }
    *out += count;
}

static void put_picture(char *out, const char *picture, int64_t ms)
{
    struct civil c = civil_of(ms);
    for (; *picture; picture++) {
        switch (*picture) {
        case 'Y': put_digits(&out, c.year, 4); break;
        case 'm': put_digits(&out, c.month, 2); break;
        case 'd': put_digits(&out, c.day, 2); break;
        case 'h': put_digits(&out, c.hour, 2); break;
        case 'i': put_digits(&out, c.minute, 2); break;
        case 's': put_digits(&out, c.second, 2); break;
        case 'f': put_digits(&out, c.ms, 3); break;
        case 'W':
            memcpy(out, days + 3 * c.weekday, 3);
            out += 3;
            break;
        case 'B':
            memcpy(out, months + 3 * (c.month - 1), 3);
            out += 3;
            break;
        default: *out++ = *picture;
        }
    }
    *out = '\0';
}

static bool get_digits(struct pl_str *text, size_t count, int *value)
{
    uint64_t n;
    if (text->len < count || !pl_str_u64(pl_str_n(text->ptr, count), &n)) {
        return false;
    }
    *value = (int)n;
    *text = pl_str_n(text->ptr + count, text->len - count);
    return true;
}

static bool get_name(struct pl_str *text, const char *names, int *index)
{
    for (int i = 0; names[3 * i]; i++) {
        if (pl_str_starts(*text, pl_str_n(names + 3 * i, 3))) {
            *index = i;
            *text = pl_str_n(text->ptr + 3, text->len - 3);
            return true;
        }
    }
    return false;
}

/* Reads what the picture says off the start of the text. */
static bool get_picture(struct pl_str *text, const char *picture, struct civil *c)
{
    bool ok = true;
    for (; ok && *picture; picture++) {
        switch (*picture) {
        case 'Y': ok = get_digits(text, 4, &c->year); break;
        case 'm': ok = get_digits(text, 2, &c->month); break;
        case 'd': ok = get_digits(text, 2, &c->day); break;
        case 'h': ok = get_digits(text, 2, &c->hour); break;
        case 'i': ok = get_digits(text, 2, &c->minute); break;
        case 's': ok = get_digits(text, 2, &c->second); break;
        case 'W': ok = get_name(text, days, &c->weekday); break;
        case 'B':
            ok = get_name(text, months, &c->month);
            c->month++;
            break;
        default:
            ok = text->len && *text->ptr == *picture;
            *text = pl_str_n(text->ptr + ok, text->len - ok);
        }
    }
    return ok;
}

#define HTTP  "W, d B Y h:i:s GMT"
#define BASIC "YmdThisZ"

const char *pl_date_http(int64_t ms, char out[PL_DATE_HTTP_SIZE])
{
    put_picture(out, HTTP, ms);
    return out;
}

const char *pl_date_iso(int64_t ms, char out[PL_DATE_ISO_SIZE])
{
    put_picture(out, "Y-m-dTh:i:s.fZ", ms);
    return out;
}

const char *pl_date_basic(int64_t ms, char out[PL_DATE_BASIC_SIZE])
{
    put_picture(out, BASIC, ms);
    return out;
}

bool pl_date_http_parse(struct pl_str text, int64_t *ms)
{
    struct civil c = {0};
    return get_picture(&text, HTTP, &c) && text.len == 0 && ms_of(&c, ms);
}

bool pl_date_basic_parse(struct pl_str text, int64_t *ms)
{
    struct civil c = {0};
    return get_picture(&text, BASIC, &c) && text.len == 0 && ms_of(&c, ms);
}

static bool get_fraction(struct pl_str *text, int *ms)
{
    if (!text->len || *text->ptr != '.') {
        return true;
    }
    size_t i = 1;
    for (int scale = 100; i < text->len && text->ptr[i] >= '0' && text->ptr[i] <= '9'; i++) {
        *ms += (text->ptr[i] - '0') * scale;
        scale /= 10;
    }
    *text = pl_str_n(text->ptr + i, text->len - i);
    return i > 1;
}

static bool get_offset(struct pl_str text, int64_t *ms)
{
    struct civil c = {0};
    bool minus = text.len && *text.ptr == '-';
    if (pl_str_ieq(text, PL_STR("z"))) {
        return true;
    }
    if (!get_picture(&text, minus ? "-h:i" : "+h:i", &c) || text.len || c.hour > 23 ||
        c.minute > 59) {
        return false;
    }
    int64_t offset = (c.hour * 60 + c.minute) * INT64_C(60000);
    *ms += minus ? offset : -offset;
    return true;
}

bool pl_date_iso_parse(struct pl_str text, int64_t *ms)
{
    struct civil c = {0};
    if (!get_picture(&text, "Y-m-d", &c) || !text.len || (*text.ptr != 'T' && *text.ptr != 't')) {
        return false;
    }
    text = pl_str_n(text.ptr + 1, text.len - 1);
    return get_picture(&text, "h:i:s", &c) && get_fraction(&text, &c.ms) && ms_of(&c, ms) &&
           get_offset(text, ms);
}
