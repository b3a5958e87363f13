"""tools/lint must refuse what the house rules forbid, and nothing else."""
import os
import subprocess
import sys
import tempfile
import unittest

LINT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/lint")
GOOD = {
    "include/pail.h": "#ifndef PAIL_H\n#define PAIL_H\nint pail_x(void);\n#endif\n",
    "src/base/README.md": "# base\n- `mem`: memory\n",
    "src/base/mem.c": '#include <stdlib.h>\n#include "base/mem.h"\nvoid pl_f(void *p)\n{\n'
                      "    free(p);\n}\n",
    "src/base/mem.h": "void pl_f(void *p);\n",
    "src/transfer/README.md": "# transfer\n- `get`: one object\n",
    "src/transfer/get.c": '#include "provider/op.h"\n/* free(x) // in a comment */\n'
                          'const char *url = "http://x";\nvoid pl_g(struct x *x)\n{\n'
                          "    x->free(x);\n    x.time(x);\n    pl_free(x);\n}\n",
    "src/provider/README.md": "# provider\n- `op`: operations\n",
    "src/provider/op.h": '#include "base/mem.h"\n',
    "cli/main.c": '#include <pail.h>\n#include "cli.h"\n',
    "cli/cli.h": "int run(void);\n",
}


class LintCase(unittest.TestCase):
    def lint(self, rule, **changed):
        with tempfile.TemporaryDirectory() as root:
            for path, text in {**GOOD, **changed.get("files", {})}.items():
                if text is None:
                    continue
                os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
                with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                    file.write(text)
            run = subprocess.run([sys.executable, LINT, "--root", root, rule], text=True,
                                 capture_output=True)
        return run.returncode, run.stdout + run.stderr

    def refuses(self, rule, path, text, *said):
        code, out = self.lint(rule, files={path: text})
        self.assertEqual(code, 1, out)
        self.assertIn("not ok", out)
        for words in (path, *said):
            self.assertIn(words, out)

    def test_accepts_a_tree_that_keeps_the_rules(self):
        for rule in ("direction", "public_only", "banned_calls", "comments", "readmes",
                     "header_alone"):
            code, out = self.lint(rule)
            self.assertEqual(code, 0, out)

    def test_direction__refuses_a_lower_room_that_includes_a_higher_one(self):
        self.refuses("direction", "src/base/mem.h", '\n#include "codec/xml.h"\n',
                     "mem.h:2", "base may not include codec")

    def test_direction__refuses_a_transfer_that_knows_a_provider(self):
        self.refuses("direction", "src/transfer/get.c", '#include "provider/s3.h"\n', "one provider")

    def test_direction__refuses_an_include_not_written_from_src(self):
        self.refuses("direction", "src/base/mem.c", '#include "mem.h"\n', "written from src/")

    def test_public_only__refuses_a_command_that_reaches_into_the_library(self):
        self.refuses("public_only", "cli/main.c", '#include "base/mem.h"\n', "use <pail.h>")

    def test_banned_calls__refuses_memory_outside_base(self):
        self.refuses("banned_calls", "src/transfer/get.c", "void pl_g(void)\n{\n    free(0);\n}\n",
                     "get.c:3", "free()")

    def test_banned_calls__refuses_printing_even_in_base(self):
        self.refuses("banned_calls", "src/base/mem.c", 'void f(void) { printf("x"); }\n', "printf()")

    def test_banned_calls__refuses_unbounded_copies_in_commands(self):
        self.refuses("banned_calls", "cli/main.c", "void f(void) { strcpy(a, b); }\n", "strcpy()")

    def test_comments__refuses_double_slashes(self):
        self.refuses("comments", "cli/main.c", "int x; // why\n", "main.c:1", "// comment")

    def test_comments__refuses_unfinished_work(self):
        self.refuses("comments", "src/base/mem.c", "\n/* TO" "DO: later */\n", "mem.c:2")

    def test_readmes__refuses_a_room_without_one(self):
        self.refuses("readmes", "src/base/README.md", None, "is missing")

    def test_readmes__refuses_a_long_one(self):
        self.refuses("readmes", "src/base/README.md", "mem\n" * 26, "longer than 25")

    def test_readmes__refuses_one_that_leaves_out_a_file(self):
        self.refuses("readmes", "src/base/README.md", "# base\n", "does not name mem")

    def test_header_alone__refuses_a_header_that_is_no_cxx(self):
        self.refuses("header_alone", "include/pail.h", "int pail_x(int class);\n", "c++17")

    def test_names_and_format__refuse_nothing_they_cannot_see(self):
        code, out = self.lint("names")
        self.assertEqual(code, 0, out)
        self.assertIn("# SKIP", out)


class ExportedNames(unittest.TestCase):
    def test_names__refuses_a_library_that_exports_another_name(self):
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(f"{root}/include")
            os.makedirs(f"{root}/build")
            with open(f"{root}/include/pail.h", "w", encoding="utf-8") as file:
                file.write("#define PAIL_API\nPAIL_API int pail_gone(void);\n")
            with open(f"{root}/x.c", "w", encoding="utf-8") as file:
                file.write("int pail_x(void); int pail_x(void) { return 0; }\n"
                           "int leak(void); int leak(void) { return 0; }\n")
            build = f"{root}/build"
            subprocess.run(["gcc", "-shared", "-fPIC", "-o", f"{build}/libpail.so", f"{root}/x.c"],
                           check=True)
            subprocess.run(["gcc", "-c", "-o", f"{build}/x.o", f"{root}/x.c"], check=True)
            subprocess.run(["ar", "rc", f"{build}/libpail.a", f"{build}/x.o"], check=True)
            run = subprocess.run([sys.executable, LINT, "--root", root, "names"], text=True,
                                 capture_output=True)
        self.assertEqual(run.returncode, 1, run.stdout)
        self.assertIn("libpail.so:0: exports leak", run.stdout)
        self.assertIn("libpail.a:0: exports leak", run.stdout)
        self.assertIn("declares pail_gone", run.stdout)
        self.assertIn("exports pail_x, which pail.h does not declare", run.stdout)


if __name__ == "__main__":
    unittest.main()
