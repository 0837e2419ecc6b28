"""Two versions told on the same patients: ordered once for a pair, computed in the background, kept."""

from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.models import User
from accounts.queries import require_role
from exchange.queries import ROLES
from jobs.services import submit
from learning import queries
from learning.errors import NotComparable
from learning.models import Comparison, ModelVersion, Run


def order_comparison(first: ModelVersion, second: ModelVersion, *, by: User) -> Comparison:
    """The comparison of two versions of one project and task; its job is submitted where there is none yet.

    Raises RoleMissing, NotComparable.
    """
    require_role(by, first.project, *ROLES)
    if first.pk == second.pk or (first.project_id, first.task) != (second.project_id, second.task):
        raise NotComparable(first=str(first.pk), second=str(second.pk))
    with transaction.atomic():
        found, made = Comparison.objects.get_or_create(
            first=first, second=second, defaults={"project": first.project, "created_by": by}
        )
        if made:
            job = submit(
                "learning.compare",
                {"comparison_id": str(found.pk)},
                actor=by,
                project=first.project,
                key=f"compare:{found.pk}",
                title=f"Compare models {first.number} and {second.number}",
                link=f"/models/{first.pk}/compare/{second.pk}",
            )
            Comparison.objects.filter(pk=found.pk).update(job_id=job.pk)
            found.job_id = job.pk
    return found


def keep_comparison(comparison_id: UUID | str, document: dict[str, Any]) -> None:
    """Keep what came of a comparison; what is there already stays."""
    Comparison.objects.filter(pk=comparison_id, document__isnull=True).update(document=document)


def differences(first: ModelVersion, second: ModelVersion) -> list[dict[str, Any]]:
    """What was set otherwise: `name`, `first`, `second`; settings of the method by their own names."""
    a, b = _settings(first), _settings(second)
    return [
        {"name": name, "first": a.get(name), "second": b.get(name)}
        for name in dict.fromkeys([*a, *b])
        if a.get(name) != b.get(name)
    ]


def _beginning(run: Run) -> str | None:
    if run.weights is not None:
        return f"weights {run.weights.name} ({run.weights.sha256[:8]})"
    return None if run.init is None else f"model {run.init.number}"


def _settings(version: ModelVersion) -> dict[str, Any]:
    """What a version was made with, flat; the config as it was settled where its folder is on this machine."""
    config = queries.model_spec(version).get("config") or version.run.config
    return {
        "method": version.method,
        "size": version.size,
        "seed": version.seed,
        "snapshot": version.snapshot.number,
        "findings": version.run.findings,
        "begins with": _beginning(version.run),
        "code": version.code_version,
        **{f"config.{name}": value for name, value in config.items()},
    }
