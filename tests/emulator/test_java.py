"""Java reads none of the variables that others do; it has its own."""

from __future__ import annotations

import asyncio
import shutil
from typing import TYPE_CHECKING

import pytest

from azure.keyvault.administration.emulator import ManagedHsmEmulator
from emulator import application

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not shutil.which("javac"), reason="there is no JDK")

PROGRAM = """
import java.net.*;
import java.net.http.*;

public class Reach {
    public static void main(String[] arguments) throws Exception {
        URI hsm = URI.create(System.getenv("AZURE_MANAGEDHSM_URL"));
        HttpResponse<String> response =
            HttpClient.newHttpClient().send(HttpRequest.newBuilder(hsm).build(), HttpResponse.BodyHandlers.ofString());
        HttpURLConnection connection = (HttpURLConnection) hsm.toURL().openConnection();
        URI identity = URI.create(System.getenv("IDENTITY_ENDPOINT"));
        HttpURLConnection direct = (HttpURLConnection) identity.toURL().openConnection();
        System.out.println(response.statusCode() + " " + connection.getResponseCode() + " " + direct.getResponseCode());
    }
}
"""


async def test_both_clients_of_the_jdk_reach_the_hsm(tmp_path: Path) -> None:
    program = tmp_path / "Reach.java"
    program.write_text(PROGRAM)
    async with ManagedHsmEmulator(data=tmp_path / "some data") as hsm:
        java = await asyncio.create_subprocess_exec(
            *("java", program),
            env=application.environment(hsm.environment()),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await java.communicate()

    assert (java.returncode, output.decode()) == (0, "401 401 401\n"), errors.decode()
