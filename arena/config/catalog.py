"""models.yaml as a catalogue: the contestants, judges and prompts of one profile.

A file holds `contestants`, `judges` and `prompts` for every profile and, under `profiles`, more of
each for one. It knows files and names; it neither reaches a hub nor starts anything.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from arena.config.contestants import QUANTIZATIONS, Contestant, Judge, Prompts
from arena.config.source import Source, gather, nearest, read
from arena.errors import ConfigError

PROFILES = ("gpu", "cpu", "demo", "zerogpu")
_SECTION = ("contestants", "judges", "prompts")
_TOP = (*_SECTION, "profiles")
_VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")
Location = tuple[str | int, ...]
Entry = TypeVar("Entry", Contestant, Judge)


@dataclass(frozen=True, slots=True)
class Catalog:
    """One profile of models.yaml. `contestants` and `judges` hold the disabled ones too."""

    contestants: tuple[Contestant, ...]
    judges: tuple[Judge, ...] = ()
    prompts: Prompts = Prompts()
    profile: str = "demo"
    file: Path | None = None

    @property
    def enabled(self) -> tuple[Contestant, ...]:
        """The contestants that take part."""
        return tuple(entry for entry in self.contestants if entry.enabled)

    @property
    def enabled_judges(self) -> tuple[Judge, ...]:
        """The judges that judge."""
        return tuple(entry for entry in self.judges if entry.enabled)

    def contestant(self, name: str) -> Contestant:
        """The contestant of this name. Raises `ConfigError` with the nearest name."""
        return _named(name, self.contestants, self.file)

    def judge(self, name: str) -> Judge:
        """The judge of this name. Raises `ConfigError` with the nearest name."""
        return _named(name, self.judges, self.file)


def load_catalog(
    path: Path | str, profile: str, environ: Mapping[str, str] = os.environ, *, storage: Path | None = None
) -> Catalog:
    """Read and validate one profile of a models.yaml.

    Relative paths of files in it are meant from its directory, a local model's from the working
    directory; toys whose path begins with storage/ live under `storage` when it is given. `${NAME}`
    in an endpoint's model or address comes from the environment. All faults are found in one go;
    the `ConfigError` carries the first one's place and the text of all.
    """
    source = read(Path(path))
    top, section = _sections(source, profile)
    faults: list[ConfigError] = []
    contestants = tuple(_entries(source, Contestant, "contestants", (*section, *top), environ, faults))
    judges = tuple(_entries(source, Judge, "judges", (*section, *top), environ, faults))
    prompts = _prompts(source, (*section, *top), faults)
    if storage is not None:
        contestants = tuple(_relocated(entry, storage) for entry in contestants)
    if faults:
        raise gather(sorted(faults, key=lambda fault: fault.line or 0))
    return Catalog(contestants, judges, prompts, profile, source.file)


def profiles_of(path: Path | str) -> tuple[str, ...]:
    """The names under `profiles` in a file; empty when it has one set of models for all."""
    source = read(Path(path))
    found = source.data.get("profiles") if isinstance(source.data, Mapping) else None
    return tuple(map(str, found)) if isinstance(found, Mapping) else ()


def files_named_in(path: Path | str) -> tuple[Path, ...]:
    """Files that a models.yaml names in whichever profile: recorded answers, questions, chat templates. Relative ones
    from its directory."""
    source = read(Path(path))
    return tuple(dict.fromkeys(source.file.parent / name for name in _file_names(source.data)))


def _file_names(data: Any) -> Iterator[str]:
    values = (
        list(data.items()) if isinstance(data, Mapping) else list(enumerate(data)) if isinstance(data, list) else []
    )
    for key, value in values:
        if key in ("answers", "dataset", "template") and isinstance(value, str):
            yield value
        else:
            yield from _file_names(value)


def _sections(source: Source, profile: str) -> tuple[list[Location], list[Location]]:
    """Locations of the section for every profile and of the chosen one."""
    if not isinstance(source.data, Mapping):
        raise source.error(
            "a catalogue is a mapping with contestants or profiles", (), "start from the models.yaml of this project"
        )
    _refuse_unknown(source, (), source.data, _TOP)
    profiles = source.data.get("profiles")
    if profiles is None:
        return [()], []
    if not isinstance(profiles, Mapping):
        raise source.error("this must map profile names to sections", ("profiles",))
    if profile not in profiles:
        here = nearest(profile, map(str, profiles)) or f"it has: {', '.join(map(str, profiles))}"
        raise source.error(f"there is no profile {profile!r} here", ("profiles",), here)
    section = profiles[profile]
    if not isinstance(section, Mapping):
        raise source.error("a profile is a mapping with contestants, judges and prompts", ("profiles", profile))
    _refuse_unknown(source, ("profiles", profile), section, _SECTION)
    return [()], [("profiles", profile)]


def _refuse_unknown(source: Source, location: Location, section: Mapping[Any, Any], known: Sequence[str]) -> None:
    for key in section:
        if key not in known:
            suggestion = nearest(str(key), known) or f"known keys: {', '.join(known)}"
            raise source.error("no such key", (*location, str(key)), suggestion)


def _entries(
    source: Source,
    model: type[Entry],
    key: str,
    sections: Sequence[Location],
    environ: Mapping[str, str],
    faults: list[ConfigError],
) -> Iterator[Entry]:
    """Validated entries of a list in the sections; faults are collected instead of raised."""
    places: dict[str, Location] = {}
    location: Location
    for location, data in _raw_entries(source, key, sections, environ, faults):
        try:
            entry: Entry = model.model_validate(data)
        except ValidationError as failure:
            faults += source.errors(failure, location, model)
            continue
        if entry.name in places:
            taken = f"line {source.line((*places[entry.name], 'name'))}"
            faults.append(
                source.error(
                    f"the name {entry.name!r} is taken by the entry in {taken}", (*location, "name"), "rename one"
                )
            )
            continue
        places[entry.name] = location
        faults += _missing_files(source, location, entry)
        yield entry


def _raw_entries(
    source: Source, key: str, sections: Sequence[Location], environ: Mapping[str, str], faults: list[ConfigError]
) -> Iterator[tuple[Location, dict[str, Any]]]:
    for section in sections:
        entries = _at(source.data, (*section, key))
        if entries is None:
            continue
        if not isinstance(entries, list):
            faults.append(
                source.error("this must be a list of entries, each beginning with '- name:'", (*section, key))
            )
            continue
        for index, data in enumerate(entries):
            location = (*section, key, index)
            if not isinstance(data, Mapping):
                faults.append(source.error("an entry is a mapping of keys", location, "begin it with '- name: …'"))
                continue
            entry = _from_environment(source, location, _from_file(source, dict(data)), environ, faults)
            yield from _per_quantization(source, location, entry, faults)


def _per_quantization(
    source: Source, location: Location, data: dict[str, Any], faults: list[ConfigError]
) -> Iterator[tuple[Location, dict[str, Any]]]:
    """One entry for each quantization of a list, named `NAME (nf4)`: a pair that shares all else."""
    wanted = data.get("quantization")
    if not isinstance(wanted, list):
        yield location, data
        return
    strange = [value for value in wanted if value not in QUANTIZATIONS]
    if strange or not wanted or len(set(map(str, wanted))) < len(wanted):
        faults.append(
            source.error(
                f"each must stand once and be one of {', '.join(QUANTIZATIONS)}",
                (*location, "quantization"),
                nearest(str(strange[0]), QUANTIZATIONS) if strange else None,
            )
        )
        return
    name = data.get("name")
    if not isinstance(name, str) or name != name.strip() or not name:
        yield location, {**data, "quantization": wanted[0]}  # whose validation says what is wrong with it
        return
    for quantization in wanted:
        yield location, {**data, "name": f"{name} ({quantization})", "quantization": quantization}


def _relocated(entry: Contestant, storage: Path) -> Contestant:
    """A toy with its checkpoint under the storage directory in use."""
    parts = Path(entry.model or "").parts
    if not entry.toy or parts[:1] != ("storage",):
        return entry
    return entry.model_copy(update={"model": str(storage.joinpath(*parts[1:]))})


def _from_environment(
    source: Source, location: Location, data: dict[str, Any], environ: Mapping[str, str], faults: list[ConfigError]
) -> dict[str, Any]:
    """The entry with `${NAME}` in its model and address replaced; only where it takes part.

    A place for account and folder names of vendors. Keys do not belong there: they go into `api_key_env`.
    """
    if data.get("engine") != "openai" or data.get("enabled") is False:
        return data
    for key in ("model", "base_url"):
        given = data.get(key)
        for name in _VARIABLE.findall(given) if isinstance(given, str) else ():
            if environ.get(name):
                data[key] = data[key].replace(f"${{{name}}}", environ[name])
            else:
                message = f"the environment variable {name} is not set"
                faults.append(source.error(message, (*location, key), f"export {name}=…, or set enabled: false"))
    return data


def _from_file(source: Source, data: dict[str, Any]) -> dict[str, Any]:
    """The entry with its paths taken from the directory of the file."""
    if isinstance(data.get("answers"), str):
        data["answers"] = source.file.parent / data["answers"]
    chat = data.get("chat")
    if isinstance(chat, Mapping) and isinstance(chat.get("template"), str):
        data["chat"] = {**chat, "template": source.file.parent / chat["template"]}
    return data


def _missing_files(source: Source, location: Location, entry: Contestant) -> Iterator[ConfigError]:
    """Files that an enabled entry names and that are not there."""
    if not entry.enabled:
        return
    for key, file in ((("answers",), entry.answers), (("chat", "template"), entry.chat.template)):
        if file is not None and not file.is_file():
            yield source.error(f"there is no file {file}", (*location, *key), "mend the path, or set enabled: false")
    if entry.checkpoint is not None and not entry.toy and not entry.checkpoint.is_dir():
        suggestion = "a hub id has the form OWNER/NAME; a path needs its directory"
        yield source.error(f"there is no directory {entry.checkpoint}", (*location, "model"), suggestion)


def _prompts(source: Source, sections: Sequence[Location], faults: list[ConfigError]) -> Prompts:
    """The prompts of the profile, else those for every profile."""
    for section in sections:
        data = _at(source.data, (*section, "prompts"))
        if data is None:
            continue
        if isinstance(data, Mapping) and isinstance(data.get("dataset"), str):
            data = {**data, "dataset": source.file.parent / data["dataset"]}
        try:
            prompts = Prompts.model_validate(data)
        except ValidationError as failure:
            faults += source.errors(failure, (*section, "prompts"), Prompts)
            break
        if prompts.dataset is not None and not prompts.dataset.is_file():
            message = f"there is no file {prompts.dataset}"
            faults.append(source.error(message, (*section, "prompts", "dataset"), "mend the path, or take it out"))
        return prompts
    return Prompts()


def _at(data: Any, location: Location) -> Any:
    for step in location:
        data = data.get(step) if isinstance(data, Mapping) else None
    return data


def _named(name: str, entries: Sequence[Entry], file: Path | None) -> Entry:
    for entry in entries:
        if entry.name == name:
            return entry
    suggestion = nearest(name, [entry.name for entry in entries]) or "see python -m arena models"
    raise ConfigError(f"there is no {name!r} in this profile", file=file, suggestion=suggestion)
