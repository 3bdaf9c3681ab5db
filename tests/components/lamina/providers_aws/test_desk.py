from collections.abc import Collection, Iterator

import attrs
import pytest

from lamina.providers import JobState, ProviderUnavailable, SubmitRejected
from lamina.providers_aws.cloud import Cloud
from lamina.providers_aws.desk import Desk
from tests.components.lamina.providers_aws.test_requests import PLAIN, request
from tests.fakes.aws_machines import Machines, emulated
from tests.fakes.kubernetes_api import until


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with emulated(tmp_path_factory.mktemp("machines")) as found:
        yield found


def made(machines: Machines, *, slow: float = 0.0) -> Desk:
    image = next(iter(machines.backend.amis.values()))
    options = attrs.evolve(PLAIN, image_id=image.id, nodes=1)
    return Desk(Cloud("us-east-2", None, None, 5.0), options, slow)


def test_a_script_that_is_too_long_is_refused(machines: Machines) -> None:
    desk = made(machines)
    long = attrs.evolve(request(), command="#" * 16384)
    with pytest.raises(SubmitRejected, match="EC2 takes 16384; make worker_init shorter"):
        desk.submit(long, "it")


def test_a_console_that_does_not_say_how_is_waited_for_and_then_given_up(
    machines: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machines, "speaks", False)
    for slow, state in ((1000.0, JobState.COMPLETING), (0.0, JobState.GONE)):
        desk = made(machines, slow=slow)
        job = desk.submit(request(), f"it{slow:g}")
        until(lambda desk=desk, job=job, state=state: desk.poll([job])[job].state is state)


def test_what_was_started_without_an_answer_is_ended_when_it_shows(machines: Machines) -> None:
    desk = made(machines)
    known = desk.submit(attrs.evolve(request(), command="sleep 60"), "known")
    start = desk.cloud.start

    @attrs.define(eq=False)
    class Deaf(Cloud):
        """Loses the answer to whatever it starts."""

        def start(self, block: str, asked: object) -> list[str]:
            start(block, asked)  # type: ignore[arg-type]
            raise ProviderUnavailable("EC2", "the answer was lost")

    deaf = Deaf("us-east-2", None, None, 5.0)
    deaf.run = desk.cloud.run
    desk.cloud = deaf
    with pytest.raises(ProviderUnavailable):
        desk.submit(attrs.evolve(request(), command="sleep 60"), "lost")
    [lost] = machines.of_block("lost")
    assert lost._state.name == "running"
    desk.poll([known])
    assert lost._state.name == "terminated"
    assert desk.poll([known])[known].state is JobState.RUNNING


def test_a_block_has_not_ended_for_good_before_its_machines_are_given_back(
    machines: Machines,
) -> None:
    desk = made(machines)

    @attrs.define(eq=False)
    class Away(Cloud):
        """Answers questions, and hears no order."""

        away: bool = True

        def terminate(self, names: Collection[str]) -> None:
            if self.away:
                raise ProviderUnavailable("EC2", "it is away")
            super().terminate(names)

    away = Away("us-east-2", None, None, 5.0)
    away.run = desk.cloud.run
    desk.cloud = away
    job = desk.submit(request(), "ends")

    def unheard() -> bool:
        try:
            return desk.poll([job])[job].state.terminal
        except ProviderUnavailable:
            return True

    until(unheard)
    with pytest.raises(ProviderUnavailable, match="it is away"):
        desk.poll([job])
    away.away = False
    assert desk.poll([job])[job].state.terminal
