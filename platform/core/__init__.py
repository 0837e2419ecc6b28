"""What every floor needs and no domain word: errors, ids, clock, paging, idempotency, the audit trail."""
