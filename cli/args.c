#include "args.h"

#include "fail.h"
#include "mem.h"

#include <string.h>

const struct opt args_globals[] = {
    {"json", 0, OPT_FLAG, &app.json, NULL, "one JSON object a line on standard output", NULL},
    {"quiet", 'q', OPT_FLAG, &app.quiet, NULL, "errors only", NULL},
    {"verbose", 'v', OPT_COUNT, &app.verbose, NULL, "say what is done; twice: each request", NULL},
    {"set", 0, OPT_PAIR, &app.set, "NAME=VALUE", "a setting; see `pail config explain URL`", NULL},
    {"src", 0, OPT_PAIR, &app.src, "NAME=VALUE", "a setting of the source of cp and mv only", NULL},
    {"dst", 0, OPT_PAIR, &app.dst, "NAME=VALUE", "a setting of their destination only", NULL},
    {"endpoint-url", 0, OPT_SETTING, NULL, "URL", "the server to use (Swift: of Keystone)",
     "@endpoint"},
    {"region", 0, OPT_SETTING, NULL, "NAME", "the region (S3, Swift)", "@region"},
    {"profile", 0, OPT_SETTING, NULL, "NAME", "of the AWS files, or of clouds.yaml", "@profile"},
    {"no-sign-request", 0, OPT_SETTING, NULL, NULL, "no credentials (S3, Azure, Google)",
     "@anonymous"},
    {"ca-bundle", 0, OPT_SETTING, NULL, "FILE", "certificates to trust (PEM)", "ca_file"},
    {"home", 0, OPT_SETTING, NULL, "DIR", "where the local store is", "local_home"},
    {"help", 0, OPT_FLAG, &app.help, NULL, "show the help of the command", NULL},
};
const size_t args_global_count = CLI_COUNT(args_globals);

const struct command *const args_commands[] = {
    &cmd_mb,   &cmd_rb,     &cmd_ls,      &cmd_cp,      &cmd_mv,      &cmd_rm,     &cmd_cat,
    &cmd_stat, &cmd_du,     &cmd_presign, &cmd_serve,   &cmd_uploads, &cmd_doctor, &cmd_conform,
    &cmd_fsck, &cmd_backup, &cmd_config,  &cmd_version, &cmd_help,
};
const size_t args_command_count = CLI_COUNT(args_commands);

void pairs_add(struct pairs *pairs, const char *name, const char *value)
{
    pairs->items = mem_grow(pairs->items, (pairs->count + 1) * sizeof *pairs->items);
    pairs->items[pairs->count++] = (pail_kv){mem_text(name), mem_text(value)};
}

/* ---- Values */

static bool number(const char *text, uint64_t *out, const char **rest)
{
    uint64_t n = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (n > (UINT64_MAX - digit) / 10) {
            return false;
        }
        n = n * 10 + digit;
    }
    *out = n;
    *rest = p;
    return p > text;
}

bool args_size(const char *text, uint64_t *out)
{
    const char *rest;
    uint64_t n;
    if (!number(text, &n, &rest)) {
        return false;
    }
    static const char units[] = "KMGTPE";
    unsigned shift = 0;
    if (*rest != '\0' && *rest != 'B') {
        char unit = *rest >= 'a' && *rest <= 'z' ? (char)(*rest - 'a' + 'A') : *rest;
        const char *found = strchr(units, unit);
        if (found == NULL) {
            return false;
        }
        shift = (unsigned)(found - units + 1) * 10;
        rest++;
        if (*rest == 'i') {
            rest++;
        }
    }
    if (*rest == 'B') {
        rest++;
    }
    if (*rest != '\0' || (shift > 0 && n >> (64 - shift) != 0)) {
        return false;
    }
    *out = n << shift;
    return true;
}

static bool seconds(const char *text, uint64_t *out)
{
    const char *rest;
    uint64_t n;
    if (!number(text, &n, &rest) || n > UINT32_MAX) {
        return false;
    }
    uint64_t unit = 1;
    if (*rest != '\0') {
        switch (*rest++) {
        case 's': unit = 1; break;
        case 'm': unit = 60; break;
        case 'h': unit = 3600; break;
        case 'd': unit = 86400; break;
        default: return false;
        }
    }
    *out = n * unit;
    return *rest == '\0';
}

static int bad_value(const struct opt *opt, const char *value, const char *want)
{
    return fail_usage("--%s: \"%s\" is not %s", opt->name, value, want);
}

static int store_pair(const struct opt *opt, const char *value)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value) {
        return bad_value(opt, value, "NAME=VALUE");
    }
    char *name = mem_text(value);
    name[equals - value] = '\0';
    pairs_add(opt->to, name, equals + 1);
    mem_free(name);
    return 0;
}

static int store(const struct opt *opt, const char *value)
{
    const char *rest;
    switch (opt->kind) {
    case OPT_FLAG: *(bool *)opt->to = true; break;
    case OPT_COUNT: ++*(unsigned *)opt->to; break;
    case OPT_TEXT: *(const char **)opt->to = value; break;
    case OPT_PAIR: return store_pair(opt, value);
    case OPT_MANY: pairs_add(opt->to, value, ""); break;
    case OPT_SIZE:
        if (!args_size(value, opt->to)) {
            return bad_value(opt, value, "a size such as 1000, 64K, 16M or 5G");
        }
        break;
    case OPT_NUMBER:
        if (!number(value, opt->to, &rest) || *rest != '\0') {
            return bad_value(opt, value, "a whole number");
        }
        break;
    case OPT_SECONDS:
        if (!seconds(value, opt->to)) {
            return bad_value(opt, value, "a time such as 90, 15m, 1h or 7d");
        }
        break;
    case OPT_SETTING: pairs_add(&app.flags, opt->setting, value == NULL ? "true" : value); break;
    }
    return 0;
}

/* ---- Names */

#define NAME_MAX_LENGTH 32

/* How many letters differ (Levenshtein); long names are far from everything. */
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned row[NAME_MAX_LENGTH + 1];
    if (n > NAME_MAX_LENGTH || m > NAME_MAX_LENGTH) {
        return NAME_MAX_LENGTH;
    }
    for (unsigned j = 0; j <= m; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; i <= n; i++) {
        unsigned corner = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= m; j++) {
            unsigned best = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            best = best < row[j] + 1 ? best : row[j] + 1;
            row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
        }
    }
    return row[m];
}

static void nearer(const char *name, const char *candidate, const char **best, unsigned *least)
{
    unsigned d = distance(name, candidate);
    if (d < *least && d <= 1 + strlen(candidate) / 3) {
        *best = candidate;
        *least = d;
    }
}

const struct command *args_find(const char *name)
{
    for (size_t i = 0; i < args_command_count; i++) {
        if (strcmp(args_commands[i]->name, name) == 0) {
            return args_commands[i];
        }
    }
    return NULL;
}

const char *args_nearest_command(const char *name)
{
    const char *best = NULL;
    unsigned least = NAME_MAX_LENGTH;
    for (size_t i = 0; i < args_command_count; i++) {
        nearer(name, args_commands[i]->name, &best, &least);
    }
    return best;
}

static int unknown_flag(const char *flag, size_t length, const struct command *command)
{
    char *name = mem_text(flag);
    name[length] = '\0';
    const char *best = NULL;
    unsigned least = NAME_MAX_LENGTH;
    for (size_t i = 0; command != NULL && i < command->opt_count; i++) {
        nearer(name + 2, command->opts[i].name, &best, &least);
    }
    for (size_t i = 0; i < args_global_count; i++) {
        nearer(name + 2, args_globals[i].name, &best, &least);
    }
    int status = best != NULL ? fail_usage("unknown flag %s; did you mean --%s?", name, best)
                              : fail_usage("unknown flag %s", name);
    mem_free(name);
    return status;
}

static const struct opt *find_in(const struct opt *opts, size_t count, const char *name,
                                 size_t length, char letter)
{
    for (size_t i = 0; i < count; i++) {
        if (letter != 0
                ? opts[i].letter == letter
                : strlen(opts[i].name) == length && strncmp(opts[i].name, name, length) == 0) {
            return &opts[i];
        }
    }
    return NULL;
}

static const struct opt *find(const struct command *command, const char *name, size_t length,
                              char letter)
{
    const struct opt *opt = NULL;
    if (command != NULL) {
        opt = find_in(command->opts, command->opt_count, name, length, letter);
    }
    return opt != NULL ? opt : find_in(args_globals, args_global_count, name, length, letter);
}

/* ---- The command line */

struct scan {
    char **argv;
    int argc, at;
    const struct command *command;
};

/* The value behind '=', or the next argument. */
static int value_of(struct scan *scan, const struct opt *opt, const char *attached,
                    const char **value)
{
    *value = NULL;
    if (opt->arg == NULL) {
        return attached == NULL ? 0 : fail_usage("--%s takes no value", opt->name);
    }
    if (attached == NULL) {
        if (scan->at + 1 >= scan->argc) {
            return fail_usage("--%s needs a value: --%s %s", opt->name, opt->name, opt->arg);
        }
        attached = scan->argv[++scan->at];
    }
    *value = attached;
    return 0;
}

static int take_long(struct scan *scan, const char *arg)
{
    const char *equals = strchr(arg, '=');
    size_t length = equals != NULL ? (size_t)(equals - arg) : strlen(arg);
    const struct opt *opt = find(scan->command, arg + 2, length - 2, 0);
    if (opt == NULL) {
        return unknown_flag(arg, length, scan->command);
    }
    const char *value;
    int status = value_of(scan, opt, equals != NULL ? equals + 1 : NULL, &value);
    return status != 0 ? status : store(opt, value);
}

static int take_letters(struct scan *scan, const char *arg)
{
    for (const char *p = arg + 1; *p != '\0'; p++) {
        const struct opt *opt = find(scan->command, NULL, 0, *p);
        if (opt == NULL && *p == 'h') {
            app.help = true;
            continue;
        }
        if (opt == NULL) {
            return fail_usage("unknown flag -%c", *p);
        }
        const char *value;
        bool attached = opt->arg != NULL && p[1] != '\0';
        int status = value_of(scan, opt, attached ? p + 1 : NULL, &value);
        status = status != 0 ? status : store(opt, value);
        if (status != 0 || opt->arg != NULL) {
            return status;
        }
    }
    return 0;
}

static int take_command(struct scan *scan, const char *name)
{
    scan->command = args_find(name);
    if (scan->command != NULL) {
        app.command = scan->command->name;
        return 0;
    }
    const char *nearest = args_nearest_command(name);
    return nearest != NULL ? fail_usage("unknown command \"%s\"; did you mean %s?", name, nearest)
                           : fail_usage("unknown command \"%s\"", name);
}

int args_parse(int argc, char **argv, const struct command **command, int *count)
{
    struct scan scan = {.argv = argv, .argc = argc, .at = 1};
    bool only_operands = false;
    *count = 0;
    for (; scan.at < argc; scan.at++) {
        char *arg = argv[scan.at];
        int status = 0;
        if (only_operands || arg[0] != '-' || arg[1] == '\0') {
            if (scan.command == NULL) {
                status = take_command(&scan, arg);
            } else {
                argv[(*count)++] = arg;
            }
        } else if (strcmp(arg, "--") == 0) {
            only_operands = true;
        } else if (scan.command == NULL && strcmp(arg, "--version") == 0) {
            status = take_command(&scan, "version");
        } else {
            status = arg[1] == '-' ? take_long(&scan, arg) : take_letters(&scan, arg);
        }
        if (status != 0) {
            return status;
        }
    }
    *command = scan.command;
    return 0;
}
