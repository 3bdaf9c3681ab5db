"""The thread that talks to the provider: it asks for blocks, looks after them, gives them back.

What is to be done, the keeper of ``lamina.blocks`` decides; this is the shell around it.
"""

import json
import logging
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lamina.blocks import (
    BlockEffect,
    BlockKeeper,
    BlockState,
    CancelJobs,
    Drain,
    Fail,
    SubmitBlock,
    Turned,
    Work,
)
from lamina.executors import Site
from lamina.executors_htex.cancelling import Cancelling
from lamina.executors_htex.last_words import LastWords, stream_name
from lamina.executors_htex.luggage import packed, taker_of
from lamina.executors_htex.outpost import Outpost, way_back_of
from lamina.executors_htex.settings import Settings
from lamina.executors_htex.standing import BlockStanding, Standings
from lamina.htex_core import ManagerCame, ManagerWent
from lamina.providers import BlockRequest, ProviderError, ProviderUnavailable, SubmitRejected
from lamina.scaling import BlocksView, ScalingStrategy
from lamina.vocabulary import BlockId, Event

__all__ = ["Blocks", "block_request"]

_LOG = logging.getLogger(__name__)

ROOT = __package__.rpartition(".")[0]
SHORTEST_WAIT = 0.01  # seconds; between two looks, too
SOON = 0.1  # seconds from the loss of a node of this host until its block is looked at
LOOK_FOR_IDLE = 0.1  # seconds between two looks at the blocks, at the least
CLOSE_PAUSE = 0.2  # seconds until a batch system that does not answer is asked again at the end


class Blocks:
    """The blocks of one run.

    ``work`` says how much there is to do; ``drain`` lets the managers of a block leave when they
    have no task left; ``fail`` ends it all.
    """

    def __init__(
        self,
        settings: Settings,
        site: Site,
        directory: Path,
        work: Callable[[], Work],
        drain: Callable[[BlockId], None],
        fail: Callable[[str], None],
    ) -> None:
        self._settings, self._site, self._directory = settings, site, directory
        self._work, self._drain, self._fail_executor = work, drain, fail
        provider = settings.provider
        self._by_hand = _ByHand(settings.strategy)
        self._interval = max(SHORTEST_WAIT, provider.status_polling_interval)
        self._keeper = BlockKeeper(
            strategy=self._by_hand,
            errors=settings.block_error_policy,
            init_blocks=provider.init_blocks,
            min_blocks=provider.min_blocks,
            max_blocks=provider.max_blocks,
            parallelism=provider.parallelism,
            slots_per_block=provider.nodes_per_block * settings.workers_guess,
            max_idletime=settings.max_idletime,
            guards=settings.guards,
            grace=2 * self._interval + 2.0,
            retry=self._interval,
        )
        self._changed = threading.Condition()
        self._news: list[ManagerCame | ManagerWent] = []
        self._ready = self._stirred = self._stopped = self._silent = False
        self._given_back = False
        self._polled = time.monotonic()
        self._poll_at: float | None = None
        """When to ask where the jobs stand; None while there are none."""
        self._cancelling = Cancelling(provider)
        self._standings = Standings()
        (directory / "blocks").mkdir(exist_ok=True)
        channel = way_back_of(provider)
        config = directory / "manager.json"
        self._outpost = None if channel is None else Outpost(channel, config)
        self.last_words = LastWords(directory / "blocks", self._outpost)
        self._taker = taker_of(provider)

    # What other threads tell it; none of these waits.

    def ready(self) -> None:
        """Managers can reach the interchange from now on, or will wait for it."""
        with self._changed:
            self._ready = self._stirred = True
            self._changed.notify()

    def hear(self, news: ManagerCame | ManagerWent) -> None:
        """A manager has come or gone."""
        with self._changed:
            self._news.append(news)
            self._changed.notify()

    def stir(self) -> None:
        """There is more work than workers."""
        with self._changed:
            self._stirred = True
            self._changed.notify()

    def scale(self, wanted: int | None) -> None:
        """Have so many blocks, whatever the strategy says; None asks the strategy again."""
        with self._changed:
            self._by_hand.wanted = wanted
            self._stirred = True
            self._changed.notify()

    def standings(self) -> Sequence[BlockStanding]:
        """What is known of each block."""
        with self._changed:
            return self._standings.all

    def addresses(self) -> Sequence[str]:
        """Where managers are to look for the interchange, once it listens."""
        if self._outpost is not None:
            return self._outpost.addresses
        try:
            facts = json.loads((self._directory / "manager.json").read_text(encoding="utf-8"))
        except OSError:  # it does not listen yet
            return ()
        return tuple(facts["addresses"])

    def give_up(self) -> None:
        """Nothing will run any more: give all blocks back, and go on until that was heard."""
        with self._changed:
            self._keeper.give_up()
            self._stirred = True
            self._changed.notify()

    def stop(self) -> None:
        """Let the thread end; ``cancel_all`` is for afterwards."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    # The thread.

    def run(self) -> None:
        """Look after the blocks until ``stop``."""
        while True:
            timeout = self._timeout(time.monotonic())
            with self._changed:
                if not (self._stopped or self._news or self._stirred):
                    self._changed.wait(timeout)
                if self._stopped:
                    break
                ready, news = self._ready, self._news
                self._news, self._stirred = [], False
            self._take(news, time.monotonic())
            if ready:
                self._look_after(time.monotonic())
        with self._changed:
            late = self._given_back
        if late:
            self._cancel_late()

    def cancel_all(self, timeout: float = 0.0) -> None:
        """Give every block back, and try for at most ``timeout`` seconds to be heard.

        Where blocks are on this host it also waits for their processes, so that none of them
        writes into a directory that its user removes after ``close``.
        """
        until = time.monotonic() + timeout
        provider = self._settings.provider
        with self._changed:
            self._given_back = True
        jobs = self._keeper.jobs
        self._cancelling.add(jobs)
        if not self._cancelled_until(until):
            _LOG.warning(
                "executor %r could not give back its jobs, since the batch system does not answer;"
                " cancel them yourself if they stay: %s",
                self._settings.label,
                ", ".join(self._cancelling.left),
            )
        for job, block in jobs.items():
            self._turned(Turned(block, job, BlockState.CANCELLED, "given back"))
        if not provider.blocks_are_local or not jobs:
            return
        try:
            while time.monotonic() < until:
                if all(status.state.terminal for status in provider.poll(list(jobs)).values()):
                    return
                time.sleep(SHORTEST_WAIT)
        except ProviderError as error:
            self._unheard(error)

    def _cancel_late(self) -> None:
        """Give back what was being asked for when everything was given back."""
        jobs = list(self._keeper.jobs)
        if not jobs:
            return
        try:
            self._settings.provider.cancel(jobs)
        except ProviderError as error:
            _LOG.warning(
                "executor %r could not give back its jobs (%s); cancel them yourself if they "
                "stay: %s",
                self._settings.label,
                error,
                ", ".join(jobs),
            )

    def _cancelled_until(self, until: float) -> bool:
        pause = CLOSE_PAUSE
        while True:
            now = time.monotonic()
            try:
                self._cancelling.attempt(now, hurry=True)
            except ProviderError as error:
                self._unheard(error)
                if now + pause >= until:
                    return False
                time.sleep(pause)
                pause *= 2
            else:
                return True

    def _timeout(self, now: float) -> float | None:
        """Seconds until there is something to do unasked; None for never."""
        if not self._ready:
            return None
        settings, keeper = self._settings, self._keeper
        moments = [at for at in (self._poll_at, self._cancelling.due) if at is not None]
        if not keeper.failed and (keeper.count or keeper.short or self._work().outstanding):
            moments.append(
                now + min(settings.strategy_period, max(LOOK_FOR_IDLE, settings.max_idletime / 2))
            )
            if keeper.not_before > now:
                moments.append(keeper.not_before)
        return max(SHORTEST_WAIT, min(moments) - now) if moments else None

    def _look_after(self, now: float) -> None:
        if self._poll_at is not None and now >= self._poll_at:
            self._polled, self._poll_at = now, now + self._interval
            self._poll(now)
        try:
            self._cancelling.attempt(time.monotonic())
        except ProviderError as error:
            self._unheard(error)
        self._do(self._keeper.decide(time.monotonic(), self._work()))
        if not self._keeper.jobs:
            self._poll_at = None
        elif self._poll_at is None:
            self._poll_at = max(time.monotonic(), self._polled + self._interval)

    def _take(self, news: list[ManagerCame | ManagerWent], now: float) -> None:
        for item in news:
            info, keeper = item.manager, self._keeper
            block = BlockId(info.block)
            if isinstance(item, ManagerCame):
                self._emit("manager.came", manager=info.uid, block=block)
                with self._changed:
                    self._standings.manager_came(block, info.uid, info.slots)
                self._do(keeper.manager_came(block, info.uid, info.slots, now))
            else:
                kind = "manager.drained" if item.drained else "manager.lost"
                self._emit(kind, manager=info.uid, block=block, reason=item.reason)
                with self._changed:
                    self._standings.manager_went(block, info.uid)
                self._do(keeper.manager_went(block, info.uid, now, drained=item.drained))
                if self._settings.provider.blocks_are_local and self._poll_at is not None:
                    # Its process ends about now, and looking costs next to nothing here.
                    self._poll_at = min(self._poll_at, now + SOON)

    def _poll(self, now: float) -> None:
        try:
            statuses = self._settings.provider.poll(list(self._keeper.jobs))
        except ProviderError as error:
            # No answer is no news: the blocks are where they were.
            self._unheard(error)
            return
        self._heard()
        self._do(self._keeper.statuses(now, statuses))

    def _do(self, effects: Iterable[BlockEffect]) -> None:
        refused = False
        for effect in effects:
            if isinstance(effect, Turned):
                self._turned(effect)
            elif isinstance(effect, CancelJobs):
                self._cancel(effect)
            elif isinstance(effect, Drain):
                self._emit("block.leaving", block=effect.block, reason=effect.why)
                self._drain(effect.block)
            elif isinstance(effect, Fail):
                self._fail(effect)
            elif isinstance(effect, SubmitBlock):
                # Where one was not taken, the next would only be one more that is not.
                if refused or self._stopped:
                    self._keeper.not_asked(effect.block)
                else:
                    refused = not self._submit(effect)

    def _submit(self, effect: SubmitBlock) -> bool:
        block = effect.block
        request = block_request(self._settings.label, self._directory, block)
        with self._changed:
            self._standings.requested(block, self._site.clock.wall())
        self._emit("block.requested", block=block, reason=effect.why)
        try:
            if self._outpost is not None:
                request = self._outpost.moved(request)
            if self._taker is not None:
                request = packed(request, self._taker, self._directory / "manager.json")
            job = self._settings.provider.submit(request)
        except SubmitRejected as error:
            self._do(self._keeper.refused(block, time.monotonic(), str(error)))
            return not self._keeper.failed
        except ProviderError as error:
            if isinstance(error, ProviderUnavailable):
                self._unheard(error)
            self._do(self._keeper.not_taken(block, time.monotonic(), str(error)))
            return False
        self._do(self._keeper.submitted(block, job, time.monotonic()))
        return True

    def _cancel(self, effect: CancelJobs) -> None:
        blocks = self._keeper.jobs
        for job in effect.jobs:
            self._emit("block.leaving", block=blocks.get(job), job=job, reason=effect.why)
        self._cancelling.add(effect.jobs)
        try:
            self._cancelling.attempt(time.monotonic())
        except ProviderError as error:
            self._unheard(error)  # and it is tried again later

    def _turned(self, effect: Turned) -> None:
        with self._changed:
            turned = self._standings.turned(effect, self._site.clock.wall())
        if turned is not None:
            facts: dict[str, object] = {"job": turned.job, "state": turned.state}
            facts["reason"] = turned.reason
            if turned.exit_code is not None:
                facts["exit_code"] = turned.exit_code
            self._emit("block.state", block=turned.block, **facts)

    def _unheard(self, error: ProviderError) -> None:
        """Said once, however long the silence."""
        if not self._silent:
            self._silent = True
            self._emit("provider.silent", reason=str(error))

    def _heard(self) -> None:
        if self._silent:
            self._silent = False
            self._emit("provider.answers")

    def _fail(self, effect: Fail) -> None:
        reason = f"executor {self._settings.label!r} gives up: {effect.reason}"
        if effect.block is not None and (said := self.last_words.of(effect.block)):
            reason += f". {said}"
        self._fail_executor(reason)

    def _emit(self, kind: str, **facts: object) -> None:
        if self._site.emit is not None:
            facts["executor"] = self._settings.label
            self._site.emit([Event(self._site.clock.wall(), kind, facts)])


def block_request(label: str, directory: Path, block: BlockId) -> BlockRequest:
    """What a provider is asked for, of the executor that has this directory in the run."""
    folder = directory / "blocks"
    path = directory / "manager.json"
    command = (
        f"env LAMINA_BLOCK={shlex.quote(block)} {shlex.quote(sys.executable)} "
        f"-m {ROOT}.htex_worker_pool {shlex.quote(str(path.resolve()))}"
    )
    return BlockRequest(
        block=block,
        name=f"lamina.{label}.block-{block}",
        command=command,
        script_dir=folder,
        stdout=folder / stream_name(block, "stdout"),
        stderr=folder / stream_name(block, "stderr"),
    )


class _ByHand:
    """The strategy of the configuration, until somebody names a number of blocks."""

    def __init__(self, strategy: ScalingStrategy) -> None:
        self._strategy = strategy
        self.wanted: int | None = None

    def target(self, view: BlocksView) -> int:
        """What was said by hand, or what the strategy wants."""
        wanted = self.wanted
        return self._strategy.target(view) if wanted is None else wanted
