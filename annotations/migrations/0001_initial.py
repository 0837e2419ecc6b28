"""Worklist, rankings, readings with their journal, findings."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models

import core.clock
import core.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0001_initial"),
        ("archive", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Removal",
            fields=[
                ("project_id", models.UUIDField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(default=core.clock.now)),
            ],
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                ("source", models.JSONField(default=dict, help_text="what ranked: strategy, model versions, round")),
                ("size", models.PositiveIntegerField(default=0)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="orders", to="accounts.project"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="CurrentOrder",
            fields=[
                (
                    "project",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="accounts.project",
                    ),
                ),
                ("head", models.PositiveIntegerField(default=0)),
                ("since", models.DateTimeField(default=core.clock.now)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="annotations.order"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Reading",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(default=core.clock.now, editable=False)),
                (
                    "purpose",
                    models.CharField(
                        choices=[
                            ("primary", "Primary"),
                            ("second", "Second"),
                            ("adjudication", "Adjudication"),
                            ("reference", "Reference"),
                            ("practice", "Practice"),
                        ],
                        default="primary",
                        max_length=16,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        blank=True, help_text="where a reference came from: dataset:mini-mias", max_length=120
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("leased", "Leased"),
                            ("open", "Open"),
                            ("complete", "Complete"),
                            ("amending", "Amending"),
                            ("released", "Released"),
                        ],
                        default="leased",
                        max_length=16,
                    ),
                ),
                ("revision", models.PositiveIntegerField(default=0)),
                ("document", models.JSONField()),
                ("lease_until", models.DateTimeField(null=True)),
                ("completed_revision", models.PositiveIntegerField(null=True)),
                ("completed_document", models.JSONField(null=True)),
                ("completed_at", models.DateTimeField(null=True)),
                (
                    "density",
                    models.CharField(blank=True, help_text="of the denser breast, as last completed", max_length=1),
                ),
                ("skipped_at", models.DateTimeField(null=True)),
                ("skip_reason", models.CharField(blank=True, max_length=500)),
                ("flagged_at", models.DateTimeField(null=True)),
                ("flag_reason", models.CharField(blank=True, max_length=500)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "exam",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT, related_name="readings", to="archive.exam"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="readings", to="accounts.project"
                    ),
                ),
                (
                    "reader",
                    models.ForeignKey(
                        help_text="nobody for a reference reading",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="readings",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Finding",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("revision", models.PositiveIntegerField()),
                ("key", models.UUIDField(help_text="the id in the document")),
                ("type", models.CharField(max_length=32)),
                ("birads", models.CharField(blank=True, max_length=2)),
                ("laterality", models.CharField(blank=True, max_length=1)),
                ("subtype", models.CharField(blank=True, max_length=64)),
                ("pathology", models.CharField(blank=True, max_length=16)),
                ("difficulty", models.CharField(blank=True, max_length=16)),
                ("source_label", models.CharField(blank=True, max_length=200)),
                ("order", models.PositiveIntegerField(default=0)),
                (
                    "reading",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="findings", to="annotations.reading"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ReadingEdit",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("revision", models.PositiveIntegerField()),
                ("edit_id", models.UUIDField(unique=True)),
                ("patch", models.JSONField()),
                ("at", models.DateTimeField(default=core.clock.now)),
                ("findings", models.PositiveIntegerField()),
                ("marks", models.PositiveIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                (
                    "actor",
                    models.ForeignKey(
                        help_text="nobody where the system wrote: an import, an amendment that ran out",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "reading",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="edits", to="annotations.reading"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="WorkItem",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "tier",
                    models.PositiveSmallIntegerField(
                        help_text="0: val, test, audit, served first, never ranked; 1: train"
                    ),
                ),
                (
                    "keyed",
                    models.BigIntegerField(
                        help_text="first 60 bits of sha256(project.seed|exam): order of ties and cold start"
                    ),
                ),
                ("wanted", models.PositiveSmallIntegerField()),
                ("held", models.PositiveSmallIntegerField(default=0)),
                ("done", models.PositiveSmallIntegerField(default=0)),
                (
                    "exam",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="work_items", to="archive.exam"
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="work_items", to="accounts.project"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="OrderEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField(help_text="1 is served first")),
                ("score", models.FloatField(null=True)),
                ("reason", models.JSONField(default=dict)),
                (
                    "order",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="entries", to="annotations.order"
                    ),
                ),
                (
                    "item",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="entries", to="annotations.workitem"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Mark",
            fields=[
                ("id", models.UUIDField(default=core.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("key", models.UUIDField(help_text="the id in the document")),
                ("frame", models.PositiveIntegerField(default=1)),
                ("kind", models.CharField(max_length=16)),
                ("geometry", models.JSONField()),
                ("provenance", models.CharField(max_length=16)),
                (
                    "finding",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="marks", to="annotations.finding"
                    ),
                ),
                (
                    "image",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.RESTRICT, related_name="marks", to="archive.image"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("finding", "key"), name="one_mark_per_key")],
            },
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["project", "id"], name="orders_of_project"),
        ),
        migrations.AddIndex(
            model_name="reading",
            index=models.Index(
                condition=models.Q(("lease_until", None), _negated=True),
                fields=["project", "lease_until"],
                name="leases_by_end",
            ),
        ),
        migrations.AddIndex(
            model_name="reading",
            index=models.Index(fields=["project", "reader", "state"], name="readings_of_reader"),
        ),
        migrations.AddIndex(
            model_name="reading",
            index=models.Index(fields=["project", "exam"], name="readings_of_exam"),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.UniqueConstraint(
                fields=("exam", "reader", "project", "purpose"), name="one_reading_per_reader_and_purpose"
            ),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.UniqueConstraint(
                condition=models.Q(("purpose", "reference")),
                fields=("exam", "project", "source"),
                name="one_reference_per_source",
            ),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("purpose", "reference"), ("reader", None)),
                    models.Q(
                        models.Q(("purpose", "reference"), _negated=True), models.Q(("reader", None), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="only_a_reference_has_no_reader",
            ),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("lease_until__isnull", False), ("state__in", ("leased", "open", "amending"))),
                    models.Q(("lease_until", None), ("state__in", ["complete", "released"])),
                    _connector="OR",
                ),
                name="a_lease_while_held",
            ),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("completed_revision__isnull", False), ("state__in", ("complete", "amending"))),
                    models.Q(
                        models.Q(("state__in", ("complete", "amending")), _negated=True), ("completed_revision", None)
                    ),
                    _connector="OR",
                ),
                name="completed_once_signed",
            ),
        ),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("completed_revision", None), ("completed_revision__lte", models.F("revision")), _connector="OR"
                ),
                name="completed_revision_exists",
            ),
        ),
        migrations.AddIndex(
            model_name="finding",
            index=models.Index(fields=["type", "reading"], name="findings_by_type"),
        ),
        migrations.AddConstraint(
            model_name="finding",
            constraint=models.UniqueConstraint(fields=("reading", "key"), name="one_finding_per_key"),
        ),
        migrations.AddConstraint(
            model_name="readingedit",
            constraint=models.UniqueConstraint(fields=("reading", "revision"), name="one_edit_per_revision"),
        ),
        migrations.AddConstraint(
            model_name="readingedit",
            constraint=models.CheckConstraint(condition=models.Q(("revision__gte", 1)), name="revisions_count_from_1"),
        ),
        migrations.AddIndex(
            model_name="workitem",
            index=models.Index(
                condition=models.Q(
                    (
                        "wanted__gt",
                        django.db.models.expressions.CombinedExpression(models.F("held"), "+", models.F("done")),
                    )
                ),
                fields=["project", "tier", "keyed"],
                name="work_items_wanting",
            ),
        ),
        migrations.AddIndex(
            model_name="workitem",
            index=models.Index(fields=["project", "tier", "keyed"], name="work_items_in_keyed_order"),
        ),
        migrations.AddConstraint(
            model_name="workitem",
            constraint=models.UniqueConstraint(fields=("project", "exam"), name="one_work_item_per_project_and_exam"),
        ),
        migrations.AddConstraint(
            model_name="workitem",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "wanted__gte",
                        django.db.models.expressions.CombinedExpression(models.F("held"), "+", models.F("done")),
                    )
                ),
                name="no_more_readings_than_wanted",
            ),
        ),
        migrations.AddConstraint(
            model_name="workitem",
            constraint=models.CheckConstraint(condition=models.Q(("tier__in", [0, 1])), name="tier_0_or_1"),
        ),
        migrations.AddConstraint(
            model_name="orderentry",
            constraint=models.UniqueConstraint(fields=("order", "position"), name="one_exam_per_position"),
        ),
        migrations.AddConstraint(
            model_name="orderentry",
            constraint=models.UniqueConstraint(fields=("order", "item"), name="one_position_per_exam"),
        ),
    ]
