"""The names by which users ask for our strategies and policies."""

__all__ = ["BUILTIN"]

BUILTIN = {
    "scaling": {
        "htex_auto_scale": ".strategies:HtexAutoScale",
        "none": ".strategies:NoScaling",
        "simple": ".strategies:Simple",
        "steady": ".steady:Steady",
    },
    "block_error_policies": {
        "all_failed": ".failing:AllFailed",
        "any_failed": ".failing:AnyFailed",
        "failing_blocks": ".failing:FailingBlocks",
        "last_failed": ".failing:LastFailed",
        "off": ".failing:Off",
    },
}
