"""Controls are plans: one table of what each changes, and what it leaves alone."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from hf_transfer_plugin.decide.controls import CONTROLS, PERMUTED_SOURCE, controls
from hf_transfer_plugin.errors import ConfigError
from hf_transfer_plugin.masked_language_records import MaskedLanguageResult
from hf_transfer_plugin.records import Average, DataSpec, Objective, Phase, Plan
from tests.decide.results import plan

TEXT = plan(
    data=DataSpec("sample:data", max_length=64),
    revision="abc",
    schedule=(Phase(train=("head",), until_fraction=0.3), Phase(train=("*",))),
    training={"learning_rate": 2e-5, "num_train_epochs": 3},
    seeds=(3, 4, 5),
    metric="f1",
    source=DataSpec("sample:other"),
    trust_remote_code=True,
)
IMAGE = replace(TEXT, task="image-classification")
# Plans that pair the rows of two domains.
TEXT_PAIRS, IMAGE_PAIRS = (
    replace(
        each,
        labels="source",
        choose_by="entropy",
        objective=Objective("coral"),
        adapt_batch_norm=True,
    )
    for each in (TEXT, IMAGE)
)
DOMAINS = ("source-and-target", "source-only", "target-only")
ALL, HEAD = (Phase(train=("*",)),), (Phase(train=("head",)),)


@pytest.fixture(scope="module", autouse=True)
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the folder ./pretrained say that it was sample:text, revision "abc"."""
    folder = tmp_path_factory.mktemp("work")
    found = MaskedLanguageResult(
        request="",
        checkpoint="sample:text",
        model_type="bert",
        texts=40,
        validation_texts=4,
        steps=3,
        before=3.0,
        after=2.0,
        curve=(),
        fresh_head=False,
        seconds=1.0,
        revision="abc",
    )
    found.save(folder / "pretrained" / found.file_name)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield


PRETRAINED, PRETRAINED_IMAGE = (
    replace(each, checkpoint="./pretrained", revision=None) for each in (TEXT, IMAGE)
)

TABLE = [
    # control, task, name, checkpoint, weights, schedule, rates
    *(
        (name, source, name, "sample:text", "pretrained", TEXT.schedule, ())
        for name in ("before-pretraining",)
        for source in (PRETRAINED, PRETRAINED_IMAGE)
    ),
    ("from-scratch", TEXT, "from-scratch", "sample:text", "random", ALL, (6e-6, 2e-5, 6e-5)),
    ("from-scratch", IMAGE, "from-scratch", "sample:text", "random", ALL, (6e-6, 2e-5, 6e-5)),
    ("frozen-probe", TEXT, "frozen-probe", "sample:text", "pretrained", HEAD, (2e-5, 2e-4, 2e-3)),
    ("frozen-probe", IMAGE, "frozen-probe", "sample:text", "pretrained", HEAD, (2e-5, 2e-4, 2e-3)),
    ("linear", TEXT, "tfidf-logistic", "baseline:tfidf-logistic", "pretrained", ALL, ()),
    ("linear", IMAGE, "pixels-logistic", "baseline:pixels-logistic", "pretrained", ALL, ()),
    ("majority", TEXT, "majority", "baseline:majority", "pretrained", ALL, ()),
    ("majority", IMAGE, "majority", "baseline:majority", "pretrained", ALL, ()),
    *(
        (
            "per-domain-standardised",
            source,
            "per-domain-standardised",
            "baseline:per-domain-standardised:sample:text",
            "pretrained",
            ALL,
            (),
        )
        for source in (TEXT, IMAGE)
    ),
    ("permuted-source", TEXT, "permuted-source", PERMUTED_SOURCE, "pretrained", TEXT.schedule, ()),
    ("permuted-source", IMAGE, "permuted-source", PERMUTED_SOURCE, "pretrained", TEXT.schedule, ()),
    *(
        (name, source, name, "sample:text", "pretrained", TEXT.schedule, ())
        for name in DOMAINS
        for source in (TEXT_PAIRS, IMAGE_PAIRS)
    ),
]


def test_the_table_holds_every_control_for_both_tasks():
    known = [
        "before-pretraining",
        "from-scratch",
        "frozen-probe",
        "linear",
        "majority",
        "per-domain-standardised",
    ]
    known += ["permuted-source", "source-and-target", "source-only", "target-only"]
    assert sorted(CONTROLS) == known
    assert [(row[0], row[1].task) for row in TABLE] == [
        (name, task)
        for name in sorted(CONTROLS)
        for task in ("text-classification", "image-classification")
    ]


@pytest.mark.parametrize(("control", "source", *"ncwsr"), TABLE)
def test_a_control(control, source, n, c, w, s, r):
    (made,) = controls(source, [control])
    assert (made.name, made.checkpoint, made.weights, made.schedule) == (n, c, w, s)
    assert made.learning_rates == pytest.approx(r, rel=1e-12)
    assert (made.task, made.data, made.seeds, made.metric) == (
        source.task,
        source.data,
        source.seeds,
        source.metric,
    )
    assert Plan.from_json(made.to_json()) == made


@pytest.mark.parametrize("control", ["from-scratch", "frozen-probe", "permuted-source"])
def test_a_control_with_a_network_changes_nothing_else(control):
    (made,) = controls(TEXT, [control])
    if control == "permuted-source":
        assert made.revision is None
        made = replace(made, checkpoint=TEXT.checkpoint, revision=TEXT.revision)
    kept = {"name": "transfer", "weights": "pretrained", "schedule": TEXT.schedule}
    assert replace(made, learning_rates=(), **kept) == TEXT


def test_the_checkpoint_before_its_pretraining_trains_by_the_same_plan():
    (made,) = controls(PRETRAINED, ["before-pretraining"])
    assert replace(made, name="transfer") == TEXT
    with pytest.raises(ConfigError, match="before-pretraining of the checkpoint sample:text"):
        controls(TEXT, ["before-pretraining"])


@pytest.mark.parametrize(
    ("control", "labels", "choose_by"),
    [
        ("source-only", "source", "entropy"),
        ("target-only", "target", None),
        ("source-and-target", "both", None),
    ],
)
def test_a_control_of_domains_changes_whose_labels_train(control, labels, choose_by):
    (made,) = controls(TEXT_PAIRS, [control])
    assert (made.labels, made.choose_by) == (labels, choose_by)
    # Pairs need an objective that reads them; another one stays.
    assert made == replace(
        TEXT_PAIRS,
        name=control,
        labels=labels,
        choose_by=choose_by,
        objective=None,
        adapt_batch_norm=False,
    )
    held = replace(TEXT_PAIRS, objective=Objective("l2sp"))
    if control != "source-only":  # which would be the plan itself
        assert controls(held, [control])[0].objective == Objective("l2sp")
    assert controls(TEXT, ["source-only"])[0].choose_by == "importance"


def test_a_control_that_is_the_transfer_is_none():
    with pytest.raises(ConfigError, match="the control target-only of a plan that is the same"):
        controls(TEXT, ["target-only"])


@pytest.mark.parametrize("control", CONTROLS)
def test_what_validation_gains_by_an_average_controls_gain_too(control):
    trains = control not in ("linear", "majority", "per-domain-standardised")
    whole = control in ("before-pretraining", "permuted-source", *DOMAINS)
    pairs = replace(TEXT_PAIRS, checkpoint="./pretrained")
    for name in ("ema", "soup", "wise_ft"):
        average = Average(name)
        (made,) = controls(replace(pairs, average=average), (control,))
        kept = trains and (name != "wise_ft" or whole)
        assert made.average == (average if kept else None)


@pytest.mark.parametrize("control", ["from-scratch", "frozen-probe"])
def test_a_control_is_never_rescued(control):
    for watch, wanted in (("off", "off"), ("warn", "warn"), ("rescue", "rollback")):
        (made,) = controls(replace(TEXT, watch=watch), [control])
        assert made.watch == wanted


@pytest.mark.parametrize("control", ["linear", "majority"])
def test_a_control_without_a_network_keeps_nothing_that_only_a_network_reads(control):
    (made,) = controls(replace(TEXT, learning_rates=(1e-5, 2e-5)), [control])
    assert (made.revision, made.trust_remote_code, dict(made.training)) == (None, False, {})


def test_the_default_is_three_controls_and_the_first_decides():
    assert [made.name for made in controls(TEXT)] == ["from-scratch", "tfidf-logistic", "majority"]
    assert [made.name for made in controls(IMAGE, ("majority", "linear"))] == [
        "majority",
        "pixels-logistic",
    ]
    assert controls(TEXT, ()) == ()
    assert controls(TEXT) == controls(TEXT)


@pytest.mark.parametrize(
    ("training", "own", "given", "scratch", "probe"),
    [
        ({}, (), (), (1.5e-5, 5e-5, 1.5e-4), (5e-5, 5e-4, 5e-3)),
        ({"learning_rate": "1e-4"}, (), (), (3e-5, 1e-4, 3e-4), (1e-4, 1e-3, 1e-2)),
        ({}, (1e-5, 3e-5, 1e-4), (), (1e-5, 3e-5, 1e-4), None),
        ({}, (1e-5, 1e-4), (), (3e-6, 1e-5, 3e-5, 1e-4, 3e-4), None),
        ({}, (1e-5, 3e-5, 1e-4), (1e-3, 1e-2), (1e-3, 1e-2), (1e-3, 1e-2)),
    ],
)
def test_rates(training, own, given, scratch, probe):
    source = replace(TEXT, training=training, learning_rates=own)
    first, second = controls(source, ("from-scratch", "frozen-probe"), learning_rates=given)
    assert first.learning_rates == scratch
    assert probe is None or second.learning_rates == probe


ERRORS = [
    (TEXT, {"names": ["from-scrach"]}, "no control 'from-scrach'; did you mean 'from-scratch'"),
    (TEXT, {"names": ["zzz"]}, "no control 'zzz'\n"),
    (TEXT, {"names": ["linear", "linear"]}, "every name once"),
    (TEXT, {"learning_rates": [0.0]}, "a learning rate of 0.0"),
    (TEXT, {"learning_rates": [float("nan")]}, "a learning rate of nan"),
    (replace(TEXT, training={"learning_rate": -1.0}), {}, "a learning rate of -1.0"),
    (replace(TEXT, training={"learning_rate": "fast"}), {}, "a learning rate of 'fast'"),
    (replace(TEXT, weights="random"), {}, "which transfers nothing"),
    (replace(TEXT, checkpoint="baseline:majority"), {}, "which transfers nothing"),
    (replace(TEXT, name="majority"), {}, "named 'majority', like its control"),
]


@pytest.mark.parametrize(("source", "options", "text"), ERRORS)
def test_errors_say_what_is_wrong(source, options, text):
    with pytest.raises(ConfigError, match=text) as caught:
        controls(source, **options)
    assert caught.value.expected and caught.value.action


def test_the_table_of_errors_is_complete():
    assert len(ERRORS) == 10
