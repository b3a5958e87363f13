#include "end.h"

#include "mem.h"

struct end end_stdio(bool output)
{
    return (struct end){.kind = END_STDIO,
                        .place.dir_fd = -1,
                        .shown = mem_text(output ? "standard output" : "standard input")};
}

struct end end_path(const char *path)
{
    struct end end = {.kind = END_PATH, .shown = mem_text(path)};
    end.place = (struct place){.dir_fd = -1, .path = mem_text(path)};
    return end;
}

struct end end_place(struct place *place)
{
    struct end end = {.kind = END_PATH, .place = *place, .shown = mem_text(place->shown)};
    *place = (struct place){.dir_fd = -1};
    return end;
}

struct end end_object(const struct target *target, const char *key)
{
    return (struct end){.kind = END_OBJECT,
                        .target = target,
                        .place.dir_fd = -1,
                        .key = mem_text(key),
                        .shown = target_url(target, key)};
}

void end_dispose(struct end *end)
{
    if (end->place.dir_fd >= 0) {
        folder_leave(&end->place);
    } else {
        mem_free(end->place.path);
    }
    mem_free(end->key);
    mem_free(end->shown);
    *end = (struct end){.place.dir_fd = -1};
}
