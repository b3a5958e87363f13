"""An in-process stand-in for memcached, for a Swift proxy with one process."""
import json
import time


class Cache:
    def __init__(self):
        self.items = {}

    def _fresh(self, key):
        value, until = self.items.get(key, (None, 0))
        if until and until < time.time():
            self.items.pop(key, None)
            return None
        return value

    def get(self, key, raise_on_error=False):
        value = self._fresh(key)
        return None if value is None else json.loads(value)

    def set(self, key, value, serialize=True, time=0, **ignored):
        self.items[key] = (json.dumps(value), self._until(time))

    @staticmethod
    def _until(seconds):
        return time.time() + float(seconds) if seconds else 0

    def incr(self, key, delta=1, time=0):
        value = max(0, int(self.get(key) or 0) + int(delta))
        self.set(key, value, time=time)
        return value

    def decr(self, key, delta=1, time=0):
        return self.incr(key, -delta, time)

    def delete(self, key, server_key=None):
        self.items.pop(key, None)

    def set_multi(self, mapping, server_key, serialize=True, time=0, **ignored):
        for key, value in mapping.items():
            self.set(key, value, time=time)

    def get_multi(self, keys, server_key):
        return [self.get(key) for key in keys]


def filter_factory(global_conf, **local_conf):
    cache = Cache()

    def make(app):
        def call(env, start_response):
            env['swift.cache'] = cache
            return app(env, start_response)
        return call
    return make
