/* The store of plain files where the contract suite does not reach: names, links, the tree. */
#include "file_bed.h"

#include "provider/file_order.h"

/* ---- keys ---- */

static void test_file__keys_that_are_no_file_names_are_refused_with_a_way_out(void)
{
    char longest[257] = "", one_more[258] = "";
    memset(longest, 'n', 255);
    memset(one_more, 'n', 256);
    const char *const bad[] = {"/a",    "a/",   "a//b",   ".",       "..",         "a/../b",
                               "a/./b", "../x", one_more, ".pail-x", "a/.pail-y/b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CODE(put(bad[i], "x"), PAIL_E_BAD_KEY);
        CHECK(strstr(pail_error_hint(err), "local:") != NULL);
        CODE(pail_stat(bucket, bad[i], NULL, NULL, &err), PAIL_E_BAD_KEY);
        CODE(pail_delete(bucket, bad[i], NULL, &err), PAIL_E_BAD_KEY);
    }
    CODE(put(longest, "x"), PAIL_OK);
    CHECK_STR(keys_of(NULL), longest);
    CODE(pail_delete(bucket, longest, NULL, &err), PAIL_OK);
}

static void test_file__a_name_is_a_file_or_a_folder(void)
{
    CODE(put("a", "x"), PAIL_OK);
    CODE(put("a/b", "y"), PAIL_E_BAD_KEY);
    CHECK(strstr(pail_error_message(err), "\"a\"") != NULL);
    CODE(pail_stat(bucket, "a/b", NULL, NULL, &err), PAIL_E_NOT_FOUND);
    CODE(pail_delete(bucket, "a/b", NULL, &err), PAIL_OK);
    CODE(put("d/e", "y"), PAIL_OK);
    CODE(put("d", "x"), PAIL_E_BAD_KEY);
    CODE(pail_stat(bucket, "d", NULL, NULL, &err), PAIL_E_NOT_FOUND);
    CODE(pail_delete(bucket, "d", NULL, &err), PAIL_OK);
    CHECK_STR(keys_of(NULL), "a|d/e");
    CHECK_INT(leftovers(), 0);
}

static void test_file__bucket_names_are_folder_names(void)
{
    static const char *const bad[] = {"", ".", "..", "a/b", ".pail-x"};
    pail_bucket *b = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CODE(pail_bucket_open(client, bad[i], &b, &err), PAIL_E_BAD_BUCKET_NAME);
    }
    CODE(pail_bucket_create(client, "Any Name_x", NULL, &err), PAIL_OK);
    CODE(pail_bucket_delete(client, "Any Name_x", NULL, &err), PAIL_OK);
}

/* ---- links ---- */

static void test_file__links_are_never_followed_out_or_replaced(void)
{
    char buf[16];
    CHECK(mkdir(path_of("outside"), 0755) == 0);
    write_file("outside/secret", "secret");
    make_link("outside", "b/folder");
    make_link("outside/secret", "b/file");
    static const char *const keys[] = {"file", "folder/secret"};
    for (size_t i = 0; i < 2; i++) {
        CODE(pail_get(bucket, keys[i], PAIL_BUF(buf, 16), NULL, NULL, &err), PAIL_E_NOT_FOUND);
        CODE(pail_stat(bucket, keys[i], NULL, NULL, &err), PAIL_E_NOT_FOUND);
        CODE(put(keys[i], "x"), PAIL_E_BAD_KEY);
        CODE(pail_copy(bucket, keys[i], bucket, "copy", NULL, NULL, &err), PAIL_E_NOT_FOUND);
        CODE(pail_tags_set(bucket, keys[i], NULL, 0, NULL, &err), PAIL_E_NOT_FOUND);
        CODE(pail_delete(bucket, keys[i], NULL, &err), PAIL_OK);
    }
    CODE(put("folder/new", "x"), PAIL_E_BAD_KEY);
    CHECK_STR(keys_of(NULL), "");
    CHECK_STR(keys_of(PAIL_OPTS(list, .prefix = "folder/")), "");
    CHECK_STR(keys_of(PAIL_OPTS(list, .delimiter = "/")), "");
    CHECK_STR(text_of("outside/secret"), "secret");
    CHECK(!there("outside/new") && there("b/file") && there("b/folder"));
    CODE(pail_bucket_delete(client, "b", PAIL_OPTS(bucket, .delete_contents = true), &err),
         PAIL_E_BUCKET_NOT_EMPTY);
    CHECK(strstr(pail_error_message(err), "\"f") != NULL);
}

static void test_file__a_link_is_no_bucket(void)
{
    bool is_there = true;
    CHECK(mkdir(path_of("outside"), 0755) == 0);
    make_link("outside", "linked");
    CODE(pail_bucket_exists(client, "linked", NULL, &is_there, &err), PAIL_OK);
    CHECK(!is_there);
    CODE(pail_bucket_delete(client, "linked", NULL, &err), PAIL_E_BUCKET_NOT_FOUND);
    CHECK(strstr(pail_error_message(err), "link") != NULL);
    CHECK(there("linked"));
}

static void test_file__pipes_are_no_objects_and_are_not_waited_for(void)
{
    CHECK(mkfifo(path_of("b/pipe"), 0644) == 0);
    CODE(pail_stat(bucket, "pipe", NULL, NULL, &err), PAIL_E_NOT_FOUND);
    CODE(put("pipe", "x"), PAIL_E_BAD_KEY);
    CHECK_STR(keys_of(NULL), "");
    unlink(path_of("b/pipe"));
}

/* ---- the tree ---- */

static void test_file__an_existing_tree_is_shown_as_it_is(void)
{
    CHECK(mkdir(path_of("b/docs"), 0755) == 0 && mkdir(path_of("b/empty"), 0755) == 0);
    write_file("b/docs/page.html", "<p>");
    write_file("b/docs/\xff", "a name that is no UTF-8");
    write_file("b/.pail-0123456789abcdef", "left by a killed writer");
    CHECK_STR(keys_of(NULL), "docs/page.html");
    CHECK_STR(keys_of(PAIL_OPTS(list, .delimiter = "/")), "docs/");
    CHECK_STR(keys_of(PAIL_OPTS(list, .delimiter = "oc")), "doc");
    pail_info *info = NULL;
    CODE(pail_stat(bucket, "docs/page.html", NULL, &info, &err), PAIL_OK);
    CHECK(info && info->size == 3 && strcmp(info->content_type, "text/html") == 0);
    pail_info_free(info);
    unlink(path_of("b/docs/\xff"));
    unlink(path_of("b/.pail-0123456789abcdef"));
}

static void test_file__delete_takes_the_folders_that_it_emptied(void)
{
    CODE(put("a/b/c/d", "x"), PAIL_OK);
    CODE(put("a/e", "x"), PAIL_OK);
    CODE(pail_delete(bucket, "a/b/c/d", NULL, &err), PAIL_OK);
    CHECK(!there("b/a/b") && there("b/a/e"));
    CODE(pail_delete(bucket, "a/e", NULL, &err), PAIL_OK);
    CHECK(!there("b/a") && there("b"));
}

static void test_file__bucket_of_empty_folders_can_be_deleted(void)
{
    CHECK(mkdir(path_of("b/x"), 0755) == 0 && mkdir(path_of("b/x/y"), 0755) == 0);
    write_file("b/x/y/z", "x");
    CODE(pail_bucket_delete(client, "b", NULL, &err), PAIL_E_BUCKET_NOT_EMPTY);
    CHECK(there("b/x/y/z"));
    CODE(pail_delete(bucket, "x/y/z", NULL, &err), PAIL_OK);
    CHECK(mkdir(path_of("b/x"), 0755) == 0 && mkdir(path_of("b/x/y"), 0755) == 0);
    CODE(pail_bucket_delete(client, "b", NULL, &err), PAIL_OK);
    CHECK(!there("b"));
}

static void test_file__replaced_file_keeps_its_rights_to_itself(void)
{
    struct stat st;
    write_file("b/private", "old");
    CHECK(chmod(path_of("b/private"), 0600) == 0);
    CODE(put("private", "new"), PAIL_OK);
    CHECK(stat(path_of("b/private"), &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK_STR(text_of("b/private"), "new");
}

static void test_file__pages_pass_over_folders_without_objects(void)
{
    char name[32];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "b/e%02d", i);
        CHECK(mkdir(path_of(name), 0755) == 0);
    }
    write_file("b/z", "x");
    CODE(put("e15/k", "x"), PAIL_OK);
    CHECK_STR(keys_of(PAIL_OPTS(list, .page_size = 1)), "e15/k|z");
    CHECK_STR(keys_of(PAIL_OPTS(list, .page_size = 1, .delimiter = "/")), "e15/|z");
}

static void test_file__missing_account_folder_says_so(void)
{
    pail_client *c = NULL;
    pail_iter *it = NULL;
    const pail_info *i;
    CODE(pail_open("file:///nonexistent/account", NULL, &c, &err), PAIL_OK);
    CODE(pail_bucket_create(c, "b", NULL, &err), PAIL_E_IO);
    CHECK(strstr(pail_error_message(err), "/nonexistent/account") != NULL);
    CODE(pail_bucket_list(c, NULL, &it, &err), PAIL_OK);
    CODE(pail_iter_next(it, &i, &err), PAIL_E_IO);
    pail_iter_free(it);
    pail_close(c);
}

/* ---- order ---- */

static const char *const words[] = {"b", "a", "a/", "c", "a.", "aa", "", "b/", "\xc3\xa9", "d"};
enum { WORDS = sizeof words / sizeof *words };

static pail_code offer_words(struct pl_window *w, void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < WORDS; i++) {
        pl_window_offer(w, pl_str_c(words[i]));
    }
    return PAIL_OK;
}

static pail_code join_words(struct pl_str text, void *ctx)
{
    char *all = ctx;
    snprintf(all + strlen(all), 100 - strlen(all), "%.*s|", (int)text.len, text.ptr);
    return PAIL_OK;
}

static void test_file__windows_of_every_size_give_the_same_order(void)
{
    for (size_t most = 1; most <= WORDS + 1; most++) {
        char all[100] = "";
        struct pl_order order = {offer_words, join_words, all};
        CHECK_INT(pl_order_run(&order, most), PAIL_OK);
        CHECK_STR(all, "|a|a.|a/|aa|b|b/|c|d|\xc3\xa9|");
    }
}

int main(void)
{
    if (!open_root()) {
        return 1;
    }
    IN_BUCKET(test_file__keys_that_are_no_file_names_are_refused_with_a_way_out);
    IN_BUCKET(test_file__a_name_is_a_file_or_a_folder);
    IN_BUCKET(test_file__bucket_names_are_folder_names);
    IN_BUCKET(test_file__links_are_never_followed_out_or_replaced);
    IN_BUCKET(test_file__a_link_is_no_bucket);
    IN_BUCKET(test_file__pipes_are_no_objects_and_are_not_waited_for);
    IN_BUCKET(test_file__an_existing_tree_is_shown_as_it_is);
    IN_BUCKET(test_file__delete_takes_the_folders_that_it_emptied);
    IN_BUCKET(test_file__bucket_of_empty_folders_can_be_deleted);
    IN_BUCKET(test_file__replaced_file_keeps_its_rights_to_itself);
    IN_BUCKET(test_file__pages_pass_over_folders_without_objects);
    IN_BUCKET(test_file__missing_account_folder_says_so);
    IN_BUCKET(test_file__windows_of_every_size_give_the_same_order);
    return close_root();
}
