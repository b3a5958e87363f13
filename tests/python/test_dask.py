"""Copies and checksums by a Dask cluster of this machine, and the plan without one."""
import hashlib
import unittest

import pail
import stores
from pail import dask, exceptions

stores.add_clients()
try:
    import distributed
except ImportError:
    distributed = None


class Plan(unittest.TestCase):
    def setUp(self):
        self.bucket = pail.open("memory:my-bucket")
        self.bucket.create()
        for i in range(25):
            self.bucket.put(f"a/{i:02}", b"x" * i)
        self.bucket.put("b", b"")

    def keys_of(self, ranges, prefix):
        return [i.key for r in ranges for i in dask.entries(self.bucket, prefix, r)]

    def test_plan__ranges_hold_every_key_once(self):
        for limits in ({"keys": 7}, {"bytes": 40}, {"keys": 1}, {}):
            ranges = list(dask.plan(self.bucket, "a/", **limits))
            self.assertEqual(self.keys_of(ranges, "a/"), [f"a/{i:02}" for i in range(25)])
            self.assertEqual(sum(r.keys for r in ranges), 25)
            self.assertEqual(sum(r.bytes for r in ranges), sum(range(25)))
            self.assertTrue(all(r.keys <= limits.get("keys", 25) for r in ranges))
        self.assertEqual(list(dask.plan(self.bucket, "none/")), [])
        self.assertEqual(len(list(dask.plan(self.bucket))), 1)


@unittest.skipUnless(distributed, "the package distributed is not installed")
class Cluster(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True,
                                               dashboard_address=None)
        cls.client = distributed.Client(cls.cluster)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        cls.cluster.close()

    def setUp(self):
        try:
            self.store = pail.open("local:", local_home=stores.folder(self))
        except exceptions.BadConfig as error:
            self.skipTest(f"this build has no LOCAL store: {error}")
        self.source, self.target = self.store["source"], self.store["target"]
        self.source.create()
        self.target.create()
        self.data = {f"in/{i:03}": b"%d" % i * 1000 for i in range(40)}
        for key, data in self.data.items():
            self.source.put(key, data, metadata={"key": key})

    def test_copy__all_then_nothing_then_what_changed(self):
        seen = []
        report = dask.copy(self.client, self.source, self.target, "in/", to_prefix="out/", keys=9,
                           progress=lambda total: seen.append(total.done))
        self.assertTrue(report.ok, report.failed)
        self.assertEqual((report.done, report.skipped, report.bytes),
                         (40, 0, sum(map(len, self.data.values()))))
        self.assertEqual((len(seen), seen[-1]), (5, 40))
        for key, data in self.data.items():
            to_key = "out/" + key[3:]
            self.assertEqual(self.target.get(to_key), data)
            self.assertEqual(self.target.stat(to_key).metadata, {"key": key})
        again = dask.copy(self.client, self.source, self.target, "in/", to_prefix="out/", keys=9)
        self.assertEqual((again.done, again.skipped), (0, 40))
        self.target.delete_many(["out/003", "out/030"])
        self.source.put("in/004", b"changed")
        again = dask.copy(self.client, self.source, self.target, "in/", to_prefix="out/", keys=9)
        self.assertEqual((again.done, again.skipped), (3, 37))
        self.assertEqual(self.target.get("out/004"), b"changed")
        self.assertIn("3 objects", str(again))

    def test_copy__tells_failures_and_goes_on(self):
        missing = self.store["not-there"]
        report = dask.copy(self.client, self.source, missing, "in/", resume=False)
        self.assertFalse(report.ok)
        self.assertEqual((report.done, len(report.failed)), (0, 40))
        self.assertEqual({key for key, _ in report.failed}, set(self.data))

    def test_checksum__of_every_object(self):
        found = {}
        report = dask.checksum(self.client, self.source, "in/", keys=7,
                               each=lambda key, size, digest: found.update({key: digest}))
        self.assertEqual((report.done, report.ok), (40, True))
        self.assertEqual(found, {key: hashlib.sha256(data).hexdigest()
                                 for key, data in self.data.items()})
        with self.assertRaises(ValueError):
            dask.checksum(self.client, self.source, algorithm="no-such-hash")


if __name__ == "__main__":
    unittest.main()
