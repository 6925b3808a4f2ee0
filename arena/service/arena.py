"""The arena: the one facade over battles, votes and ratings, and the only writer of votes.

Pages and commands call it with plain values and get views back; what may not be known is not in
them. It knows nothing of HTTP, pages or languages of the interface.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random

from arena.battles.battle import Battle, clean_prompt
from arena.battles.masking import Masker
from arena.config import Catalog, Settings
from arena.engines.energy import EnergyShares, shares_of_this_machine
from arena.engines.whole import to_its_end
from arena.errors import (
    AlreadyVoted,
    AnswersChanged,
    ArenaError,
    Busy,
    ModelUnavailable,
    TooManyTurns,
    UnknownBattle,
)
from arena.ratings.elo import EloParameters
from arena.service.accounts import Accounts
from arena.service.boards import Boards, default_parameters
from arena.service.casting import Casting
from arena.service.concluding import Conclusions
from arena.service.fleet import Fleet
from arena.service.forgetting import Forgetting
from arena.service.housekeeping import Housekeeping
from arena.service.live import LiveTurn, Part
from arena.service.matchmaking import Matchmaker
from arena.service.news import Bell
from arena.service.operating import Operator
from arena.service.patrol import Patrol
from arena.service.prompts import language_of, markup_of, slices_of
from arena.service.rooms import Room, room_of
from arena.service.segments import Keeper, not_kept
from arena.service.suggestions import Suggestions
from arena.service.views import BattleView, Preparation
from arena.service.vote_fits import VoteFits
from arena.service.watching import Report, Watching
from arena.store.records import NewBattle, VoteExists
from arena.store.store import Store
from arena.types import BattleStatus, Mode, Side, Verdict

log = logging.getLogger(__name__)

FRAMES_PER_SECOND = 12
"""How often a watching page is told what may be shown."""

FRAMES_IN_ALL = 800
"""How many frames a second all watching pages get together: past 67 pages each is told less often."""

WARMING_STEP = 5
"""Seconds to which the wait for models is rounded up: an estimate, and no stopwatch of a certain model."""

OTHER_PAIRS = 3
"""How often a battle takes another pair because a model could not be loaded."""


class Arena:
    """Opened once per process; its coroutines belong to one event loop."""

    def __init__(
        self,
        settings: Settings,
        catalog: Catalog,
        store: Store,
        fleet: Fleet,
        *,
        rng: Random | None = None,
        clock: Callable[[], float] = time.time,
        masker: Masker,
        energy: EnergyShares | None = None,
    ) -> None:
        self.settings, self.catalog, self.store, self.fleet = settings, catalog, store, fleet
        self.parameters: EloParameters = default_parameters(settings.elo_k, settings.elo_start, settings.elo_scale)
        self.boards = Boards(store, parameters=self.parameters, preliminary=settings.preliminary_battles)
        self.fits = VoteFits(store, self.parameters.scale, self.boards.widen)
        self.suggestions = Suggestions(settings, catalog, fleet.answerable)
        self._rng = rng or Random(settings.seed)
        self._clock = clock
        self._masker = masker
        self._energy = energy or shares_of_this_machine()
        self._rooms: dict[str, Room] = {}
        self._asking = 0  # questions that are let in and not under way yet
        self._tasks: set[asyncio.Task[None]] = set()
        self.watching = Watching(fleet)
        self.operator = Operator(fleet, self._spawn)
        self._accounts = Accounts(store, fleet.meters)
        self._conclusions = Conclusions(
            store, masker, self.watching, self._accounts, self._look_ahead, log_prompts=settings.log_prompts
        )
        self._matchmaker = Matchmaker(fleet, lambda: self.boards.chances().weight, self._rng, self.watching.failing)
        self._casting = Casting(store, fleet, self._matchmaker, masker, self._energy, self._rng)
        self.patrol = Patrol(store, auto=settings.integrity_auto)
        self.forgetting = Forgetting(store, self._rooms)
        self.keeper: Keeper | None = None
        self._housekeeping = Housekeeping(settings, store, self._rooms, clock, self._spawn)
        self._bell: Bell | None = None  # from the start on
        self._version = 0
        self._watchers = 0
        self._unwatch: Callable[[], None] = lambda: None

    # ---------------------------------------------------------------- life

    async def start(self) -> None:
        """Register the contestants, tidy up after the last run, begin to prepare models and to reap."""
        await self._casting.register(self.catalog.enabled)
        for battle_id in self.store.battles_with(statuses=[BattleStatus.ANSWERING]):
            await self.store.set_battle_status(battle_id, BattleStatus.FAILED)
        bell = self._bell = Bell()
        self._version = self.store.board_version()
        self._unwatch = self.store.on_change(self._changed)
        self._accounts.open()
        await self.fleet.start()
        self._housekeeping.begin(bell, self.preparation)
        self._spawn(self.watching.keep_asking(), "endpoints")
        self._spawn(self.watching.keep_reading(), "GPUs")
        self._spawn(self.patrol.keep_looking(), "integrity")
        self._spawn(self._energy.keep_settling(), "energy")

    async def end_lines(self) -> None:
        """Let every page go: no more news, and what is being written stops where it is."""
        if self._bell is not None:
            self._bell.end()
        self._conclusions.end()
        for room in list(self._rooms.values()):  # rooms come and go while this one's turn ends
            if room.live is not None:
                await room.live.stop()
            if room.conclusion is not None:  # what was shown is written down, not cancelled half way
                await asyncio.wait({room.conclusion})

    async def close(self) -> None:
        """Stop what is being written, then give back engines and the database."""
        await self.end_lines()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._unwatch()
        await asyncio.to_thread(self.fits.close)
        await self._accounts.keep()
        await self.fleet.close()
        self.store.close()

    def preparation(self) -> Preparation:
        """How many contestants can answer, and how far the others are."""
        return self.fleet.preparation()

    async def news(
        self, its_moment: Callable[[], Awaitable[None]] | None = None
    ) -> AsyncIterator[tuple[Preparation, int] | None]:
        """Readiness and the board's version now and after every change; None when nothing happened for a while.

        A listener that must not hear in the same instant as others waits for `its_moment` after each ring, and hears
        what is so by then.
        """
        told = False
        assert self._bell is not None, "pages come after the start"
        async for rung in self._bell.rings():
            if rung and told and its_moment:
                await its_moment()
            told = True
            yield (self.preparation(), self._version) if rung else None

    def _changed(self, version: int) -> None:
        """A thread of the store tells of the board's new version: one read for all listeners."""
        self._version = version
        if self._bell is not None:
            self._bell.ring()

    def report(self) -> Report:
        """The arena as the operator sees it: with names, so not for voters."""
        live = self._live()
        try:
            state, ok = f"at change {self.store.board_version()}", True
        except ArenaError as error:
            state, ok = str(error), False
        report = self.watching.report(
            battles=len(live),
            warming=sum(one.preparing for one in live),
            streams=sum(one.streams for one in live),
            database=state,
            database_ok=ok,
        )
        return replace(
            report,
            sighting=self.patrol.sighting,
            held=self.patrol.held,
            window=self.keeper.window if self.keeper is not None else None,
            wiped=not_kept(self.settings),
        )

    def names(self) -> tuple[str, ...]:
        """Contestants that can be chosen by name now."""
        return self.fleet.ready()

    # ---------------------------------------------------------------- battles

    async def ask(
        self,
        voter: str,
        prompt: str,
        *,
        battle_id: str | None = None,
        mode: Mode = Mode.ANONYMOUS,
        choice: Sequence[str] = (),
    ) -> str:
        """Put a message to both sides, in a new battle unless one is named; returns the battle's id at once.

        `choice` names the contestants in named modes. Raises `BattleError`s; nothing changed then.
        """
        text = clean_prompt(prompt, limit=self.settings.max_prompt_chars)
        if len(self._live()) + self._asking >= self.settings.max_battles:
            raise Busy("as many battles stream as this arena allows: try again in a moment")
        self._asking += 1
        try:
            room = self._room(battle_id, voter) if battle_id else await self._open(voter, mode, choice, text)
            async with room.lock:
                if len(room.battle.turns) >= self.settings.max_turns:
                    raise TooManyTurns(f"a battle has at most {self.settings.max_turns} turns: start a new one")
                await self._begin(room, room.battle.ask(text), lambda: self.store.append_turn(room.battle.id, text))
        finally:
            self._asking -= 1
        return room.battle.id

    async def try_again(self, voter: str, battle_id: str) -> None:
        """Ask the last message once more, both sides, before the vote."""
        room = self._room(battle_id, voter)
        async with room.lock:
            await self._begin(room, room.battle.again(), lambda: self.store.ask_again(battle_id))

    async def drop(self, voter: str, battle_id: str) -> None:
        """Leave out a last message whose answers failed; the answers before it can be voted on again."""
        room = self._room(battle_id, voter)

        async def done(dropped: Battle) -> None:
            await self.store.drop_turn(battle_id, status=dropped.status)
            room.battle = dropped

        async with room.lock:
            await to_its_end(done(room.battle.drop()))

    async def stop(self, voter: str, battle_id: str) -> None:
        """End both answers where they are; what was shown can be voted on."""
        room = self._room(battle_id, voter)
        if room.live is not None and room.conclusion is not None:
            await room.live.stop()
            await asyncio.wait({room.conclusion})

    def view(self, voter: str, battle_id: str) -> BattleView:
        """The battle as its owner may see it now. Raises `UnknownBattle`."""
        return self._seen(self._room(battle_id, voter))

    def latest(self, voter: str, mode: Mode) -> str | None:
        """The voter's newest battle of a mode that still goes on."""
        going_on = (BattleStatus.ANSWERING, BattleStatus.VOTABLE, BattleStatus.FAILED)
        record = self.store.latest_battle(voter, mode=mode, statuses=going_on)
        return record.id if record else None

    async def watch(self, voter: str, battle_id: str) -> AsyncGenerator[BattleView]:
        """The battle's views as they change, until its answers are complete. Watching keeps it alive."""
        room = self._room(battle_id, voter)
        live = room.live
        shown = None
        if live is not None:
            self._watchers += 1
            try:
                while not live.answers.done():
                    live.seen()
                    view = self._seen(room)
                    if view != shown:
                        shown = view
                        yield view
                    await live.pause(max(1 / FRAMES_PER_SECOND, self._watchers / FRAMES_IN_ALL))
            finally:
                self._watchers -= 1
            if room.conclusion is not None:
                await asyncio.wait({room.conclusion})
        view = self._seen(room)
        if view != shown:
            yield view

    # ---------------------------------------------------------------- votes

    async def vote(self, voter: str, battle_id: str, verdict: Verdict, *, judged: str | None = None) -> BattleView:
        """Record the verdict, exactly once, and only then tell who was who.

        The same verdict again is answered like the first time; another one raises `AlreadyVoted`. With the `stamp` of
        the view that was judged, `AnswersChanged` is raised where other answers stand there by now.
        """
        room = self._room(battle_id, voter)
        async with room.lock:
            if judged is not None and room.battle.can_vote and judged != self._seen(room).stamp:
                raise AnswersChanged("the answers were asked anew since they were shown")
            try:
                receipt = await self.store.cast_vote(
                    battle_id, voter, verdict, slices=slices_of(room.battle), markup=markup_of(room.battle)
                )
                self.watching.voted(verdict)
            except VoteExists as second:
                receipt = second.receipt
                if receipt.verdict is not verdict or receipt.retracted_at is not None:
                    raise AlreadyVoted("this battle has its vote") from None
            room.receipt = receipt
            room.battle = replace(room.battle, status=BattleStatus.VOTED, verdict=verdict)
        return self._seen(room)

    async def undo(self, voter: str, battle_id: str) -> BattleView:
        """Take the vote back within the time for it; the battle cannot be voted again."""
        room = self._room(battle_id, voter)
        async with room.lock:
            room.receipt = await self.store.retract_vote(battle_id, voter, within=self.settings.undo_seconds)
            if room.battle.status is not BattleStatus.RETRACTED:
                self.watching.undone()
            room.battle = replace(room.battle, status=BattleStatus.RETRACTED)
        return self._seen(room)

    async def feedback(self, voter: str, battle_id: str, reasons: Sequence[str], comment: str) -> None:
        """Attach reasons and a comment to a vote that was cast."""
        await self.store.add_feedback(battle_id, voter, reasons=reasons, comment=comment)
        room = self._rooms.get(battle_id)
        if room is not None and room.receipt is not None:
            room.receipt = replace(room.receipt, reasons=tuple(reasons), comment=comment)

    def export(self, form: str) -> Path:
        """All counting votes as a file of this form (csv, jsonl, parquet); made anew when votes came. Blocks."""
        return self.store.kept_export(form)

    # ---------------------------------------------------------------- inside

    def _live(self) -> list[LiveTurn]:
        """The turns that are being written."""
        return [room.live for room in self._rooms.values() if room.live is not None and not room.live.answers.done()]

    async def _open(self, voter: str, mode: Mode, choice: Sequence[str], prompt: str) -> Room:
        pairing = self._casting.pair(mode, choice, prompt)
        a, b = self._casting.on_record(pairing)
        new = NewBattle(
            voter=voter,
            mode=mode,
            contestant_a=a.id,
            contestant_b=b.id if b else None,
            propensity=pairing.propensity,
            language=language_of(prompt),
            topic=self.suggestions.topic_of(prompt),
            seed=self._rng.randrange(2**31),
        )
        record = await self.store.create_battle(new)
        room = room_of(record, self._casting.redact(mode), None)
        self._rooms[record.id] = room
        return room

    async def _begin(self, room: Room, asked: Battle, store: Callable[[], Awaitable[int]]) -> None:
        """Store the question, then let both sides answer it. The room's lock is held."""
        parts = self._casting.parts(room, asked)
        await to_its_end(self._ask(room, asked, parts, store))

    async def _ask(
        self, room: Room, asked: Battle, parts: Mapping[Side, Part], store: Callable[[], Awaitable[int]]
    ) -> None:
        index = await store()
        room.battle = asked
        room.touched = time.monotonic()
        blind = self.settings.speed_blind and asked.mode is Mode.ANONYMOUS
        cold = self.fleet.cold(room.names)
        room.live = LiveTurn(parts, blind=blind, prepare=partial(self._prepared, room) if cold else None)
        room.conclusion = self._spawn(self._conclusions.conclude(room, room.live, index), "conclusion")

    def _look_ahead(self) -> None:
        self._spawn(self._matchmaker.look_ahead(), "looking ahead")

    async def _prepared(self, room: Room) -> Mapping[Side, Part]:
        """Have the battle's models loaded; a blind battle that has just begun takes another pair for one that fails.

        Raises `ModelUnavailable` or `NotReady`.
        """
        first = room.battle.mode is Mode.ANONYMOUS and len(room.battle.turns) == 1
        for attempt in range(OTHER_PAIRS + 1):
            try:
                await self.fleet.warm(room.names)
                break
            except ModelUnavailable as error:
                if not first or attempt == OTHER_PAIRS:
                    raise
                log.warning("battle %s takes another pair: %s", room.battle.id, error)
                await self._casting.take_another_pair(room)
        return self._casting.parts(room, room.battle)

    def _room(self, battle_id: str, voter: str) -> Room:
        """The battle's room, furnished from the store when it is not in memory. Raises `UnknownBattle`."""
        room = self._rooms.get(battle_id)
        if room is None:
            record = self.store.load_battle(battle_id, voter=voter)
            voted = record.status in (BattleStatus.VOTED, BattleStatus.RETRACTED)
            receipt = self.store.find_vote(battle_id, voter) if voted else None
            room = self._rooms[battle_id] = room_of(record, self._casting.redact(Mode(record.mode)), receipt)
        if room.battle.voter != voter:
            raise UnknownBattle("there is no such battle")
        room.touched = time.monotonic()
        return room

    def _seen(self, room: Room) -> BattleView:
        seen = room.view(now=self._clock(), undo_seconds=self.settings.undo_seconds, scale=self.parameters.scale)
        if room.live is None or not room.live.preparing:
            return seen
        steps = math.ceil(self.fleet.seconds(room.names) / WARMING_STEP)
        return replace(seen, warming=max(1, steps) * WARMING_STEP)

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
