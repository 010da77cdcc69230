"""The layers of the warehouse, and the schemas of each."""

from collections.abc import Collection

from common.errors import UsageError

LAYERS: dict[str, tuple[str, ...]] = {
    "mrr": ("mrr", "mrr_state"),
    "stg": ("stg",),
    "dwh": ("dwh",),
}
"""In the order in which they are built; a later layer may read an earlier one."""


def chosen_layers(names: Collection[str] | None) -> tuple[str, ...]:
    """The named layers in the order in which they are built; all layers for None."""
    if names is None:
        return tuple(LAYERS)
    for name in sorted(names):
        if name not in LAYERS:
            raise UsageError(
                f'layer "{name}"', "no such layer", f"Name one of {', '.join(LAYERS)}."
            )
    if not names:
        raise UsageError("layers", "none is named", f"Name one of {', '.join(LAYERS)}.")
    return tuple(layer for layer in LAYERS if layer in names)


def schemas_of(layers: Collection[str]) -> list[str]:
    """The schemas of these layers."""
    return [schema for layer in layers for schema in LAYERS[layer]]
