import pytest

from ml.evaluation.leading import leading_split


@pytest.mark.parametrize(
    ("splits", "leads"),
    [(["val", "test", "audit"], "test"), (["audit", "val"], "audit"), (["val"], "val"), ([], None)],
)
def test_patients_that_a_model_never_saw_lead(splits, leads):
    assert leading_split(splits) == leads
