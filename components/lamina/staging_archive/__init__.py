"""Members of zip and tar archives."""

from lamina.staging_archive.plugin import ArchiveStaging

__all__ = ["ArchiveStaging"]
