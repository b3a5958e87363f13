/* The behaviour suite: one program that runs unchanged against every store.
 *
 *     contract NAME URL        NAME names the file of exemptions, exempt/NAME.txt ("test: reason"
 * lines)
 *
 * URL is of a store of our own, or server:PREFIX (see open_client). Each test has a bucket of its
 * own. */
#ifndef PAIL_CONTRACT_H
#define PAIL_CONTRACT_H

#include <pail.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEST_SHARED
#include "../unit/test.h"

extern pail_client *client;
extern pail_bucket *bucket;
extern const char *bucket_name;
extern pail_error *err; /* freed and cleared by the runner after each test and by code_of */

/* The code of an expression that sets err; prints what it was when it is not `want`. */
#define CODE(expression, want)                                                                     \
    do {                                                                                           \
        pail_error_free(err);                                                                      \
        err = NULL;                                                                                \
        pail_code code_ = (expression);                                                            \
        if (code_ != (want)) {                                                                     \
            test_failed = 1;                                                                       \
            printf("# %s:%d: %s is %s, want %s: %s (%s)\n", __FILE__, __LINE__, #expression,       \
                   pail_code_name(code_), pail_code_name(want), pail_error_message(err),           \
                   pail_error_service_code(err));                                                  \
        }                                                                                          \
    } while (0)
#define OK(expression)                                                                             \
    do {                                                                                           \
        CODE(expression, PAIL_OK);                                                                 \
        if (test_failed) {                                                                         \
            return;                                                                                \
        }                                                                                          \
    } while (0)

/* Small helpers; each fails the test where the store does. */
void put_text(const char *key, const char *text);
void put_bytes(const char *key, const void *data, size_t n);
void expect_text(const char *key, const char *text);
bool object_there(const char *key);
/* The keys of a listing joined by '|', prefixes too; static storage. */
const char *keys_of(const pail_list_opts *opts);
/* Bytes that differ at every offset; caller frees. */
unsigned char *pattern(size_t n, unsigned seed);
bool supports(pail_ability ability);

void keys_suite(void);
void read_suite(void);
void write_suite(void);
void list_suite(void);
void delete_suite(void);
void copy_suite(void);
void condition_suite(void);
void upload_suite(void);
void handle_suite(void);
void queue_suite(void);
void bucket_suite(void);

#define CONTRACT(fn) contract_run(#fn, fn)
void contract_run(const char *name, void (*fn)(void));

#endif
