"""Files of web servers."""

from lamina.staging_http.plugin import HTTPStaging

__all__ = ["HTTPStaging"]
