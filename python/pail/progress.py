"""Progress for bars such as tqdm's."""


class Bar:
    """Moves a bar that has update(n) and total: bucket.put(key, path, progress=Bar(tqdm())).

    The callables of `progress=` get (bytes done, bytes in all or None), about ten times a second
    and once at the end.
    """

    def __init__(self, bar):
        self.bar, self.seen = bar, 0

    def __call__(self, done, total):
        if total is not None and getattr(self.bar, "total", total) != total:
            self.bar.total = total
        self.bar.update(done - self.seen)
        self.seen = done
