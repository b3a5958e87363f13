/* What all commands share: the flags that every command takes and the table entry of a command. */
#ifndef PAIL_CLI_H
#define PAIL_CLI_H

#include <pail.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NAME=VALUE flags in the order given. */
struct pairs {
    pail_kv *items;
    size_t count;
};

struct app {
    const char *command; /* for messages; "" before it is known */
    bool json, quiet, help;
    unsigned verbose;
    struct pairs set, src, dst;
    struct pairs flags;     /* OPT_SETTING: as `set`, but @NAME is called as the scheme calls it */
    pail_cancel *cancel;    /* fired by the first SIGINT; NULL until a client is opened */
    atomic_int interrupted; /* a server has threads, and a signal may come to any of them */
};
extern struct app app;

enum opt_kind {
    OPT_FLAG,    /* bool */
    OPT_COUNT,   /* unsigned: how often it was given */
    OPT_TEXT,    /* const char * */
    OPT_PAIR,    /* struct pairs: NAME=VALUE */
    OPT_MANY,    /* struct pairs: each value that was given as a name */
    OPT_SIZE,    /* uint64_t bytes: 16M, 5GiB */
    OPT_NUMBER,  /* uint64_t */
    OPT_SECONDS, /* uint64_t: 90, 15m, 1h, 7d */
    OPT_SETTING  /* adds the setting `setting` to app.flags; without `arg` its value is "true" */
};

struct opt {
    const char *name;
    char letter; /* 0: none */
    enum opt_kind kind;
    void *to;
    const char *arg; /* name of the value in the help; NULL: takes none */
    const char *help;
    const char *setting;
};

struct command {
    const char *name;
    const char *usage; /* after "pail NAME " */
    const char *summary;
    const char *details; /* more lines of help, or NULL */
    const struct opt *opts;
    size_t opt_count;
    int min_args, max_args; /* max -1: any number */
    bool two_sides;         /* has a source and a destination */
    int (*run)(int argc, char **argv);
};
#define CLI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern const struct command cmd_mb, cmd_rb, cmd_ls, cmd_cp, cmd_mv, cmd_rm, cmd_cat, cmd_stat,
    cmd_du, cmd_presign, cmd_serve, cmd_uploads, cmd_doctor, cmd_conform, cmd_fsck, cmd_backup,
    cmd_config, cmd_version, cmd_help;

/* The options of every library call: they end soon after an interrupt. */
static inline pail_call cli_call(void)
{
    return (pail_call){.cancel = app.cancel};
}

#endif
