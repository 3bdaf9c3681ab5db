"""Finding plug-ins by name, constructing them from mappings, and listing them."""

from lamina.plugins.construction import NESTED, construct
from lamina.plugins.errors import ConfigErrors, Mistake, PluginError, UnknownPluginError
from lamina.plugins.registry import ROOT, PluginInfo, catalogue, entry_point_group, resolve

__all__ = [
    "ConfigErrors",
    "Mistake",
    "NESTED",
    "PluginError",
    "PluginInfo",
    "ROOT",
    "UnknownPluginError",
    "catalogue",
    "construct",
    "entry_point_group",
    "resolve",
]
