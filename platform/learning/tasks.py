"""The jobs of this floor: an id in, a service called."""

from typing import Any

from accounts.models import Project
from core.words import counted
from jobs.handlers import JobContext, handler
from learning import queries, work
from learning.models import ModelVersion
from learning.services import comparisons, rounds, scores


@handler("learning.train", queue="gpu", max_attempts=4)
def train(ctx: JobContext, *, run_id: str) -> dict[str, Any]:
    """Train a run in a child process and import its model."""
    version = work.train_run(ctx, run_id)
    ctx.conclude(f"Trained model {version.number}.")
    return {"version": str(version.pk), "number": version.number, "headline": version.headline}


@handler("learning.score", queue="gpu", max_attempts=4)
def score(ctx: JobContext, *, version_id: str) -> dict[str, Any]:
    """Score the unread exams with a promoted version, then ask for a ranking."""
    stored = work.score_version(ctx, version_id)
    job = scores.scoring_done(ModelVersion.objects.get(pk=version_id), job=ctx.job)
    ctx.conclude(f"Stored {counted(stored, 'score')}." if stored else "Every unread exam had its score already.")
    return {"scores": stored, "rank_job": str(job.pk)}


@handler("learning.rank", queue="cpu")
def rank(ctx: JobContext, *, project_id: str) -> dict[str, Any]:
    """Rank what is unread and publish the order; where a scoring or a later ranking is on its way, leave it to that."""
    project = Project.objects.get(pk=project_id)
    waits_for = queries.being_scored(project)
    if waits_for:
        ctx.conclude("Left to the ranking that follows the scoring under way.")
        return {"round": None, "waits_for": waits_for}
    later = queries.later_ranking(project, ctx.job)
    if later:
        ctx.conclude("Left to a later ranking, which sees more.")
        return {"round": None, "left_to": str(later)}
    drawn = rounds.draw_round(project, job=ctx.job)
    if drawn.order_id is None:
        ctx.conclude("Left to a later ranking, which knows more.")
        return {"round": None, "left_to": None}
    exams = drawn.items.count()
    ctx.conclude(f"Ranked {counted(exams, 'exam')} as round {drawn.number}." if exams else "Nothing was unread.")
    return {"round": str(drawn.pk), "number": drawn.number, "exams": exams}


@handler("learning.compare", queue="cpu")
def compare(ctx: JobContext, *, comparison_id: str) -> dict[str, Any]:
    """Compare two versions on the same patients."""
    document = work.compare_versions(comparison_id)
    comparisons.keep_comparison(comparison_id, document)
    patients = document["patients"].get("test", 0)
    ctx.conclude(f"Compared on {counted(patients, 'test patient')}.")
    return {"comparison": comparison_id}
