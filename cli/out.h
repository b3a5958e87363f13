/* Standard output: results and data only, buffered; write errors are kept for the exit status. */
#ifndef PAIL_CLI_OUT_H
#define PAIL_CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void out_bytes(const void *data, size_t n);
void out_text(const char *text);
void out_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A name for people and scripts: control bytes, and what is no UTF-8, as \xNN. */
void out_name(const char *name);
/* Writes what is buffered. False after any failed write, or when the reader has gone. */
bool out_flush(void);
/* Past the buffer, in order with it. False as out_flush. */
bool out_write_through(const void *data, size_t n);
/* Whether output still makes sense: false after a write error. */
bool out_ok(void);
/* Flushes and turns a write error into the exit status: 141 and silence for a broken pipe. */
int out_finish(int status);

/* Text forms of values; room: at least OUT_ROOM bytes. They return `room`. */
#define OUT_ROOM 40
/* RFC 3339 in UTC, to the second or with .mmm; "-" where unknown. */
char *out_time(char *room, int64_t unix_ms, bool with_ms);
/* "1234", or with `human` "1.2 KiB". */
char *out_size(char *room, uint64_t bytes, bool human);
/* A copy of the text as out_name prints it. Yours, mem_free. */
char *out_escape(const char *text);
/* Length of the UTF-8 sequence that begins there, 0 where none does. */
size_t out_sequence(const char *text);

#endif
