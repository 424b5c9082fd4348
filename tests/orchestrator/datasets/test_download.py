import hashlib
import http.server
import io
import tarfile
import threading
import zipfile
from functools import partial

import pytest

from orchestrator.datasets import download as downloads
from orchestrator.datasets.archives import unpack
from orchestrator.datasets.download import Archive, download
from semcom.errors import ConfigurationError, StorageError


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        self.server.requested.append(self.path)

    def do_GET(self):
        if self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"only this")
            return
        super().do_GET()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def site(tmp_path):
    """A web server over a folder: (folder, base URL, requests seen)."""
    folder = tmp_path / "site"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(QuietHandler, directory=str(folder))
    )
    server.requested = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}", server.requested
    server.shutdown()
    thread.join()
    server.server_close()


def md5(content):
    return hashlib.md5(content).hexdigest()


def test_download_is_checked_and_not_repeated(tmp_path, site):
    folder, url, requested = site
    (folder / "a.tar.gz").write_bytes(b"content" * 50_000)
    archive = Archive(f"{url}/a.tar.gz", md5(b"content" * 50_000))
    for _ in range(2):
        path = download(archive, tmp_path / "to")
        assert path == tmp_path / "to" / "a.tar.gz"
        assert path.read_bytes() == b"content" * 50_000
    assert len(requested) == 1


def test_damaged_file_from_before_is_fetched_again(tmp_path, site):
    folder, url, _ = site
    (folder / "a.zip").write_bytes(b"whole")
    (tmp_path / "a.zip").write_bytes(b"who")
    assert download(Archive(f"{url}/a.zip", md5(b"whole")), tmp_path).read_bytes() == b"whole"


def test_wrong_checksum_leaves_nothing_behind(tmp_path, site):
    folder, url, _ = site
    (folder / "a.zip").write_bytes(b"something else")
    with pytest.raises(ConfigurationError, match=r"14 bytes with MD5 .* '--from DIR'"):
        download(Archive(f"{url}/a.zip", md5(b"whole")), tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


@pytest.mark.parametrize("path", ["absent.zip", "cut"])
def test_failing_server_is_an_error_that_names_the_way_out(tmp_path, site, path):
    _, url, _ = site
    with pytest.raises(ConfigurationError, match="--from DIR"):
        download(Archive(f"{url}/{path}", md5(b"")), tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []


def test_no_network_is_an_error_that_names_the_way_out(tmp_path, site):
    nobody = Archive("http://127.0.0.1:9/a.zip", md5(b""))
    with pytest.raises(ConfigurationError, match=r"cannot download .* '--from DIR'"):
        download(nobody, tmp_path)


def test_silent_server_times_out(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_TIMEOUT_S", 0.1)
    with http.server.HTTPServer(("127.0.0.1", 0), QuietHandler) as server:  # never serves
        archive = Archive(f"http://127.0.0.1:{server.server_port}/a.zip", md5(b""))
        with pytest.raises(ConfigurationError, match="timed out"):
            download(archive, tmp_path)


def write_tar(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def write_zip(path, members):
    with zipfile.ZipFile(path, "w") as zipped:
        for name, content in members.items():
            zipped.writestr(name, content)


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_unpacks_all_files(tmp_path, write):
    write(tmp_path / "archive", {"a/one.txt": b"1", "a/b/two.txt": b"2"})
    unpack(tmp_path / "archive", tmp_path / "to")
    assert (tmp_path / "to" / "a" / "one.txt").read_bytes() == b"1"
    assert (tmp_path / "to" / "a" / "b" / "two.txt").read_bytes() == b"2"


@pytest.mark.parametrize("write", [write_tar, write_zip])
def test_path_that_leads_outside_unpacks_nothing(tmp_path, write):
    work = tmp_path / "work"
    work.mkdir()
    write(tmp_path / "archive", {"fine.txt": b"1", "../outside.txt": b"2"})
    with pytest.raises(ConfigurationError, match="outside"):
        unpack(tmp_path / "archive", work / "to")
    assert list(work.iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_links_and_pipes_are_not_unpacked(tmp_path, kind):
    with tarfile.open(tmp_path / "archive", "w") as tar:
        info = tarfile.TarInfo("odd")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(ConfigurationError, match="holds 'odd', which is not a regular file"):
        unpack(tmp_path / "archive", tmp_path / "work" / "to")
    assert list((tmp_path / "work").iterdir()) == []


def test_damaged_archive_unpacks_nothing(tmp_path):
    write_tar(tmp_path / "archive", {"one.txt": bytes(range(256)) * 400})
    content = (tmp_path / "archive").read_bytes()
    for damaged, told in (
        (content[: len(content) // 2], "cannot be unpacked"),
        (b"x", "is not a zip"),
    ):
        (tmp_path / "archive").write_bytes(damaged)
        with pytest.raises(ConfigurationError, match=told):
            unpack(tmp_path / "archive", tmp_path / "work" / "to")
        assert list((tmp_path / "work").iterdir()) == []


def test_does_not_unpack_over_a_folder(tmp_path):
    with pytest.raises(StorageError, match="exists already"):
        unpack(tmp_path / "archive", tmp_path)
