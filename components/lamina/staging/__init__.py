"""Bringing files to tasks and taking them away: the question, the plan, and local answers."""

from lamina.staging.appearing import appearing, copy_whole, drop
from lamina.staging.body import Carried, Inbound, Outbound, StagedBody
from lamina.staging.builtin import BUILTIN, DEFAULT, plugins_of
from lamina.staging.cache import Cache, cache_key
from lamina.staging.carrying import Content
from lamina.staging.checks import PAUSES, measured, persist, verify
from lamina.staging.choosing import Choice, Registry, Way
from lamina.staging.desk import Desk
from lamina.staging.files import FileCopyStaging, SharedFileStaging, mode_named
from lamina.staging.protocol import Direction, Mode, NoStaging, Place, Staging
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
    "appearing",
    "bring",
    "bring_content",
    "cache_key",
    "copy_whole",
    "drop",
    "measured",
    "mode_named",
    "persist",
    "plugins_of",
    "replaced",
    "take",
    "take_content",
    "verify",
]
