"""Who may import whom, read from the code itself."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import hf_transfer_plugin

ROOT = Path(hf_transfer_plugin.__file__).parent
# Each layer may import the layers before it, and itself.
LAYERS = (
    {"version", "alarms", "errors", "redaction", "strict_yaml", "serialization", "phases"}
    | {"adapter_kinds", "adapter_records", "objective_kinds", "objective_records"}
    | {
        "augmentation_records",
        "average_kinds",
        "average_records",
        "named_options",
        "number_options",
    }
    | {"cost_records", "drift_records", "outlook"}
    | {
        "data_records",
        "domain_kinds",
        "few_shot_records",
        "layer_profile_record",
        "look_records",
        "masked_language_records",
        "ranking_records",
        "records",
    }
    | {"multitask_records", "proposal_records", "rescue_records", "source_records"}
    | {"source_weight_records"}
    | {"verdict_records"},
    {
        "terminal",
        "samples",
        "metrics",
        "processes",
        "random_states",
        "layers",
        "layer_discovery",
        "layer_placement",
    }
    | {"model_outputs"}
    | {"layer_wrappers", "checkpoint_lookup", "checkpoints", "data", "kept_models", "word_vectors"},
    {"prefix"},
    {"select", "decide", "adapt", "report"},
    {"callbacks", "explaining", "environment", "hub", "hub_failures", "compatibility"}
    | {"explanation", "explanation_picture", "explanation_table", "phase_costs", "run_settings"}
    | {"doctor", "step_work"},
    {"train"},
    {"proposals"},
    {
        "config",
        "config_values",
        "line",
        "config_domains",
        "config_keys",
        "line_folder",
        "line_proposing",
        "line_scoring",
        "line_training",
        "made_once",
        "command_session",
        "multitask_config",
        "multitask_line",
        "planned_training",
        "until_settled",
    },
    {"ladder", "comparisons", "few_labels"},
    {"cli"},
)
APART = ("select", "decide", "adapt", "report")
REPORT_READS = {"report", "records", "errors", "serialization", "redaction", "version"}
REPORT_READS |= {"few_shot_records", "layer_profile_record", "multitask_records"}
REPORT_READS |= {"proposal_records"}
VAGUE = {"utils", "helpers", "manager", "misc", "common"}


@cache
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


def test_the_hub_reads_reports_and_nothing_above() -> None:
    for file, tree in _modules().items():
        if _part(file) in ("hub", "hub_failures"):
            assert _parts(tree) <= REPORT_READS | {"hub_failures"}, file


def test_only_training_builds_a_trainer() -> None:
    found = {
        file.relative_to(ROOT).as_posix()
        for file, tree in _modules().items()
        if any(isinstance(n, ast.Call) and ast.unparse(n.func) == "Trainer" for n in ast.walk(tree))
    }
    assert found == {
        "train/contrastive.py",
        "train/masked_language.py",
        "train/multitask_training.py",
        "train/training.py",
    }


def test_modules_do_not_need_one_another_in_a_circle() -> None:
    modules = {_dotted(file): tree for file, tree in _modules().items()}
    # What is imported for types alone, or inside a function, is not needed to import a module.
    top = {name: ast.Module(_top(tree), []) for name, tree in modules.items()}
    reads = {name: (_imported(tree) & modules.keys()) - {name} for name, tree in top.items()}
    assert sum(map(len, reads.values())) > 100
    while free := [name for name, others in reads.items() if not others & reads.keys()]:
        for name in free:
            del reads[name]
    assert not reads


def _dotted(file: Path) -> str:
    words = file.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(words[:-1] if words[-1] == "__init__" else words)


def _top(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def test_every_module_lists_its_names_in_order() -> None:
    listed = 0
    for file, tree in _modules().items():
        lists = [
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in _targets(node)
        ]
        if len(tree.body) > 1:
            (names,) = (ast.literal_eval(value) for value in lists if value is not None)
            assert names == sorted(names, key=_kind), file
            listed += len(names)
    assert listed > 100


def _targets(node: ast.Assign | ast.AnnAssign) -> list[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [ast.unparse(target) for target in targets]


def _kind(name: str) -> tuple[bool, bool, str]:
    """Sort constants before classes before functions."""
    return not name.isupper(), not name[0].isupper(), name


def test_house_rules() -> None:
    for file, tree in _modules().items():
        assert ast.get_docstring(tree), f"{file} has no docstring"
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 350, f"{file} is long"
        assert file.stem not in VAGUE
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        printed = [f for f in calls if isinstance(f, ast.Name) and f.id == "print"]
        assert not printed or _part(file) == "cli", f"{file} prints"
