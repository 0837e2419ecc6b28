"""What the card says for people."""

import pytest

from ml.evaluation.report import Evaluation
from ml.methods import get
from ml.runs.manifest import ManifestMeta
from ml.training.card import card_of, card_text
from ml.training.model_folder import ModelSpec


@pytest.mark.parametrize(
    ("split", "said"),
    [("test", "whom the model never saw"), ("val", "who chose the weights and the temperature")],
)
def test_a_card_says_whom_its_headline_is_of(split, said):
    method = get("dcse_resnet50")
    spec = ModelSpec(method="dcse_resnet50", size="tiny", task="density", config={}, pixels={}, labels=("A",))
    found = Evaluation([], {}, [], {"qwk": 0.61}, headline_split=split)
    card = card_of(spec, method, [], found, ManifestMeta(rows=0, sha256="", snapshot_id="s"))
    assert card["headline_split"] == split
    assert said in card_text(card) and "- qwk: 0.610" in card_text(card)
