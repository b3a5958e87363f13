"""pyarrow's own tests of any filesystem, on a LOCAL store in PAIL_HOME: pytest pyarrow_generic.py

Left out: what needs directories without anything in them (create_dir, delete_dir, get_file_info and
what uses them: a bucket has none, and pyarrow leaves the same out for s3fs) and appending (an object
is written whole).
"""
import uuid

import pytest
from pyarrow.fs import FSSpecHandler, PyFileSystem
from pyarrow.tests.conftest import builtin_pickle, cloudpickle, pickle_module  # noqa: F401 fixtures
from pyarrow.tests.test_fs import (  # noqa: F401 collected from here, with the fixtures below
    pickle_with_and_without_subtree_filesystem, test_copy_file, test_delete_file,
    test_filesystem_equals_none, test_filesystem_pickling, test_move_directory, test_move_file,
    test_non_path_like_input_raises, test_normalize_path, test_open_input_file,
    test_open_input_stream, test_open_input_stream_not_found, test_open_output_stream,
    test_open_output_stream_metadata)

from pail.fsspec import Local


@pytest.fixture
def filesystem_config():
    fsspec = Local()
    bucket = "b" + uuid.uuid4().hex[:10]
    fsspec.mkdir(bucket)
    yield {"fs": PyFileSystem(FSSpecHandler(fsspec)), "pathfn": (bucket + "/").__add__,
           "allow_move_dir": False, "allow_append_to_file": False}
    fsspec.rm(bucket, recursive=True)


@pytest.fixture
def fs(filesystem_config):
    return filesystem_config["fs"]


@pytest.fixture
def pathfn(filesystem_config):
    return filesystem_config["pathfn"]


@pytest.fixture
def allow_move_dir(filesystem_config):
    return filesystem_config["allow_move_dir"]


@pytest.fixture
def allow_append_to_file(filesystem_config):
    return filesystem_config["allow_append_to_file"]
