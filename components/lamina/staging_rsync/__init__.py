"""Files that rsync brings."""

from lamina.staging_rsync.plugin import RsyncStaging

__all__ = ["RsyncStaging"]
