"""Handlers around a provider's calls, as CloudBridge's users write them."""
import logging
import types
import unittest

import pail.compat.cloudbridge as bridge
import stores
from pail import ProviderList
from pail.events import implement, intercept, observe
from pail.exceptions import CloudBridgeBaseException

BUCKETS, OBJECTS = "provider.storage.buckets", "provider.storage._bucket_objects"


class Recorder:
    def __init__(self):
        self.seen = []

    @observe("provider.storage.*", priority=2000)
    def before(self, event_args, *args, **kwargs):
        self.seen.append(("before", event_args["event"].split(".")[-1], event_args.get("result")))

    @observe("provider.storage.*", priority=3000)
    def after(self, event_args, *args, **kwargs):
        self.seen.append(("after", event_args["event"].split(".")[-1], event_args["result"]))


class Events(unittest.TestCase):
    def setUp(self):
        self.provider = stores.provider(self, ProviderList.MEMORY)
        self.buckets = self.provider.storage.buckets

    def test_observers__see_the_call_before_and_its_result_behind(self):
        recorder = Recorder()
        self.provider.middleware.add(recorder)
        bucket = self.buckets.create("my-bucket")
        self.assertEqual(recorder.seen, [("before", "create", None), ("after", "create", bucket)])

    def test_objects__are_events_too(self):
        seen = []
        self.provider.middleware.events.observe(
            OBJECTS + ".*", 2000, lambda event_args, *args, **kwargs: seen.append(event_args["event"]))
        bucket = self.buckets.create("my-bucket")
        obj = bucket.objects.create("a")
        obj.upload("content")
        bucket.objects.get("a")
        upload = bucket.objects.create("b").create_multipart_upload()
        upload.complete([upload.upload_part(1, b"part")])
        bucket.objects.create("c").create_multipart_upload().abort()
        obj.delete()
        self.assertEqual([event.split(".")[-1] for event in seen], [
            "create", "upload", "get", "create", "create_multipart_upload",
            "upload_part", "complete_multipart_upload",
            "create", "create", "create_multipart_upload", "abort_multipart_upload", "delete"])

    def test_interceptor__changes_arguments_and_result(self):
        class Team:
            @intercept(BUCKETS + ".create", priority=2100)
            def prefix(self, event_args, name, **kwargs):
                made = event_args["next_handler"].invoke(event_args, "team-" + name, **kwargs)
                return made.name.upper()

        self.provider.middleware.add(Team())
        self.assertEqual(self.buckets.create("one"), "TEAM-ONE")
        self.assertIsNotNone(self.buckets.get("team-one"))

    def test_interceptor__may_refuse(self):
        def refuse(event_args, *args, **kwargs):
            raise PermissionError("not here")

        handler = self.provider.middleware.events.intercept(BUCKETS + ".delete", 2100, refuse)
        self.buckets.create("my-bucket")
        with self.assertRaises(PermissionError):
            self.buckets.delete("my-bucket")
        self.assertIsNotNone(self.buckets.get("my-bucket"))
        handler.unsubscribe()
        handler.unsubscribe()
        self.buckets.delete("my-bucket")
        self.assertIsNone(self.buckets.get("my-bucket"))

    def test_implementation__gives_the_result_and_what_follows_runs(self):
        class Fixed:
            @implement(BUCKETS + ".get", priority=2400)
            def get(self, bucket_id):
                return f"the bucket {bucket_id}"

        self.provider.middleware.add(Fixed())
        self.assertEqual(self.buckets.get("any-bucket"), "the bucket any-bucket")

    def test_remove__ends_it_and_two_objects_of_one_class_are_two(self):
        first, second = Recorder(), Recorder()
        installed = self.provider.middleware.add(first)
        self.provider.middleware.add(second)
        self.buckets.list()
        self.provider.middleware.remove(installed)
        self.buckets.list()
        self.assertEqual([len(first.seen), len(second.seen)], [2, 4])

    def test_clone__has_handlers_of_its_own(self):
        recorder = Recorder()
        self.provider.middleware.add(recorder)
        self.provider.clone().storage.buckets.list()
        self.assertEqual(recorder.seen, [])

    def test_dispatch__of_an_event_of_the_programs_own(self):
        events = self.provider.middleware.events
        self.assertIsNone(events.dispatch(self, "an.event"))
        events.implement("an.*", 2500, lambda what: what.upper())
        self.assertEqual(events.dispatch(self, "an.event", "done"), "DONE")

    def test_marks__of_the_package_pyeventsystem_are_understood(self):
        seen = []

        class Theirs:
            def see(self, event_args, *args, **kwargs):
                seen.append(event_args["event"])

        kind = type("ObservingEventHandler", (), {})
        setattr(Theirs.see, "__event_handler", types.SimpleNamespace(
            event_pattern=BUCKETS + ".list", priority=2000, callback=Theirs.see, handler_class=kind))
        self.provider.middleware.add(Theirs())
        self.buckets.list()
        self.assertEqual(seen, [BUCKETS + ".list"])


class Bridge(unittest.TestCase):
    def setUp(self):
        bridge.install()
        self.addCleanup(bridge.uninstall)
        self.provider = stores.provider(self, ProviderList.MEMORY)

    def test_imports__of_programs_that_hook_cloudbridge(self):
        from cloudbridge.base.middleware import (EventDebugLoggingMiddleware,
                                                 ExceptionWrappingMiddleware)
        from pyeventsystem.middleware import observe as theirs
        self.assertTrue(callable(theirs))
        middleware = self.provider.middleware
        middleware.add(EventDebugLoggingMiddleware())
        middleware.add(ExceptionWrappingMiddleware())

        def fail(event_args, *args, **kwargs):
            raise ValueError("of a handler")

        middleware.events.observe(BUCKETS + ".get", 2000, fail)
        with self.assertLogs("cloudbridge", logging.DEBUG) as logged, \
                self.assertRaises(CloudBridgeBaseException) as caught:
            self.provider.storage.buckets.list()
            self.provider.storage.buckets.get("my-bucket")
        self.assertIsInstance(caught.exception.__cause__, ValueError)
        self.assertIn(BUCKETS + ".list, result: []", "\n".join(logged.output))

    def test_install__twice(self):
        bridge.install()
        from pyeventsystem.middleware import intercept as theirs
        self.assertTrue(callable(theirs))


if __name__ == "__main__":
    unittest.main()
