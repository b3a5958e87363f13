"""Providers by name."""
from __future__ import annotations

from typing import Any

from .providers import BUILT_IN, CloudProvider, TestMockHelperMixin


class ProviderList:
    AWS = "aws"
    AZURE = "azure"
    GCP = "gcp"
    OPENSTACK = "openstack"
    LOCAL = "local"
    MEMORY = "memory"
    MOCK = "mock"


class CloudProviderFactory:
    """Makes providers: CloudProviderFactory().create_provider(ProviderList.AWS, {...})."""

    def __init__(self) -> None:
        self.provider_list: dict[str, dict[str, Any]] = {}
        self.discover_providers()

    def register_provider_class(self, cls: Any) -> None:
        """A subclass of CloudProvider with a PROVIDER_ID; the last of a name counts."""
        if isinstance(cls, type) and issubclass(cls, CloudProvider) and cls.PROVIDER_ID:
            self.provider_list[cls.PROVIDER_ID] = {"class": cls}

    def discover_providers(self) -> None:
        """Those of this package; what was registered by hand stays."""
        for cls in BUILT_IN:
            self.provider_list.setdefault(cls.PROVIDER_ID, {"class": cls})

    def list_providers(self) -> dict[str, dict[str, Any]]:
        return self.provider_list

    def create_provider(self, name: str, config: Any) -> CloudProvider:
        """A provider; raises NotImplementedError for a name or a store that is not there."""
        cls = self.get_provider_class(name)
        if cls is None:
            raise NotImplementedError(
                f"A provider with name {name} could not be found: there are "
                f"{', '.join(sorted(self.provider_list))}")
        return cls(config)

    def get_provider_class(self, name: str) -> Any:
        return self.provider_list.get(name, {}).get("class")

    def get_all_provider_classes(self, ignore_mocks: bool = False) -> list[Any]:
        return [entry["class"] for entry in self.provider_list.values()
                if not (ignore_mocks and issubclass(entry["class"], TestMockHelperMixin))]
