"""The names by which users ask for our codecs."""

__all__ = ["BUILTIN"]

BUILTIN = {"pickle": ".pickles:PickleCodec", "cloudpickle": "..codec_cloudpickle:CloudpickleCodec"}
