"""Each strategy and policy is one for the type checker, which reads this; nobody runs it."""

from lamina.flow import HighThroughputExecutor
from lamina.scaling import (
    AllFailed,
    AnyFailed,
    BlockErrorPolicy,
    FailingBlocks,
    Guards,
    HtexAutoScale,
    LastFailed,
    NoScaling,
    Off,
    ScalingStrategy,
    Simple,
    Steady,
)

strategies: list[ScalingStrategy] = [HtexAutoScale(), NoScaling(), Simple(), Steady()]
policies: list[BlockErrorPolicy] = [AllFailed(), AnyFailed(), FailingBlocks(), LastFailed(), Off()]
named = HighThroughputExecutor(strategy="steady", block_error_handler=False)
mapped = HighThroughputExecutor(strategy={"use": "steady", "finish_within": "5 min"})
made = HighThroughputExecutor(
    strategy=Steady(finish_within="5 min"),
    block_error_handler=LastFailed(threshold=2),
    guards=Guards(max_submissions=100, young="2 min"),
)
