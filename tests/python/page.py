"""The code blocks of the origin page, and the one table of what is put into them."""
import os
import textwrap

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "page",
                    "working-with-object-storage.rst")

# Which block of the page does what.
CREATE, UPLOAD, FIND_AND_DOWNLOAD, AWS_TOKEN, SWIFT_TOKEN, UPLOAD_TO_CONTAINER, SIGN_GET, SIGN_PUT, \
    PUT_TO_URL = range(9)

# All that is replaced in the page's text, and the variables that it uses and does not define.
# Endpoints come from the environment.
TEXTS = {
    "upload_path": "/path/to/myfile.txt",
    "download_path": "/tmp/myfile.txt",
    "key": "'ACCESS_KEY'",
    "secret": "'SECRET_KEY'",
    "token": "'MY_SESSION_TOKEN'",
    "storage_url": "'SWIFT_STORAGE_URL'",
}
VARIABLES = ("provider", "container", "source")


def blocks():
    """The Python blocks of the page, in order, without their indent."""
    with open(PAGE, encoding="utf-8") as file:
        lines = file.read().splitlines()
    found = []
    for number, line in enumerate(lines):
        if line == ".. code-block:: python":
            body = []
            for follower in lines[number + 1:]:
                if follower.strip() and not follower.startswith(" "):
                    break
                body.append(follower if follower.strip() else "")
            found.append(textwrap.dedent("\n".join(body)).strip("\n") + "\n")
    return found


def code_of(block, **texts):
    """The text of a block with what `texts` gives in the place of the page's."""
    text = blocks()[block]
    for name, value in texts.items():
        old = TEXTS[name]
        text = text.replace(old, repr(value) if old.startswith("'") else value)
    return text


def run(block, names, **texts):
    """Runs a block in the namespace `names`, which is what its program has defined so far."""
    exec(compile(code_of(block, **texts), f"block {block} of the page", "exec"), names)
    return names
