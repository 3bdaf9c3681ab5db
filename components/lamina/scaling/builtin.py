"""The names by which users ask for our strategies and policies."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "scaling": {
        "none": ".strategies:NoScaling",
        "simple": ".strategies:Simple",
    },
    "block_error_policies": {
        "failing_blocks": ".failing:FailingBlocks",
        "off": ".failing:Off",
    },
}
