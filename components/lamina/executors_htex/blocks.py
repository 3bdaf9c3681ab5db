"""The thread that talks to the provider: it asks for blocks, looks after them, gives them back."""

import json
import shlex
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lamina.blocks import BlockEffect, BlockKeeper, CancelJobs, Fail, SubmitBlock
from lamina.executors import Site
from lamina.executors_htex.last_words import LastWords, stream_name
from lamina.executors_htex.luggage import packed, taker_of
from lamina.executors_htex.outpost import Outpost, way_back_of
from lamina.executors_htex.settings import Settings
from lamina.executors_htex.standing import BlockStanding, Standings
from lamina.htex_core import ManagerCame, ManagerWent
from lamina.providers import BlockRequest, ProviderError, ProviderUnavailable
from lamina.scaling import BlocksView, FailingBlocks, ScalingStrategy
from lamina.vocabulary import BlockId, Event, JobId

__all__ = ["Blocks", "block_request"]

ROOT = __package__.rpartition(".")[0]
SHORTEST_WAIT = 0.01  # seconds; between two looks, too


class Blocks:
    """The blocks of one run. ``outstanding`` says how much there is to do; ``fail`` ends it."""

    def __init__(
        self,
        settings: Settings,
        site: Site,
        directory: Path,
        outstanding: Callable[[], int],
        fail: Callable[[str], None],
    ) -> None:
        self._settings, self._site, self._directory = settings, site, directory
        self._outstanding, self._fail_executor = outstanding, fail
        provider = settings.provider
        self._by_hand = _ByHand(settings.strategy)
        self._keeper = BlockKeeper(
            strategy=self._by_hand,
            errors=FailingBlocks(),
            init_blocks=provider.init_blocks,
            min_blocks=provider.min_blocks,
            max_blocks=provider.max_blocks,
            parallelism=provider.parallelism,
            slots_per_block=provider.nodes_per_block * settings.workers_guess,
            max_idletime=settings.max_idletime,
        )
        self._changed = threading.Condition()
        self._news: list[ManagerCame | ManagerWent] = []
        self._ready = self._stirred = self._stopped = self._silent = False
        self._not_before = 0.0
        """When a provider that did not answer may be asked for a block again."""
        self._unwanted: dict[JobId, None] = {}
        """Jobs that are to be cancelled, in order, until the provider has heard it."""
        self.used = False
        """Set by whoever submits; tells a block that is idle from one that is idle just now."""
        self._standings = Standings()
        (directory / "blocks").mkdir(exist_ok=True)
        channel = way_back_of(provider)
        config = directory / "manager.json"
        self._outpost = None if channel is None else Outpost(channel, config)
        self.last_words = LastWords(directory / "blocks", self._outpost)
        self._taker = taker_of(provider)

    # What other threads tell it; none of these waits.

    def ready(self) -> None:
        """Managers can reach the interchange from now on."""
        with self._changed:
            self._ready = True
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

    def stop(self) -> None:
        """Let the thread end; ``cancel_all`` is for afterwards."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    # The thread.

    def run(self) -> None:
        """Look after the blocks until ``stop``."""
        polled = time.monotonic()
        interval = self._settings.provider.status_polling_interval
        while True:
            with self._changed:
                if not (self._stopped or self._news or self._stirred):
                    self._changed.wait(self._timeout(polled, interval))
                if self._stopped:
                    return
                ready, news = self._ready, self._news
                self._news, self._stirred = [], False
            now = time.monotonic()
            self._take(news, now)
            if not ready:
                continue
            if now - polled >= interval and self._keeper.jobs:
                polled = now
                self._poll(now)
            if self._unwanted:
                self._cancel([])
            if now >= self._not_before:
                used, self.used = self.used, False
                self._do(self._keeper.decide(time.monotonic(), self._outstanding(), used=used))

    def cancel_all(self, timeout: float = 0.0) -> None:
        """Give every block back.

        Where blocks are on this host it waits for their processes, at most ``timeout`` seconds,
        so that none of them writes into a directory that its user removes after ``close``.
        """
        provider = self._settings.provider
        jobs = list(self._keeper.jobs)
        self._cancel(jobs)
        if not provider.blocks_are_local or not jobs:
            return
        until = time.monotonic() + timeout
        try:
            while time.monotonic() < until:
                if all(status.state.terminal for status in provider.poll(jobs).values()):
                    return
                time.sleep(SHORTEST_WAIT)
        except ProviderError as error:
            self._unheard(error)

    def _timeout(self, polled: float, interval: float) -> float | None:
        if not self._ready:
            return None
        return max(SHORTEST_WAIT, polled + interval - time.monotonic())

    def _take(self, news: list[ManagerCame | ManagerWent], now: float) -> None:
        for item in news:
            info = item.manager
            block = BlockId(info.block)
            self._emit(_what(item), manager=info.uid, block=block)
            with self._changed:
                if isinstance(item, ManagerCame):
                    self._standings.manager_came(block, info.uid, info.slots)
                else:
                    self._standings.manager_went(block, info.uid)
            if isinstance(item, ManagerCame):
                self._keeper.manager_came(block, info.uid, info.slots, now)
            else:
                went = self._keeper.manager_went
                self._do(went(block, info.uid, now, item.reason, drained=item.drained))

    def _poll(self, now: float) -> None:
        try:
            statuses = self._settings.provider.poll(list(self._keeper.jobs))
        except ProviderError as error:
            # No answer is no news: the blocks are where they were.
            self._unheard(error)
            return
        self._heard()
        for job, status in statuses.items():
            with self._changed:
                turned = self._standings.told(job, status, self._site.clock.wall())
            self._tell(turned)
        self._do(self._keeper.statuses(now, statuses))

    def _do(self, effects: list[BlockEffect]) -> None:
        for effect in effects:
            if isinstance(effect, SubmitBlock):
                self._submit(effect.block)
            elif isinstance(effect, CancelJobs):
                self._cancel(effect.jobs)
            elif isinstance(effect, Fail):
                self._fail(effect)

    def _submit(self, block: BlockId) -> None:
        request = block_request(self._settings.label, self._directory, block)
        with self._changed:
            self._standings.requested(block, self._site.clock.wall())
        self._emit("block.requested", block=block)
        try:
            if self._outpost is not None:
                request = self._outpost.moved(request)
            if self._taker is not None:
                request = packed(request, self._taker, self._directory / "manager.json")
            job = self._settings.provider.submit(request)
        except ProviderError as error:
            with self._changed:
                turned = self._standings.refused(block, str(error), self._site.clock.wall())
            self._tell(turned)
            if isinstance(error, ProviderUnavailable):
                self._unheard(error)
                self._keeper.submit_unanswered(block)
                interval = self._settings.provider.status_polling_interval
                self._not_before = time.monotonic() + interval
            else:
                self._do(self._keeper.submit_failed(block, time.monotonic(), str(error)))
        else:
            with self._changed:
                self._standings.submitted(block, job)
            self._keeper.submitted(block, job)

    def _cancel(self, jobs: list[JobId]) -> None:
        self._unwanted.update(dict.fromkeys(jobs))
        if not self._unwanted:
            return
        try:
            self._settings.provider.cancel(list(self._unwanted))
        except ProviderError as error:
            self._unheard(error)
            return  # asked again at the next look
        jobs = list(self._unwanted)
        self._unwanted.clear()
        for job in jobs:
            with self._changed:
                turned = self._standings.cancelled(job, self._site.clock.wall())
            self._tell(turned)

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

    def _tell(self, turned: BlockStanding | None) -> None:
        if turned is not None:
            facts = {"job": turned.job, "state": turned.state, "reason": turned.reason}
            self._emit("block.state", block=turned.block, **facts)

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


def _what(news: ManagerCame | ManagerWent) -> str:
    if isinstance(news, ManagerCame):
        return "manager.came"
    return "manager.drained" if news.drained else "manager.lost"


class _ByHand:
    """The strategy of the configuration, until somebody names a number of blocks."""

    def __init__(self, strategy: ScalingStrategy) -> None:
        self._strategy = strategy
        self.wanted: int | None = None

    def target(self, view: BlocksView) -> int:
        """What was said by hand, or what the strategy wants."""
        wanted = self.wanted
        return self._strategy.target(view) if wanted is None else wanted
