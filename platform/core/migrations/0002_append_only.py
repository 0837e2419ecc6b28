"""The audit trail takes rows and gives none back."""

from django.db import migrations

from core.triggers import refuse


class Migration(migrations.Migration):
    dependencies = [("core", "0001_initial")]
    operations = [
        refuse("core_auditevent", "audit_events_stay"),
        refuse("core_auditseal", "audit_seals_stay"),
    ]
