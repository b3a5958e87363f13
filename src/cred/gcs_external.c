/* The subject token of an external account: read from a file, fetched from a URL, or made for AWS.
 * Source: google.aip.dev/auth/4117. */
#include <errno.h>

#include "base/sys.h"
#include "cred/gcs_auth.h"

enum { SUBJECT_MAX = 64 * 1024, ASKED = 1 };

/* The whole text, or the member that the file names. what: where it was. */
static pail_code take(struct pl_gcs_subject_walk *w, struct pl_str text, const char *what,
                      struct pail_error **err)
{
    const char *field = w->auth->external.field;
    json_t *root = NULL;
    w->subject.max = SUBJECT_MAX;
    if (!field) {
        pl_buf_str(&w->subject, pl_str_trim(text));
    } else if (pl_json_parse(text, what, &root, err)) {
        return PAIL_E_NO_CREDENTIALS;
    } else {
        pl_buf_puts(&w->subject, pl_json_text(root, field) ? pl_json_text(root, field) : "");
    }
    pl_json_free_secret(root);
    bool fine =
        w->subject.len > 0 && !pl_buf_rc(&w->subject) && pl_header_safe(pl_buf_view(&w->subject));
    if (fine) {
        return PAIL_OK;
    }
    return field ? pl_fail(err, PAIL_E_NO_CREDENTIALS, "no subject token in %s: no \"%s\"", what,
                           field)
                 : pl_fail(err, PAIL_E_NO_CREDENTIALS,
                           "no subject token in %s: it is empty or has control characters", what);
}

static pail_code from_file(struct pl_gcs_subject_walk *w, struct pail_error **err)
{
    const char *path = w->auth->external.file;
    size_t len = 0;
    char room[128];
    char *text = pl_sys_read_file(path, SUBJECT_MAX, &len);
    if (!text) {
        return pl_fail(err, PAIL_E_NO_CREDENTIALS, "no subject token: cannot read %s: %s", path,
                       pl_errno_text(errno, room, sizeof room));
    }
    pail_code rc = take(w, pl_str_n(text, len), path, err);
    pl_zero(text, len);
    pl_free(text);
    return rc;
}

static enum pl_errand_step ask(struct pl_gcs_subject_walk *w, struct pl_http_request *out,
                               struct pail_error **err)
{
    const struct pl_gcs_external *x = &w->auth->external;
    if (pl_gcs_ask(out, "GET", pl_str_c(x->url), err)) {
        return PL_ERRAND_FAIL;
    }
    for (size_t i = 0; i < PL_GCS_HEADERS_MAX && x->header_names[i]; i++) {
        pl_http_add_c(out, x->header_names[i], x->header_values[i]);
    }
    w->at = ASKED;
    w->timeout_ms = PL_GCS_ENDPOINT_MS;
    return PL_ERRAND_SEND;
}

enum pl_errand_step pl_gcs_subject_next(struct pl_gcs_subject_walk *w, int64_t now_ms,
                                        const struct pl_http_response *answer,
                                        struct pl_http_request *out, struct pail_error **err)
{
    const struct pl_gcs_external *x = &w->auth->external;
    w->timeout_ms = 0;
    switch (x->kind) {
    case PL_GCS_SUBJECT_AWS: return pl_gcs_aws_next(w, now_ms, answer, out, err);
    case PL_GCS_SUBJECT_FILE: return from_file(w, err) ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
    case PL_GCS_SUBJECT_URL: break;
    }
    if (w->at != ASKED) {
        return ask(w, out, err);
    }
    if (answer->fail || answer->status != 200) {
        (void)pl_gcs_blame(answer, PAIL_E_NO_CREDENTIALS, "subject token", x->url, err);
        return PL_ERRAND_FAIL;
    }
    return take(w, pl_buf_view(&answer->body), x->url, err) ? PL_ERRAND_FAIL : PL_ERRAND_DONE;
}

void pl_gcs_subject_dispose(struct pl_gcs_subject_walk *w)
{
    struct pl_buf *all[] = {&w->session,    &w->region, &w->access_key,
                            &w->secret_key, &w->token,  &w->subject};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        pl_gcs_wipe(all[i]);
    }
}
