"""One tiny setting of texts and one of images, made once; no test changes them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tiny_runs import offline_cache
from tests.train.settings import Setting, image_setting, text_setting


def _offline(factory: pytest.TempPathFactory) -> Iterator[pytest.TempPathFactory]:
    with pytest.MonkeyPatch.context() as patch:
        offline_cache(patch, factory.mktemp("cache"))
        yield factory


@pytest.fixture(scope="session")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """A BERT without dropout; 40, 10 and 20 texts whose class is one of their words."""
    for factory in _offline(tmp_path_factory):
        yield text_setting(factory.mktemp("texts"))


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    """A ResNet; 12, 6 and 6 pictures whose class is their brightness."""
    for factory in _offline(tmp_path_factory):
        yield image_setting(factory.mktemp("images"))
