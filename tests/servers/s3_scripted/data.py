"""Object contents: bytes in memory, a generated stream of any size, or several joined."""

import os
import random
import re

BLOCK = 1 << 20
# One fixed pseudo-random block: byte n of every generated object is GEN_BLOCK[n % 1 MiB].
GEN_BLOCK = random.Random(20060314).randbytes(BLOCK)
ZERO_BLOCK = bytes(BLOCK)
# The block many times over in one anonymous file, so that sendfile can take long strides.
STRIDE = 16


class Bytes:
    """Content held in memory."""

    def __init__(self, data):
        self.data = bytes(data)
        self.size = len(self.data)

    def chunks(self, start, end):
        view = memoryview(self.data)
        for at in range(start, end, BLOCK):
            yield view[at:min(at + BLOCK, end)]


class Gen:
    """`size` bytes of a repeated block, beginning at `offset` of the stream; no memory."""

    files = {}

    def __init__(self, size, block=GEN_BLOCK, offset=0):
        self.size = size
        self.block = block
        self.offset = offset

    def chunks(self, start, end):
        view = memoryview(self.block)
        at = start + self.offset
        stop = end + self.offset
        while at < stop:
            low = at % BLOCK
            count = min(BLOCK - low, stop - at)
            yield view[low:low + count]
            at += count

    def file(self):
        """A descriptor of an anonymous file of STRIDE blocks, or None where there is none."""
        if not hasattr(os, 'memfd_create'):
            return None
        if id(self.block) not in Gen.files:
            handle = os.memfd_create('gen')
            os.write(handle, self.block * STRIDE)
            Gen.files[id(self.block)] = handle
        return Gen.files[id(self.block)]


class Joined:
    """Contents one after the other."""

    def __init__(self, pieces):
        self.pieces = [piece for piece in pieces if piece.size]
        self.size = sum(piece.size for piece in self.pieces)

    def chunks(self, start, end):
        at = 0
        for piece in self.pieces:
            low = max(start - at, 0)
            high = min(end - at, piece.size)
            if low < high:
                yield from piece.chunks(low, high)
            at += piece.size


class Slice:
    """A range of another content (a copied part)."""

    def __init__(self, base, start, end):
        self.base = base
        self.start = start
        self.size = end - start

    def chunks(self, start, end):
        yield from self.base.chunks(self.start + start, self.start + end)


def whole(data):
    """All bytes of a content that is known to be small."""
    if isinstance(data, Bytes):
        return data.data
    return b''.join(bytes(chunk) for chunk in data.chunks(0, data.size))


UNITS = {'': 1, 'K': 1 << 10, 'M': 1 << 20, 'G': 1 << 30, 'T': 1 << 40}


def generated(key):
    """The content named by a key of the bucket `gen` (size-123, size-64M, zeros-64G), or None."""
    match = re.fullmatch(r'(?:.*/)?(size|zeros)-(\d+)([KMGT]?)(?:i?B)?(?:\..*)?', key)
    if not match:
        return None
    size = int(match.group(2)) * UNITS[match.group(3)]
    return Gen(size, ZERO_BLOCK if match.group(1) == 'zeros' else GEN_BLOCK)
