"""Schema of tariffs: prices, charges and fees, which the registered components declare."""

from collections.abc import Collection, Mapping
from copy import copy
from functools import cache
from typing import Annotated, ClassVar, TypeVar

from pydantic import (
    BaseModel,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Tag,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from prosumax.config import Fraction, NonNegative, StrictModel
from prosumax.data.base import Source
from prosumax.data.registry import RegisteredSource, price_sources
from prosumax.registry import Registry, RegistryEntry

T = TypeVar("T")


def _fee_tag(raw: object) -> str:
    return "components" if isinstance(raw, dict) else "amount"


def _charge_tag(raw: object) -> str:
    return "components" if isinstance(raw, dict) and "source" not in raw else "price"


Price = Annotated[float | Source, RegisteredSource(price_sources, or_number=True)]
"""A number, or a series with a `source`."""

ChargeComponents = Annotated[dict[str, Price], Field(min_length=1)]
Charge = Annotated[
    Annotated[Price, Tag("price")] | Annotated[ChargeComponents, Tag("components")],
    Discriminator(_charge_tag),
]
"""A price per kWh, or several by their labels on the bill."""

Fee = Annotated[
    Annotated[NonNegative, Tag("amount")]
    | Annotated[dict[str, NonNegative], Field(min_length=1), Tag("components")],
    Discriminator(_fee_tag),
]
"""An amount of money, or several by their labels on the bill."""

Share = Annotated[
    Annotated[Fraction, Tag("amount")]
    | Annotated[dict[str, Fraction], Field(min_length=1), Tag("components")],
    Discriminator(_fee_tag),
]
"""A fraction, or one for each locality."""


class TariffFields(StrictModel):
    """Fields of a tariff component in a scenario.

    `prosumax.tariff.component.TariffComponent` adds the charges that follow from the fields.
    """

    item: ClassVar[str] = ""
    """Key of the amount in `bill_items` of a home; components that ship may share one."""
    order: ClassVar[int] = 1000
    """Position of the component in the schema and on the bill; small numbers come first."""
    bill_labels: ClassVar[Mapping[str, str]] = {}
    """Label on the bill of a price or fee without named entries, by field."""
    price_fields: ClassVar[tuple[str, ...]] = ()
    """Fields that hold prices per kWh, which are read as series over the period."""


class TariffRegistry(Registry[type[TariffFields]]):
    """Components of tariffs by name; no two of them share a field or an item of the bill."""

    def conflict(self, name: str, component: type[TariffFields]) -> str:
        """Return why a component cannot be added: its name, a field or its item is taken.

        Args:
            name: Name of the component.
            component: Component to add.
        """
        taken = {field for other in self._entries for field in self.references(other)}
        both = sorted(taken.union(TariffConfig.model_fields) & set(component.model_fields))
        if name in self._entries:
            return super().conflict(name, component)
        if both:
            return f"{component.__name__} has the field {both[0]!r} of another component"
        items = {entry.component.item for entry in self._entries.values()}
        if component.item in (items | _TRADE_ITEMS) - _SHARED_ITEMS:
            return f"{component.__name__} has the item {component.item!r} of another component"
        return super().conflict(name, component)

    def references(self, name: str) -> Collection[str]:
        """Return the fields of a component, which a scenario gives without the component's name.

        Args:
            name: Name of a registered component.
        """
        return _fields_of(self._entries[name])


_SHARED_ITEMS = {"", "levies"}
"""Items of the bill that several components may have."""

_TRADE_ITEMS = {"bought_locally", "sold_locally", "network_fees", "settlement"}
"""Items of the bill that belong to trades between homes."""


def _fields_of(entry: RegistryEntry[type[TariffFields]]) -> list[str]:
    return list(entry.component.model_fields)


tariff_components = TariffRegistry(
    "tariff component", group="prosumax.tariffs", package="prosumax.tariff.components"
)
"""Components of tariffs by name; each is one class in one file."""

C = TypeVar("C", bound=TariffFields)

_EMISSION_FACTOR = "emission_factor_kg_per_kwh"


class TariffConfig(StrictModel):
    """Prices and charges in `currency`, before VAT.

    A kWh from the supplier costs `(energy + network + levies) * (1 + vat) + vat_exempt_levies`.
    """

    currency: str = "EUR"
    description: str = ""
    """Supplier, network operator and date; printed on the bill."""
    emission_factor_kg_per_kwh: Price | None = None
    """CO2 emission factor of grid electricity; emissions are unknown without it."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[BaseModel], handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Return a schema that validates against the components registered at that time."""
        if cls is not TariffConfig:
            schema: CoreSchema = handler(source)
            return schema
        # The reference gives the tariff an entry of its own among the definitions.
        return core_schema.no_info_plain_validator_function(
            _validate_tariff, ref=f"{__name__}.{cls.__name__}:0"
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON schema with the fields of all components."""
        if cls is not TariffConfig:
            return handler(schema)
        model = tariff_model()
        model.model_rebuild()
        return handler.resolve_ref_schema(handler(model.__pydantic_core_schema__))

    @property
    def components(self) -> tuple[TariffFields, ...]:
        """All registered components with the values of this tariff, in the order of the bill."""
        return tuple(self.component(kind) for kind in self._component_types)

    @model_validator(mode="after")
    def _check_components(self) -> "TariffConfig":
        for kind in self._component_types:
            self.component(kind)  # Creating a component runs its own validators.
        return self

    _component_types: ClassVar[tuple[type[TariffFields], ...]] = ()

    def component(self, kind: type[C]) -> C:
        """Return one component with the values of this tariff.

        Args:
            kind: Class of a registered component.
        """
        return kind.model_validate({name: getattr(self, name) for name in kind.model_fields})

    @property
    def price_entries(self) -> list[tuple[str, str, Price]]:
        """Field, label on the bill and specification of every price, emission factor excluded."""
        return [
            (field, label, price)
            for component in self.components
            for field in component.price_fields
            for label, price in charge_components(
                getattr(component, field), component.bill_labels[field]
            ).items()
        ]

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the values, since the class with all fields is created at run time."""
        return _validate_tariff, ({name: getattr(self, name) for name in type(self).model_fields},)


def tariff_model() -> type[TariffConfig]:
    """Return the model of tariffs with the fields of all registered components."""
    components = sorted(
        (entry.component for entry in tariff_components.entries().values()),
        key=lambda component: component.order,
    )
    sources = tuple(entry.component for entry in price_sources.entries().values())
    return _make_tariff_model(tuple(components), sources)


@cache
def _make_tariff_model(
    components: tuple[type[TariffFields], ...], sources: tuple[type[Source], ...]
) -> type[TariffConfig]:
    """Create the model of tariffs for the components and price sources registered now."""
    for component in components:
        component.model_rebuild(force=True)
    # Pydantic completes the fields of a model, so that each model needs fields of its own.
    definitions: dict[str, tuple[object, FieldInfo]] = {
        name: (field.annotation, copy(field))
        for component in components
        for name, field in component.model_fields.items()
    }
    model: type[TariffConfig] = create_model(  # type: ignore[call-overload]
        f"Complete{TariffConfig.__name__}",
        __base__=TariffConfig,
        __module__=__name__,
        __doc__=TariffConfig.__doc__,
        **definitions,
    )
    # The emission factor comes last in the reference of all fields.
    model.__pydantic_fields__[_EMISSION_FACTOR] = model.__pydantic_fields__.pop(_EMISSION_FACTOR)
    model._component_types = components
    return model


def _validate_tariff(value: object) -> TariffConfig:
    model = tariff_model()
    if isinstance(value, TariffConfig) and not isinstance(value, model):
        # A component was registered after the tariff was created.
        value = value.model_dump(exclude_unset=True)
    return model.model_validate(value)


def charge_components(charge: T | dict[str, T], label: str) -> dict[str, T]:
    """Return the entries of a charge or fee by their labels on the bill.

    Args:
        charge: Price or fee, or several by their labels; zero has no entries.
        label: Label of a price or fee without named entries.
    """
    if isinstance(charge, dict):
        return charge
    return {} if charge == 0 else {label: charge}


def total_fee(fee: float | dict[str, float]) -> float:
    """Return the sum of a fee's entries."""
    return sum(fee.values()) if isinstance(fee, dict) else fee
