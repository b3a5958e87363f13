#!/usr/bin/env python3
"""The contract suite through `pail serve`: gateway.py PAIL CONTRACT NAME URL. {temp} in URL is a new folder."""
import os
import subprocess
import sys
import tempfile

KEY, SECRET = "contractkey", "contract-secret-with-length"


def main():
    pail, contract, name, url = sys.argv[1:]
    with tempfile.TemporaryDirectory() as temp:
        env = dict(os.environ, PAIL_HOME=os.path.join(temp, "home"))
        store = os.path.join(temp, "store")
        os.mkdir(store)
        server = subprocess.Popen(
            [pail, "serve", "--addr", "127.0.0.1:0", "--key", f"{KEY}:{SECRET}", "--access-log",
             os.environ.get("PAIL_GATEWAY_LOG", "off"), url.replace("{temp}", store)],
            stdout=subprocess.PIPE, text=True, env=env)
        try:
            address = server.stdout.readline().split(" at ")[-1].split()[0]
            prefix = "PAIL_GATEWAY_" + name.upper().replace("-", "_")
            env.update({prefix + "_ENDPOINT": address, prefix + "_ACCESS_KEY": KEY,
                        prefix + "_SECRET_KEY": SECRET, prefix + "_REGION": "us-east-1"})
            status = subprocess.run([contract, "gateway-" + name, "server:" + prefix], env=env).returncode
        finally:
            server.terminate()
            ended = server.wait(60)
        return status or ended


if __name__ == "__main__":
    sys.exit(main())
