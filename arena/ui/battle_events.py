"""What happens in a battle's tab: each handler asks the service and paints the view it gets.

No rule lives here: whether something is allowed is the service's answer, and every handler ends by
painting what is so; what moves while answers come, `frames` tells the page's script. The battle's number comes
from the page and is only ever a question; whose it is, the signed cookie says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Any

import gradio as gr

from arena.errors import ArenaError
from arena.service import Arena, BattleView
from arena.types import Mode
from arena.ui import render
from arena.ui.battle_tab import PUT_AWAY, SUGGESTIONS, BattleTab
from arena.ui.routes import REASONS
from arena.ui.texts import TEXTS, number, say, topic_name
from arena.ui.voters import Voters, language_of_request

Updates = dict[Any, Any]

WARNED = 6
"""Seconds for which a warning stays: as long as the page's own notes."""

MOST_TOPICS = 16
"""More topics than this are no choice any more (a dataset's cluster numbers): prompts come from all of them."""


class BattleEvents:
    """The handlers of one battle tab."""

    def __init__(self, arena: Arena, voters: Voters, tab: BattleTab) -> None:
        self._arena, self._voters, self._tab = arena, voters, tab
        self._mode = tab.mode
        self._first = "ask_one" if tab.mode is Mode.DIRECT else "ask_first"
        if arena.fleet.only_recorded:
            self._first = "ask_recorded"
        self._rng = Random()

    def connect(self, demo: gr.Blocks, opened: Callable[..., Any]) -> None:
        """Wire every component; called once, inside the Blocks. `opened` is the event of the tab being opened."""
        tab = self._tab
        everything = self._outputs()
        common: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
        ask = [tab.prompt, tab.battle, *tab.choices]
        remember = f"(id) => arena.remember('{self._mode}', id)"
        begun = [tab.battle, tab.prompt]  # the battle first: whoever reads events looks for it there
        follow = {"fn": None, "inputs": [tab.battle], "outputs": [], "js": f"(id) => arena.follow('{self._mode}', id)"}
        for trigger in (tab.prompt.submit, tab.send.click):
            trigger(self.ask, ask, begun, **common).then(**follow, **common)
        for button in tab.suggestions:
            button.click(self.ask, [button, tab.battle, *tab.choices], begun, **common).then(**follow, **common)
        tab.battle.change(None, [tab.battle], [], js=remember, **common)
        for other in (tab.others.click, tab.topic.input):
            other(self.suggest, [tab.topic, *tab.suggestions], list(tab.suggestions), **common)
        tab.stop.click(self.stop, [tab.battle], [], **common)
        tab.again.click(self.again, [tab.battle], [], **common).then(**follow, **common)
        tab.drop.click(self.drop, [tab.battle], everything, **common)
        for button in (tab.new, tab.new_after):
            button.click(self.new, [], everything, **common)
        recall = f"() => arena.recall('{self._mode}')"
        start = [tab.battle, tab.prompt, tab.topic, *tab.suggestions, tab.reasons, tab.comment]
        if tab.choices:  # the battle as the page remembers it: this tab may be opened before `resume` has answered
            recalled = f"(id, ...chosen) => [arena.recall('{self._mode}'), ...chosen]"
            opened(self.offer_names, [tab.battle, *tab.choices], list(tab.choices), js=recalled, **common)
        demo.load(self.resume, [tab.battle], start, js=recall, **common).then(**follow, **common)
        moving = [part for slots in tab.sides.values() for part in (slots.head, slots.answer)]
        for button, outputs, what in ((tab.paint, moving, "answers"), (tab.repaint, everything, "page")):
            paint = f"() => arena.painted('{self._mode}', '{what}', {len(outputs)})"
            button.click(None, [], outputs, js=paint, trigger_mode="multiple", **common)
        if self._mode is Mode.ANONYMOUS:
            self._connect_votes(everything, common)

    def _connect_votes(self, everything: list[Any], common: dict[str, Any]) -> None:
        tab = self._tab
        heard = common | {"trigger_mode": "multiple"}  # also while the page is painted after one that was not counted
        verdicts = {"a": "model_a", "b": "model_b", "tie": "tie", "bad": "both_bad"}
        for key, button in tab.vote.items():
            vote = f"(id) => arena.vote(id, '{verdicts[key]}')"
            button.click(self.show, [tab.battle], everything, js=vote, **heard)
        tab.undo.click(self.show, [tab.battle], everything, js="(id) => arena.undo(id)", **heard)
        feedback = "(id, reasons, comment) => arena.feedback(id, reasons, comment)"
        inputs = [tab.battle, tab.reasons, tab.comment]
        tab.send_feedback.click(None, inputs, [], js=feedback, **common)
        tab.reasons.input(None, inputs, [], js=feedback, **common)

    # ---------------------------------------------------------------- handlers

    async def ask(self, request: gr.Request, prompt: str, battle: str, *rest: Any) -> Updates:
        """Put the message to both sides."""
        voter, language = self._asked_by(request)
        choice = [name for name in rest if isinstance(name, str) and name]
        try:
            going_on = battle if battle and self._goes_on(voter, battle) else None
            battle = await self._arena.ask(voter, prompt, battle_id=going_on, mode=self._mode, choice=choice)
            view = self._arena.view(voter, battle)
        except ArenaError as error:
            return self._refused(error, language)
        return {self._tab.prompt: self._written(view, language, value=""), self._tab.battle: battle}

    async def again(self, request: gr.Request, battle: str) -> None:
        """Put the last message once more."""
        voter, language = self._asked_by(request)
        try:
            await self._arena.try_again(voter, battle)
        except ArenaError as error:
            self._warn(error, language)

    async def drop(self, request: gr.Request, battle: str) -> Updates:
        """Leave the last message out, whose answers failed: those before it can be judged again."""
        voter, language = self._asked_by(request)
        try:
            await self._arena.drop(voter, battle)
        except ArenaError as error:
            self._warn(error, language)
        return await self.show(request, battle)

    async def resume(self, request: gr.Request, battle: str) -> Updates:
        """After a load of the page: the battle that this tab was in."""
        voter, language = self._asked_by(request)
        suggestions = self._offered(language)
        try:
            battle = battle or (self._arena.latest(voter, self._mode) or "" if self._mode is Mode.ANONYMOUS else "")
            view = self._arena.view(voter, battle)
        except ArenaError:
            return {self._tab.battle: "", self._tab.prompt: self._invitation(language), **suggestions}
        return {self._tab.battle: battle, **suggestions, **self._noted(view, language)}

    async def stop(self, request: gr.Request, battle: str) -> None:
        """End both answers; the handler that paints them shows it."""
        voter, language = self._asked_by(request)
        try:
            await self._arena.stop(voter, battle)
        except ArenaError as error:
            self._warn(error, language)

    async def show(self, request: gr.Request, battle: str) -> Updates:
        """Paint the battle as it is."""
        voter, language = self._asked_by(request)
        try:
            return self._whole(self._arena.view(voter, battle), language)
        except ArenaError as error:
            self._warn(error, language)
            return self._blank(language)

    async def new(self, request: gr.Request) -> Updates:
        """Leave this battle and offer the start again."""
        _, language = self._asked_by(request)
        suggestions = self._offered(language)
        return {**self._blank(language), **suggestions, self._tab.battle: ""}

    async def suggest(self, request: gr.Request, topic: str | None, *shown: str | None) -> Sequence[Any]:
        """Prompts to begin with, of the chosen topic and other than those shown, as far as there are."""
        _, language = self._asked_by(request)
        return self._suggestions(language, topic or "", {text for text in shown if text})

    async def offer_names(self, request: gr.Request, battle: str, *chosen: Any) -> Any:
        """The contestants to choose from, when the tab is opened: in a battle those who answer stand there, else what
        was chosen stays as long as it can answer."""
        names = list(self._arena.names())
        here = self._answering(self._asked_by(request)[0], battle)
        names += [name for name in here if name not in names]
        others = iter([name for name in names if name not in chosen])
        kept: Sequence[str | None] = here or [name if name in names else next(others, None) for name in chosen]
        updates = [gr.update(choices=names, value=name) for name in kept]
        return updates if len(updates) > 1 else updates[0]

    def _answering(self, voter: str, battle: str) -> list[str]:
        """Who stands in this battle, where that may be known; nobody where there is none."""
        try:
            told = self._arena.view(voter, battle).reveal if battle else None
        except ArenaError:
            return []
        return [side.nameplate.name for side in (told.a, told.b) if side is not None] if told else []

    # ---------------------------------------------------------------- painting

    def page(self, view: BattleView, language: str) -> list[tuple[int, Any]]:
        """All that stands still while answers come, by its place among the outputs of `repaint`.

        Reasons that are being ticked and a comment that is being written are nobody's to empty.
        """
        tab, places = self._tab, {part: place for place, part in enumerate(self._outputs())}
        elsewhere = {
            tab.reasons,
            tab.comment,
            *(part for slots in tab.sides.values() for part in (slots.head, slots.answer)),
        }
        whole = self._whole(view, language)
        return [(places[part], value) for part, value in whole.items() if part not in elsewhere]

    def _whole(self, view: BattleView, language: str) -> Updates:
        """Every component as the view says."""
        tab = self._tab
        updates: Updates = {
            tab.welcome: gr.update(visible=False),
            tab.stage: gr.update(visible=True),
            tab.question: render.question(view, language),
            **self._buttons(view, language),
        }
        for side, slots in tab.sides.items():
            updates[slots.head] = render.side_head(view, side, language)
            updates[slots.earlier] = render.earlier(view, side)
            updates[slots.answer] = render.answer(view, side, language)
            updates[slots.facts] = render.facts(view, side, language)
        if self._mode is Mode.ANONYMOUS:
            updates |= self._after(view, language)
        return updates

    def _buttons(self, view: BattleView, language: str) -> Updates:
        tab = self._tab
        voted = self._mode is Mode.ANONYMOUS and view.reveal is not None  # the panel of the vote offers the next battle
        return {
            tab.stop: gr.update(visible=view.writing or PUT_AWAY),
            tab.again: gr.update(visible=view.can_try_again),
            tab.drop: gr.update(visible=view.can_drop),
            tab.send: gr.update(visible=not view.writing),
            tab.new: gr.update(visible=not view.writing and not voted),
            tab.prompt: self._written(view, language),
            **{choice: gr.update(interactive=False) for choice in tab.choices},
        }

    def _invitation(self, language: str) -> Any:
        return gr.update(interactive=True, placeholder=say(language, self._first))

    def _written(self, view: BattleView, language: str, **value: Any) -> Any:
        """The field for the next message: what it invites to, and a value only where one is given."""
        more = "ask_one" if self._mode is Mode.DIRECT else "ask_more" if view.can_ask or view.writing else "ask_new"
        more = "ask_recorded" if self._first == "ask_recorded" else more
        return gr.update(**value, interactive=not view.writing, placeholder=say(language, more))

    def _after(self, view: BattleView, language: str) -> Updates:
        tab = self._tab
        voted = view.reveal is not None
        open_vote = voted and view.reveal is not None and not view.reveal.retracted
        return {
            tab.verdict: gr.update(visible=voted),
            tab.verdict_text: render.verdict(view, language),
            tab.undo: gr.update(visible=open_vote),
            tab.after: gr.update(visible=open_vote),
            **self._noted(view, language),
            tab.votes: gr.update(visible=not voted, elem_classes=_verdicts(view)),
            **{button: gr.update(interactive=view.can_vote) for button in tab.vote.values()},
        }

    def _noted(self, view: BattleView, language: str) -> Updates:
        """What was noted with the vote, as it is stored: the page sends both whole when one of them changes."""
        tab, told = self._tab, view.reveal
        if self._mode is not Mode.ANONYMOUS or told is None or told.retracted:
            return {}
        choices = [(say(language, f"reason_{reason}"), reason) for reason in REASONS]
        noted = [reason for reason in REASONS if reason in told.reasons]
        return {tab.reasons: gr.update(choices=choices, value=noted), tab.comment: gr.update(value=told.comment)}

    def _blank(self, language: str) -> Updates:
        """The start: nothing asked yet."""
        tab = self._tab
        updates: Updates = {
            tab.battle: "",
            tab.welcome: gr.update(visible=True),
            tab.stage: gr.update(visible=False),
            tab.prompt: self._invitation(language),
            tab.send: gr.update(visible=True),
            tab.stop: gr.update(visible=PUT_AWAY),
            **{button: gr.update(visible=False) for button in (tab.again, tab.drop, tab.new)},
            **{choice: gr.update(interactive=True) for choice in tab.choices},
        }
        for slots in tab.sides.values():
            updates |= {slots.answer: "", slots.earlier: "", slots.facts: ""}
        if self._mode is Mode.ANONYMOUS:
            updates |= {tab.verdict: gr.update(visible=False), tab.after: gr.update(visible=False)}
            updates[tab.votes] = gr.update(visible=False)
        return updates

    def _outputs(self) -> list[Any]:
        tab = self._tab
        sides = [
            part for slots in tab.sides.values() for part in (slots.head, slots.earlier, slots.answer, slots.facts)
        ]
        return [
            tab.battle, *tab.choices, tab.welcome, tab.topic, *tab.suggestions, tab.stage, tab.question, tab.verdict,
            tab.verdict_text, tab.undo, *sides, tab.after, tab.reasons, tab.comment, tab.votes, *tab.vote.values(),
            tab.prompt, tab.send, tab.stop, tab.again, tab.drop, tab.new,
        ]  # fmt: skip

    # ---------------------------------------------------------------- the asker

    def _asked_by(self, request: gr.Request) -> tuple[str, str]:
        """The voter and the language of a request; without a genuine cookie, a voter who owns nothing."""
        cookie = request.headers.get("cookie")
        language = language_of_request(request.headers, self._arena.settings.language)
        return self._voters.recognize(cookie) or self._voters.new(), language

    def _goes_on(self, voter: str, battle: str) -> bool:
        try:
            return self._arena.view(voter, battle).can_ask
        except ArenaError:
            return False

    def _offered(self, language: str) -> Updates:
        """Topics and prompts to begin with, in the voter's language."""
        topics = self._arena.suggestions.topics(language)
        shown = 1 < len(topics) <= MOST_TOPICS
        choices = (
            [(say(language, "any_topic"), ""), *((topic_name(topic, language), topic) for topic in topics)]
            if shown
            else []
        )
        offered: Updates = {self._tab.topic: gr.update(choices=choices if shown else [], value="", visible=shown)}
        return offered | dict(zip(self._tab.suggestions, self._suggestions(language, ""), strict=True))

    def _suggestions(self, language: str, topic: str, shown: Collection[str] = ()) -> list[Any]:
        found = self._arena.suggestions.some(language, SUGGESTIONS, self._rng, topic, shown)
        texts = [suggestion.text for suggestion in found]
        return [gr.update(value=text, visible=True) for text in texts] + [gr.update(visible=False)] * (
            SUGGESTIONS - len(texts)
        )

    def _refused(self, error: ArenaError, language: str) -> Updates:
        """Say why, and leave the page as it is."""
        self._warn(error, language)
        return {self._tab.prompt: gr.skip()}

    def _warn(self, error: ArenaError, language: str) -> None:
        key = f"error_{error.code}" if f"error_{error.code}" in TEXTS else "error_error"
        if self._mode is not Mode.ANONYMOUS and error.code == "battle":
            key = "error_choose"
        settings = self._arena.settings
        limits = {"prompt_too_long": settings.max_prompt_chars, "too_many_turns": settings.max_turns}
        values = {"limit": number(limits[error.code], language)} if error.code in limits else {}
        gr.Warning(say(language, key, **values), duration=WARNED)


def _verdicts(view: BattleView) -> list[str]:
    """The classes of the row of verdicts, which says when there is nothing to judge and nothing to come."""
    return ["votes"] if view.writing or view.can_vote else ["votes", "closed"]
