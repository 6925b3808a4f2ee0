"""The page as a whole: tabs in one Blocks, and how it is launched.

The application is always started by `launch()`, never mounted: ZeroGPU hooks only that, and
middleware and routes ride on its `app_kwargs`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import Route

from arena.judge.crew import JudgeCrew
from arena.judge.desk import JudgeDesk
from arena.service import Arena
from arena.service.segments import keeper_of, not_kept
from arena.types import Mode
from arena.ui import board_render, integrity_tab, look, render, sign_in
from arena.ui.battle_events import BattleEvents
from arena.ui.battle_tab import build_battle, welcome_html
from arena.ui.bench_tab import BenchTab
from arena.ui.board_routes import BoardRoutes
from arena.ui.board_tab import BoardTab
from arena.ui.board_views import BoardViews
from arena.ui.forms import Forms
from arena.ui.frames import Frames, Page
from arena.ui.guard import Guard
from arena.ui.integrity_tab import IntegrityRoutes
from arena.ui.judge_tab import JudgeTab
from arena.ui.metrics import WatchRoutes
from arena.ui.models_tab import OperatorRoutes, entrance
from arena.ui.operator import Doorkeeper
from arena.ui.outputs import LeanBlocks
from arena.ui.presence import MOST_PAGES, Presence, forgetter, keep_little, trust_choices
from arena.ui.routes import Routes
from arena.ui.server import be_patient
from arena.ui.texts import LANGUAGES, TEXTS, say
from arena.ui.voters import Voters

MAX_THREADS = 400
"""Gradio counts waiting asynchronous events against its threads: fifty battles at forty took twice as long."""


def build(arena: Arena, voters: Voters, judges: JudgeDesk, views: BoardViews) -> tuple[gr.Blocks, Mapping[Mode, Page]]:
    """The page over an arena, and what draws the battle of each mode."""
    battles: dict[Mode, BattleEvents] = {}
    i18n = translations()
    demo: gr.Blocks
    with LeanBlocks(title="Арена · Arena", analytics_enabled=False, fill_width=True) as demo:
        gr.HTML(i18n("header_html"), elem_id="arena-header")
        gr.HTML(_strips(arena), elem_id="arena-strips")
        if sign_in.offered():
            words = [" · ".join(say(language, key) for language in LANGUAGES) for key in ("sign_in", "sign_out")]
            gr.LoginButton(*words, icon=None, size="sm", elem_id="arena-sign-in")
        with gr.Tabs(elem_id="arena-tabs"):
            with gr.Tab(i18n("tab_battle"), id="battle", elem_id="tab-battle") as tab:
                battles[Mode.ANONYMOUS] = BattleEvents(arena, voters, build_battle(Mode.ANONYMOUS, i18n))
                battles[Mode.ANONYMOUS].connect(demo, tab.select)
            for mode in (Mode.NAMED, Mode.DIRECT):
                with gr.Tab(i18n(f"tab_{mode}"), id=str(mode), elem_id=f"tab-{mode}") as tab:
                    battles[mode] = BattleEvents(arena, voters, build_battle(mode, i18n))
                    battles[mode].connect(demo, tab.select)
            with gr.Tab(i18n("tab_board"), id="board", elem_id="tab-board") as tab:
                board = BoardTab(arena, views, i18n)
            board.connect(tab.select)
            with gr.Tab(i18n("tab_judge"), id="judge", elem_id="tab-judge") as tab:
                judge = JudgeTab(judges, arena.settings.language)
            judge.connect(tab.select)
            with gr.Tab(i18n("tab_bench"), id="bench", elem_id="tab-bench") as tab:
                bench = BenchTab(arena, i18n)
            bench.connect(tab.select)
            if arena.settings.admin_token is not None:
                with gr.Tab(i18n("tab_models"), id="models", elem_id="tab-models"):
                    gr.HTML(i18n("operator_html"), elem_id="operator")
                with gr.Tab(i18n("tab_integrity"), id="integrity", elem_id="tab-integrity"):
                    gr.HTML(i18n("integrity_html"), elem_id="integrity")
    return demo, {mode: events.page for mode, events in battles.items()}


def launch(make: Callable[[], Arena], *, prevent_thread_lock: bool = False) -> gr.Blocks:
    """Serve an arena; `make` is called once here, its start and end are the server's."""
    arena = make()
    settings = arena.settings
    in_frame = bool(os.environ.get("SPACE_ID"))
    voters = Voters(settings.signing_key(), in_frame=in_frame, path=settings.root_path)
    sign_in.check(settings.sign_in == "required")
    keep_little()
    be_patient(arena.end_lines)
    judges = JudgeDesk(arena.store, arena.catalog, arena.settings)
    views = BoardViews(arena, judges)
    demo, pages = build(arena, voters, judges, views)
    trust_choices(demo)
    presence = Presence()
    presence.left = forgetter(demo)
    demo.queue(default_concurrency_limit=None, max_size=None)
    guard = Middleware(
        Guard, voters=voters, forms=Forms(demo), presence=presence, settings=settings, in_frame=in_frame,
        sign_in=sign_in.offered(),
    )  # fmt: skip
    app_kwargs: dict[str, Any] = {
        "routes": [
            *Routes(arena, voters).all(),
            *Frames(arena, voters, pages).all(),
            *BoardRoutes(views, settings.language).all(),
            *_operators_routes(arena),
        ],
        "middleware": [guard],
        "lifespan": _lifespan(arena),
    }
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # whose forwarding headers count, the guard decides
    demo.launch(
        server_name=settings.host_in_address, server_port=settings.port, root_path=settings.root_path or None,
        app_kwargs=app_kwargs, theme=look.theme(), css=look.css(), head=look.head(), i18n=translations(),
        footer_links=[], run_history=False, enable_monitoring=False, ssr_mode=False, share=False, show_error=False,
        strict_cors=True, allowed_paths=[], max_file_size=1, max_threads=MAX_THREADS, quiet=True,
        state_session_capacity=MOST_PAGES,
        _frontend=False,  # the page is served all the same; Gradio's look at it would end a start on a busy machine
        prevent_thread_lock=prevent_thread_lock,
    )  # fmt: skip
    return demo


def _operators_routes(arena: Arena) -> list[Route]:
    token = arena.settings.admin_token
    door = Doorkeeper(None if token is None else token.get_secret_value())
    return [*WatchRoutes(arena, door).all(), *IntegrityRoutes(arena, door).all(), *OperatorRoutes(arena, door).all()]


def translations() -> gr.I18n:
    """Strings and fragments that never change while the page is open, in both languages."""
    tables: dict[str, dict[str, str]] = {}
    for language in LANGUAGES:
        table = {key: say(language, key) for key in TEXTS}
        table |= {f"welcome_html_{mode}": welcome_html(mode, language) for mode in Mode}
        table["side_tabs_html"] = render.side_tabs(language)
        table["header_html"] = _header(language)
        table["export_html"] = _export(language)
        table["operator_html"] = entrance(language)
        table["integrity_html"] = integrity_tab.entrance(language)
        table["board_find_html"] = board_render.finder(language)
        table["board_files_html"] = board_render.table_files(language)
        table["plot_files_html"] = board_render.plot_files(language)
        table["compare_html"] = f"<h2>{say(language, 'compare_title')}</h2>"
        tables[language] = table
    return gr.I18n(**tables)


def _header(language: str) -> str:
    other = "en" if language == "ru" else "ru"
    label = say(language, "switch_language_label")
    return (
        f'<header><a class="skip" href="#anonymous-prompt">{say(language, "skip_to_question")}</a>'
        f'<b class="brand">{say(language, "brand")}</b><span class="tagline">{say(language, "tagline")}</span>'
        f'<button type="button" class="speak" data-speak="{other}" aria-label="{label}">'
        f"{say(language, 'switch_language')}</button></header>"
    )


def _export(language: str) -> str:
    links = " ".join(
        f'<a href="arena/export.{form}" download>{form.upper()}</a>' for form in ("csv", "jsonl", "parquet")
    )
    return f"<p>{say(language, 'export_votes')} {links}</p><p>{say(language, 'export_propensity')}</p>"


def _strips(arena: Arena) -> str:
    """The line about models being prepared, filled by the page's script, and the label of a demo."""
    toys = any(entry.toy for entry in arena.catalog.enabled)
    notes = [*(["toys_note"] if toys else []), *(["not_kept"] if not_kept(arena.settings) else [])]
    lines = [f'<p class="toys" lang="{language}">{say(language, key)}</p>' for key in notes for language in LANGUAGES]
    lost = '<p id="arena-offline" role="alert" hidden></p>'
    preparing = '<div id="arena-preparing" role="status" hidden><span></span><div class="progress"><i></i></div></div>'
    return lost + preparing + "".join(lines)


def _lifespan(arena: Arena) -> Callable[[Any], Any]:
    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        keeper = arena.keeper = keeper_of(arena.settings, arena.store)
        if keeper is not None:
            await keeper.start()
        await arena.start()
        crew = JudgeCrew(arena.catalog, arena.settings, arena.store, arena.fleet)
        await crew.start()
        try:
            yield
        finally:
            await crew.close()
            if keeper is not None:
                await keeper.close()
            await arena.close()

    return lifespan
