"""Buckets, versions and uploads in memory. The caller holds `Store.lock`."""

import bisect
import hashlib
import secrets
import threading


class Credential:
    """An access key. `buckets`: the only ones it may touch (and no account-level request)."""

    def __init__(self, access_key, secret, token=None, expired=False, buckets=None):
        self.access_key = access_key
        self.secret = secret
        self.token = token
        self.expired = expired
        self.buckets = buckets


class Version:
    """One version of an object, or a delete marker."""

    def __init__(self, data, etag, mtime):
        self.data = data
        self.etag = etag
        self.mtime = mtime
        self.version_id = 'null'
        self.delete_marker = False
        self.headers = {}           # content-type, cache-control, ... as stored
        self.meta = {}              # x-amz-meta-* without the prefix
        self.tags = {}
        self.storage_class = 'STANDARD'
        self.sse = {}               # x-amz-server-side-encryption* as sent
        self.acl = None
        self.sums = {}              # algorithm -> value
        self.sum_type = None
        self.parts = None           # multipart: list of Part in order
        self.generation = 0

    @property
    def size(self):
        return self.data.size if self.data else 0


class Part:
    """An uploaded part."""

    def __init__(self, data, etag, mtime, sums):
        self.data = data
        self.etag = etag
        self.mtime = mtime
        self.sums = sums


class Upload:
    """A multipart upload in progress; `draft` carries the attributes of the object to be."""

    def __init__(self, key, upload_id, draft, created):
        self.key = key
        self.upload_id = upload_id
        self.draft = draft
        self.created = created
        self.algorithm = None
        self.sum_type = None
        self.conditions = {}
        self.parts = {}


class Bucket:
    """A bucket and its keys in order."""

    def __init__(self, name, region, created):
        self.name = name
        self.region = region
        self.created = created
        self.versioning = ''
        self.hidden = False
        self.acl = None
        self.owner = None
        self.tags = {}
        self.names = []             # sorted; code point order is UTF-8 byte order
        self.versions = {}          # key -> versions, oldest first
        self.uploads = {}           # upload id -> Upload

    def current(self, key):
        """The newest version (a delete marker too), or None."""
        chain = self.versions.get(key)
        return chain[-1] if chain else None

    def visible(self, key):
        """The newest version unless that is a delete marker."""
        found = self.current(key)
        return None if found is None or found.delete_marker else found

    def find(self, key, version_id):
        for version in self.versions.get(key, ()):
            if version.version_id == version_id:
                return version
        return None

    def add(self, key, version):
        """Store a version as the newest, by the bucket's state of versioning."""
        chain = self.versions.get(key)
        if chain is None:
            chain = self.versions[key] = []
            bisect.insort(self.names, key)
        if self.versioning == 'Enabled':
            version.version_id = secrets.token_urlsafe(24)
        else:
            version.version_id = 'null'
            chain[:] = [old for old in chain if old.version_id != 'null']
        chain.append(version)

    def remove(self, key, version):
        chain = self.versions[key]
        chain.remove(version)
        if not chain:
            del self.versions[key]
            self.names.pop(bisect.bisect_left(self.names, key))


class Store:
    """Everything that requests can see."""

    def __init__(self):
        self.lock = threading.RLock()
        self.buckets = {}
        self.generation = 1_700_000_000_000_000
        self.key_writes = {}        # (bucket, key) -> time of the last write
        self.framing_stored = 0     # bodies stored with their chunk framing inside

    def next_generation(self):
        self.generation += 1
        return self.generation


def quoted_md5(data):
    return '"%s"' % hashlib.md5(data).hexdigest()


def random_etag(parts=None):
    tail = '' if parts is None else '-%d' % parts
    return '"%s%s"' % (secrets.token_hex(16), tail)
