"""Progress for bars such as tqdm's."""
from __future__ import annotations

from typing import Any



class Bar:
    """Moves a bar that has update(n) and total: bucket.put(key, path, progress=Bar(tqdm())).

    The callables of `progress=` get (bytes done, bytes in all or None), about ten times a second
    and once at the end.
    """

    def __init__(self, bar: Any) -> None:
        self.bar, self.seen = bar, 0

    def __call__(self, done: int, total: int | None) -> None:
        if total is not None and getattr(self.bar, "total", total) != total:
            self.bar.total = total
        self.bar.update(done - self.seen)
        self.seen = done
