"""The arena as one facade: everything a page, a command or the judge may ask for goes through `Arena`."""

from arena.service.arena import Arena
from arena.service.opening import open_arena, open_store
from arena.service.views import BattleView, BoardView, Facts, Nameplate, Preparation, Reveal, Suggestion, TurnView

__all__ = [
    "Arena",
    "BattleView",
    "BoardView",
    "Facts",
    "Nameplate",
    "Preparation",
    "Reveal",
    "Suggestion",
    "TurnView",
    "open_arena",
    "open_store",
]
