"""Reading a recipe: errors name the file, the line and the key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import CorpuscleError, NotFoundError, SchemaError
from ._model import Recipe

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    import yaml
    from pydantic_core import ErrorDetails

MAX_BYTES = 4 * 2**20
PARTS = ("quality", "structure")
"""Whose values are checked together."""

Keys = tuple[str | int, ...]


def load_recipe(path: str | os.PathLike[str]) -> Recipe:
    """Read a recipe.

    Parameters
    ----------
    path
        The YAML file.

    Raises
    ------
    NotFoundError
        If there is no such file.
    SchemaError
        If it is no recipe: all problems, each with its line and key.
    """
    from pydantic import ValidationError

    path = Path(path).expanduser().resolve()
    if not path.is_file():
        msg = f"There is no recipe {path}. Check the path."
        raise NotFoundError(msg, {"file": str(path)})
    content, lines, text = _parse(path)
    try:
        recipe = Recipe.model_validate(content)
    except ValidationError as error:
        problems = [
            f"{at(path, lines, problem['loc'])}: {_said(problem)}"
            for problem in sorted(error.errors(), key=lambda found: _line(lines, found["loc"]))
        ]
        raise _refusal(path, problems) from None
    if problems := list(dict.fromkeys(_broken_rules(recipe, path, lines))):
        raise _refusal(path, problems)
    recipe._path, recipe._lines, recipe._text = path, lines, text
    return recipe


def _broken_rules(recipe: Recipe, path: Path, lines: Mapping[Keys, int]) -> Iterator[str]:
    """Check what is said of each source together with what is said of all."""
    for place, entry in enumerate(recipe.sources):
        try:
            recipe.options(entry, None).check()
        except CorpuscleError as error:
            name = str(error.details.get("option") or next(iter(error.details)))
            parts = [(*level, part) for level in (("sources", place), ()) for part in PARTS]
            said = [(*part, name) for part in parts if (*part, name) in lines]
            yield f"{at(path, lines, said[0] if said else ('sources', place))}: {error.message}"


def at(path: Path, lines: Mapping[Keys, int], keys: Sequence[str | int]) -> str:
    """Write where something is: ``FILE:LINE: sources[1].tissue``."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return f"{path}:{_line(lines, keys)}: {text.lstrip('.')}".rstrip(": ")


def _line(lines: Mapping[Keys, int], keys: Sequence[str | int]) -> int:
    """Give the line of a key, or of what it would be in."""
    known = tuple(keys)
    while known and known not in lines:
        known = known[:-1]
    return lines.get(known, 1)


def _said(problem: ErrorDetails) -> str:
    if problem["type"] == "extra_forbidden":
        return f"a recipe has no key {problem['loc'][-1]!r} here"
    if problem["type"] == "missing":
        return "it is missing"
    given = problem["input"]
    shown = f", not {given!r}" if isinstance(given, str | int | float) else ""
    said = problem["msg"].removeprefix("Value error, ")
    return said if problem["type"] == "value_error" else f"{said}{shown}"


def _refusal(path: Path, problems: list[str]) -> SchemaError:
    listed = "".join(f"\n  {problem}" for problem in problems)
    many = f"{len(problems)} problems" if len(problems) > 1 else "a problem"
    msg = (
        f"The recipe {path} has {many}:{listed}\nCorrect the file; examples/recipes/ has examples."
    )
    return SchemaError(msg, {"file": str(path), "problems": problems})


def _parse(path: Path) -> tuple[Any, dict[Keys, int], str]:
    import yaml

    data = path.read_bytes()
    if len(data) > MAX_BYTES:
        raise _refusal(path, [f"{path}: it is larger than {MAX_BYTES:,} bytes"])
    try:
        text = data.decode("utf-8")
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken):
                line = token.start_mark.line + 1
                raise _refusal(path, [f"{path}:{line}: write out what *{token.value} stands for"])
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            found = list(_walk(node, ())) if node is not None else []
            lines: dict[Keys, int] = {}
            for keys, line in found:
                if keys in lines:
                    said = f"the key is there twice, before in line {lines[keys]}"
                    raise _refusal(path, [f"{at(path, {keys: line}, keys)}: {said}"])
                lines[keys] = line
            return ({} if node is None else loader.construct_document(node)), lines, text
        finally:
            loader.dispose()
    except UnicodeDecodeError as error:
        raise _refusal(path, [f"{path}: it is not UTF-8 ({error.reason})"]) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, SchemaError):
            raise
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        said = getattr(error, "problem", None) or str(error) or "it is nested too deeply"
        raise _refusal(path, [f"{path}:{line}: {said}"]) from error


def _walk(node: yaml.Node, keys: Keys) -> Iterator[tuple[Keys, int]]:
    """Give the line of every key and every item."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(
                    problem="a key must be a word", problem_mark=key.start_mark
                )
            inner = (*keys, key.value)
            yield inner, key.start_mark.line + 1
            yield from _walk(value, inner)
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            yield (*keys, place), item.start_mark.line + 1
            yield from _walk(item, (*keys, place))
