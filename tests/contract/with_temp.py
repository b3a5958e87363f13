#!/usr/bin/env python3
"""Run a program with a folder of its own: with_temp.py PROGRAM ARGUMENT...

Each "{temp}" in the arguments becomes a fresh empty folder, in which the program runs, which is
also PAIL_HOME, and which is removed afterwards. Ends with the program's status.
"""
import os
import subprocess
import sys
import tempfile


def main():
    with tempfile.TemporaryDirectory(prefix="pail-test-") as folder:
        command = [word.replace("{temp}", folder) for word in sys.argv[1:]]
        command[0] = os.path.abspath(command[0])
        status = subprocess.run(command, cwd=folder,
                                env={**os.environ, "PAIL_HOME": folder}).returncode
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
