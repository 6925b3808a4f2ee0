"""`space DIR`: writes a folder that is a Hugging Face Space as it stands, ZeroGPU included.

It copies what the arena needs to run and nothing of its tests, measurements or data; it reaches no hub.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from arena.cli.terminal import told
from arena.config import files_named_in
from arena.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]

TORCH = "torch>=2.8,<2.12"
"""What ZeroGPU offers; later versions do not start there."""

OF_A_CLONE = {".git", ".gitattributes", "README.md"}
"""What a newly made Space holds when it is cloned."""


def space(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to write, such as a clone of the Space.")],
    title: Annotated[str, typer.Option(help="What the Space is called.")] = "Arena",
    force: Annotated[bool, typer.Option("--force", help="Write into a folder that holds other files too.")] = False,
) -> None:
    """Write a ready Hugging Face Space: push it to a Gradio Space, and it starts."""
    with told():
        written = write_space(folder, title=title, force=force)
    typer.echo(f"{folder}: {written} files. Next: git add -A, git commit, git push to the Space's repository.")
    typer.echo("On ZeroGPU hardware it takes the profile zerogpu of models.yaml, on others what ARENA_PROFILE says.")


def write_space(folder: Path, *, title: str = "Arena", force: bool = False, root: Path = ROOT) -> int:
    """Write the Space and say how many files it has. Raises `ConfigError` when the folder is in other use."""
    strange = sorted(path.name for path in folder.iterdir() if path.name not in OF_A_CLONE) if folder.is_dir() else []
    if folder.exists() and not folder.is_dir():
        raise ConfigError("this is a file, not a folder", file=folder)
    if strange and not force:
        raise ConfigError(f"the folder holds {strange[0]} already", file=folder, suggestion="--force writes over it")
    if not (root / "models.yaml").is_file():
        raise ConfigError("the project's own files are not here", file=root, suggestion="run it from a checkout")
    if folder.resolve() == root.resolve() or root.resolve().is_relative_to(folder.resolve()):
        raise ConfigError("the project itself is here", file=folder, suggestion="name another folder")
    texts = {
        "README.md": front_matter(title) + _words(title),
        "requirements.txt": requirements((root / "requirements.txt").read_text(encoding="utf-8")),
    }
    copied = list(_sources(root))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    for source in copied:
        target = folder / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return len(texts) + len(copied)


def front_matter(title: str) -> str:
    """The Space's configuration, which stands at the top of its README.md."""
    quoted = '"' + title.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
    return (
        f"---\ntitle: {quoted}\nemoji: ⚖️\ncolorFrom: blue\ncolorTo: yellow\nsdk: gradio\n"
        f'sdk_version: {version("gradio")}\npython_version: "3.12"\napp_file: app.py\nhf_oauth: true\n'
        "suggested_hardware: zero-a10g\nlicense: apache-2.0\nshort_description: Blind comparison of language models\n"
        "---\n\n"
    )


def requirements(text: str) -> str:
    """The project's requirements with the torch that ZeroGPU offers."""
    changed, found = re.subn(r"^torch[^\w-].*$", TORCH, text, flags=re.MULTILINE)
    if found != 1:
        raise ConfigError("torch must stand in it once", file="requirements.txt")
    return changed


def _sources(root: Path) -> Iterator[Path]:
    """Every file of the project that runs, and those that its models.yaml names. Raises `ConfigError` for one of them
    that lies elsewhere."""
    yield from (path for name in ("app.py", "models.yaml", "LICENSE") if (path := root / name).is_file())
    for path in files_named_in(root / "models.yaml"):
        if not path.resolve().is_relative_to(root.resolve()):
            raise ConfigError(
                f"{path} lies outside of the project",
                file=root / "models.yaml",
                suggestion="copy it beside models.yaml",
            )
        if path.is_file():
            yield path
    for path in sorted((root / "arena").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".pyc", ".pyo"):
            yield path


def _words(title: str) -> str:
    return (
        f"# {title}\n\n"
        "Two anonymous models answer, people vote, the rating moves. Contestants stand in `models.yaml`.\n\n"
        "Settings of the Space: `ARENA_DATABASE` (a PostgreSQL address) or `ARENA_SEGMENTS_REPO`\n"
        "(a private dataset repository; needs `HF_TOKEN`): without either, votes end with the Space's next restart;\n"
        "`ARENA_SECRET` (else voters are strangers after a restart), `ARENA_ADMIN_TOKEN`, `HF_TOKEN` for gated\n"
        "models, and `ARENA_PROFILE` to choose a profile by hand.\n"
    )
