#include "contract.h"

#include <stdint.h>
#include <unistd.h>

pail_client *client;
pail_bucket *bucket;
const char *bucket_name;
pail_error *err;
int test_number, test_failures, test_failed;
const char *test_skip_reason;

static char *exempt;     /* the text of the exemption file */
static const char *only; /* PAIL_CONTRACT_ONLY: tests whose name has this in it */

static char *read_exemptions(const char *name)
{
    char path[512];
    const char *folder = getenv("PAIL_CONTRACT_EXEMPT");
    snprintf(path, sizeof path, "%s/%s.txt", folder ? folder : "tests/contract/exempt", name);
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 64 << 10);
    if (f && text) {
        (void)!fread(text, 1, (64 << 10) - 1, f);
    }
    if (f) {
        fclose(f);
    }
    return text;
}

/* The reason behind "NAME:" at the start of a line, or NULL. */
static const char *exemption(const char *name, char *room, size_t size)
{
    size_t n = strlen(name);
    for (const char *line = exempt; line && *line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : "") {
        if (strncmp(line, name, n) == 0 && line[n] == ':') {
            snprintf(room, size, "%.*s", (int)strcspn(line + n + 2, "\n"), line + n + 2);
            return room;
        }
    }
    return NULL;
}

static bool open_bucket(const char *name)
{
    bucket_name = name;
    if (pail_bucket_create(client, name, NULL, &err) ||
        pail_bucket_open(client, name, &bucket, &err)) {
        test_failed = 1;
        printf("# making the bucket: %s\n", pail_error_message(err));
        return false;
    }
    return true;
}

static void close_bucket(void)
{
    pail_bucket_close(bucket);
    bucket = NULL;
    pail_error_free(err);
    err = NULL;
    pail_code rc =
        pail_bucket_delete(client, bucket_name, PAIL_OPTS(bucket, .delete_contents = true), &err);
    if (rc && rc != PAIL_E_BUCKET_NOT_FOUND) {
        test_failed = 1;
        printf("# deleting the bucket: %s\n", pail_error_message(err));
    }
    pail_error_free(err);
    err = NULL;
}

void contract_run(const char *name, void (*fn)(void))
{
    static unsigned serial;
    char reason[256], bucket_text[64];
    if (only && !strstr(name, only)) {
        return;
    }
    test_failed = 0;
    test_skip_reason = exemption(name, reason, sizeof reason);
    if (!test_skip_reason) {
        const char *end = getenv("PAIL_CONTRACT_BUCKET_END"); /* of each name: "--zone--x-s3" */
        snprintf(bucket_text, sizeof bucket_text, "pail-contract-%ld-%u%s", (long)getpid(),
                 serial++, end ? end : "");
        if (open_bucket(bucket_text)) {
            fn();
            close_bucket();
        }
    }
    pail_error_free(err);
    err = NULL;
    test_failures += test_failed;
    const char *skip = test_failed ? NULL : test_skip_reason;
    printf("%s %d - %s%s%s\n", test_failed ? "not ok" : "ok", ++test_number, name,
           skip ? " # SKIP " : "", skip ? skip : "");
    fflush(stdout);
}

/* ---- helpers ---- */

bool supports(pail_ability ability)
{
    return pail_supports(client, ability) != PAIL_NO;
}

void put_bytes(const char *key, const void *data, size_t n)
{
    CODE(pail_put(bucket, key, PAIL_BUF(data, n), NULL, NULL, &err), PAIL_OK);
}

void put_text(const char *key, const char *text)
{
    put_bytes(key, text, strlen(text));
}

void expect_text(const char *key, const char *text)
{
    void *data = NULL;
    size_t n = 0;
    CODE(pail_get_alloc(bucket, key, NULL, &data, &n, &err), PAIL_OK);
    if (data) {
        CHECK_INT(n, strlen(text));
        CHECK(n == strlen(text) && memcmp(data, text, n) == 0);
    }
    pail_free(data);
}

bool object_there(const char *key)
{
    pail_code rc = pail_stat(bucket, key, NULL, NULL, NULL);
    CHECK(rc == PAIL_OK || rc == PAIL_E_NOT_FOUND);
    return rc == PAIL_OK;
}

const char *keys_of(const pail_list_opts *opts)
{
    static char text[8192];
    pail_iter *it = NULL;
    const pail_info *i;
    size_t n = 0;
    text[0] = '\0';
    CODE(pail_list(bucket, opts, &it, &err), PAIL_OK);
    pail_code rc = PAIL_DONE;
    while (it && (rc = pail_iter_next(it, &i, &err)) == PAIL_OK) {
        n += (size_t)snprintf(text + n, n < sizeof text ? sizeof text - n : 0, "%s%s", n ? "|" : "",
                              i->key);
    }
    CODE(rc, PAIL_DONE);
    pail_iter_free(it);
    return text;
}

unsigned char *pattern(size_t n, unsigned seed)
{
    unsigned char *p = malloc(n ? n : 1);
    uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; p && i < n; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407U;
        p[i] = (unsigned char)(x >> 56);
    }
    return p;
}

/* What tests/servers/servers.sh prints for a server: PREFIX_ENDPOINT, PREFIX_ACCESS_KEY, ... */
static const char *of_server(const char *prefix, const char *what)
{
    char name[96];
    snprintf(name, sizeof name, "%s_%s", prefix, what);
    return getenv(name);
}

/* Opens "local:", "memory:", "file:///dir"; or "server:PREFIX", an S3 or Azure server that runs if
 * its variables are set, or "gcs:PREFIX", one that speaks Google's JSON API. 0: fine, 1: failed,
 * -1: the server does not run. */
static int open_client(const char *url)
{
    static const char *const of_s3[][2] = {{"ENDPOINT", "aws_endpoint_url"},
                                           {"ACCESS_KEY", "aws_access_key_id"},
                                           {"SECRET_KEY", "aws_secret_access_key"},
                                           {"REGION", "aws_region"},
                                           {"CA", "ca_file"}};
    static const char *const of_azure[][2] = {{"ENDPOINT", "azure_endpoint"},
                                              {"ACCOUNT", "azure_storage_account_name"},
                                              {"KEY", "azure_storage_account_key"},
                                              {"TOKEN", "azure_storage_token"},
                                              {"CA", "ca_file"}};
    static const char *const of_gcs[][2] = {{"ENDPOINT", "gcs_endpoint"},
                                            {"PROJECT", "google_project_id"},
                                            {"SERVICE_ACCOUNT", "google_application_credentials"},
                                            {"CA", "ca_file"}};
    bool gcs = strncmp(url, "gcs:", 4) == 0;
    const char *prefix = gcs ? url + 4 : strncmp(url, "server:", 7) == 0 ? url + 7 : NULL;
    bool azure = prefix && strstr(prefix, "AZURE");
    const char *const(*parts)[2] = gcs ? of_gcs : azure ? of_azure : of_s3;
    pail_kv settings[16];
    size_t n = 0;
    for (size_t i = 0; prefix && i < (gcs ? 4u : 5u); i++) {
        const char *value = of_server(prefix, parts[i][0]);
        if (value) {
            settings[n++] = (pail_kv){parts[i][1], value};
        } else if (i == 0) {
            printf("1..0 # SKIP %s_ENDPOINT is not set: this server does not run\n", prefix);
            return -1;
        }
    }
    const char *extra = getenv("PAIL_CONTRACT_SETTINGS"); /* "name=value,..." */
    char *text = extra ? strdup(extra) : NULL, *save = NULL;
    for (char *one = text ? strtok_r(text, ",", &save) : NULL; one && n < 16;
         one = strtok_r(NULL, ",", &save)) {
        char *equals = strchr(one, '=');
        if (equals) {
            *equals = '\0';
            settings[n++] = (pail_kv){one, equals + 1};
        }
    }
    pail_code rc =
        pail_open(gcs      ? "gs://"
                  : azure  ? "az://"
                  : prefix ? "s3://"
                           : url,
                  PAIL_OPTS(client, .settings = settings, .settings_count = n), &client, &err);
    free(text);
    if (rc) {
        printf("Bail out! %s\n", pail_error_message(err));
    }
    return rc != PAIL_OK;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "contract NAME URL\n");
        return 2;
    }
    int rc = open_client(argv[2]);
    if (rc) {
        return rc > 0;
    }
    exempt = read_exemptions(argv[1]);
    only = getenv("PAIL_CONTRACT_ONLY");
    bucket_suite();
    keys_suite();
    read_suite();
    write_suite();
    list_suite();
    delete_suite();
    copy_suite();
    condition_suite();
    upload_suite();
    handle_suite();
    queue_suite();
    pail_close(client);
    free(exempt);
    return test_end();
}
