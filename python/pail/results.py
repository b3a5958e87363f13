"""Result lists: one page, and what is known of the rest."""
from __future__ import annotations

from typing import Any, Iterable



class ResultList(list):  # type: ignore[type-arg]
    """One page. `marker` of a truncated one goes to the next list()."""

    def __init__(self, is_truncated: bool, marker: str | None = None,
                 supports_total: bool = False, total: int | None = None,
                 data: Iterable[Any] | None = None) -> None:
        super().__init__(data or [])
        self._truncated, self._marker = bool(is_truncated), marker
        self._supports_total, self._total = bool(supports_total), total

    @property
    def marker(self) -> str | None:
        return self._marker

    @property
    def is_truncated(self) -> bool:
        return self._truncated

    @property
    def supports_total(self) -> bool:
        return self._supports_total

    @property
    def total_results(self) -> int | None:
        """How many there are in all, or None where that is unknown."""
        return self._total if self._supports_total else None

    @property
    def supports_server_paging(self) -> bool:
        return True

    @property
    def data(self) -> list[Any]:
        raise NotImplementedError("the service pages: use iter() for everything")


class ServerPagedResultList(ResultList):
    """A page that the service made."""


class ClientPagedResultList(ResultList):
    """A page of objects that are all here; `data` has all of them."""

    def __init__(self, provider: Any, objects: Iterable[Any], limit: int | None = None,
                 marker: str | None = None) -> None:
        self._data = list(objects)
        if limit is None and provider is not None:
            limit = provider.config.default_result_limit
        at = 0
        if marker is not None:
            ids = [item.id for item in self._data]
            at = ids.index(marker) + 1 if marker in ids else len(ids)
        page = self._data[at:at + limit] if limit is not None else self._data[at:]
        more = at + len(page) < len(self._data)
        super().__init__(more, page[-1].id if more and page else None, True, len(self._data), page)

    @property
    def supports_server_paging(self) -> bool:
        return False

    @property
    def data(self) -> list[Any]:
        return self._data


def found(items: Iterable[Any]) -> ClientPagedResultList:
    """All that a search found: nothing is left behind on other pages."""
    items = list(items)
    return ClientPagedResultList(None, items)
