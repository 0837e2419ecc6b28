"""The client against a real server: tokens, pages, problems, files, retries."""

import socket

import pytest

from accounts.services import create_project, issue_token
from mammoloop_client import http
from mammoloop_client.http import Client, Problem, Unreachable


@pytest.fixture
def client(real_transactions, live_server, site_admin):
    _, secret = issue_token(user=site_admin, by=None, days=1)
    return Client(live_server.url, secret)


def test_a_token_says_who_asks(client):
    assert client.get("me/")["username"] == "root-admin"


def test_a_problem_carries_code_sentence_and_cure(client):
    with pytest.raises(Problem) as refused:
        client.as_account("wrong").get("me/")
    assert (refused.value.status, refused.value.code) == (401, "accounts.token_refused")
    assert refused.value.cure


def test_a_list_is_walked_to_its_end(client, site_admin):
    for number in range(5):
        create_project(name=f"Study {number}", by=site_admin)
    assert len(list(client.pages("projects/"))) == 5


def test_a_file_is_streamed_up_and_listed(client, project, tmp_path):
    (tmp_path / "a.dcm").write_bytes(b"x" * 1000)
    ingest = client.post("ingests/", {"project": str(project.pk)}).data
    client.put_file(f"ingests/{ingest['id']}/files/", tmp_path / "a.dcm", name="some folder/ä.dcm")
    assert client.get(f"ingests/{ingest['id']}/")["counts"]["waiting"] == 1


def test_a_post_that_is_sent_again_is_one_deed(client, site_admin):
    key = {"Idempotency-Key": "the same"}
    first, second = (client.post("projects/", {"name": "Once"}, **key).data for _ in range(2))
    assert first["id"] == second["id"]


def test_a_server_that_is_not_there_is_said_after_some_tries(monkeypatch):
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{held.getsockname()[1]}"
    monkeypatch.setattr(http, "FIRST_WAIT_SECONDS", 0.0)
    with pytest.raises(Unreachable, match="did not answer"):
        Client(address, "token").get("me/")


@pytest.mark.trap(54)
@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x", "127.0.0.1:80"])
def test_only_web_addresses_are_asked(url):
    with pytest.raises(ValueError, match="http"):
        Client(url, "token")
