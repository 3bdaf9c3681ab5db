"""Bringing files to tasks and taking them away: the question, the plan, and local answers."""

from lamina.staging.appearing import appearing, copy_whole, drop
from lamina.staging.body import Carried, Inbound, Outbound, StagedBody
from lamina.staging.builtin import BUILTIN, DEFAULT, plugins_of
from lamina.staging.cache import Cache, cache_key
from lamina.staging.carrying import Content
from lamina.staging.checks import PAUSES, compare, measured, persist, verify
from lamina.staging.choosing import Choice, Registry, Way
from lamina.staging.desk import Desk
from lamina.staging.files import FileCopyStaging, SharedFileStaging
from lamina.staging.protocol import Direction, Mode, NoStaging, Place, Staging
from lamina.staging.settings import (
    a_mode,
    a_place,
    a_time,
    mode_named,
    option_items,
    place_named,
    some_pauses,
)
from lamina.staging.slots import Slot, replaced
from lamina.staging.transfers import Brought, bring, bring_content, take, take_content

__all__ = [
    "BUILTIN",
    "Brought",
    "Cache",
    "Carried",
    "Choice",
    "Content",
    "DEFAULT",
    "Desk",
    "Direction",
    "FileCopyStaging",
    "Inbound",
    "Mode",
    "NoStaging",
    "Outbound",
    "PAUSES",
    "Place",
    "Registry",
    "SharedFileStaging",
    "Slot",
    "StagedBody",
    "Staging",
    "Way",
    "a_mode",
    "a_place",
    "a_time",
    "appearing",
    "bring",
    "bring_content",
    "cache_key",
    "compare",
    "copy_whole",
    "drop",
    "measured",
    "mode_named",
    "option_items",
    "persist",
    "place_named",
    "plugins_of",
    "replaced",
    "some_pauses",
    "take",
    "take_content",
    "verify",
]
