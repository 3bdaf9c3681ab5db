"""The names by which users ask for our channels."""

__all__ = ["BUILTIN"]

BUILTIN = {"local": ".local:LocalChannel", "ssh": "..channels_ssh:SSHChannel"}
