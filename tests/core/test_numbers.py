"""Numbers that people say, counted within something."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Project
from core.numbers import numbered
from exchange.models import Snapshot


@pytest.mark.django_db
def test_each_project_counts_from_one(project: Any) -> None:
    other = Project.objects.create(name="Other", slug="other")
    made = [numbered(Snapshot, within={"project": own}, policy={}).number for own in (project, project, other, project)]
    assert made == [1, 2, 1, 3]


def test_three_at_once_have_a_number_each(real_transactions: None, project: Any) -> None:
    def one(_: int) -> int:
        try:
            return numbered(Snapshot, within={"project": project}, policy={}).number
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(one, range(3))) == [1, 2, 3]


@pytest.mark.django_db
def test_another_broken_constraint_is_not_taken_for_a_taken_number(project: Any) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        numbered(Snapshot, within={"project": project}, policy=None)
    assert numbered(Snapshot, within={"project": project}, policy={}).number == 1
