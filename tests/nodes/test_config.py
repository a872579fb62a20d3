"""Which nodes are known: read from TOML, added to it, refused in a sentence, and never with a secret in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from medimg.errors import OptionError, WriteError
from medimg.nodes import DimseNode, WebNode, add_node, find_node, list_nodes

if TYPE_CHECKING:
    from pathlib import Path

PACS = """
# ours
[nodes.pacs]
host = "pacs.example"
port = 104
ae_title = "ARCHIVE"
"""


def written(folder, text):
    path = folder / "pacs.toml"
    path.write_text(text)
    return path


def test_the_example_is_read(root):
    nodes = {node.name: node for node in list_nodes(pacs_config=root / "configs" / "pacs.toml")}
    assert set(nodes) == {"orthanc", "hospital", "web", "cloud"}
    assert nodes["orthanc"] == DimseNode(name="orthanc", host="127.0.0.1", port=4242, ae_title="ORTHANC", own_ae_title="MEDIMG")
    assert nodes["hospital"].ca_file == root / "configs" / "hospital-ca.pem", "files lie beside the configuration"
    assert (nodes["web"].scheme, nodes["web"].secret) == ("basic", "env:ARCHIVE_PASSWORD")
    assert nodes["cloud"].url == "https://health.example/v1/dicomStores/results/dicomWeb"


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path):
    path = written(tmp_path, PACS)
    with pytest.raises(OptionError, match=r"node cannot be pasc. Give pacs \(the nearest\)"):
        find_node("pasc", pacs_config=path)


def test_a_file_that_is_not_there(tmp_path, monkeypatch):
    with pytest.raises(OptionError, match=r"none\.toml"):
        list_nodes(pacs_config=tmp_path / "none.toml")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert list_nodes() == ()
    with pytest.raises(OptionError, match="medimg pacs add"):
        find_node("pacs")


def test_nodes_that_are_added_at_once_are_all_there(tmp_path):
    """Each reads the file, puts its own behind it, and writes all of it: one must wait for the other."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    path, count = written(tmp_path, PACS), 8
    together = Barrier(count)

    def add(number):
        together.wait()
        add_node(WebNode(name=f"web{number}", url="https://archive.example/dicom-web"), pacs_config=path)

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(add, range(count)))
    assert {node.name for node in list_nodes(pacs_config=path)} == {"pacs", *(f"web{number}" for number in range(count))}


def test_who_keeps_the_file_locked_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    from medimg.nodes import _config
    from medimg.nodes._outbox_lock import locked

    path = written(tmp_path, PACS)
    monkeypatch.setattr(_config, "WAIT_S", 0.1)
    with locked(tmp_path / ".pacs.toml.lock") as got:
        assert got
        with pytest.raises(WriteError, match=r"Another program has been changing pacs\.toml"):
            add_node(WebNode(name="web", url="https://archive.example/dicom-web"), pacs_config=path)
    assert path.read_text() == PACS


def test_a_node_is_added_and_what_stood_there_stays(tmp_path):
    path = written(tmp_path, PACS)
    node = DimseNode(
        name="new.one", host="::1", port=11112, ae_title='A "B" C', tls=True, ca_file=tmp_path / "ca.pem", timeout_s=5
    )
    assert add_node(node, pacs_config=path) == path
    assert path.read_text().startswith(PACS)
    assert find_node("new.one", pacs_config=path) == node
    assert find_node("pacs", pacs_config=path).host == "pacs.example"
    with pytest.raises(OptionError, match="not taken"):
        add_node(node, pacs_config=path)


def test_the_first_node_makes_the_file(tmp_path):
    node = WebNode(name="web", url="https://archive.example/dicom-web/", scheme="bearer", secret="file:token")
    path = add_node(node, pacs_config=tmp_path / "deep" / "pacs.toml")
    assert list_nodes(pacs_config=path) == (node,)
    assert node.url == "https://archive.example/dicom-web"


@pytest.mark.parametrize("title", ["", "   ", "SEVENTEEN_LETTERS", "BACK\\SLASH", "NEW\nLINE", "MÜNCHEN", "TAB\tTAB"])
def test_an_ae_title_that_is_none(title):
    with pytest.raises(OptionError, match="ae_title cannot be"):
        DimseNode(name="pacs", host="a", port=104, ae_title=title)
    with pytest.raises(OptionError, match="own_ae_title cannot be"):
        DimseNode(name="pacs", host="a", port=104, ae_title="PACS", own_ae_title=title)


def test_spaces_around_an_ae_title_mean_nothing():
    assert DimseNode(name="pacs", host="a", port=104, ae_title=" SIXTEEN_LETTERS_ ").ae_title == "SIXTEEN_LETTERS_"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nodes = 3", "tables"),
        ("[node.pacs]\nhost = 'a'", "tables"),
        ("[nodes.pacs", "not TOML"),
        ("[nodes.pacs]\nport = 3", "either url"),
        ("[nodes.pacs]\nurl = 'https://a'\nhost = 'b'", "either url"),
        ("[nodes.pacs]\nhost = 'a'", "port and ae_title too"),
        ("[nodes.pacs]\nhost = 'a'\nport = '104'\nae_title = 'A'", "type str"),
        ("[nodes.pacs]\nhost = 'a'\nport = true\nae_title = 'A'", "type bool"),
        ("[nodes.pacs]\nhost = 'a'\nport = 70000\nae_title = 'A'", "1 to 65535"),
        ("[nodes.pacs]\nhost = 'http://a'\nport = 104\nae_title = 'A'", "without a port"),
        ("[nodes.pacs]\nhost = 'a'\nport = 104\nae_titel = 'A'", "ae_title"),
        ("[nodes.pacs]\nhost = 'a'\nport = 104\nae_title = 'A'\ntimeout_s = 0", "seconds above 0"),
        ("[nodes.pacs]\nhost = 'a'\nport = 104\nae_title = 'A'\nca_file = 'x'", "tls"),
        ("[nodes.pacs]\nhost = 'a'\nport = 104\nae_title = 'A'\ntls = true\nkey_file = 'x'", "both of them"),
        ("[nodes.'a/b']\nurl = 'https://a'", "letters, digits"),
        ("[nodes.web]\nurl = 'ftp://a'", "http"),
        ("[nodes.web]\nurl = 'https://a/x?key=1'", "without a user"),
        ("[nodes.web]\nurl = 'https://a'\nscheme = 'digest'\nsecret = 'env:A'", "basic"),
        ("[nodes.web]\nurl = 'https://a'\nscheme = 'basic'\nsecret = 'env:A'", "user"),
        ("[nodes.web]\nurl = 'https://a'\nscheme = 'bearer'", "both of them"),
        ("[nodes.web]\nurl = 'http://archive.example'\nscheme = 'bearer'\nsecret = 'env:A'", "unencrypted"),
    ],
)
def test_what_describes_no_node(tmp_path, text, words):
    with pytest.raises(OptionError, match=words):
        list_nodes(pacs_config=written(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    [
        "[nodes.web]\nurl = 'https://anna:hunter2@archive.example'",
        "[nodes.web]\nurl = 'https://a'\nscheme = 'bearer'\nsecret = 'hunter2'",
        "[nodes.web]\nurl = 'https://a'\npassword = 'hunter2'",
        "[nodes.web]\nurl = 'https://a'\ntoken = 'hunter2'",
    ],
)
def test_a_secret_in_the_configuration_is_refused_and_not_shown(tmp_path, text):
    with pytest.raises(OptionError) as refused:
        list_nodes(pacs_config=written(tmp_path, text))
    assert "hunter2" not in str(refused.value)


def test_a_secret_may_travel_in_the_open_where_it_is_said(tmp_path):
    text = "[nodes.web]\nurl = 'http://archive.example'\nscheme = 'bearer'\nsecret = 'env:A'\nunencrypted = true"
    assert list_nodes(pacs_config=written(tmp_path, text))[0].unencrypted
    local = "[nodes.web]\nurl = 'http://127.0.0.1:8042/dicom-web'\nscheme = 'bearer'\nsecret = 'env:A'"
    assert list_nodes(pacs_config=written(tmp_path, local))


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text("hunter2\n")
    path.chmod(0o600)
    return path


def node_of(path: Path) -> WebNode:
    return WebNode(name="web", url="https://a", scheme="bearer", secret=f"file:{path}")


def test_a_secret_of_a_file(token):
    from medimg.nodes._secret import authorization

    assert authorization(node_of(token)) == {"Authorization": "Bearer hunter2"}


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_no_secret(token, mode):
    from medimg.nodes._secret import authorization

    token.chmod(mode)
    with pytest.raises(OptionError, match="chmod 600") as refused:
        authorization(node_of(token))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"two\nlines", b"\xff\xfe", b"a\r\nX-Header: b"])
def test_a_file_that_holds_no_secret(token, content):
    from medimg.nodes._secret import authorization

    token.write_bytes(content)
    with pytest.raises(OptionError, match="secret of web"):
        authorization(node_of(token))


def test_a_secret_that_is_nowhere(tmp_path, monkeypatch):
    from medimg.nodes._secret import authorization

    monkeypatch.delenv("NO_SUCH_SECRET", raising=False)
    for secret, words in (
        ("env:NO_SUCH_SECRET", "not set"),
        (f"file:{tmp_path / 'none'}", "cannot be opened"),
        (f"file:{tmp_path}", "no file"),
    ):
        with pytest.raises(OptionError, match=words):
            authorization(WebNode(name="web", url="https://a", scheme="bearer", secret=secret))
