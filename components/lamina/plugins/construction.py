"""Constructing a plug-in from a mapping, as a configuration file gives it."""

import enum
import inspect
import types
import typing
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import attrs

from lamina.plugins.errors import ConfigErrors, Mistake, did_you_mean
from lamina.plugins.registry import resolve
from lamina.vocabulary import ConfigError

__all__ = ["NESTED", "construct"]

NESTED: Mapping[str, str] = types.MappingProxyType(
    {
        "block_error_handler": "block_error_policies",
        "block_error_policy": "block_error_policies",
        "channel": "channels",
        "channels": "channels",
        "codec": "codecs",
        "dependency_resolver": "dependency_resolvers",
        "event_sinks": "event_sinks",
        "executors": "executors",
        "launcher": "launchers",
        "manager_selector": "manager_selectors",
        "memo": "memo",
        "otherwise": "retry_policies",
        "policies": "retry_policies",
        "policy": "retry_policies",
        "provider": "providers",
        "queue_order": "queue_orders",
        "resource_binder": "resource_binders",
        "retry_policy": "retry_policies",
        "router": "routers",
        "scaling": "scaling",
        "strategy": "scaling",
    }
)
"""Options whose value is a plug-in itself, and the group that it is looked for in."""


def construct(
    group: str,
    options: object,
    *,
    path: str = "",
    nested: Mapping[str, str] = NESTED,
) -> Any:
    """Make a plug-in from ``{use = "slurm", partition = "debug"}``.

    A plain name means a plug-in without options; an object is taken as it is. Each option is
    checked against the type that the plug-in's signature states; a path, an enumeration or an
    attrs class is made from text or a mapping; the options in ``nested`` are plug-ins again.

    Raises:
        ConfigErrors: Something is wrong; it lists every mistake with its path.
    """
    mistakes: list[Mistake] = []
    made = _Maker(nested, mistakes).plugin(group, options, path)
    if mistakes:
        raise ConfigErrors(mistakes)
    return made


class _Wrong(Exception):
    """A value is not of the type that is asked for; the text says what is."""


@attrs.frozen
class _Maker:
    nested: Mapping[str, str]
    mistakes: list[Mistake]

    def wrong(self, path: str, says: str) -> None:
        self.mistakes.append(Mistake(path, says))

    def plugin(self, group: str, options: object, path: str) -> Any:
        if isinstance(options, str):
            options = {"use": options}
        if not isinstance(options, Mapping):
            return options
        use = options.get("use")
        if not isinstance(use, str):
            says = "is missing" if use is None else f"is {use!r}, not text"
            self.wrong(_join(path, "use"), f'{says}; name a {group} plug-in, as in use = "…"')
            return None
        try:
            factory = resolve(group, use)
        except ConfigError as error:
            self.wrong(_join(path, "use"), str(error))
            return None
        rest = {key: value for key, value in options.items() if key != "use"}
        if not callable(factory):
            for key in rest:
                self.wrong(_join(path, key), f"{use!r} is an object and takes no options")
            return factory
        return self.call(factory, rest, path, use)

    def call(
        self, factory: Callable[..., Any], options: Mapping[str, object], path: str, what: str
    ) -> Any:
        before = len(self.mistakes)
        unknown = 0
        parameters = {
            name: parameter
            for name, parameter in inspect.signature(factory).parameters.items()
            if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.POSITIONAL_ONLY}
        }
        rest_is_open = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        known = [name for name, p in parameters.items() if p.kind is not p.VAR_KEYWORD]
        hints = _hints(factory)
        arguments: dict[str, Any] = {}
        for name, value in options.items():
            where = _join(path, name)
            if name not in known and not rest_is_open:
                there = ", ".join(known) or "none"
                guess = did_you_mean(name, known)
                self.wrong(where, f"{what} has no such option{guess}; its options are: {there}")
                unknown += 1
            elif name in self.nested and _names_plugins(value):
                arguments[name] = self.inner(self.nested[name], value, where)
            else:
                arguments[name] = self.value(hints.get(name, Any), value, where)
        for name in known:
            if parameters[name].default is inspect.Parameter.empty and name not in options:
                self.wrong(_join(path, name), f"{what} needs this option")
        if len(self.mistakes) > before + unknown:
            return None
        # With no more than unknown options, it is made all the same, for what it says of the rest.
        made = self.made(factory, arguments, path, what)
        return None if unknown else made

    def made(
        self, factory: Callable[..., Any], arguments: dict[str, Any], path: str, what: str
    ) -> Any:
        """Call the factory; where it refuses, find out how many of the options it would refuse.

        Constructing starts nothing and may be done any number of times, so each refusal is put
        down to the option without which it is not heard, and the rest is tried without that one.
        """
        while True:
            made, error = _tried(factory, arguments)
            if error is None:
                return made
            if isinstance(error, ConfigErrors):
                for mistake in error.mistakes:
                    self.wrong(_below(path or what, mistake.path), mistake.says)
                return None
            culprit = next(
                (name for name in arguments if _is_to_blame(name, factory, arguments, error)), None
            )
            if culprit is None:
                self.wrong(path or what, str(error))
                return None
            self.wrong(_join(path, culprit), str(error))
            if _needs(factory, culprit):
                return None
            arguments = {name: arguments[name] for name in arguments if name != culprit}
            if _tried(factory, arguments)[1] is None:
                return None

    def inner(self, group: str, value: object, path: str) -> Any:
        if isinstance(value, list | tuple):
            return [self.plugin(group, item, f"{path}[{n}]") for n, item in enumerate(value)]
        return self.plugin(group, value, path)

    def value(self, wanted: Any, value: object, path: str) -> Any:
        if attrs.has(_bare(wanted)) and isinstance(value, Mapping):
            return self.call(_bare(wanted), value, path, _bare(wanted).__name__)
        try:
            return _fit(wanted, value)
        except _Wrong as wrong:
            self.wrong(path, f"is {value!r}; it must be {wrong}")
            return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _below(path: str, rest: str) -> str:
    """The path of a mistake that was found with a path of its own."""
    return f"{path}{rest}" if not rest or rest.startswith("[") else _join(path, rest)


def _tried(
    factory: Callable[..., Any], arguments: Mapping[str, Any]
) -> tuple[Any, ConfigError | TypeError | ValueError | None]:
    try:
        return factory(**arguments), None
    except (ConfigError, TypeError, ValueError) as error:
        return None, error


def _needs(factory: Callable[..., Any], name: str) -> bool:
    parameter = inspect.signature(factory).parameters.get(name)
    return parameter is not None and parameter.default is inspect.Parameter.empty


def _is_to_blame(
    name: str, factory: Callable[..., Any], arguments: Mapping[str, Any], error: BaseException
) -> bool:
    """Whether the error is another one, or none, without this option."""
    if _needs(factory, name):
        return name in str(error)
    rest = {other: value for other, value in arguments.items() if other != name}
    without = _tried(factory, rest)[1]
    return without is None or str(without) != str(error)


def _names_plugins(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(_names_plugins(item) for item in value)
    return isinstance(value, str) or (isinstance(value, Mapping) and "use" in value)


def _hints(factory: Callable[..., Any]) -> dict[str, Any]:
    """The types of the parameters; none where an annotation cannot be evaluated."""
    function = vars(factory).get("__init__", factory.__init__) if inspect.isclass(factory) else None
    try:
        return typing.get_type_hints(function or factory)
    except (NameError, TypeError):  # names under TYPE_CHECKING: the factory judges for itself
        return {}


def _bare(wanted: Any) -> Any:
    """The only type of ``X | None`` besides None; any other type as it is."""
    if typing.get_origin(wanted) in {typing.Union, types.UnionType}:
        rest = [one for one in typing.get_args(wanted) if one is not types.NoneType]
        return rest[0] if len(rest) == 1 else object
    return wanted if inspect.isclass(wanted) else object


def _fit(wanted: Any, value: object) -> Any:
    """The value as the type that is wanted.

    Raises:
        _Wrong: It is not of this type and cannot be made so.
    """
    origin, inner = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in {typing.Union, types.UnionType}:
        for one in inner:
            try:
                return _fit(one, value)
            except _Wrong:
                continue
        raise _Wrong(" or ".join(_words(one) for one in inner))
    if origin is typing.Literal:
        if value in inner:
            return value
        raise _Wrong(_words(wanted))
    kind = origin or wanted
    if (
        wanted is Any
        or not inspect.isclass(kind)
        or kind is object
        or getattr(kind, "_is_protocol", False)
    ):
        supertype = getattr(wanted, "__supertype__", None)  # of a NewType
        return value if supertype is None else _fit(supertype, value)  # a Protocol: use will tell
    return _fit_class(wanted, kind, inner, value)


def _fit_class(wanted: Any, kind: type, inner: tuple[Any, ...], value: object) -> Any:
    if issubclass(kind, enum.Enum) and not isinstance(value, kind):
        try:
            return kind(value)
        except ValueError:
            raise _Wrong(_words(wanted)) from None
    if issubclass(Path, kind) and isinstance(value, str):
        return Path(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, bool) and kind in {int, float}:
        raise _Wrong(_words(wanted))
    if issubclass(kind, Collection) and not issubclass(kind, str | bytes | Mapping):
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Collection):
            raise _Wrong(_words(wanted))
        items = [_fit(inner[0], item) if inner else item for item in value]
        return kind(items) if kind in {tuple, list, set, frozenset} else tuple(items)
    if issubclass(kind, Mapping) and isinstance(value, Mapping) and len(inner) == 2:
        return {_fit(inner[0], key): _fit(inner[1], item) for key, item in value.items()}
    if not isinstance(value, kind):
        raise _Wrong(_words(wanted))
    return value


def _words(wanted: Any) -> str:
    """What a type is called in a message to somebody who writes a configuration file."""
    if typing.get_origin(wanted) is typing.Literal:
        return " or ".join(repr(one) for one in typing.get_args(wanted))
    if wanted in {types.NoneType, None}:
        return "left out"
    if inspect.isclass(wanted) and issubclass(wanted, enum.Enum):
        return "one of " + ", ".join(repr(one.value) for one in wanted)
    names = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}
    if wanted in names:
        return names[wanted]
    return str(getattr(wanted, "__name__", wanted)) if not typing.get_args(wanted) else str(wanted)
