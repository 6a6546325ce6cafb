"""Schema of devices: base class of their configurations, and the registry of kinds of devices.

The schema of a kind is in its own file in `prosumax.devices`. Homes get a field for every
registered kind, and the section `shared_devices` one for every kind that homes share.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, ClassVar, Protocol, Self, SupportsIndex, cast

from pydantic import Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema

from prosumax.config import StrictModel
from prosumax.registry import Registry

Celsius = Annotated[float, Field(ge=-50, le=100)]


class DeviceConfig(StrictModel):
    """Configuration of one device, a section in YAML."""

    needs_location: ClassVar[bool] = False
    """Whether the device needs the weather at the location of the scenario."""

    @property
    def replaced_end_uses(self) -> tuple[str, ...]:
        """End uses of a synthetic load that the device replaces, so that they count once."""
        return ()


class DeviceKPI(Protocol):
    """Part of a KPI that the registry of devices needs; see `prosumax.metrics.KPI`."""

    @property
    def key(self) -> str:
        """Key of the KPI."""


class DeviceKind(Protocol):
    """Part of a kind of device that the schema needs; see `prosumax.devices.Device`."""

    kind: ClassVar[str]
    summary: ClassVar[str]
    config: ClassVar[type[DeviceConfig]]
    max_per_home: ClassVar[int]
    shared: ClassVar[bool]
    order: ClassVar[int]
    kpis: ClassVar[Sequence[DeviceKPI]]
    observations: ClassVar[Mapping[str, object]]


RESERVED_NAMES = frozenset(
    {
        "device",
        "devices",
        "events",
        "load",
        "microgrid",
        "name",
        "net_metering_kw",
        "policy",
        "rewards",
        "solar",
    }
)
"""Names that no kind of device can have, because a home or its inputs have them."""


class DeviceRegistry(Registry[DeviceKind]):
    """Kinds of devices by name; no two of them share a name, a KPI or an observation."""

    def conflict(self, name: str, component: DeviceKind) -> str:
        """Return why a kind cannot be added: its name, a KPI or an observation is taken.

        Args:
            name: Name of the kind.
            component: Kind to add.
        """
        if name in RESERVED_NAMES:
            return f"name {name!r} of a device is a field of a home"
        for other, entry in self._entries.items():
            if other == name:
                continue
            both = {kpi.key for kpi in component.kpis} & {kpi.key for kpi in entry.component.kpis}
            if both:
                return f"device {name!r} has the KPI {min(both)!r} of device {other!r}"
            terms = set(component.observations) & set(entry.component.observations)
            if terms:
                return f"device {name!r} has the observation {min(terms)!r} of device {other!r}"
        return super().conflict(name, component)


device_kinds = DeviceRegistry("device", group="prosumax.devices", package="prosumax.devices")
"""Kinds of devices by name."""


class DeviceSection(StrictModel):
    """Section of a scenario with a field for each registered kind of device.

    Attributes:
        static_section: Class without device fields that this class extends; None for itself.
        device_fields: Kinds of devices that this class has fields for.
    """

    static_section: ClassVar[type["DeviceSection"] | None] = None
    device_fields: ClassVar[tuple[str, ...]] = ()

    @property
    def devices(self) -> dict[str, tuple[DeviceConfig, ...]]:
        """Configurations of the devices that exist, by kind."""
        present = {}
        for kind in device_kinds:
            value = getattr(self, kind, None)
            if value:
                present[kind] = tuple(value) if isinstance(value, list) else (value,)
        return present

    def device(self, kind: str) -> DeviceConfig | None:
        """Return the configuration of the first device of a kind; None without one.

        Args:
            kind: Kind of device.
        """
        return next(iter(self.devices.get(kind, ())), None)

    @classmethod
    def with_device_fields(cls, shared: bool) -> type[Self]:
        """Return the subclass with a field for each kind of device that is registered now.

        Args:
            shared: True for the kinds that homes share, False for those of a home.
        """
        names = tuple(kind for kind in device_kinds if _component(kind).shared == shared)
        return cast("type[Self]", _model_with_fields(cls, names))

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[object, ...]:
        """Pickle a section by its kinds of devices, as pickle cannot import its class."""
        if self.static_section is None:
            return super().__reduce_ex__(protocol)
        return _new_section, (self.static_section, self.device_fields), self.__getstate__()


class HomeDevices(DeviceSection):
    """Devices of one home."""


class SharedDevices(DeviceSection):
    """Devices that all homes share."""


class DeviceFields:
    """Annotation of a section that validates it with a field for each kind of device.

    The fields are read from the registry when the schema of a scenario is first used, so that
    installed plugins are among them.

    Args:
        shared: True for the kinds that homes share, False for those of a home.
    """

    def __init__(self, shared: bool = False) -> None:
        self.shared = shared

    def __get_pydantic_core_schema__(
        self, source: type[DeviceSection], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Build the schema with the kinds of devices that are registered."""
        return handler.generate_schema(source.with_device_fields(self.shared))


def _component(kind: str) -> DeviceKind:
    return device_kinds.get(kind, "devices")


@lru_cache(maxsize=32)
def _model_with_fields(section: type[DeviceSection], kinds: tuple[str, ...]) -> type[DeviceSection]:
    """Create a subclass of a section with a field for each kind."""
    fields: dict[str, tuple[object, object]] = {}
    for name in kinds:
        kind = _component(name)
        description = kind.summary
        if kind.max_per_home > 1:
            limit = Field(max_length=kind.max_per_home)
            devices = Annotated[list[kind.config], limit]  # type: ignore[name-defined]
            fields[name] = (devices, Field(default=[], description=description))
        else:
            fields[name] = (kind.config | None, Field(default=None, description=description))
    model: type[DeviceSection] = create_model(  # type: ignore[call-overload]
        section.__name__, __base__=section, __doc__=section.__doc__, **fields
    )
    model.static_section = section
    model.device_fields = kinds
    return model


def _new_section(section: type[DeviceSection], kinds: tuple[str, ...]) -> DeviceSection:
    """Return an empty section with device fields, for pickle to fill."""
    model = _model_with_fields(section, kinds)
    return model.__new__(model)


def clear_device_fields() -> None:
    """Forget the sections with device fields, so that the next schema builds them again."""
    _model_with_fields.cache_clear()
