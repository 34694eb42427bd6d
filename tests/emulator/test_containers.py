"""URLs of blob containers: every way of writing one is understood, and nothing else is."""

from __future__ import annotations

import pytest

from azure.keyvault.administration.emulator._domain import containers
from azure.keyvault.administration.emulator._domain.containers import Container
from azure.keyvault.administration.emulator._domain.errors import ServiceError

LOCAL = "http://127.0.0.1:10000/devstoreaccount1"


def azure(host: str) -> Container:
    return Container(f"https://{host}/backups", host, "contoso", "backups", is_loopback=False)


def local(url: str, host: str) -> Container:
    return Container(url, host, "devstoreaccount1", "backups", is_loopback=True)


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        ("https://contoso.blob.core.windows.net/backups/", azure("contoso.blob.core.windows.net")),
        ("HTTPS://Contoso.Blob.core.windows.net:443/backups", azure("contoso.blob.core.windows.net")),
        ("https://contoso.z01.blob.storage.azure.net/backups", azure("contoso.z01.blob.storage.azure.net")),
        ("https://contoso.blob.core.chinacloudapi.cn/backups", azure("contoso.blob.core.chinacloudapi.cn")),
        (f"{LOCAL}/backups", local(f"{LOCAL}/backups", "127.0.0.1")),
        ("http://localhost/devstoreaccount1/backups", local("http://localhost/devstoreaccount1/backups", "localhost")),
        (
            "https://[::1]:10000/devstoreaccount1/backups",
            local("https://[::1]:10000/devstoreaccount1/backups", "::1"),
        ),
    ],
)
def test_container_is_found_in_every_way_of_writing_it(resource: str, expected: Container) -> None:
    assert containers.locate(resource, "a/f") == (expected, "a/f")


def test_container_in_the_folder_of_a_local_account_is_found() -> None:
    assert containers.locate(LOCAL, "backups/f") == (local(f"{LOCAL}/backups", "127.0.0.1"), "f")


@pytest.mark.parametrize(
    "resource",
    [
        "",
        "backups",
        "https://a.blob.core.windows.net",
        "https://abc.blob.core.windows.net/",
        "https://abc.blob.core.windows.net/a/b/c",
        "https://abc.blob.core.windows.net/..",
        "https://abc.blob.core.windows.net/ab",
        "https://abc.blob.core.windows.net/Container",
        "https://abc.blob.core.windows.net/container?sig=x",
        "https://abc.blob.core.windows.net/container#x",
        "https://abc.blob.core.windows.net/contain%75r",
        "https://abc.blob.core.windows.net/container\n",
        " https://abc.blob.core.windows.net/container",
        "https://user@abc.blob.core.windows.net/container",
        "https://:password@abc.blob.core.windows.net/container",
        "http://abc.blob.core.windows.net/container",
        "https://abc.blob.core.windows.net:444/container",
        "https://abc.blob.core.windows.net:https/container",
        "https://abc.file.core.windows.net/container",
        "https://abc.notblob.example/container",
        "https://abc.blob/container",
        "https://abc.blob..windows.net/container",
        "https://ABC!.blob.core.windows.net/container",
        f"https://abc.blob.{'x' * 250}.net/container",
        "https://a:b:c/container",
        "https://[/container",
        "file:///etc/passwd",
        "ftp://127.0.0.1/devstoreaccount1/container",
        "http://devstoreaccount1.blob.localhost:10000/container",
        "http://127.0.0.1:10000/",
        "http://127.0.0.1:99999/devstoreaccount1/container",
        "http://[::1%25lo]:10000/devstoreaccount1/container",
        "http://127.0.0.1:10000/devstoreaccount1-other/container",
        LOCAL,
        f"{LOCAL}/a/b",
        f"{LOCAL}/container\n",
    ],
)
def test_any_other_url_is_refused(resource: str) -> None:
    with pytest.raises(ServiceError, match="storageResourceUri must be the https URL of a blob container"):
        containers.locate(resource, "f")
