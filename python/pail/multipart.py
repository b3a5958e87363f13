"""Uploads in parts, by the program's own hand."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterable

from . import _pail
from .exceptions import InvalidValueException, UploadNotFound

if TYPE_CHECKING:
    from .objects import BucketObject
    from .storage import Bucket


class UploadPart:
    """A part that was sent. May be pickled and collected anywhere."""

    def __init__(self, part_number: int, etag: str, info: Any = None) -> None:
        self.part_number, self.etag, self._info = part_number, etag, info

    def pair(self):
        """As the library takes it; of a part that others describe the service knows the size."""
        if self._info is not None:
            return self.part_number, self._info
        return self.part_number, _pail.Info(
            (None, 0, -1, self.etag, *(None,) * 8, {}, {}, False, False, False, None, None))

    def __eq__(self, other):
        return (isinstance(other, UploadPart)
                and (self.part_number, self.etag) == (other.part_number, other.etag))

    def __hash__(self):
        return hash((self.part_number, self.etag))

    def __repr__(self):
        return f"<UploadPart: {self.part_number}>"


class MultipartUpload:
    """An upload that was begun: parts in any order from any thread, then complete() or abort()."""

    def __init__(self, bucket: Any, object_name: str, upload_id: str) -> None:
        self._bucket, self._name, self._id = bucket, object_name, upload_id

    @property
    def id(self) -> str:
        return self._id

    @property
    def name(self) -> str:
        return self._name

    @property
    def object_name(self) -> str:
        return self._name

    @property
    def bucket(self) -> Bucket:
        return self._bucket

    def upload_part(self, part_number: int, data: Any) -> UploadPart:
        """Sends a part: bytes-like, str (as UTF-8) or a binary stream. Raises UploadNotFound."""
        return self._service.upload_part(self._bucket, self, part_number, data)

    def complete(self, parts: Iterable[UploadPart]) -> BucketObject:
        """Makes the object of the parts, in whatever order they come; returns it."""
        return self._service.complete_multipart_upload(self._bucket, self, parts)

    def abort(self) -> None:
        """Drops what was sent. Again: nothing."""
        self._service.abort_multipart_upload(self._bucket, self)

    @property
    def _service(self):
        return self._bucket.provider.storage._bucket_objects

    # ---- what the service above does

    def _send(self, part_number, data):
        if not isinstance(part_number, int) or part_number < 1:
            raise InvalidValueException("part_number", part_number)
        if isinstance(data, str):
            data = data.encode()
        elif hasattr(data, "read"):
            data = data.read()
        info = self._bucket.handle.upload_part(self._name, self._id, part_number,
                                               memoryview(data))
        return UploadPart(part_number, info.etag, info)

    def _finish(self, parts):
        pairs = [part.pair() if isinstance(part, UploadPart)
                 else UploadPart(part.part_number, part.etag).pair() for part in parts]
        info = self._bucket.handle.upload_finish(self._name, self._id, pairs)
        made = self._bucket.objects.create(self._name)
        made._stored(info if info.size else None)
        return made

    def _drop(self):
        try:
            self._bucket.handle.upload_abort(self._name, self._id)
        except UploadNotFound:
            pass

    def __repr__(self):
        return f"<MultipartUpload: {self._name} ({self._id})>"
