"""Flags, help, names that are not known, and what the exit status says."""
import os
import re
import subprocess
import unittest

from cli import BIN, ROOT, CliTest

COMMANDS = ("mb rb ls cp mv rm cat stat du presign serve uploads doctor conform fsck backup config version "
            "help").split()


class UsageTest(CliTest):
    def test_version__is_one_line(self):
        self.assertRegex(self.pail("version").out, r"^pail \d+\.\d+\.\d+\n$")
        self.assertEqual(self.pail("--version").out, self.pail("version").out)

    def test_version__makes_no_store(self):
        self.pail("version")
        self.assertFalse(os.path.exists(self.home))

    def test_help__names_every_command(self):
        text = self.pail("help").out
        for command in COMMANDS:
            self.assertRegex(text, rf"(?m)^  {command} ")

    def test_help__of_a_command_is_what_its_flag_shows(self):
        for command in COMMANDS:
            self.assertEqual(self.pail("help", command).out, self.pail(command, "--help").out)

    def test_unknown_command__names_the_nearest(self):
        err = self.fails(2, "stta", "local:bkt/k").err
        self.assertIn("did you mean stat?", err)

    def test_unknown_flag__names_the_nearest(self):
        self.assertIn("--recursive", self.fails(2, "ls", "--recursiv").err)
        self.assertIn("-Z", self.fails(2, "ls", "-Z").err)

    def test_flag__needs_its_value_and_no_other(self):
        self.assertIn("needs a value", self.fails(2, "ls", "--pattern").err)
        self.assertIn("takes no value", self.fails(2, "ls", "--json=1").err)
        self.assertIn("is not a size", self.fails(2, "cp", "--part-size", "big", "a", "b").err)
        self.assertIn("NAME=VALUE", self.fails(2, "cp", "--meta", "x", "a", "b").err)

    def test_no_command__is_a_usage_error(self):
        self.fails(2)

    def test_global_flags__stand_before_or_behind_the_command(self):
        other = self.path("other")
        self.pail("--home", other, "mb", "local:bkt")
        self.assertEqual(self.pail("ls", "--home", other).out, "bkt\n")
        self.assertEqual(self.pail("ls").out, "")

    def test_double_dash__ends_the_flags(self):
        self.write("-r", b"dash")
        self.pail("mb", "local:bkt")
        self.pail("cp", "--", "-r", "local:bkt/k")
        self.assertEqual(self.cat("local:bkt/k"), b"dash")

    def test_unknown_scheme__is_an_error_and_no_file(self):
        result = self.fails(10, "cp", "lokal:b/k", "out")
        self.assertIn("local", result.err)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_unknown_setting__names_the_nearest(self):
        self.assertIn("aws_region", self.fails(10, "ls", "--set", "aws_regoin=x").err)

    def test_bare_name__is_a_local_path(self):
        result = self.fails(2, "ls", "bucket")
        self.assertIn("local:bucket", result.err)
        self.fails(4, "cp", "bucket", "local:bkt/k")

    def test_file_with_a_colon__is_written_with_its_folder(self):
        self.write("a:b", b"colon")
        self.pail("cp", "./a:b", "copy")
        self.assertEqual(self.read("copy"), b"colon")

    def test_file_url__is_the_plain_path(self):
        source = self.write("source", b"url")
        self.pail("cp", "file://" + source, "file://" + self.path("copy"))
        self.assertEqual(self.read("copy"), b"url")
        self.fails(10, "cp", "file://host/x", "copy")

    def test_account_where_a_bucket_is_wanted__is_a_usage_error(self):
        for args in (["mb", "local:"], ["rm", "local:"], ["cp", "x", "local:"], ["du", "local:"]):
            self.assertIn("names no bucket", self.fails(2, *args).err)

    def test_message__has_no_control_bytes(self):
        self.pail("mb", "local:bkt")
        err = self.fails(4, "stat", "local:bkt/a\x1b[31mred").raw_err
        self.assertNotIn(b"\x1b", err)
        self.assertIn(b"\\x1b", err)

    def test_message__is_utf8_whatever_the_name_is(self):
        self.pail("mb", "local:bkt")
        for args in ((b"cp", b"no\xffne", b"local:bkt/k"), (b"stat", b"local:bkt/a\xff\xc3("),
                     (b"stat", b"local:bkt/\xc2\x9b31m"), (b"l\xffs",), (b"ls", b"--\xff"),
                     (b"ls", b"-\xff"), (b"rm", b"memory:\xff/k"), (b"ls", b"\xff:")):
            err = self.run_pail(*args).raw_err
            self.assertIn(b"\\x", err, args)
            err.decode("utf-8")
            self.assertNotIn(b"\xc2\x9b", err)

    def test_source_settings__need_a_source(self):
        self.pail("mb", "local:bkt")
        for flag in ("--src", "--dst"):
            for args in (["ls", "local:"], ["cat", "local:bkt/k"], ["doctor", "local:"]):
                self.assertIn(flag, self.fails(2, *args, flag, "local_home=/x").err)
        self.put("local:bkt/k", b"data")
        home = self.path("other")
        self.pail("mb", "local:bkt", "--set", "local_home=" + home)
        self.pail("cp", "local:bkt/k", "local:bkt/k", "--dst", "local_home=" + home)
        self.assertEqual(self.cat("local:bkt/k", "--set", "local_home=" + home), b"data")

    def test_secret_in_a_url__is_not_shown(self):
        result = self.run_pail("ls", "s3://bu?aws_secret_access_key=hunter2&nonsense=1")
        self.assertEqual(result.status, 10)
        self.assertNotIn("hunter2", result.err)

    def test_flags__set_what_each_scheme_calls_it(self):
        flags = ("--endpoint-url", "http://127.0.0.1:1", "--no-sign-request", "--region", "r-1")
        for url, name in (("s3://", "aws_endpoint_url"), ("gs://", "gcs_endpoint")):
            out = self.run_pail(*flags, "config", "explain", url).out
            if out:  # a build may leave the provider out
                self.assertRegex(out, rf"(?m)^{name} = http://127.0.0.1:1 ")
        self.assertNotIn("127.0.0.1:1", self.pail(*flags, "config", "explain", "local:").out)

    def test_docs__hold_the_help_of_every_command(self):
        texts = [self.pail("help").out] + [self.pail("help", c).out for c in COMMANDS]
        page = ("# The command line\n\nThis page is what `pail help` and `pail help COMMAND` print; "
                "a test keeps it so.\n")
        names = ["pail"] + COMMANDS
        for name, text in zip(names, texts):
            page += f"\n## {name}\n\n```\n{text}```\n"
        path = os.path.join(ROOT, "docs", "cli.md")
        if os.environ.get("PAIL_WRITE_DOCS"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(page)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), page)


class StandardOutputTest(CliTest):
    def setUp(self):
        super().setUp()
        self.pail("mb", "local:bkt")
        self.put("local:bkt/big", b"x" * 4_000_000)

    def test_broken_pipe__ends_quietly_with_141(self):
        for args in (["cat", "local:bkt/big"], ["cp", "local:bkt/big", "-"], ["help"],
                     ["ls", "-r", "local:bkt"]):
            reader, writer = os.pipe()
            os.close(reader)
            process = self.start(*args, stdout=writer)
            os.close(writer)
            self.assertEqual((process.wait(60), process.stderr.read()), (141, b""), args)
            process.stderr.close()

    def test_broken_pipe__also_in_the_middle_of_an_object(self):
        process = self.start("cat", "local:bkt/big")
        process.stdout.read(10)
        process.stdout.close()
        self.assertEqual((process.wait(60), process.stderr.read()), (141, b""))
        process.stderr.close()

    def test_full_disk_behind_stdout__is_an_error(self):
        for args in (["cat", "local:bkt/big"], ["version"], ["ls"], ["cp", "local:bkt/big", "-"]):
            with open("/dev/full", "wb") as full:
                result = self.fails(1, *args, stdout=full)
            self.assertEqual(result.err.count("standard output"), 1, args)

    def test_closed_stdout__is_an_error_and_harms_no_store(self):
        done = subprocess.run(["/bin/sh", "-c", '"$0" ls >&-', BIN], env=self.env, cwd=self.dir,
                              stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"standard output", done.stderr)
        self.pail("fsck")

    def test_closed_stdout__does_not_matter_where_nothing_is_printed(self):
        done = subprocess.run(["/bin/sh", "-c", '"$0" mb local:new >&- <&-', BIN], env=self.env,
                              cwd=self.dir, stderr=subprocess.PIPE, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_progress__is_not_drawn_without_a_terminal(self):
        self.assertEqual(self.pail("cp", "local:bkt/big", "copy").raw_err, b"")


if __name__ == "__main__":
    unittest.main()
