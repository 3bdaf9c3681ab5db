"""Blocks that are virtual machines of Amazon EC2."""

from lamina.providers_aws.provider import AWSProvider

__all__ = ["AWSProvider"]
