"""Objects as Python's files."""
from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._pail import Info, Reader, Writer

BUFFER = 1 << 20


class ObjectReader(io.RawIOBase):
    """One version of an object as a raw, seekable file; `info` is what the service said of it."""

    def __init__(self, reader: Reader, name: str) -> None:
        self._reader, self.name, self.mode = reader, name, "rb"

    @property
    def info(self) -> Info:
        return self._reader.info

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._reader.readinto(buffer)

    def read(self, size: int | None = -1) -> bytes:
        return self._reader.read(size)

    def readall(self) -> bytes:
        return self._reader.read()

    def pread(self, size: int, offset: int) -> bytes:
        """Bytes at an offset, without moving the position."""
        return self._reader.pread(size, offset)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._reader.seek(offset, whence)

    def tell(self) -> int:
        self._checkClosed()
        return self._reader.tell()

    def close(self) -> None:
        if not self.closed:
            self._reader.close()
        super().close()


class ObjectWriter(io.BufferedIOBase):
    """An object that is being written; close() makes it visible, discard() drops it."""

    def __init__(self, writer: Writer, name: str) -> None:
        self._writer, self.name, self.mode = writer, name, "wb"
        self.info: Info | None = None

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._checkClosed()
        return self._writer.write(data)

    def tell(self) -> int:
        return self._writer.tell()

    def discard(self) -> None:
        """Drops what was written: an object that was there stays as it is."""
        self._writer.discard()
        super().close()

    def close(self) -> None:
        """Stores the object; `info` is what the service said of it."""
        if self.closed:
            return
        try:
            if not self._writer.ended:
                self.info = self._writer.commit()
        finally:
            super().close()

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self):
        """Forgotten is not finished: only close() stores."""
        if not self.closed:
            self.discard()


class TextWriter(io.TextIOWrapper):
    """As ObjectWriter, with str."""

    def discard(self) -> None:
        self.buffer.discard()  # type: ignore[attr-defined]

    def __exit__(self, kind, error, traceback):
        if kind is None:
            self.close()
        else:
            self.discard()


def open_writer(bucket, key, mode, options):
    if mode.startswith("x"):
        options = {**options, "if_none_match": "*"}
    return ObjectWriter(bucket.writer(key, **options), key)


def open_object(bucket, key, mode, buffering, encoding, errors, newline, options):
    """Bucket.open()."""
    if mode not in ("r", "rb", "rt", "w", "wb", "wt", "x", "xb", "xt"):
        raise ValueError(f"mode is {mode!r}: an object is opened with r, w or x, and b or t")
    is_text = not mode.endswith("b")
    if not is_text and (encoding or errors or newline):
        raise ValueError("encoding, errors and newline are for text: mode has a b")
    if is_text and buffering == 0:
        raise ValueError("text cannot be without a buffer")
    if mode[0] != "r":
        made = open_writer(bucket, key, mode, options)
        return TextWriter(made, encoding or "utf-8", errors, newline) if is_text else made
    made = ObjectReader(bucket.reader(key, **options), key)
    if buffering != 0:
        made = io.BufferedReader(made, BUFFER if buffering < 2 else buffering)
    return io.TextIOWrapper(made, encoding or "utf-8", errors, newline) if is_text else made
