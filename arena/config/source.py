"""A YAML file with the line of everything in it, and validation errors told by those lines.

It knows YAML and pydantic's error lists; it does not know what a contestant is.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from arena.errors import ConfigError

_careful: Callable[[str], Any] = yaml.SafeLoader
_fast: Callable[[str], Any] = getattr(yaml, "CSafeLoader", _careful)  # ten times as fast, and shorter of words
_FAULTS = (yaml.YAMLError, ValueError, RecursionError)
_MEANT = {
    "api_key": "put the key into the environment and write its NAME in api_key_env",
    "token": "put the token into the environment and write its NAME in api_key_env",
    "key": "put the key into the environment and write its NAME in api_key_env",
    "license": "licence",
    "organization": "organisation",
}
_REWORDED = {
    "extra_forbidden": "no such key",
    "missing": "this key is missing",
    "string_type": "this must be text",
    "model_type": "this must be a mapping of keys",
    "tuple_type": "this must be a list",
}
_MENDS = {
    "missing": "add it, or remove what it belongs to",
    "bool_parsing": "write true or false",
    "bool_type": "write true or false",
    "int_parsing": "write a whole number",
    "int_type": "write a whole number",
    "int_from_float": "write a whole number",
    "float_parsing": "write a number alone",
    "float_type": "write a number alone",
    "finite_number": "write a number that has an end",
    "string_too_short": "write it, or remove the key",
    "string_type": "write plain text",
    "tuple_type": "write it in brackets, such as [one, two]",
    "model_type": "write its keys beneath, indented, or in braces",
    "greater_than": "write more than {gt}",
    "greater_than_equal": "write {ge} or more",
    "less_than": "write less than {lt}",
    "less_than_equal": "write {le} or less",
    "literal_error": "write one of those",
    "string_pattern_mismatch": "write it in that form",
    "string_too_long": "at most {max_length} characters",
    "too_short": "write {min_length} or more of them",
}
"""What mends a fault whose own message has no better advice."""


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed file: its path, its data, and the node tree that knows the lines."""

    file: Path
    data: Any
    node: yaml.Node | None

    def line(self, location: Sequence[str | int]) -> int | None:
        """The 1-based line of the deepest part of `location` that stands in the file."""
        node, line = self.node, 1
        for step in location:
            found = _child(node, step)
            if found is None:
                break
            node, line = found
        return line if self.node is not None else None

    def error(self, message: str, location: Sequence[str | int], suggestion: str | None = None) -> ConfigError:
        """An error that names the place of `location`."""
        return ConfigError(
            message, file=self.file, line=self.line(location), key=dotted(location), suggestion=suggestion
        )

    def errors(
        self, failure: ValidationError, location: Sequence[str | int], model: type[BaseModel]
    ) -> list[ConfigError]:
        """Pydantic's list of faults in the part of the file at `location`, each with its line and mend.

        Refused values are never repeated: one of them may be a secret.
        """
        return [
            self.error(_message(detail), (*location, *_own_keys(detail["loc"])), _suggestion(detail, model))
            for detail in failure.errors(include_url=False, include_input=True)
        ]


def read(file: Path) -> Source:
    """Parse a YAML file safely. Raises `ConfigError` for what is missing, unreadable or said twice."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError("there is no such file", file=file, suggestion="name another with --models FILE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read as UTF-8 text: {error}", file=file) from error
    with suppress(*_FAULTS):
        return _parsed(file, _fast, text)
    try:
        return _parsed(file, _careful, text)
    except _FAULTS as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(
            f"not valid YAML: {getattr(error, 'problem', None) or type(error).__name__}",
            file=file,
            line=mark.line + 1 if mark else None,
            suggestion="check the indentation, the colons and the quotes near this line",
        ) from None


def _parsed(file: Path, loader: Callable[[str], Any], text: str) -> Source:
    loading = loader(text)
    node = loading.get_single_node()
    refuse_repetitions(file, node, set())
    return Source(file, loading.construct_document(node) if node is not None else None, node)


def refuse_repetitions(file: Path, node: yaml.Node | None, seen: set[int]) -> None:
    """Refuse a key that stands twice in one mapping: YAML would silently keep the last.

    `seen` holds the nodes looked at already: an alias is its anchor's node again.
    """
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for child in node.value:
            refuse_repetitions(file, child, seen)
    if isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, child in node.value:
            word, line = str(key.value), key.start_mark.line + 1
            if word in lines and key.tag != "tag:yaml.org,2002:merge":
                raise ConfigError(
                    f"this key stands in line {lines[word]} already",
                    file=file,
                    line=line,
                    key=word,
                    suggestion="keep one of the two",
                )
            lines[word] = line
            refuse_repetitions(file, child, seen)


_TELLING = 3
"""A piece of a name that is shorter tells nothing."""


def nearest(word: str, words: Iterable[str], *, most: int = 1) -> str | None:
    """The words that were probably meant, as a suggestion: those that hold it, then those spelt alike; case aside."""
    known = {candidate.lower(): candidate for candidate in words}
    asked = word.lower()
    alike = difflib.get_close_matches(asked, known, n=most, cutoff=0.5)
    holding = [name for name in known if len(asked) >= _TELLING and asked in name] if most > 1 else []
    *others, last = [known[name] for name in dict.fromkeys([*holding, *alike])][:most] or [""]
    return f"did you mean {', '.join(others) + ' or ' if others else ''}{last}?" if last else None


def dotted(location: Sequence[str | int]) -> str | None:
    """`("contestants", 0, "price", "prompt")` as contestants[0].price.prompt."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in location)
    return text.lstrip(".") or None


def gather(errors: Sequence[ConfigError]) -> ConfigError:
    """Several faults as one error: its fields are the first one's, its text has them all."""
    first, *rest = {str(error): error for error in errors}.values()
    return first.with_others(rest) if rest else first


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return child, child.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, child in reversed(node.value):  # merged keys stand first, so the entry's own is found
            if key.value == str(step):
                return child, key.start_mark.line + 1
    return None


def _own_keys(location: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Pydantic's location without its own words (function and type tags are not in the file)."""
    return tuple(step for step in location if isinstance(step, int) or not step.startswith(("function-", "tuple[")))


def _message(detail: ErrorDetails) -> str:
    text = _REWORDED.get(detail["type"]) or detail["msg"].removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def _suggestion(detail: ErrorDetails, model: type[BaseModel]) -> str | None:
    context, value = detail.get("ctx", {}), detail.get("input")
    match detail["type"]:
        case "extra_forbidden":
            return _known_key(detail["loc"], model)
        case "literal_error" if isinstance(value, str) and (near := _meant(value, context["expected"])):
            return near
        case "string_type" if isinstance(value, int | float):
            return "write it in quotes"
        case kind:
            mend = context.get("suggestion") or _MENDS.get(kind)
            return mend.format(**context) if mend and kind in _MENDS else mend


def _meant(word: str, expected: str) -> str | None:
    """The nearest of pydantic's list of words, such as "'nf4', 'int8' or 'bf16'"."""
    return nearest(word, (one.strip("' ") for one in expected.replace(" or ", ",").split(",")))


def _known_key(location: tuple[int | str, ...], model: type[BaseModel]) -> str | None:
    word = str(location[-1])
    fields = _fields_at(model, location[:-1])
    known = _MEANT.get(word.lower())
    if known in fields:
        return f"did you mean {known}?"
    return known or nearest(word, fields) or f"known keys: {', '.join(fields)}"


def _fields_at(model: type, location: Sequence[int | str]) -> list[str]:
    for step in location:
        model = _class_in(_annotations(model).get(str(step))) or model
    return list(_annotations(model))


def _annotations(model: type) -> dict[str, Any]:
    if issubclass(model, BaseModel):
        return {name: field.annotation for name, field in model.model_fields.items()}
    return dict(model.__annotations__)


def _class_in(annotation: Any) -> type | None:
    """The first class with named fields inside an annotation such as `X | None` or `tuple[X, ...]`."""
    if isinstance(annotation, type) and (issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)):
        return annotation
    return next(filter(None, map(_class_in, get_args(annotation))), None)
