"""The database itself refuses to move a patient to another split."""

from django.db import migrations

from core.triggers import refuse


class Migration(migrations.Migration):
    dependencies = [("archive", "0001_initial")]
    operations = [refuse("archive_admission", "admission_fixed", deeds=("UPDATE",))]
