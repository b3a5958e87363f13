"""Write the web page's files as C: embed.py OUT.c FILE...

Each becomes an array, compressed, without the blanks that lines begin with (no text goes over
several lines); its ETag is the begin of its SHA-256, so that a browser keeps what is the same.
"""
import gzip
import hashlib
import os
import re
import sys

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8",
         ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


def rows(data):
    for at in range(0, len(data), 16):
        yield "    " + " ".join(f"{byte}," for byte in data[at:at + 16]) + "\n"


def main(out, paths):
    table = []
    with open(out, "w", encoding="ascii") as file:
        file.write('#include "gateway/page.h"\n\n')
        for number, path in enumerate(paths):
            with open(path, "rb") as source:
                data = re.sub(rb"(?m)^ +", b"", source.read())
            data = gzip.compress(data, 9, mtime=0)
            name, etag = os.path.basename(path), hashlib.sha256(data).hexdigest()[:32]
            file.write(f"static const unsigned char file_{number}[] = {{\n")
            file.writelines(rows(data))
            file.write("};\n")
            path = "/-/ui" if name == "index.html" else "/-/ui/" + name
            kind = TYPES[os.path.splitext(name)[1]]
            table.append(f'    {{"{path}", "{kind}", "\\"{etag}\\"", file_{number}, {len(data)}}},\n')
        file.write("\nconst struct pl_gw_file pl_gw_files[] = {\n")
        file.writelines(table)
        file.write("    {0},\n};\n")


main(sys.argv[1], sys.argv[2:])
