/* clouds.yaml: the file of the OpenStack tools. Source: openstacksdk "Configuring OpenStack SDK
 * Applications". */
#include "cred/swift_login.h"

#include "base/sys.h"

#ifdef PL_WITH_YAML
#include <errno.h>
#include <yaml.h>

enum { FILE_MAX = 1 << 20, DEPTH_MAX = 8, NAME_MAX_BYTES = 128 };

/* Where the reader is: the names of the mappings around it. */
struct reader {
    yaml_parser_t parser;
    struct pl_settings *s;
    const char *file, *cloud;
    char path[DEPTH_MAX][NAME_MAX_BYTES];
    int depth;    /* of mappings */
    bool at_name; /* the next scalar is a name */
    bool found;
};

/* The member of clouds.yaml that a setting is called. */
static const struct {
    const char *member, *setting;
    bool in_auth;
} members[] = {{"auth_url", "os_auth_url", true},
               {"username", "os_username", true},
               {"user_id", "os_user_id", true},
               {"password", "os_password", true},
               {"token", "os_auth_token", true},
               {"user_domain_name", "os_user_domain_name", true},
               {"user_domain_id", "os_user_domain_id", true},
               {"project_name", "os_project_name", true},
               {"project_id", "os_project_id", true},
               {"tenant_name", "os_project_name", true},
               {"tenant_id", "os_project_id", true},
               {"project_domain_name", "os_project_domain_name", true},
               {"project_domain_id", "os_project_domain_id", true},
               {"domain_name", "os_domain_name", true},
               {"domain_id", "os_domain_id", true},
               {"trust_id", "os_trust_id", true},
               {"system_scope", "os_system_scope", true},
               {"default_domain", "os_default_domain", true},
               {"application_credential_id", "os_application_credential_id", true},
               {"application_credential_name", "os_application_credential_name", true},
               {"application_credential_secret", "os_application_credential_secret", true},
               {"region_name", "os_region_name", false},
               {"interface", "os_interface", false},
               {"endpoint_type", "os_interface", false},
               {"auth_type", "os_auth_type", false},
               {"identity_api_version", "os_identity_api_version", false},
               {"object_store_endpoint_override", "os_storage_url", false},
               {"cacert", "ca_file", false},
               {"cert", "client_cert_file", false},
               {"key", "client_key_file", false}};

static pail_code bad(const struct reader *r, size_t line, const char *why, struct pail_error **err)
{
    return pl_fail(err, PAIL_E_BAD_CONFIG, "%s line %zu: %s", r->file, line + 1, why);
}

/* clouds, CLOUD and perhaps auth are the mappings around it. */
static pail_code take(struct reader *r, const char *name, const char *value,
                      struct pail_error **err)
{
    bool inside =
        r->depth >= 2 && strcmp(r->path[0], "clouds") == 0 && strcmp(r->path[1], r->cloud) == 0;
    bool auth = inside && r->depth == 3 && strcmp(r->path[2], "auth") == 0;
    struct pl_buf origin = PL_BUF_MAX(1024);
    pail_code rc = PAIL_OK;
    if (!inside || (r->depth != 2 && !auth) || !*value) {
        return PAIL_OK;
    }
    pl_buf_printf(&origin, "%s, cloud %s", r->file, r->cloud);
    for (size_t i = 0; !rc && i < sizeof members / sizeof *members; i++) {
        if (members[i].in_auth == auth && strcmp(members[i].member, name) == 0 &&
            !pl_settings_get(r->s, members[i].setting)) {
            rc = pl_settings_set(r->s, members[i].setting, value,
                                 origin.ptr ? origin.ptr : "clouds.yaml", err);
        }
    }
    pl_buf_dispose(&origin);
    return rc;
}

/* The mapping whose name was read last begins. */
static pail_code enter(struct reader *r, size_t line, struct pail_error **err)
{
    r->depth++; /* the document's own is 0 */
    if (r->depth > DEPTH_MAX - 1) {
        return bad(r, line, "it is nested too deep", err);
    }
    r->found |=
        r->depth == 2 && strcmp(r->path[0], "clouds") == 0 && strcmp(r->path[1], r->cloud) == 0;
    r->at_name = true;
    r->path[r->depth][0] = '\0';
    return PAIL_OK;
}

static pail_code scalar(struct reader *r, const yaml_event_t *e, struct pail_error **err)
{
    const char *text = (const char *)e->data.scalar.value;
    size_t n = e->data.scalar.length;
    if (strlen(text) != n) {
        return bad(r, e->start_mark.line, "a value has a NUL", err);
    }
    if (!r->at_name) {
        r->at_name = true;
        return take(r, r->path[r->depth], text, err);
    }
    if (n >= NAME_MAX_BYTES) {
        return bad(r, e->start_mark.line, "a name is too long", err);
    }
    memcpy(r->path[r->depth], text, n + 1);
    r->at_name = false;
    return PAIL_OK;
}

/* Lists are passed over as a whole: no setting is one. */
static bool skip_list(struct reader *r)
{
    for (int depth = 1; depth > 0;) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r->parser, &e)) {
            return false;
        }
        depth += e.type == YAML_SEQUENCE_START_EVENT ? 1
                 : e.type == YAML_SEQUENCE_END_EVENT ? -1
                                                     : 0;
        yaml_event_delete(&e);
    }
    return true;
}

static pail_code event(struct reader *r, const yaml_event_t *e, struct pail_error **err)
{
    switch ((int)e->type) {
    case YAML_MAPPING_START_EVENT: return enter(r, e->start_mark.line, err);
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        r->at_name = true;
        return PAIL_OK;
    case YAML_SCALAR_EVENT: return r->depth >= 0 ? scalar(r, e, err) : PAIL_OK;
    case YAML_ALIAS_EVENT:
        return bad(r, e->start_mark.line, "anchors and aliases are not taken", err);
    case YAML_SEQUENCE_START_EVENT:
        r->at_name = true;
        return skip_list(r) ? PAIL_OK : bad(r, e->start_mark.line, "a list is broken", err);
    default: return PAIL_OK;
    }
}

static pail_code read_all(struct reader *r, struct pail_error **err)
{
    bool more = true;
    pail_code rc = PAIL_OK;
    while (more && !rc) {
        yaml_event_t e;
        if (!yaml_parser_parse(&r->parser, &e)) {
            return bad(r, r->parser.problem_mark.line,
                       r->parser.problem ? r->parser.problem : "no YAML", err);
        }
        rc = event(r, &e, err);
        more = e.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
    return rc;
}

static pail_code read_file(struct pl_settings *s, const char *path, const char *cloud, char *text,
                           size_t len, bool *found, struct pail_error **err)
{
    struct reader *r = pl_calloc(1, sizeof *r);
    if (!r || !yaml_parser_initialize(&r->parser)) {
        pl_free(r);
        return pl_fail(err, PAIL_E_NO_MEMORY, "no memory to read %s", path);
    }
    r->s = s;
    r->file = path;
    r->cloud = cloud;
    r->depth = -1;
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, len);
    pail_code rc = read_all(r, err);
    *found |= r->found;
    yaml_parser_delete(&r->parser);
    pl_free(r);
    return rc;
}

/* Places in the order of the tools: what is named, the folder at hand, the user's, the system's. */
static const char *place(const struct pl_settings *s, int i, struct pl_buf *room)
{
    const char *named = pl_settings_get(s, "os_client_config_file");
    const char *config = pl_sys.env("XDG_CONFIG_HOME"), *home = pl_sys.env("HOME");
    pl_buf_clear(room);
    if (named && *named) {
        return i == 0 ? named : NULL;
    }
    switch (i) {
    case 0: return "clouds.yaml";
    case 1:
        pl_buf_printf(room, "%s%s/openstack/clouds.yaml",
                      config ? config
                      : home ? home
                             : "",
                      config ? "" : "/.config");
        return pl_buf_rc(room) ? NULL : room->ptr;
    case 2: return "/etc/openstack/clouds.yaml";
    default: return NULL;
    }
}

/* A file that is there has to be readable; NULL with PAIL_OK: it is not there. */
static pail_code load(const char *path, char **text, size_t *len, struct pail_error **err)
{
    errno = 0;
    *text = pl_sys_read_file(path, FILE_MAX, len);
    if (*text || errno == ENOENT || errno == ENOTDIR) {
        return PAIL_OK;
    }
    if (errno == EFBIG) {
        return pl_fail(err, PAIL_E_BAD_CONFIG, "%s is larger than 1 MiB", path);
    }
    return pl_fail_errno(err, errno, "cannot read %s", path);
}

/* secure.yaml beside it has the same form, and the secrets; it is read first, since what is set
 * stays. */
static pail_code read_secure(struct pl_settings *s, const char *path, const char *cloud,
                             struct pail_error **err)
{
    struct pl_buf name = PL_BUF_MAX(4096);
    const char *slash = strrchr(path, '/');
    bool found = false;
    size_t len = 0;
    pail_code rc = PAIL_OK;
    pl_buf_str(&name, pl_str_n(path, slash ? (size_t)(slash - path) + 1 : 0));
    pl_buf_puts(&name, "secure.yaml");
    char *text = NULL;
    rc = pl_buf_rc(&name) ? PAIL_OK : load(name.ptr, &text, &len, err);
    if (text) {
        rc = read_file(s, name.ptr, cloud, text, len, &found, err);
        pl_zero(text, len);
    }
    pl_free(text);
    pl_buf_dispose(&name);
    return rc;
}

pail_code pl_swift_clouds_apply(struct pl_settings *s, struct pail_error **err)
{
    const char *cloud = pl_settings_get(s, "os_cloud"), *path = NULL;
    struct pl_buf room = PL_BUF_MAX(4096);
    bool found = false, any = false;
    pail_code rc = PAIL_OK;
    for (int i = 0; cloud && *cloud && !rc && !any && (path = place(s, i, &room)); i++) {
        size_t len = 0;
        char *text = NULL;
        rc = load(path, &text, &len, err);
        if (!text) {
            continue;
        }
        any = true;
        rc = read_secure(s, path, cloud, err);
        rc = rc ? rc : read_file(s, path, cloud, text, len, &found, err);
        pl_zero(text, len);
        pl_free(text);
    }
    if (!rc && cloud && *cloud && !found) {
        const char *named = pl_settings_get(s, "os_client_config_file");
        rc = pl_fail(err, PAIL_E_BAD_CONFIG,
                     any ? "there is no cloud \"%s\" in %s"
                         : "os_cloud is \"%s\", but there is no %s",
                     cloud,
                     named && *named ? named
                     : any           ? path
                                     : "clouds.yaml");
        pl_error_hint(err, "os_client_config_file names the file; else it is clouds.yaml here, in "
                           "~/.config/openstack or in /etc/openstack");
    }
    pl_buf_dispose(&room);
    return rc;
}

#else

pail_code pl_swift_clouds_apply(struct pl_settings *s, struct pail_error **err)
{
    const char *cloud = pl_settings_get(s, "os_cloud");
    if (!cloud || !*cloud || pl_settings_get(s, "os_auth_url")) {
        return PAIL_OK;
    }
    pail_code rc = pl_fail(err, PAIL_E_UNSUPPORTED, "this build cannot read clouds.yaml");
    pl_error_hint(err, "build it with libyaml, or set os_auth_url and the rest");
    return rc;
}

#endif
