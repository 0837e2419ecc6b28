"""The run folder: all that the application and the learner share. No torch, no Django, no network.

RUN_DIR/
  request.json                 what is asked; written by the caller, read-only for the learner
  manifest.jsonl               one row per image
  manifest.meta.json           {schema, rows, sha256, snapshot_id, pixels_root}
  events.jsonl                 append-only, the learner is its only writer
  heartbeat.json               replaced every 5 s while the learner lives
  control/cancel               made by the caller to end the run; its content is the reason
  lock                         held by the learner for the whole life of its process
  checkpoints/<stage>/         last, prev, best
  artefacts/<stage>/           what a finished stage leaves behind
  metrics.json  predictions.jsonl  scores.jsonl  samples.safetensors  embeddings.safetensors
  model/                       weights.safetensors spec.json card.json card.md
  environment.json             what is needed to run it again
  result.json                  written last; present, finished and with matching hashes = a complete run
"""
