/* Google: the end of an upload by composed parts, which breaks at each of its steps, against the
 * strict server. PAIL_TEST_STRICT_* name it. */
#include <arpa/inet.h>
#include <pail.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test.h"

enum { PARTS_MAX = 1100, PART = 8, DIES = 42 };

/* ---- The server's own side: its faults, and what came in */

static int connect_to(const char *endpoint)
{
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    where.sin_port = htons((uint16_t)atoi(strrchr(endpoint, ':') + 1));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK_INT(connect(fd, (struct sockaddr *)&where, sizeof where), 0);
    return fd;
}

/* The answer's body; free. */
static char *ask(const char *method, const char *path, const char *body)
{
    char text[4096];
    size_t room = 8 << 20, len = 0;
    char *got = calloc(1, room);
    int fd = connect_to(getenv("PAIL_TEST_STRICT_ENDPOINT"));
    int n = snprintf(text, sizeof text,
                     "%s %s HTTP/1.1\r\nHost: here\r\nConnection: close\r\nAuthorization: Bearer "
                     "given-token\r\nContent-Length: %zu\r\n\r\n%s",
                     method, path, strlen(body), body);
    CHECK_INT(write(fd, text, (size_t)n), n);
    for (ssize_t more = 1; more > 0; len += more > 0 ? (size_t)more : 0) {
        more = read(fd, got + len, room - len - 1);
    }
    close(fd);
    return got;
}

/* The next composes: "" goes well, "reset-unanswered" is done and nobody hears of it. */
static void faults(const char *list)
{
    char body[1024];
    snprintf(body, sizeof body, "{\"storage.objects.compose\": [%s]}", list);
    free(ask("PUT", "/-/faults", body));
}

static void all_faults_were_met(void)
{
    char *left = ask("GET", "/-/faults", "");
    CHECK(strstr(left, "\"storage.objects.compose\": []"));
    free(left);
}

static int count_requests(const char *what)
{
    int n = 0;
    char *all = ask("GET", "/-/requests", "");
    for (const char *at = strstr(all, what); at; at = strstr(at + 1, what)) {
        n++;
    }
    free(all);
    return n;
}

/* ---- An upload */

struct bed {
    pail_client *client;
    pail_bucket *bucket;
    char name[64];
    char *id;
    pail_part parts[PARTS_MAX];
    pail_info *infos[PARTS_MAX];
    char data[PARTS_MAX * PART + 1];
    uint32_t count;
};

static void open_again(struct bed *b, const char *attempts, pail_event_fn event, void *ctx)
{
    pail_kv settings[] = {
        {"gcs_endpoint", getenv("PAIL_TEST_STRICT_ENDPOINT")},
        {"google_application_credentials", getenv("PAIL_TEST_STRICT_SERVICE_ACCOUNT")},
        {"google_project_id", "pail-test"},
        {"max_attempts", attempts}};
    pail_bucket_close(b->bucket);
    pail_close(b->client);
    b->bucket = NULL;
    b->client = NULL;
    CHECK_INT(pail_open("gs://",
                        PAIL_OPTS(client, .settings = settings, .settings_count = 4, .event = event,
                                  .event_ctx = ctx),
                        &b->client, NULL),
              PAIL_OK);
    CHECK_INT(pail_bucket_open(b->client, b->name, &b->bucket, NULL), PAIL_OK);
}

static void send_part(struct bed *b, uint32_t number)
{
    uint32_t i = number - 1;
    pail_info_free(b->infos[i]);
    b->infos[i] = NULL;
    CHECK_INT(pail_upload_part(b->bucket, "k", b->id, number, PAIL_BUF(b->data + i * PART, PART),
                               NULL, &b->infos[i], NULL),
              PAIL_OK);
    b->parts[i] = (pail_part){.number = number, .etag = b->infos[i] ? b->infos[i]->etag : NULL};
}

static void make_bucket(struct bed *b, bool keeps_versions)
{
    char text[256];
    if (keeps_versions) {
        snprintf(text, sizeof text, "{\"name\": \"%s\", \"versioning\": {\"enabled\": true}}",
                 b->name);
        free(ask("POST", "/storage/v1/b?project=pail-test", text));
    } else {
        CHECK_INT(pail_bucket_create(b->client, b->name, NULL, NULL), PAIL_OK);
    }
}

/* Parts 1 to count, of one size each, whose finish knows neither sizes nor sums. */
static struct bed *begin(const char *kind, uint32_t count)
{
    static int number;
    struct bed *b = calloc(1, sizeof *b);
    snprintf(b->name, sizeof b->name, "%s-%d", kind, ++number);
    open_again(b, "5", NULL, NULL);
    make_bucket(b, strcmp(kind, "versions") == 0);
    CHECK_INT(pail_upload_begin(b->bucket, "k", NULL, &b->id, NULL), PAIL_OK);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(b->data + i * PART, PART + 1, "%07u;", (unsigned)i + 1);
        send_part(b, i + 1);
    }
    b->count = count;
    return b;
}

static void know_sums(struct bed *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        b->parts[i].size = PART;
        b->parts[i].checksum = b->infos[i]->checksum;
    }
}

static pail_code finish_these(struct bed *b, const pail_part *parts, size_t count, const char *word)
{
    pail_error *err = NULL;
    pail_code rc = pail_upload_finish(b->bucket, "k", b->id, parts, count, NULL, NULL, &err);
    if (rc == PAIL_OK ? word != NULL : word && !strstr(pail_error_message(err), word)) {
        printf("# %s: %s\n", pail_code_name(rc), err ? pail_error_message(err) : "fine");
        test_failed = 1;
    }
    pail_error_free(err);
    return rc;
}

static pail_code finish(struct bed *b)
{
    return finish_these(b, b->parts, b->count, NULL);
}

static int count_uploads(struct bed *b)
{
    pail_iter *it = NULL;
    const pail_info *info;
    int n = 0;
    CHECK_INT(pail_uploads(b->bucket, NULL, &it, NULL), PAIL_OK);
    while (pail_iter_next(it, &info, NULL) == PAIL_OK && info) {
        n += strcmp(info->key, "k") == 0 && strcmp(info->upload_id, b->id) == 0;
    }
    pail_iter_free(it);
    return n;
}

static void has_bytes(struct bed *b, const char *data, size_t n)
{
    void *got = NULL;
    size_t len = 0;
    CHECK_INT(pail_get_alloc(b->bucket, "k", NULL, &got, &len, NULL), PAIL_OK);
    CHECK(len == n && got && memcmp(got, data, n) == 0);
    pail_free(got);
}

/* The object is there with these bytes, and nothing else: its bucket can be removed without it. */
static void is_whole(struct bed *b, const char *data, size_t n)
{
    has_bytes(b, data, n);
    CHECK_INT(pail_delete(b->bucket, "k", NULL, NULL), PAIL_OK);
    CHECK_INT(pail_bucket_delete(b->client, b->name, NULL, NULL), PAIL_OK);
}

static void end(struct bed *b)
{
    for (uint32_t i = 0; i < PARTS_MAX; i++) {
        pail_info_free(b->infos[i]);
    }
    pail_bucket_close(b->bucket);
    pail_close(b->client);
    pail_free(b->id);
    free(b);
}

/* ---- Answers that are lost */

static void test_step__whose_answer_is_lost_is_not_done_twice(void)
{
    static const char *const where[] = {"\"reset-unanswered\"", "\"\", \"reset-unanswered\"",
                                        "\"reset-unanswered\", \"\", \"reset-unanswered\"",
                                        "\"return-503\", \"\", \"return-503\", \"\""};
    for (size_t i = 0; i < 2 * sizeof where / sizeof *where; i++) {
        struct bed *b = begin("lost", 70);
        if (i % 2) {
            know_sums(b);
        }
        faults(where[i / 2]);
        CHECK_INT(finish(b), PAIL_OK);
        all_faults_were_met();
        is_whole(b, b->data, 70 * PART);
        end(b);
    }
}

/* The part that a step has written over is there still, as an old generation. */
static void test_step__in_a_bucket_that_keeps_versions_is_not_done_twice(void)
{
    struct bed *b = begin("versions", 70);
    int lists = count_requests("GET /storage");
    faults("\"\", \"reset-unanswered\"");
    CHECK_INT(finish(b), PAIL_OK);
    all_faults_were_met();
    CHECK_INT(count_requests("GET /storage") - lists, 1); /* its condition did not hold */
    has_bytes(b, b->data, 70 * PART);
    CHECK_INT(count_uploads(b), 0);
    end(b);
}

static void test_last_compose__whose_answer_is_lost_is_done_again(void)
{
    struct bed *b = begin("last", 40);
    faults("\"\", \"reset-unanswered\"");
    CHECK_INT(finish(b), PAIL_OK);
    all_faults_were_met();
    is_whole(b, b->data, 40 * PART);
    end(b);
}

/* ---- A finish by another process, after one that died */

static void test_finish__begun_anew_goes_on_from_each_step(void)
{
    static const char *const where[] = {
        "\"reset-unanswered\"", "\"\", \"reset-unanswered\", \"return-400\"",
        "\"\", \"\", \"reset-unanswered\", \"return-400\"", "\"\", \"\", \"return-400\""};
    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        struct bed *b = begin("anew", 100);
        open_again(b, "1", NULL, NULL);
        faults(where[i]);
        CHECK(finish(b) != PAIL_OK);
        all_faults_were_met();
        open_again(b, "5", NULL, NULL);
        int composes = count_requests("/compose"), lists = count_requests("GET /storage");
        CHECK_INT(finish(b), PAIL_OK);
        int done = i < 3 ? (int)i + 1 : 2; /* each that is known again costs a listing */
        CHECK_INT(count_requests("/compose") - composes, 4);
        CHECK_INT(count_requests("GET /storage") - lists, done);
        is_whole(b, b->data, 100 * PART);
        end(b);
    }
}

struct death {
    int composes, after;
};

static void die(const pail_event *event, void *ctx)
{
    struct death *d = ctx;
    if (strcmp(event->operation, "finish_upload") == 0 && ++d->composes == d->after) {
        _exit(DIES);
    }
}

static void test_finish__after_a_kill_at_each_exchange(void)
{
    for (int after = 1; after <= 3; after++) { /* of 4 composes */
        struct bed *b = begin("killed", 100);
        int status = 0;
        pail_bucket_close(b->bucket);
        pail_close(b->client);
        b->bucket = NULL;
        b->client = NULL;
        fflush(stdout);
        pid_t child = fork();
        if (child == 0) {
            struct death d = {.after = after};
            open_again(b, "5", die, &d);
            (void)!finish(b);
            _exit(0);
        }
        CHECK_INT(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == DIES);
        open_again(b, "5", NULL, NULL);
        CHECK_INT(finish(b), PAIL_OK);
        is_whole(b, b->data, 100 * PART);
        end(b);
    }
}

static void half_finished(struct bed *b)
{
    open_again(b, "1", NULL, NULL);
    faults("\"\", \"return-400\"");
    CHECK(finish(b) != PAIL_OK);
    open_again(b, "5", NULL, NULL);
}

/* Parts of one size, in a list of the same length: only the mark tells them apart. */
static void test_finish__of_other_parts_takes_no_step_for_its_own(void)
{
    struct bed *b = begin("other", 70);
    pail_part others[69];
    half_finished(b);
    others[0] = b->parts[0];
    memcpy(others + 1, b->parts + 2, 68 * sizeof *others);
    CHECK_INT(finish_these(b, others, 69, "part 1,"), PAIL_E_BAD_ARGUMENT);
    CHECK_INT(finish_these(b, b->parts, 20, "composed with other parts"), PAIL_E_BAD_ARGUMENT);
    send_part(b, 1);
    others[0] = b->parts[0];
    CHECK_INT(finish_these(b, others, 69, NULL), PAIL_OK);
    memmove(b->data + PART, b->data + 2 * PART, 68 * PART);
    CHECK_INT(pail_upload_abort(b->bucket, "k", b->id, NULL, NULL), PAIL_OK); /* part 2 */
    is_whole(b, b->data, 69 * PART);
    end(b);
}

static void test_part__sent_again_after_its_step_counts(void)
{
    struct bed *b = begin("again", 70);
    half_finished(b);
    memcpy(b->data, "another;", PART);
    send_part(b, 1);
    CHECK_INT(finish(b), PAIL_OK);
    is_whole(b, b->data, 70 * PART);
    end(b);
}

static void test_part__without_etag_is_refused(void)
{
    struct bed *b = begin("bare", 2);
    b->parts[1].etag = NULL;
    CHECK_INT(finish_these(b, b->parts, 2, "part 2 has no ETag"), PAIL_E_BAD_ARGUMENT);
    CHECK_INT(pail_upload_abort(b->bucket, "k", b->id, NULL, NULL), PAIL_OK);
    end(b);
}

/* More parts were sent than are finished with: those of the first step are on a second page. */
static void test_step__behind_the_first_page_is_found(void)
{
    struct bed *b = begin("pages", PARTS_MAX);
    faults("\"reset-unanswered\", \"\", \"reset-unanswered\"");
    CHECK_INT(finish_these(b, b->parts + 990, 100, NULL), PAIL_OK);
    all_faults_were_met();
    CHECK_INT(pail_upload_abort(b->bucket, "k", b->id, NULL, NULL), PAIL_OK); /* the others */
    is_whole(b, b->data + 990 * PART, 100 * PART);
    end(b);
}

/* ---- The end of what is half finished */

static void test_abort__of_what_is_half_composed_leaves_nothing(void)
{
    struct bed *b = begin("abort", 70);
    half_finished(b);
    CHECK_INT(count_uploads(b), 1);
    CHECK_INT(pail_upload_abort(b->bucket, "k", b->id, NULL, NULL), PAIL_OK);
    CHECK_INT(count_uploads(b), 0);
    CHECK_INT(finish(b), PAIL_E_UPLOAD_NOT_FOUND);
    CHECK_INT(pail_bucket_delete(b->client, b->name, NULL, NULL), PAIL_OK);
    end(b);
}

static void test_finish__of_an_upload_that_is_ended_is_not_found(void)
{
    struct bed *b = begin("ended", 70);
    CHECK_INT(finish(b), PAIL_OK);
    CHECK_INT(finish(b), PAIL_E_UPLOAD_NOT_FOUND);
    is_whole(b, b->data, 70 * PART);
    end(b);
}

/* ---- Where nothing may be written over */

static void test_retention_policy__has_steps_go_by_names_of_their_own(void)
{
    struct bed *b = begin("held", 100);
    int composes = count_requests("/compose");
    faults("\"\", \"\", \"reset-unanswered\"");
    CHECK_INT(finish(b), PAIL_OK);
    all_faults_were_met();
    CHECK_INT(count_requests("/compose") - composes, 4 + 1 + 1); /* refused; lost */
    has_bytes(b, b->data, 100 * PART);
    CHECK_INT(count_uploads(b), 1); /* nothing can be deleted */
    end(b);
}

int main(void)
{
    RUN(test_step__whose_answer_is_lost_is_not_done_twice);
    RUN(test_step__in_a_bucket_that_keeps_versions_is_not_done_twice);
    RUN(test_last_compose__whose_answer_is_lost_is_done_again);
    RUN(test_finish__begun_anew_goes_on_from_each_step);
    RUN(test_finish__after_a_kill_at_each_exchange);
    RUN(test_finish__of_other_parts_takes_no_step_for_its_own);
    RUN(test_part__sent_again_after_its_step_counts);
    RUN(test_part__without_etag_is_refused);
    RUN(test_step__behind_the_first_page_is_found);
    RUN(test_abort__of_what_is_half_composed_leaves_nothing);
    RUN(test_finish__of_an_upload_that_is_ended_is_not_found);
    RUN(test_retention_policy__has_steps_go_by_names_of_their_own);
    return test_end();
}
