"""fsspec's own tests of any filesystem, on a LOCAL store in PAIL_HOME: pytest fsspec_generic.py"""
import uuid

import pytest
from fsspec.implementations.local import LocalFileSystem
from fsspec.tests import abstract

from pail.fsspec import Local


class Fixtures(abstract.AbstractFixtures):
    @pytest.fixture
    def fs(self):
        made = Local(skip_instance_cache=True)
        yield made
        for bucket in made.ls("", detail=False):
            made.rm(bucket, recursive=True)

    @pytest.fixture
    def fs_path(self, fs):
        name = "b" + uuid.uuid4().hex[:10]
        fs.mkdir(name)
        return name

    @pytest.fixture
    def supports_empty_directories(self):
        return False

    @pytest.fixture
    def local_fs(self):
        return LocalFileSystem(auto_mkdir=True)


class TestCopy(abstract.AbstractCopyTests, Fixtures):
    pass


class TestGet(abstract.AbstractGetTests, Fixtures):
    pass


class TestPut(abstract.AbstractPutTests, Fixtures):
    pass


class TestOpen(abstract.AbstractOpenTests, Fixtures):
    pass


class TestPipe(abstract.AbstractPipeTests, Fixtures):
    pass
