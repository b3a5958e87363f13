"""Checksum headers of S3."""

import base64
import binascii
import hashlib

from . import crc
from .errors import S3Error


def _crc_bytes(function, width):
    def make(chunks):
        state = 0
        for chunk in chunks:
            state = function(chunk, state)
        return state.to_bytes(width, 'big')
    return make


def _hash_bytes(name):
    def make(chunks):
        digest = hashlib.new(name)
        for chunk in chunks:
            digest.update(chunk)
        return digest.digest()
    return make


ALGORITHMS = {
    'CRC32': _crc_bytes(crc.crc32, 4),
    'CRC32C': _crc_bytes(crc.crc32c, 4),
    'CRC64NVME': _crc_bytes(crc.crc64nvme, 8),
    'SHA1': _hash_bytes('sha1'),
    'SHA256': _hash_bytes('sha256'),
}
FULL_OBJECT = ('CRC32', 'CRC32C', 'CRC64NVME')
# x-amz-checksum-* headers that name no algorithm.
NOT_SUMS = ('x-amz-checksum-mode', 'x-amz-checksum-type', 'x-amz-checksum-algorithm')


def header_name(algorithm):
    return 'x-amz-checksum-' + algorithm.lower()


def compute(algorithm, chunks):
    """The sum in the form of its header value."""
    return base64.b64encode(ALGORITHMS[algorithm](chunks)).decode()


def composite(algorithm, values):
    """The sum of sums of a multipart object: base64(alg(raw sums one after the other))-N."""
    raw = b''.join(base64.b64decode(value) for value in values)
    return '%s-%d' % (compute(algorithm, [raw]), len(values))


def sent(headers):
    """The one checksum of these headers (or trailers) as (algorithm, value), or None."""
    found = [(name[len('x-amz-checksum-'):].upper(), value) for name, value in headers.items()
             if name.startswith('x-amz-checksum-') and name not in NOT_SUMS]
    if len(found) > 1:
        raise S3Error('InvalidRequest', 'Expecting a single x-amz-checksum- header. Multiple '
                      'checksum Types are not allowed.')
    if not found:
        return None
    algorithm, value = found[0]
    if algorithm not in ALGORITHMS:
        raise S3Error('InvalidRequest', 'The algorithm type you specified in x-amz-checksum- '
                      'header is invalid.')
    return algorithm, value


def check(algorithm, value, chunks):
    """Refuse a malformed or a wrong sum."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        raw = b''
    actual = ALGORITHMS[algorithm](chunks)
    if len(raw) != len(actual):
        raise S3Error('InvalidRequest', 'Value for %s header is invalid.'
                      % header_name(algorithm))
    if raw != actual:
        raise S3Error('BadDigest', 'The %s you specified did not match the calculated checksum.'
                      % algorithm)


def check_md5(value, data):
    """Content-MD5 against the body."""
    try:
        raw = base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error):
        raw = b''
    if len(raw) != 16:
        raise S3Error('InvalidDigest')
    if raw != hashlib.md5(data).digest():
        raise S3Error('BadDigest')
