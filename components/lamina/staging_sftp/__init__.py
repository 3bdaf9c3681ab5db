"""Files of hosts that are reached by SSH."""

from lamina.staging_sftp.plugin import SFTPStaging

__all__ = ["SFTPStaging"]
