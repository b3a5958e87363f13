"""Large uploads to Google: sessions that break and go on, by the command against the strict server."""
import json
import random
import urllib.request

from gcs_client import Strict

KIB, MIB = 1024, 1 << 20
SESSION = ['gcs_upload=session']


class Upload(Strict):
    def faults(self, *instructions, method='storage.objects.insert'):
        body = json.dumps({method: instructions}).encode()
        urllib.request.urlopen(urllib.request.Request(self.here + '/-/faults', data=body, method='PUT')).close()

    def left(self):
        """How many instructions were not followed: a test that meets no fault shows nothing."""
        self.faults()

    def send(self, key, data, *options, settings=SESSION, stream=False):
        where = 'gs://bucket-one/' + key
        if stream:
            return self.pail('cp', *options, '-', where, data=data, settings=settings)
        path = self.folder / 'source'
        path.write_bytes(data)
        return self.pail('cp', *options, str(path), where, settings=settings)

    def arrives(self, key, data, *options, **how):
        before = len(self.requests())
        run = self.send(key, data, *options, **how)
        self.assertEqual(run.returncode, 0, run.stderr)
        asked = self.requests()[before:]
        self.assertEqual(self.run_pail('cat', 'gs://bucket-one/' + key), data)
        return asked

    def test_file_goes_in_one_session(self):
        data = random.Random(1).randbytes(8 * MIB + 5)
        asked = self.arrives('one', data)
        self.assertEqual([a.split(' ')[0] for a in asked], ['POST', 'PUT'])
        self.assertIn('uploadType=resumable', asked[0])
        self.assertEqual(self.left(), None)

    def test_small_file_goes_in_one_request(self):
        self.assertEqual(len(self.arrives('small', b'x' * 70000)), 1)

    def test_broken_exchanges_go_on_where_they_broke(self):
        data = random.Random(2).randbytes(8 * MIB + 300 * KIB)
        for faults in (['return-reset-connection', 'return-503'], ['return-408'], ['return-503-after-256K'],
                       ['reset-after-1024K', 'reset-after-8192K'], ['return-503-after-8192K', 'return-408']):
            with self.subTest(faults):
                self.faults(*faults)
                asked = self.arrives('broken', data)
                self.assertGreater(len(asked), 2)

    def test_lost_answer_to_the_last_chunk_is_asked_for(self):
        data = random.Random(3).randbytes(8 * MIB + 1)
        self.faults('', 'reset-unanswered')
        asked = self.arrives('lost', data, '-n')
        self.assertEqual([a.split(' ')[0] for a in asked], ['POST', 'PUT', 'PUT'])

    def test_session_that_is_gone_starts_again(self):
        data = random.Random(4).randbytes(8 * MIB + 1)
        self.faults('', 'return-410')
        asked = self.arrives('gone', data)
        self.assertEqual([a.split(' ')[0] for a in asked], ['POST', 'PUT', 'POST', 'PUT'])

    def test_service_that_takes_nothing_ends_it(self):
        data = random.Random(5).randbytes(8 * MIB + 1)
        self.faults('', *['return-503'] * 40)
        run = self.send('never', data)
        self.faults()
        self.assertNotEqual(run.returncode, 0)
        self.assertNotEqual(self.pail('stat', 'gs://bucket-one/never').returncode, 0)

    def test_session_that_is_always_gone_ends_after_three_more(self):
        self.faults(*['', 'return-410'] * 10)
        before = len(self.requests())
        run = self.send('gone-for-ever', random.Random(13).randbytes(8 * MIB + 1))
        self.faults()
        self.assertIn(b'the upload session is gone', run.stderr)
        self.assertEqual(self.counted('POST /upload/', before), 4)

    # ---- parts, one after the other

    def test_stream_goes_in_whole_chunks(self):
        for size in (600 * KIB, 900 * KIB + 7, 300 * KIB * 3, 512 * KIB * 2):
            with self.subTest(size):
                data = random.Random(size).randbytes(size)
                asked = self.arrives('stream', data, settings=[*SESSION, 'part_size=300K'], stream=True)
                self.assertFalse([a for a in asked if '/compose' in a or 'multipart' in a])

    def test_stream_of_tiny_parts(self):
        data = random.Random(9).randbytes(50000)
        asked = self.arrives('tiny', data, settings=[*SESSION, 'part_size=9999'], stream=True)
        self.assertEqual(len(asked), 2)  # all of it waits for the end

    def test_broken_parts_go_on(self):
        data = random.Random(6).randbytes(1500 * KIB + 77)
        how = {'settings': [*SESSION, 'part_size=700K'], 'stream': True}
        for faults in (['', 'return-reset-connection'], ['', 'return-503-after-256K'], ['', '', 'reset-after-1024K'],
                       ['', 'reset-unanswered'], ['', '', 'return-503', 'return-503']):
            with self.subTest(faults):
                self.faults(*faults)
                self.arrives('parts', data, **how)

    def test_lost_answer_to_the_end_is_asked_for(self):
        data = random.Random(7).randbytes(700 * KIB)
        self.faults('', '', 'reset-unanswered')
        asked = self.arrives('lost-end', data, '-n', settings=[*SESSION, 'part_size=512K'], stream=True)
        self.assertEqual(len(asked), 4)

    def test_session_lost_among_parts_says_so(self):
        data = random.Random(8).randbytes(1500 * KIB)
        self.faults('', '', 'return-404')
        run = self.send('lost-parts', data, settings=[*SESSION, 'part_size=512K'], stream=True)
        self.assertIn(b'start the upload again', run.stderr)
        self.assertNotEqual(self.pail('stat', 'gs://bucket-one/lost-parts').returncode, 0)

    def test_conditions_hold_for_sessions(self):
        data = random.Random(10).randbytes(700 * KIB)
        how = {'settings': [*SESSION, 'part_size=512K'], 'stream': True}
        self.arrives('once', data, '-n', **how)
        self.assertNotEqual(self.send('once', data, '-n', **how).returncode, 0)

    def test_parts_that_cannot_be_deleted_do_not_undo_the_upload(self):
        data = random.Random(12).randbytes(1300 * KIB)
        for fault in ('return-503', 'return-reset-connection', 'return-403'):
            with self.subTest(fault):
                self.faults(*[fault] * 20, method='batch')
                run = self.send('composed', data, settings=['part_size=512K'], stream=True)
                self.assertEqual(run.returncode, 0, run.stderr)
                self.faults()
                self.assertEqual(self.run_pail('cat', 'gs://bucket-one/composed'), data)
                self.assertIn(b'composed', self.run_pail('uploads', 'ls', 'gs://bucket-one'))
                self.run_pail('uploads', 'abort', '--all', 'gs://bucket-one')
                self.assertEqual(self.run_pail('uploads', 'ls', 'gs://bucket-one'), b'')

    def test_abort_of_parts_that_cannot_be_deleted_says_so(self):
        self.faults(*['return-503'] * 20, method='batch')
        self.send('kept', random.Random(14).randbytes(1300 * KIB), settings=['part_size=512K'], stream=True)
        self.faults(*['return-403'] * 400, method='storage.objects.delete')
        before = len(self.requests())
        run = self.pail('uploads', 'abort', '--all', 'gs://bucket-one')
        self.assertNotEqual(run.returncode, 0)
        self.assertIn(b'the parts of the upload cannot be deleted: HTTP 403', run.stderr)
        self.assertEqual(self.counted('/batch/', before), 1)
        self.faults(*['return-503'] * 3, method='storage.objects.delete')  # a stumble of all is waited for
        self.run_pail('uploads', 'abort', '--all', 'gs://bucket-one')
        self.assertEqual(self.run_pail('uploads', 'ls', 'gs://bucket-one'), b'')

    def test_setting_is_one_of_two(self):
        run = self.pail('ls', 'gs://bucket-one/', settings=['gcs_upload=other'])
        self.assertIn(b'gcs_upload', run.stderr)

    def test_copy_from_another_store_goes_in_order(self):
        data = random.Random(11).randbytes(1800 * KIB)
        how = {'more': {'PAIL_HOME': str(self.folder / 'store')}}
        self.run_pail('mb', 'local:from', **how)
        self.run_pail('cp', '-', 'local:from/k', data=data, **how)
        self.run_pail('cp', 'local:from/k', 'gs://bucket-one/copied', settings=[*SESSION, 'part_size=512K'], **how)
        self.assertEqual(self.run_pail('cat', 'gs://bucket-one/copied'), data)
