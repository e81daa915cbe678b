"""Who may import whom, read from the code itself."""

from __future__ import annotations

import ast
from pathlib import Path

import hf_transfer_plugin

ROOT = Path(hf_transfer_plugin.__file__).parent
# Each layer may import the layers before it, and itself.
LAYERS = (
    {"version", "errors", "redaction", "strict_yaml", "serialization", "records", "terminal"},
    {"samples", "metrics", "processes", "layers", "layer_discovery", "layer_placement"}
    | {"layer_wrappers", "checkpoints", "data"},
    {"select", "decide", "adapt", "report"},
    {"callbacks", "explaining", "environment", "hub", "hub_failures"},
    {"train"},
    {"config", "line", "command_session"},
    {"cli"},
)
APART = ("select", "decide", "adapt", "report")
REPORT_READS = {"report", "records", "errors", "serialization", "redaction", "version"}
VAGUE = {"utils", "helpers", "manager", "misc", "common"}


def _modules() -> dict[Path, ast.Module]:
    files = [file for file in ROOT.rglob("*.py") if file != ROOT / "__init__.py"]
    return {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}


def _part(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def _imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return names


def _parts(tree: ast.Module) -> set[str]:
    own = [name.split(".") for name in _imported(tree) if name.startswith("hf_transfer_plugin.")]
    known = set().union(*LAYERS)
    return {words[1] for words in own if words[1] in known}


def test_every_part_has_its_layer() -> None:
    modules = _modules()
    assert len(modules) > 60
    assert {_part(file) for file in modules} == set().union(*LAYERS)


def test_imports_go_one_way() -> None:
    level = {name: index for index, names in enumerate(LAYERS) for name in names}
    for file, tree in _modules().items():
        for part in _parts(tree):
            assert level[part] <= level[_part(file)], f"{file} imports {part}"


def test_the_three_questions_stay_apart() -> None:
    for file, tree in _modules().items():
        if _part(file) in APART:
            others = set(APART) - {_part(file)}
            assert not _parts(tree) & others, file


def test_report_reads_records_only() -> None:
    for file, tree in _modules().items():
        if _part(file) == "report":
            assert _parts(tree) <= REPORT_READS, file


def test_decide_knows_no_network() -> None:
    for file, tree in _modules().items():
        if _part(file) == "decide":
            heads = {name.partition(".")[0] for name in _imported(tree)}
            assert not heads & {"torch", "transformers", "accelerate"}, file


def test_house_rules() -> None:
    for file, tree in _modules().items():
        assert ast.get_docstring(tree), f"{file} has no docstring"
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 350, f"{file} is long"
        assert file.stem not in VAGUE
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        printed = [f for f in calls if isinstance(f, ast.Name) and f.id == "print"]
        assert not printed or _part(file) == "cli", f"{file} prints"
