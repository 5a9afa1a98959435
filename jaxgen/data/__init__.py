"""Data sets. What users need is named here: `jaxgen.data.arrays(images=x)`, `folder(path)`, `named("digits")`."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxgen.data.byte_text import text as text
    from jaxgen.data.computed import generated as generated
    from jaxgen.data.lookup import named as named
    from jaxgen.data.own import arrays as arrays
    from jaxgen.data.own import file as file
    from jaxgen.data.pictures import folder as folder
    from jaxgen.data.sound import sound as sound
    from jaxgen.data.source import Dataset as Dataset
    from jaxgen.data.source import Source as Source

_HOME = {
    "generated": "computed",
    "named": "lookup",
    "arrays": "own",
    "file": "own",
    "folder": "pictures",
    "text": "byte_text",
    "sound": "sound",
    "Dataset": "source",
    "Source": "source",
}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used: none of them costs who does not use it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """The names there are and those that are imported when first used, for completion."""
    return sorted({*globals(), *_HOME})
