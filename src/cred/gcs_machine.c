/* The metadata server: how it is asked, and how often. Source: Compute Engine "View and query VM
 * metadata", "Detect if a VM is running in Compute Engine"; GKE "About Workload Identity
 * Federation": its server needs some seconds before it answers a new pod. */
#include "base/sys.h"
#include "cred/gcs_auth.h"

enum {
    KNOWN_MS = 3000,
    UNKNOWN_TRIES = 3,
    KNOWN_TRIES = 5,
    AGAIN_MS = 200, /* then twice as long each time: 3 s in all */
    NAME_MAX_BYTES = 256
};

bool pl_gcs_machine_is_googles(void)
{
    size_t n = 0;
    char *name = pl_sys_read_file("/sys/class/dmi/id/product_name", NAME_MAX_BYTES, &n);
    bool googles = name && pl_str_starts(pl_str_n(name, n), PL_STR("Google"));
    pl_free(name);
    return googles;
}

/* The server is there, whether it answers or not. */
static bool is_known(struct pl_gcs_auth *a)
{
    pthread_mutex_lock(&a->lock);
    bool served = a->token.text != NULL;
    pthread_mutex_unlock(&a->lock);
    return served || a->on_google;
}

pail_code pl_gcs_machine_ask(struct pl_gcs_auth *a, const char *what, struct pl_errand *e,
                             const struct pl_gcs_tries *t, struct pl_http_request *out,
                             struct pail_error **err)
{
    struct pl_buf url = PL_BUF_MAX(1024);
    pl_buf_printf(&url, "http://%s/computeMetadata/v1/instance/service-accounts/default/%s",
                  a->metadata_host, what);
    pail_code rc = pl_buf_rc(&url)
                       ? pl_fail(err, PAIL_E_BAD_CONFIG, "gcs_metadata_host is too long")
                       : pl_gcs_ask(out, "GET", pl_buf_view(&url), err);
    pl_buf_dispose(&url);
    if (!rc) {
        out->direct = true;
        pl_http_add_c(out, "metadata-flavor", "Google");
        e->timeout_ms = t->met || is_known(a) ? KNOWN_MS : PL_GCS_METADATA_MS;
        e->wait_ms = t->failed ? (uint32_t)AGAIN_MS << (t->failed - 1) : 0;
    }
    return rc;
}

bool pl_gcs_machine_again(struct pl_gcs_auth *a, struct pl_gcs_tries *t,
                          const struct pl_http_response *r)
{
    bool stumbled = !r->fail && (r->status == 429 || r->status >= 500);
    bool slow = r->fail == PL_HTTP_DEADLINE || r->fail == PL_HTTP_IDLE;
    bool refused = r->fail == PL_HTTP_CONNECT; /* the name is known, which it is at Google only */
    bool known = is_known(a), met = stumbled || pl_errand_cut(r) || (slow && r->sends > 0);
    bool goes_on = met || refused || (known && (slow || r->fail == PL_HTTP_DNS));
    t->met |= met;
    t->failed++;
    return goes_on && t->failed < (!slow && (met || known) ? KNOWN_TRIES : UNKNOWN_TRIES);
}
