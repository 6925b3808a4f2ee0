"""One answer after another through `generate`: for architectures our batch cannot hold.

State-space and recurrent models, remote code, and speculative decoding with a draft model come
here. Sampling is the same as in a batch, so seeds, greedy and top_p mean the same.
"""

from __future__ import annotations

import queue
import threading
from typing import Any

import torch
from transformers import LogitsProcessor, LogitsProcessorList, StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from arena.engines.worker.answering import Ask, Deliver, Delta, Ticket, takes_the_process_along
from arena.engines.worker.loading import Loaded
from arena.engines.worker.sampling import Draw, next_tokens


class OneByOne:
    """Answers tickets in the order they came, in its own thread."""

    def __init__(self, loaded: Loaded, deliver: Deliver) -> None:
        self.steps = 0
        self.fatal: BaseException | None = None
        self._loaded, self._deliver = loaded, deliver
        self._queue: queue.Queue[Ticket | None] = queue.Queue()
        self._current: Ticket | None = None
        self._thread = threading.Thread(target=self._work, name="one-by-one", daemon=True)

    @property
    def active(self) -> int:
        """Requests that wait or run."""
        return self._queue.qsize() + (self._current is not None)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, ask: Ask) -> Ticket:
        """Queue a request; its deltas are delivered until one is the last."""
        ticket = Ticket(ask, self._loaded.decode, self._loaded.terminators)
        self._queue.put(ticket)
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """Forget a request: nothing more is delivered, the model stops after the token it is at."""
        ticket.cancelled = True

    def stop(self) -> None:
        """End the thread after the token it is at."""
        if current := self._current:  # looked at once: the thread may be done with it meanwhile
            current.cancelled = True
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while (ticket := self._queue.get()) is not None:
            if ticket.cancelled:
                continue
            self._current = ticket
            try:
                self._answer(ticket)
            except Exception as error:
                self._fail(ticket, error)
            self._current = None

    def _answer(self, ticket: Ticket) -> None:
        loaded, ask = self._loaded, ticket.ask
        room = loaded.prompter.context - len(ask.ids)
        ids = torch.tensor([ask.ids], device=loaded.model.device)
        with torch.inference_mode():
            loaded.model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=max(1, min(ask.max_tokens, room)),
                eos_token_id=sorted(loaded.terminators) or None,
                pad_token_id=min(loaded.terminators, default=0),
                logits_processor=LogitsProcessorList([_OurDraw(ticket)]),
                streamer=_Listener(self, ticket),
                stopping_criteria=StoppingCriteriaList([_Ended(ticket)]),
                **({"assistant_model": loaded.draft} if loaded.draft else {}),
            )
        if not ticket.finish:
            ticket.finish = "length"
            self.said(ticket)

    def said(self, ticket: Ticket) -> None:
        """Hand on what the last token made sayable."""
        if (delta := ticket.say()) and not ticket.cancelled:
            self._deliver([(ticket, delta)])

    def _fail(self, ticket: Ticket, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        if takes_the_process_along(error):
            self.fatal = error
        if not ticket.cancelled:
            self._deliver([(ticket, Delta(error=reason))])


class _OurDraw(LogitsProcessor):
    """Leaves `generate`'s greedy choice only one token: the one our own sampler drew."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        ask = self._ticket.ask
        if ask.temperature <= 0:
            return scores
        uniform = self._ticket.uniform(input_ids.shape[1])
        draws = [Draw(ask.temperature, ask.top_p, uniform)] * scores.shape[0]
        only = torch.full_like(scores, -torch.inf)
        tokens = torch.tensor(next_tokens(scores, draws), device=scores.device)
        return only.scatter(1, tokens[:, None], 0.0)


class _Listener(BaseStreamer):
    """Feeds every new token to the ticket; the first call brings the prompt."""

    def __init__(self, owner: OneByOne, ticket: Ticket) -> None:
        self._owner, self._ticket = owner, ticket
        self._prompt_seen = False

    def put(self, value: Any) -> None:
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        for token in value.reshape(-1).tolist():
            if not self._ticket.finish:
                self._owner.steps += 1
                self._ticket.take(token)
        self._owner.said(self._ticket)

    def end(self) -> None:
        """The answer's end is known from its tokens."""


class _Ended(StoppingCriteria):
    """Stops the model when the answer ended by our rules or nobody wants it any more."""

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket

    def __call__(self, input_ids: torch.Tensor, scores: Any, **options: Any) -> torch.Tensor:
        over = self._ticket.cancelled or self._ticket.finish is not None
        return torch.full((input_ids.shape[0],), over, dtype=torch.bool, device=input_ids.device)
