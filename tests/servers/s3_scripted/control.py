"""The /-/ endpoint: not signed, JSON in and out.

  PUT /-/script      replace the rules (a JSON list); POST adds, GET shows with counts, DELETE clears
  GET /-/log         requests seen; DELETE clears
  GET /-/state       buckets, uploads in progress, connections, counters
  GET|PUT|DELETE /-/object?bucket=B&key=K     look at, store, remove an object behind the API
  PUT /-/config      {"personality", "set": {...}, "clock_skew", "anonymous", "close_after",
                     "credentials": [{"access_key","secret","token","expired","buckets"}]}
  POST /-/clock      {"advance": seconds}
  POST /-/reset      forget objects, rules and log
"""

import json

from .data import Bytes, Gen
from .faults import Script
from .personality import Settings
from .store import Credential, Version, quoted_md5, random_etag
from .wire import Response


def answer(value, status=200):
    return Response(status, [('Content-Type', 'application/json')],
                    json.dumps(value, indent=1).encode() + b'\n')


def handle(srv, req):
    """Answer a control request."""
    action = HANDLERS.get((req.method, req.raw_path))
    if action is None:
        known = sorted('%s %s' % pair for pair in HANDLERS)
        return answer({'error': 'no such control request', 'there are': known}, 404)
    try:
        with srv.store.lock:
            return action(srv, req)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return answer({'error': '%s: %s' % (type(error).__name__, error)}, 400)


def body(req):
    return json.loads(bytes(req.body) or b'null')


def put_script(srv, req):
    srv.script.rules = srv.script.load(body(req) or [])
    return answer({'rules': len(srv.script.rules)})


def add_script(srv, req):
    srv.script.rules = srv.script.rules + srv.script.load(body(req) or [])
    return answer({'rules': len(srv.script.rules)})


def get_script(srv, _):
    return answer([{'match': rule.match, 'action': rule.action, 'seen': rule.seen,
                    'fired': rule.fired} for rule in srv.script.rules])


def clear_script(srv, _):
    srv.script.rules = []
    return answer({'rules': 0})


def get_log(srv, _):
    return answer(list(srv.log))


def clear_log(srv, _):
    srv.log.clear()
    return answer({'log': 0})


def get_state(srv, _):
    buckets = {}
    for name, bucket in srv.store.buckets.items():
        buckets[name] = {
            'region': bucket.region, 'versioning': bucket.versioning, 'acl': bucket.acl,
            'objects': sum(bucket.visible(key) is not None for key in bucket.names),
            'versions': sum(len(chain) for chain in bucket.versions.values()),
            'uploads': [{'key': upload.key, 'upload_id': upload.upload_id,
                         'parts': {number: part.data.size for number, part
                                   in sorted(upload.parts.items())}}
                        for upload in bucket.uploads.values()]}
    return answer({'personality': srv.settings.name, 'buckets': buckets,
                   'connections_open': srv.connections_open,
                   'connections_total': srv.connections_total, 'requests': srv.requests,
                   'framing_stored': srv.store.framing_stored, 'clock_skew': srv.skew})


def _named(srv, req):
    return srv.store.buckets[req.query['bucket']], req.query['key']


def get_object(srv, req):
    bucket, key = _named(srv, req)
    version = bucket.visible(key)
    if version is None:
        return answer({'error': 'no such object'}, 404)
    return answer({
        'size': version.size, 'etag': version.etag, 'mtime': version.mtime,
        'version_id': version.version_id, 'headers': version.headers, 'meta': version.meta,
        'tags': version.tags, 'storage_class': version.storage_class, 'sse': version.sse,
        'acl': version.acl, 'checksums': version.sums, 'checksum_type': version.sum_type,
        'parts': [part.data.size for part in version.parts] if version.parts else None})


def store_object(srv, bucket, key, content=None, size=None):
    """Put an object without a request (a rule or a test does it)."""
    version = Version(Gen(size) if content is None else Bytes(content), '', srv.now())
    version.etag = random_etag() if content is None else quoted_md5(content)
    version.headers = {'content-type': 'binary/octet-stream'}
    version.generation = srv.store.next_generation()
    bucket.add(key, version)


def put_object(srv, req):
    bucket, key = _named(srv, req)
    if 'size' in req.query:
        store_object(srv, bucket, key, size=int(req.query['size']))
    else:
        store_object(srv, bucket, key, bytes(req.body))
    return answer({})


def delete_object(srv, req):
    bucket, key = _named(srv, req)
    for version in list(bucket.versions.get(key, ())):
        bucket.remove(key, version)
    return answer({})


def put_config(srv, req):
    config = body(req)
    if 'personality' in config:
        srv.settings = Settings(config['personality'])
    for name, value in config.get('set', {}).items():
        srv.settings.change(name, value)
    for item in config.get('credentials', ()):
        credential = Credential(**item)
        srv.credentials[credential.access_key] = credential
    srv.skew = config.get('clock_skew', srv.skew)
    srv.anonymous = config.get('anonymous', srv.anonymous)
    srv.close_after = config.get('close_after', srv.close_after)
    return answer({'personality': srv.settings.name})


def move_clock(srv, req):
    srv.skew += body(req)['advance']
    return answer({'clock_skew': srv.skew})


def reset(srv, _):
    srv.reset()
    srv.script = Script()
    srv.log.clear()
    return answer({})


HANDLERS = {
    ('PUT', '/-/script'): put_script, ('POST', '/-/script'): add_script,
    ('GET', '/-/script'): get_script, ('DELETE', '/-/script'): clear_script,
    ('GET', '/-/log'): get_log, ('DELETE', '/-/log'): clear_log,
    ('GET', '/-/state'): get_state, ('GET', '/-/object'): get_object,
    ('PUT', '/-/object'): put_object, ('DELETE', '/-/object'): delete_object,
    ('PUT', '/-/config'): put_config, ('POST', '/-/clock'): move_clock,
    ('POST', '/-/reset'): reset,
}
