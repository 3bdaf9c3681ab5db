"""Files of object stores and of whatever else fsspec knows."""

from lamina.staging_fsspec.plugin import FsspecStaging

__all__ = ["FsspecStaging"]
