"""A headless Chromium, driven by chromedriver's WebDriver protocol (W3C "WebDriver Level 2")."""
import base64
import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
WAIT_S = 60
ENTER, ESCAPE, TAB, SPACE, SHIFT = "\ue007", "\ue00c", "\ue004", " ", "\ue008"


def find():
    """The two programs, or None."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    return found if all(found) else None


class Element:
    def __init__(self, browser, id_):
        self.browser, self.id = browser, id_

    def do(self, method, path, body=None):
        return self.browser.do(method, f"/element/{self.id}/{path}", body)

    def click(self):
        self.do("POST", "click", {})

    def type(self, text):
        self.do("POST", "value", {"text": text})

    def clear(self):
        self.do("POST", "clear", {})

    @property
    def text(self):
        return self.do("GET", "text")

    @property
    def shown(self):
        return self.do("GET", "displayed")

    def attribute(self, name):
        return self.do("GET", "attribute/" + name)

    def json(self):
        return {ELEMENT: self.id}


class Browser:
    """One browser with a new profile; close() ends it and chromedriver."""

    def __init__(self, *flags):
        chromium, driver = find()
        self.dir = tempfile.mkdtemp(prefix="pail-browser-")
        env = dict(os.environ, HOME=self.dir, no_proxy="127.0.0.1", NO_PROXY="127.0.0.1")
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True, env=env)
        for line in self.process.stdout:
            if "started successfully on port" in line:
                self.port = int(line.rsplit("port", 1)[1].strip(" .\n"))
                break
        else:
            raise AssertionError("chromedriver does not start")
        self.downloads = os.path.join(self.dir, "downloads")
        os.mkdir(self.downloads)
        options = {"binary": chromium, "args": [*FLAGS, *flags, "--user-data-dir=" + self.dir + "/profile"],
                   "prefs": {"download.default_directory": self.downloads,
                             "download.prompt_for_download": False}}
        answer = self.ask("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
            "unhandledPromptBehavior": "accept"}}})
        self.session = answer["sessionId"]

    def close(self):
        try:
            self.ask("DELETE", "/session/" + self.session)
        finally:
            self.process.terminate()
            self.process.wait(WAIT_S)
            self.process.stdout.close()
            shutil.rmtree(self.dir, True)

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2 * WAIT_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body),
                               {"Content-Type": "application/json"})
            response = connection.getresponse()
            value = json.loads(response.read())["value"]
        finally:
            connection.close()
        if response.status != 200:
            raise AssertionError(f"{method} {path}: {value.get('error')}: {value.get('message')}")
        return value

    def do(self, method, path, body=None):
        return self.ask(method, f"/session/{self.session}{path}", body)

    def open(self, url):
        self.do("POST", "/url", {"url": url})

    def run(self, script, *args):
        """JavaScript in the page; what it returns."""
        args = [a.json() if isinstance(a, Element) else a for a in args]
        return self.do("POST", "/execute/sync", {"script": script, "args": args})

    def run_async(self, script, *args):
        return self.do("POST", "/execute/async", {"script": script, "args": list(args)})

    def find(self, css, text=None):
        """The first element that is shown, with this text where one is given; None: there is none."""
        script = """const [css, text] = arguments;
            return Array.from(document.querySelectorAll(css)).find((e) => e.checkVisibility() &&
                (text === null || e.textContent === text ||
                 e.getAttribute("aria-label") === text)) || null;"""
        found = self.run(script, css, text)
        return Element(self, found[ELEMENT]) if found else None

    def wait(self, css, text=None):
        return self.until(lambda: self.find(css, text), f"there is no {css} {text or ''}")

    def until(self, holds, what):
        end = time.monotonic() + WAIT_S
        while True:
            found = holds()
            if found:
                return found
            if time.monotonic() > end:
                raise AssertionError(what() if callable(what) else what)

    def keys(self, *keys):
        """Presses keys one after another, where the focus is; a tuple: all of it held together."""
        actions = []
        for key in keys:
            held = key if isinstance(key, tuple) else (key,)
            actions += [{"type": "keyDown", "value": k} for k in held]
            actions += [{"type": "keyUp", "value": k} for k in reversed(held)]
        self.do("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def size(self, width, height):
        self.do("POST", "/window/rect", {"width": width, "height": height})

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.do("GET", "/screenshot")))

    def console(self):
        return self.do("POST", "/se/log", {"type": "browser"})
