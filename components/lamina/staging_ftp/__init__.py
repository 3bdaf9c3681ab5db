"""Files of FTP servers, by the standard library."""

from lamina.staging_ftp.plugin import FTPStaging

__all__ = ["FTPStaging"]
