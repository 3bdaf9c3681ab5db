"""Which plug-ins there are, and the object behind a name."""

import functools
import importlib
import importlib.resources
import logging
from collections.abc import Mapping
from importlib.util import resolve_name
from typing import Any

import attrs

from lamina.plugins.errors import PluginError, UnknownPluginError

__all__ = ["ROOT", "PluginInfo", "catalogue", "entry_point_group", "resolve"]

ROOT = (__package__ or "").rpartition(".")[0]
"""The package that holds all bricks, under whatever name it was vendored."""

_log = logging.getLogger(__name__)

# The brick that has a group's table, where it is not called as the group is.
_FAMILY = {
    "block_error_policies": "scaling",
    "codecs": "codec",
    "dependency_resolvers": "dependencies",
    "event_sinks": "events",
    "manager_selectors": "htex_core",
    "queue_orders": "htex_core",
    "resource_binders": "resources",
    "result_stores": "memo",
    "retry_policies": "retry_policy",
    "routers": "routing",
}


@attrs.frozen(kw_only=True)
class PluginInfo:
    """What is promised of a plug-in that comes with us."""

    group: str
    name: str
    tier: str
    """``core``, ``supported`` or ``contrib``."""
    brick: str
    about: str = ""
    real: str = ""
    """The real system that it was run on, and its version."""
    needs: tuple[str, ...] = ()
    """What else must be installed."""
    evidence: tuple[str, ...] = ()
    """Tests that carry the tier."""


def entry_point_group(group: str) -> str:
    """The entry-point group by which other distributions add plug-ins to ours."""
    return f"{ROOT}.{group}"


def resolve(group: str, what: object) -> Any:
    """The object that a name stands for; what is no text is its own answer.

    A name is that of a built-in plug-in, of an entry point, or ``module:name``. Built-in names
    come first, so that no other distribution can take one.

    Raises:
        UnknownPluginError: There is none of this name.
        PluginError: It is there, but its module cannot be imported or lacks the name.
    """
    if not isinstance(what, str):
        return what
    if ":" in what:
        return _load(group, what, what, None)
    builtin = _builtin(group)
    if what in builtin:
        _announce(group, what)
        return _load(group, what, builtin[what], _package(group))
    # Late: most programs name only what comes with us, and this takes longer than all the rest.
    from importlib.metadata import entry_points

    added = entry_points(group=entry_point_group(group))
    for point in added.select(name=what):
        _announce_foreign(group, what, point.dist.name if point.dist else "an unknown distribution")
        return _load(group, what, f"{point.module}:{point.attr}", None)  # without its extras
    raise UnknownPluginError(group, what, sorted({*builtin, *(point.name for point in added)}))


def _package(group: str) -> str:
    return f"{ROOT}.{_FAMILY.get(group, group)}"


def _builtin(group: str) -> Mapping[str, str]:
    """The group's table, from the face of its family's brick or its module ``builtin``."""
    package = _package(group)
    try:
        table: Any = getattr(importlib.import_module(package), "BUILTIN", None)
        if table is None:
            table = getattr(importlib.import_module(".builtin", package), "BUILTIN", {})
    except ModuleNotFoundError as error:
        if error.name not in {package, f"{package}.builtin"}:
            raise
        return {}
    if table and all(isinstance(row, Mapping) for row in table.values()):
        table = table.get(group, {})
    return dict(table)


def _load(group: str, name: str, target: str, package: str | None) -> Any:
    where, _, path = target.partition(":")
    try:
        found: Any = importlib.import_module(where, package)
    except ImportError as error:
        brick = None if package is None else resolve_name(where, package)
        absent = "it is not in this bundle; lamina-flow has it"
        why = absent if error.name == brick is not None else str(error)
        raise PluginError(group, name, why) from error
    except Exception as error:  # of the module's own code, or of what is no name of a module
        raise PluginError(group, name, f"{type(error).__name__}: {error}") from error
    try:
        return functools.reduce(getattr, path.split("."), found)
    except AttributeError as error:
        why = f"module {found.__name__} has no {path!r}"
        raise PluginError(group, name, why) from error


@functools.cache
def _announce(group: str, name: str) -> None:
    """Say once, when a contrib plug-in is loaded, what it is."""
    for plugin in catalogue():
        if (plugin.group, plugin.name, plugin.tier) == (group, name, "contrib"):
            ran = f"it has run on {plugin.real}" if plugin.real else "it was never run for real"
            _log.warning("%s plug-in %r is contrib: it may break, and %s", group, name, ran)


@functools.cache
def _announce_foreign(group: str, name: str, distribution: str) -> None:
    _log.info("%s plug-in %r comes from %s", group, name, distribution)


@functools.cache
def catalogue() -> tuple[PluginInfo, ...]:
    """All plug-ins that come with us and are installed, as the bricks' cards describe them."""
    bricks = sorted({entry.name for entry in importlib.resources.files(ROOT).iterdir()})
    found = [plugin for brick in bricks for plugin in _card(brick)]
    return tuple(sorted(found, key=lambda plugin: (plugin.group, plugin.name)))


def _card(brick: str) -> list[PluginInfo]:
    import tomllib  # late, as above

    card = importlib.resources.files(ROOT) / brick / "brick.toml"
    if not card.is_file():
        return []
    groups = tomllib.loads(card.read_text(encoding="utf-8")).get("plugins", {})
    return [
        PluginInfo(
            group=group,
            name=name,
            tier=about["tier"],
            brick=brick,
            about=about.get("about", ""),
            real=about.get("real", ""),
            needs=tuple(about.get("needs", ())),
            evidence=tuple(about.get("evidence", ())),
        )
        for group, plugins in groups.items()
        for name, about in plugins.items()
    ]
