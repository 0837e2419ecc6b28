from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("learning", "0005_compute"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="target",
            field=models.CharField(default="", help_text="what the label is, where the run named it", max_length=16),
        ),
    ]
