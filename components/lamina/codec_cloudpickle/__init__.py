"""The codec for functions and classes of scripts and notebooks, which travel by value."""

from lamina.codec_cloudpickle.codec import CloudpickleCodec

__all__ = ["CloudpickleCodec"]
