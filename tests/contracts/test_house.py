"""The house stands as it is drawn: names, contracts, generated pages, processes."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

from mammoloop import documents, processes
from tests.support.platform import OURS

ROOT = Path(__file__).resolve().parents[2]
OWN = ("mammoloop", "core", "accounts", "jobs", "archive", "exchange", "learning", "annotations", "ml")
COMPOSE_ONLY = {"postgres", "nginx", "worker-gpu", "migrate"}


def test_platform_is_the_standard_librarys_from_the_root() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    asked = [sys.executable, "-c", "import platform; print(platform.system())"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() in {"Linux", "Darwin"}


def test_no_folder_of_ours_hides_a_library() -> None:
    assert set(OWN) & set(packages_distributions()) == set()


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "ignore_imports" not in (ROOT / "pyproject.toml").read_text()


@pytest.mark.trap(44)
def test_the_web_process_imports_neither_torch_nor_what_is_slow_to_load() -> None:
    code = (
        "import mammoloop.asgi, sys; from django.urls import get_resolver; get_resolver().url_patterns;"
        "print([name for name in sys.modules if name.split('.')[0] in ('torch', 'skimage', 'sklearn', 'scipy')])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.trap(44)
def test_a_worker_imports_no_torch_so_that_no_cuda_is_there_to_be_forked() -> None:
    code = (
        "import mammoloop.celery as worker; worker.app.loader.import_default_modules(); import sys;"
        "from jobs.kinds import KINDS; assert {'learning.train', 'learning.score'} <= set(KINDS);"
        "print([name for name in sys.modules if name.split('.')[0] == 'torch'])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.trap(61)
def test_nothing_is_read_that_could_bring_code_with_it() -> None:
    """Every `torch.load` is of weights only, no array is unpickled, and nothing else that unpickles is called."""
    wrong = []
    for folder in ("ml", "platform", "annotations", "client"):
        for file in (ROOT / folder).rglob("*.py"):
            for call in ast.walk(ast.parse(file.read_text())):
                if isinstance(call, ast.Call):
                    name = ast.unparse(call.func)
                    given = {word.arg: ast.unparse(word.value) for word in call.keywords}
                    bad = name.endswith("torch.load") and given.get("weights_only") != "True"
                    bad |= name in ("np.load", "numpy.load") and given.get("allow_pickle") != "False"
                    bad |= name.split(".")[-1] in ("loads", "load") and name.split(".")[0] in (
                        "pickle",
                        "joblib",
                        "dill",
                    )
                    wrong += [f"{file.relative_to(ROOT)}:{call.lineno} {name}"] * bad
    assert wrong == []


@pytest.mark.trap(62)
def test_only_the_proxy_is_reached_from_outside_and_no_password_is_shipped() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    assert {name for name, service in compose["services"].items() if service.get("ports")} == {"nginx"}
    assert not [name for name, service in compose["services"].items() if service.get("network_mode") == "host"]


@pytest.mark.trap(56)
def test_what_is_secret_has_no_value_in_what_is_shipped() -> None:
    lines = (ROOT / "docker" / "example.env").read_text().splitlines()
    assert [line for line in lines if re.match(r"\w*(PASSWORD|SECRET|KEY)\w*=.+", line)] == []
    text = (ROOT / "docker-compose.yml").read_text()
    assert re.findall(r"\$\{(\w*(?:PASSWORD|SECRET|KEY)\w*)(?::-|-)\w", text) == []


@pytest.mark.trap(56)
def test_every_installation_makes_its_own_secrets_that_only_it_can_read(tmp_path: Path) -> None:
    code = (
        "import django; django.setup(); from django.conf import settings; from core.secrets import secret_bytes;"
        "print(settings.SECRET_KEY, secret_bytes('deid').hex())"
    )
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    said = []
    for folder in (tmp_path / "a", tmp_path / "a", tmp_path / "b"):
        env = {**kept, "VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "mammoloop.settings"}
        env["PYTHONPATH"] = f"{ROOT / 'platform'}:{ROOT}"
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        said.append(done.stdout.split())
    first, again, other = said
    assert first == again and not set(first) & set(other) and min(map(len, first)) > 40
    modes = {file.stat().st_mode & 0o777 for file in (tmp_path / "a" / "secrets").iterdir()}
    assert modes == {0o600} and (tmp_path / "a" / "secrets").stat().st_mode & 0o777 == 0o700


def test_ml_runs_where_there_is_no_django() -> None:
    code = "import sys; sys.modules['django'] = None; import ml.runs.request, ml.pixels.decode, ml.evaluation.report"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_what_is_generated_says_what_the_code_says() -> None:
    assert documents.stale() == [], "these do not say what the code says: run `make docs` and commit what it writes"


def test_compose_and_the_embedded_mode_run_the_same_processes() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    embedded = {spec.name for spec in processes.embedded(bind="127.0.0.1", port=1, worker_queues=["cpu"])}
    assert set(services) - COMPOSE_ONLY == (embedded - {"valkey"}) | {"redis"}


def test_compose_names_only_what_it_has() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for name, service in compose["services"].items():
        assert set(service.get("depends_on", {})) <= set(compose["services"]), name
        volumes = {volume.split(":")[0] for volume in service.get("volumes", []) if re.match(r"^\w+:", volume)}
        assert volumes <= set(compose["volumes"]), name
    given = re.findall(r"\$\{(\w+):\?", (ROOT / "docker-compose.yml").read_text())
    example = (ROOT / "docker" / "example.env").read_text()
    assert all(f"{name}=" in example for name in given)


def test_compose_follows_its_schema() -> None:
    checker = Path(sys.executable).parent / "check-jsonschema"
    argv = [str(checker), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_locks_carry_no_address_and_every_package_a_hash() -> None:
    for name in ("runtime", "test"):
        text = (ROOT / "requirements" / f"{name}.lock").read_text()
        assert "http" not in re.sub(r"^(httptools|httpx|httpcore|.*#.*)", "", text, flags=re.MULTILINE)
        pins = re.findall(r"^[\w.-]+==", text, flags=re.MULTILINE)
        assert len(pins) > 30 and text.count("--hash=") >= len(pins)
        assert not re.search(r"^(torch|nvidia)", text, flags=re.MULTILINE)
    packages = json.loads((ROOT / "frontend" / "package-lock.json").read_text())["packages"]
    assert not [name for name, entry in packages.items() if "resolved" in entry and entry.get("link") is None]
