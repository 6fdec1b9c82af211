"""From a section of ``winback.toml`` to a frozen dataclass, with errors that name the key and the mend."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from typing import Any, ClassVar, Protocol, TypeVar, Union, get_args, get_origin, get_type_hints

from winback_features.errors import ConfigError


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


C = TypeVar("C", bound=_Dataclass)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence that offers the nearest known name, or lists what there is.

    Examples
    --------
    >>> did_you_mean("curency", ["currency", "timezone"])
    'Did you mean currency?'
    >>> did_you_mean("xyz", ["currency", "timezone"])
    'There is: currency, timezone.'
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]}?"
    return f"There is: {', '.join(names)}." if names else ""


def check_keys(section: str, given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse a key that the section does not have.

    Raises
    ------
    ConfigError
        Naming the first unknown key and the nearest known one.
    """
    allowed = set(known)
    for key in given:
        if key not in allowed:
            what = f"[{section}] has no setting {key!r}." if section else f"There is no section [{key}]."
            raise ConfigError(what, where=where, how=did_you_mean(key, allowed))


def field_names(cls: type[Any]) -> list[str]:
    """Return the settings that a config dataclass holds."""
    return [f.name for f in fields(cls)]


def read_section(cls: type[C], section: str, table: Mapping[str, Any], where: str) -> C:
    """Build a config dataclass from one TOML table.

    Parameters
    ----------
    cls : type
        A frozen dataclass whose fields are scalars, tuples of scalars, pairs of days, mappings or such dataclasses.
    section : str
        The section's name, for messages.
    table : mapping
        The parsed TOML table.
    where : str
        The file, for messages.

    Returns
    -------
    instance of ``cls``
        Fields that the table does not name keep their default.

    Raises
    ------
    ConfigError
        On an unknown key, a wrong type, a missing required key, or a value that the dataclass itself refuses.
    """
    hints = get_type_hints(cls)
    check_keys(section, table, field_names(cls), where)
    values: dict[str, Any] = {}
    for f in fields(cls):
        if f.name in table:
            values[f.name] = convert(table[f.name], hints[f.name], f"[{section}] {f.name}", where)
        elif f.default is MISSING and f.default_factory is MISSING:
            msg = f"[{section}] says no {f.name}."
            raise ConfigError(msg, where=where, how=f'Add {f.name} = "…" under [{section}].')
    try:
        return cls(**values)
    except ConfigError as error:
        raise ConfigError(error.what, where=f"{where}, {error.where or section}", how=error.how) from None


def convert(value: Any, hint: Any, name: str, where: str) -> Any:
    """Return a TOML value as the annotated type.

    Examples
    --------
    >>> convert([7, 14], tuple[int, ...], "[score] curve_days", "winback.toml")
    (7, 14)

    Raises
    ------
    ConfigError
        When the value is not of that type.
    """
    origin, args = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        (inner,) = (a for a in args if a is not type(None))
        return convert(value, inner, name, where)
    if origin is tuple:
        items = _list(value, name, where)
        if args[-1] is Ellipsis:
            return tuple(convert(v, args[0], name, where) for v in items)
        if len(items) != len(args):
            raise _wrong(value, f"a list of {len(args)} values", name, where)
        return tuple(convert(v, a, name, where) for v, a in zip(items, args, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _wrong(value, "a table of key = value", name, where)
        return {k: convert(v, args[1], f"{name}.{k}", where) for k, v in value.items()}
    if isinstance(hint, type) and is_dataclass(hint):
        if not isinstance(value, dict):
            raise _wrong(value, "a table of key = value", name, where)
        return read_section(hint, name.strip("[").replace("] ", "."), value, where)
    return _scalar(value, hint, name, where)


def _scalar(value: Any, hint: Any, name: str, where: str) -> Any:
    is_bool = isinstance(value, bool)
    if hint is float and isinstance(value, (int, float)) and not is_bool:
        return float(value)
    if hint is int and isinstance(value, int) and not is_bool:
        return value
    if hint is bool and is_bool:
        return value
    if hint is str and isinstance(value, str):
        return value
    if hint is date:
        return _day(value, name, where)
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text in quotes"}
    raise _wrong(value, words.get(hint, str(hint)), name, where)


def _day(value: Any, name: str, where: str) -> date:
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise _wrong(value, 'a day such as "2020-03-15"', name, where) from None


def _list(value: Any, name: str, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _wrong(value, "a list in square brackets", name, where)
    return value


def _wrong(value: Any, wanted: str, name: str, where: str) -> ConfigError:
    return ConfigError(f"{name} is {value!r}.", where=where, how=f"It must be {wanted}.")
