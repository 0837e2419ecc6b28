"""The audit trail takes rows and gives none back."""

import pytest
from django.db import IntegrityError, connection, transaction

from core.audit import record, seal, verify
from core.clock import frozen
from core.models import AuditEvent

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("deed", ["update", "delete"])
def test_the_database_refuses_to_change_an_event(deed: str) -> None:
    event = record("system", "test.done")
    rows = AuditEvent.objects.filter(pk=event.pk)
    with pytest.raises(IntegrityError), transaction.atomic():
        rows.update(verb="other") if deed == "update" else rows.delete()
    assert AuditEvent.objects.get(pk=event.pk).verb == "test.done"


def test_sealed_events_fit_and_the_tail_is_counted() -> None:
    with frozen() as hands:
        for number in range(3):
            record("system", "test.done", number=number)
        hands.advance(minutes=1)
        assert seal() is not None
        record("system", "test.later")
        assert seal() is None  # too young: an older transaction may still bring one before it
        verdict = verify()
        assert (verdict.broken_at, verdict.events, verdict.unsealed) == (None, 3, 1)
        hands.advance(minutes=1)
        assert seal() is not None and verify().unsealed == 0


def test_a_change_behind_the_triggers_back_is_found() -> None:
    with frozen() as hands:
        record("system", "test.done")
        hands.advance(minutes=1)
        block = seal()
    assert block is not None
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER audit_events_stay_update")
        else:
            cursor.execute("ALTER TABLE core_auditevent DISABLE TRIGGER USER")
        cursor.execute("UPDATE core_auditevent SET verb = 'test.forged'")
    assert verify().broken_at == block.number
