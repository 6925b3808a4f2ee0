"""Everything that can go wrong, as one tree.

    ArenaError
    ├── ConfigError            models.yaml or the environment: file, line, key, suggestion
    ├── EngineError            a contestant could not answer
    │   ├── ModelUnavailable       not loaded, crashed, out of memory, quarantined
    │   ├── EndpointError          a remote answered with an error or could not be reached
    │   │   ├── AccessDenied           401/403: key missing or the model is gated
    │   │   └── RateLimited            429
    │   ├── EngineTimeout          no token within the allowed time
    │   ├── ContextOverflow        the conversation is longer than the model's context
    │   └── SpendingCapReached     the operator's cap for a paid endpoint
    ├── BattleError            an action that the battle's state or owner forbids
    │   ├── UnknownBattle          no such battle, or not this voter's
    │   ├── VotingClosed           answers are not complete, failed, expired, or names are known
    │   ├── AlreadyVoted           one battle, one vote
    │   ├── AnswersChanged         other answers stand there now than those that were judged
    │   ├── UndoTooLate            the 30 s are over
    │   ├── PromptRefused          empty, too long or unreadable
    │   │   ├── PromptEmpty
    │   │   └── PromptTooLong
    │   ├── NotRecorded            who only plays back answers has none to this message
    │   ├── TooManyTurns           the battle has as many turns as are allowed
    │   ├── NotReady               fewer than two contestants can answer yet
    │   │   └── TooFewContestants      fewer than two take part: waiting does not help
    │   └── Busy                   as many battles stream as the operator allows
    ├── StoreError             the database
    │   ├── StoreUnavailable       read-only, full or locked: nothing was recorded
    │   ├── SchemaTooNew           written by a later version of the program
    │   └── MigrationFailed        the old database is untouched
    └── FileFormatError        a file given by a person: path, line, what is wrong

Others' exceptions are translated into these where they enter (engines, store). `code` is the
stable name that the page translates and the HTTP routes send; the text is for logs and terminals.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar


class ArenaError(Exception):
    """Root of the tree: catch it to catch everything the arena raises on purpose."""

    code: ClassVar[str] = "error"


class ConfigError(ArenaError):
    """A setting or a line of models.yaml that cannot be used; nothing starts."""

    code = "config"

    def __init__(
        self,
        message: str,
        *,
        file: Path | str | None = None,
        line: int | None = None,
        key: str | None = None,
        suggestion: str | None = None,
    ) -> None:
        self.file, self.line, self.key, self.suggestion = file, line, key, suggestion
        place = ":".join(str(part) for part in (file, line) if part is not None)
        parts = [place, key, message, suggestion and f"({suggestion})"]
        super().__init__(" ".join(f"{part}:" if part in (place, key) else part for part in parts if part))

    def with_others(self, others: Sequence[ConfigError]) -> ConfigError:
        """This error with the text of further ones below its own, so that all are mended in one go."""
        self.args = ("\n".join(map(str, (self, *others))),)
        return self


class EngineError(ArenaError):
    """A contestant could not answer; the voter sees one neutral sentence, the log sees this."""

    code = "engine"


class ModelUnavailable(EngineError):
    """The model is not loaded, crashed, ran out of memory or is in quarantine."""

    code = "model_unavailable"


class EndpointError(EngineError):
    """A remote endpoint answered with an error or could not be reached."""

    code = "endpoint"

    def __init__(self, message: str, *, status: int | None = None) -> None:
        self.status = status
        super().__init__(message)


class AccessDenied(EndpointError):
    """The key is missing or wrong, or the model is gated; the message says where to ask."""

    code = "access_denied"


class RateLimited(EndpointError):
    """The endpoint asks for patience."""

    code = "rate_limited"


class EngineTimeout(EngineError):
    """No token came within the allowed time."""

    code = "timeout"


class ContextOverflow(EngineError):
    """The conversation does not fit the model's context; the model never saw it."""

    code = "context_overflow"

    def __init__(self, message: str, *, tokens: int | None = None, limit: int | None = None) -> None:
        self.tokens, self.limit = tokens, limit
        super().__init__(message)


class SpendingCapReached(EngineError):
    """The operator's spending cap for this endpoint is used up."""

    code = "spending_cap"


class BattleError(ArenaError):
    """The battle's state or its owner forbids this action; nothing changed."""

    code = "battle"


class UnknownBattle(BattleError):
    """There is no such battle for this voter (whether it exists for another is not told)."""

    code = "unknown_battle"


class VotingClosed(BattleError):
    """Answers are incomplete, failed or expired, the mode is named, or names are known."""

    code = "voting_closed"


class AlreadyVoted(BattleError):
    """This battle has its vote."""

    code = "already_voted"


class AnswersChanged(BattleError):
    """The answers were asked anew since the page showed them."""

    code = "answers_changed"


class UndoTooLate(BattleError):
    """The time for undoing is over."""

    code = "undo_too_late"


class PromptRefused(BattleError):
    """The message is empty, too long or not readable text."""

    code = "prompt_refused"


class PromptEmpty(PromptRefused):
    """The message holds nothing but spaces."""

    code = "prompt_empty"


class PromptTooLong(PromptRefused):
    """The message has more characters than the operator allows."""

    code = "prompt_too_long"


class NotRecorded(BattleError):
    """A contestant that only plays back answers has none to this message."""

    code = "not_recorded"


class TooManyTurns(BattleError):
    """The battle has as many turns as the operator allows; it can still be voted."""

    code = "too_many_turns"


class NotReady(BattleError):
    """Fewer than two contestants can answer yet; they are being prepared."""

    code = "not_ready"


class TooFewContestants(NotReady):
    """Fewer than two contestants take part, and none is being prepared: waiting does not help."""

    code = "too_few"


class Busy(BattleError):
    """As many battles stream as the operator allows; trying again in a moment helps."""

    code = "busy"


class StoreError(ArenaError):
    """The database could not do what was asked."""

    code = "store"


class StoreUnavailable(StoreError):
    """Read-only, full or locked: nothing was recorded, and trying again later may help."""

    code = "store_unavailable"


class SchemaTooNew(StoreError):
    """The database was written by a later version of the program; this one will not touch it."""

    code = "schema_too_new"


class MigrationFailed(StoreError):
    """The new schema could not be prepared; the old database is as it was."""

    code = "migration_failed"


class FileFormatError(ArenaError):
    """A file given by a person cannot be read; names the file, the line and the mend."""

    code = "file_format"

    def __init__(self, message: str, *, path: Path | str | None = None, line: int | None = None) -> None:
        self.path, self.line = path, line
        place = ":".join(str(part) for part in (path, line) if part is not None)
        super().__init__(f"{place}: {message}" if place else message)
