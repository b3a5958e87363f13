"""CRC32C and CRC64NVME in plain Python, fast enough for test bodies.

Long inputs are taken as one big integer over GF(2) and folded in half again and again: the first
half times x^k mod P is added to the second. One fold is some shifts and exclusive-ors of long
integers, which the interpreter does at memory speed. Both sums are reflected: the first bit on the
wire is bit 0 of the integer and the highest power of x.
"""

import functools
import zlib

BLOCK = 65536


class Crc:
    """One reflected CRC with all-ones start and end."""

    def __init__(self, poly, width):
        self.poly = poly
        self.width = width
        self.ones = (1 << width) - 1
        self.table = [self._bits(byte, 8) for byte in range(256)]
        self.power = functools.lru_cache(maxsize=4096)(self._power)

    def _bits(self, value, count):
        for _ in range(count):
            value = (value >> 1) ^ (self.poly if value & 1 else 0)
        return value

    def _multiply(self, a, b):
        """a * b mod P, both in the reflected frame of `width` bits."""
        product = 0
        for i in range(self.width - 1, -1, -1):
            if a >> i & 1:
                product ^= b << i
        return self._bits(product, self.width - 1)

    def _power(self, k):
        """x^k mod P."""
        result = 1 << (self.width - 1)
        square = 1 << (self.width - 2)
        while k:
            if k & 1:
                result = self._multiply(result, square)
            square = self._multiply(square, square)
            k >>= 1
        return result

    def _fold(self, value, bits):
        width = self.width
        while bits > 16 * width:
            low = (bits + width) // 2 + 1
            high = bits - low
            factor = self.power(low)
            head = value & ((1 << high) - 1)
            product = 0
            shift = 0
            while factor:
                if factor & 1:
                    product ^= head << shift
                factor >>= 1
                shift += 1
            value = (value >> high) ^ (product << (low - (high + width - 1)))
            bits = low
        return self._bits(value, bits - width)

    def update(self, state, data):
        """Continue `state` (a finished sum, 0 at the start) with `data`."""
        state ^= self.ones
        view = memoryview(data)
        for start in range(0, len(view), BLOCK):
            block = view[start:start + BLOCK]
            if len(block) < 64:
                for byte in block:
                    state = self.table[(state ^ byte) & 255] ^ (state >> 8)
            else:
                value = int.from_bytes(block, 'little') ^ state
                state = self._fold(value, 8 * len(block) + self.width)
        return state ^ self.ones


_CRC32C = Crc(0x82F63B78, 32)
_CRC64NVME = Crc(0x9A6C9329AC4BC9B5, 64)


def crc32(data, state=0):
    return zlib.crc32(data, state)


def crc32c(data, state=0):
    return _CRC32C.update(state, data)


def crc64nvme(data, state=0):
    return _CRC64NVME.update(state, data)
