"""Keys over HTTP: real public halves, versions, soft deletion, paging."""

from __future__ import annotations

import asyncio
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from yarl import URL

from azure.keyvault.administration.emulator._domain import keys
from azure.keyvault.administration.emulator._domain.errors import ServiceError
from azure.keyvault.administration.emulator._domain.records import Key, KeyVersion
from emulator.raw import RawClient

WEEK = 7 * 86400
EKM_ADMINISTRATOR = "abdd7ec4-a273-4265-bf38-e001014e2d8e"
BASE = "https://emulated-hsm.managedhsm.azure.net"


def number(text: str) -> int:
    return int.from_bytes(urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")


def encoded(text: str) -> str:
    return urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


async def listed(user: RawClient, path: str) -> list[dict[str, Any]]:
    value: list[dict[str, Any]] = (await user.send("GET", path)).json["value"]
    return value


@pytest.mark.parametrize("kty", ["RSA", "RSA-HSM"])
async def test_an_rsa_key_is_a_real_one(user: RawClient, kty: str) -> None:
    reply = await user.send("POST", "/keys/k/create", {"kty": kty})

    key, attributes = reply.json["key"], reply.json["attributes"]
    assert (reply.status, list(reply.json)) == (200, ["attributes", "key"])
    assert attributes == {
        "created": pytest.approx(user.hsm.clock.now(), abs=2),
        "enabled": True,
        "exportable": False,
        "recoverableDays": 7,
        "recoveryLevel": "CustomizedRecoverable+Purgeable",
        "updated": attributes["created"],
    }
    assert list(key) == ["e", "key_ops", "kid", "kty", "n"]
    assert (key["kty"], key["e"]) == ("RSA-HSM", "AQAB")
    assert key["key_ops"] == ["wrapKey", "decrypt", "encrypt", "unwrapKey", "sign", "verify"]
    assert re.fullmatch(f"{BASE}/keys/k/[0-9a-f]{{32}}", key["kid"])
    assert rsa.RSAPublicNumbers(number(key["e"]), number(key["n"])).public_key().key_size == 2048


@pytest.mark.parametrize(
    ("kty", "crv", "curve", "size"),
    [
        ("EC", None, ec.SECP256R1(), 43),
        ("EC-HSM", "P-256", ec.SECP256R1(), 43),
        ("EC-HSM", "P-384", ec.SECP384R1(), 64),
        ("EC", "P-521", ec.SECP521R1(), 88),
        ("EC", "P-256K", ec.SECP256K1(), 43),
    ],
)
async def test_an_elliptic_curve_key_is_a_point_on_its_curve(
    user: RawClient, kty: str, crv: str | None, curve: ec.EllipticCurve, size: int
) -> None:
    reply = await user.send("POST", "/keys/k/create", {"kty": kty, "crv": crv})

    key = reply.json["key"]
    assert list(key) == ["crv", "key_ops", "kid", "kty", "x", "y"]
    assert (key["kty"], key["crv"], key["key_ops"]) == ("EC-HSM", crv or "P-256", ["verify", "deriveKey", "sign"])
    assert (len(key["x"]), len(key["y"])) == (size, size)
    ec.EllipticCurvePublicNumbers(number(key["x"]), number(key["y"]), curve).public_key()


@pytest.mark.parametrize(
    ("body", "size"), [({"kty": "AES", "public_exponent": 0}, 256), ({"kty": "oct", "key_size": 128}, 128)]
)
async def test_symmetric_key_shows_nothing_but_its_size(user: RawClient, body: dict[str, Any], size: int) -> None:
    created = await user.send("POST", "/keys/k/create", body)
    deleted = await user.send("DELETE", "/keys/k")

    key = created.json["key"]
    assert (list(key), key["kty"]) == (["key_ops", "kid", "kty"], "oct-HSM")
    assert key["key_ops"] == ["deriveKey", "wrapKey", "verify", "sign", "unwrapKey", "encrypt", "decrypt"]
    assert created.json["attributes"]["key_size"] == size
    assert "key_size" not in deleted.json["attributes"]


async def test_key_has_the_requested_properties(user: RawClient) -> None:
    policy = {
        "contentType": "application/json; charset=utf-8",
        "data": encoded('{"version":"1.0.0"}'),
        "immutable": True,
    }
    wanted = {
        "kty": "RSA",
        "key_size": 3072,
        "public_exponent": 3,
        "key_ops": ["sign", "verify", "sign"],
        "attributes": {"enabled": False, "nbf": 5, "exp": 2_000_000_000, "exportable": True},
        "tags": {"a": "1", "ä": ""},
        "release_policy": policy,
    }

    reply = await user.send("POST", "/keys/k/create", wanted)

    assert list(reply.json) == ["attributes", "key", "release_policy", "tags"]
    assert (reply.json["tags"], reply.json["release_policy"]) == ({"a": "1", "ä": ""}, policy)
    assert reply.json["key"]["key_ops"] == ["sign", "verify"]
    assert number(reply.json["key"]["n"]).bit_length() == 3072
    attributes = reply.json["attributes"]
    assert list(attributes)[:5] == ["created", "enabled", "exp", "exportable", "nbf"]
    assert [attributes[name] for name in ("enabled", "exp", "exportable", "nbf")] == [False, 2_000_000_000, True, 5]
    assert (await user.send("GET", "/keys/k")).body == reply.body


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "The member kty is required"),
        ({"kty": "DSA"}, "The kty 'DSA' is not supported"),
        ({"kty": "RSA", "key_size": 1024}, "key_size must be one of 2048, 3072, 4096"),
        ({"kty": "RSA", "key_size": True}, "key_size must be an integer"),
        ({"kty": "RSA", "key_size": 2**70}, "key_size must be an integer"),
        ({"kty": "RSA", "public_exponent": 4}, "public_exponent must be an odd number, 3 or larger"),
        ({"kty": "RSA", "public_exponent": 1}, "public_exponent must be an odd number, 3 or larger"),
        ({"kty": "RSA", "crv": "P-256"}, "crv has no meaning for the kty RSA"),
        ({"kty": "EC", "crv": "P-255"}, "crv must be one of P-256, P-384, P-521, P-256K"),
        ({"kty": "EC-HSM", "key_size": 256}, "key_size has no meaning for the kty EC-HSM"),
        ({"kty": "oct", "key_size": 8}, "Invalid key size: '8'"),
        ({"kty": "OKP", "crv": "Ed448"}, "crv must be one of Ed25519"),
        ({"kty": "EC", "attributes": {"exportable": True}}, "Exportable keys must have release policy"),
        (
            {"kty": "EC", "release_policy": {"data": encoded('{"version":"1"}')}},
            "Non-exportable keys must not have release policy",
        ),
        ({"kty": "EC", "release_policy": {"data": encoded("{}")}}, "Key Release Policy: missing 'version' property"),
        (
            {"kty": "EC", "release_policy": {"data": encoded("[]")}},
            "Key Release Policy: data is not a JSON object in base64url",
        ),
        (
            {"kty": "EC", "tags": {str(number): "" for number in range(16)}},
            "A key has up to 15 tags of up to 256 characters",
        ),
        ({"kty": "EC", "tags": {"a": "x" * 257}}, "A key has up to 15 tags of up to 256 characters"),
        ({"kty": "EC", "key_ops": ["fly"]}, "A key of the kty EC-HSM cannot be used for the key operation 'fly'"),
        (
            {"kty": "EC-HSM", "key_ops": ["sign", "encrypt"]},
            "A key of the kty EC-HSM cannot be used for the key operation 'encrypt'",
        ),
        ({"kty": "oct", "attributes": {"nbf": 9, "exp": 9}}, "exp must be later than nbf, got 9 and 9"),
        ({"kty": "oct", "attributes": {"nbf": -1}}, "nbf must not be negative, got -1"),
        ({"kty": "oct", "attributes": {"exp": -1}}, "exp must not be negative, got -1"),
        ({"kty": "oct", "attributes": {"exp": True}}, "attributes.exp must be an integer"),
        ({"kty": "oct", "attributes": {"exp": 9.5}}, "attributes.exp must be an integer"),
        ({"kty": "oct", "attributes": {"enabled": 1}}, "attributes.enabled must be true or false"),
        ({"kty": "EC", "tags": {"a": 1}}, "tags['a'] must be a string"),
        ({"kty": "EC", "attributes": {"created": 1}}, "The request body has unknown members: 'attributes.created'"),
        ({"kty": "EC", "hsm": True}, "The request body has unknown members: 'hsm'"),
    ],
)
async def test_invalid_key_is_refused(user: RawClient, body: dict[str, Any], message: str) -> None:
    reply = await user.send("POST", "/keys/k/create", body)

    assert (reply.error[0], reply.error[2]) == (400, message)
    assert await listed(user, "/keys") == []


async def test_creating_a_key_again_makes_its_newest_version(user: RawClient) -> None:
    first, second = [(await user.send("POST", "/keys/k/create", {"kty": "EC"})).json for _ in range(2)]
    version = first["key"]["kid"].rpartition("/")[2]

    assert (await user.send("GET", "/keys/k")).json == second
    assert (await user.send("GET", "/keys/k/")).json == second
    assert (await user.send("GET", f"/keys/k/{version}")).json == first
    assert await listed(user, "/keys/k/versions") == [
        {"attributes": each["attributes"], "kid": each["key"]["kid"]} for each in (first, second)
    ]
    assert await listed(user, "/keys") == [{"attributes": second["attributes"], "kid": f"{BASE}/keys/k"}]


@pytest.mark.parametrize(
    ("method", "path", "named"),
    [
        ("GET", "/keys/none", "/keys/none"),
        ("GET", "/keys/none/00000000000000000000000000000000", "/keys/none"),
        ("GET", "/keys/k/restore", "/keys/k/restore"),
        ("DELETE", "/keys/none", "/keys/none"),
        ("PATCH", "/keys/none/", "/keys/none"),
        ("GET", "/deletedkeys/k", "/deletedkeys/k"),
        ("POST", "/deletedkeys/none/recover", "/deletedkeys/none"),
        ("DELETE", "/deletedkeys/k", "/deletedkeys/k"),
    ],
)
async def test_absent_key_is_not_found(user: RawClient, method: str, path: str, named: str) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct"})

    reply = await user.send(method, path, {} if method == "PATCH" else None)

    assert reply.error == (404, "KeyNotFound", f"Key not found: {BASE}{named}")
    assert len(await listed(user, "/keys")) == 1


async def test_absent_key_has_no_versions(user: RawClient) -> None:
    absent = await user.send("GET", "/keys/none/versions")
    await user.send("POST", "/keys/k/create", {"kty": "oct"})
    await user.send("DELETE", "/keys/k")
    deleted = await user.send("GET", "/keys/k/versions")

    assert (absent.status, absent.json) == (deleted.status, deleted.json) == (200, {"value": []})


async def test_keys_are_served_at_versions_older_than_the_hsm(user: RawClient) -> None:
    for version in ("7.0", "7.1"):
        created = await user.send("POST", "/keys/k/create", {"kty": "oct"}, version=version)

        assert (await user.send("GET", "/keys/k", version=version)).body == created.body


@pytest.mark.parametrize(("exponent", "shown"), [(0, "AQAB"), (17, "EQ")])
async def test_public_exponent_is_kept(user: RawClient, exponent: int, shown: str) -> None:
    reply = await user.send("POST", "/keys/k/create", {"kty": "RSA", "public_exponent": exponent})

    assert (reply.status, reply.json["key"]["e"]) == (200, shown)


async def test_ed25519_key_signs_and_verifies_only(user: RawClient) -> None:
    key = (await user.send("POST", "/keys/k/create", {"kty": "OKP"})).json["key"]

    assert list(key) == ["crv", "key_ops", "kid", "kty", "x"]
    assert (key["kty"], key["crv"], key["key_ops"], len(key["x"])) == ("OKP-HSM", "Ed25519", ["sign", "verify"], 43)


async def test_release_policy_is_shown_compact_and_with_its_defaults(user: RawClient) -> None:
    policy = {"data": encoded('{ "version" : "1.0.0", "anyOf": [] }')}
    body = {"kty": "RSA", "attributes": {"exportable": True}, "release_policy": policy}

    reply = await user.send("POST", "/keys/k/create", body)

    assert reply.json["release_policy"] == {
        "contentType": "application/json; charset=utf-8",
        "data": encoded('{"version":"1.0.0","anyOf":[]}'),
        "immutable": False,
    }


async def test_key_that_wraps_securely_has_a_policy_without_being_exportable(user: RawClient) -> None:
    body = {"kty": "oct", "key_ops": ["secureWrapKey"], "release_policy": {"data": encoded('{"version":"1"}')}}

    assert (await user.send("POST", "/keys/k/create", body)).status == 200


async def test_update_can_take_all_operations_away(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "EC"})

    assert "key_ops" not in (await user.send("PATCH", "/keys/k", {"key_ops": []})).json["key"]


async def test_attestation_is_stable_and_shown_nowhere_else(user: RawClient) -> None:
    kid = (await user.send("POST", "/keys/k/create", {"kty": "EC"})).json["key"]["kid"]
    await user.send("POST", "/keys/o/create", {"kty": "oct"})

    first, second = [
        await user.send("GET", path) for path in ("/keys/k//attestation", f"/keys/k/{kid[-32:]}/attestation")
    ]
    symmetric = await user.send("GET", "/keys/o/Attestation")

    attestation = first.json["attributes"]["attestation"]
    assert list(attestation) == ["certificatePemFile", "privateKeyAttestation", "publicKeyAttestation", "version"]
    assert attestation["version"] == "MRVL-1"
    assert urlsafe_b64decode(attestation["certificatePemFile"] + "==").startswith(b"-----BEGIN CERTIFICATE-----")
    assert first.body == second.body
    assert "publicKeyAttestation" not in symmetric.json["attributes"]["attestation"]
    assert "attestation" not in (await user.send("GET", "/keys/k")).json["attributes"]


async def test_update_of_a_version_leaves_the_others_as_they_are(user: RawClient) -> None:
    first, second = [(await user.send("POST", "/keys/k/create", {"kty": "EC"})).json for _ in range(2)]
    # As many and as long as a key can have.
    tags = {"a" * 256: "x" * 256, **{str(number): "" for number in range(14)}}

    changed = await user.send("PATCH", f"/keys/k/{first['key']['kid'][-32:]}", {"tags": tags})

    assert (changed.status, changed.json["tags"], changed.json["key"]) == (200, tags, first["key"])
    assert (await user.send("GET", "/keys/k")).json == second


async def test_name_of_an_operation_is_not_a_version(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "oct"})

    statuses = {
        name: (await user.send("PATCH", f"/keys/k/{name}", {})).status
        for name in ("attestation", "sign", "WrapKey", "rotate", "rotationpolicies")
    }

    assert statuses == {"attestation": 405, "sign": 405, "WrapKey": 405, "rotate": 405, "rotationpolicies": 404}


async def test_a_name_that_no_key_can_have_is_refused(user: RawClient) -> None:
    for name in ("under_score", "k.l", "%C3%A4", "a%2Fb", "a" * 128):
        reply = await user.send("POST", f"/keys/{name}/create", {"kty": "oct"})

        assert reply.error == (400, "Invalidkeyidentifier", "Invalid key identifier")


async def test_update_changes_only_the_given_properties(user: RawClient) -> None:
    wanted = {"kty": "EC", "attributes": {"nbf": 1, "exp": 9}, "tags": {"a": "1"}}
    created = (await user.send("POST", "/keys/k/create", wanted)).json
    user.hsm.clock.advance(100)

    changed = await user.send("PATCH", "/keys/k/", {"attributes": {"enabled": False, "nbf": 0}, "key_ops": ["sign"]})
    retagged = await user.send("PATCH", f"/keys/k/{created['key']['kid'][-32:]}", {"tags": {}})

    attributes = changed.json["attributes"]
    assert attributes["updated"] >= created["attributes"]["updated"] + 100
    expected = {**created["attributes"], "enabled": False, "nbf": 0, "updated": attributes["updated"]}
    assert attributes == expected
    assert changed.json["key"] == {**created["key"], "key_ops": ["sign"]}
    assert changed.json.get("tags") == {"a": "1"}
    assert "tags" not in retagged.json
    assert (await user.send("GET", "/keys/k")).body == retagged.body


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attributes": {"exp": 5}}, "exp must be later than nbf, got 5 and 5"),
        ({"attributes": {"nbf": 9}}, "exp must be later than nbf, got 9 and 9"),
        ({"attributes": {"exportable": True}}, "The request body has unknown members: 'attributes.exportable'"),
        ({"release_policy": {"data": encoded('{"version":"1"}')}}, "Non-exportable keys must not have release policy"),
        ({"key_ops": ["wrapKey"]}, "A key of the kty EC-HSM cannot be used for the key operation 'wrapKey'"),
    ],
)
async def test_invalid_update_is_refused_and_changes_nothing(
    user: RawClient, change: dict[str, Any], message: str
) -> None:
    created = await user.send("POST", "/keys/k/create", {"kty": "EC", "attributes": {"nbf": 5, "exp": 9}})

    reply = await user.send("PATCH", "/keys/k/", change)

    assert (reply.error[0], reply.error[2]) == (400, message)
    assert (await user.send("GET", "/keys/k")).body == created.body


async def test_deleted_key_is_shown_and_recovered(user: RawClient) -> None:
    created = (await user.send("POST", "/keys/k/create", {"kty": "EC"})).json

    deleted = await user.send("DELETE", "/keys/k")
    while_deleted = [await user.send("GET", "/keys/k"), await user.send("POST", "/keys/k/create", {"kty": "EC"})]
    shown = await user.send("GET", "/deletedkeys/k")
    deleted_list, live_list = await listed(user, "/deletedkeys"), await listed(user, "/keys")
    recovered = await user.send("POST", "/deletedkeys/k/recover")

    date = deleted.json["deletedDate"]
    deletion = {"deletedDate": date, "recoveryId": f"{BASE}/deletedkeys/k", "scheduledPurgeDate": date + WEEK}
    assert abs(date - user.hsm.clock.now()) < 5
    assert list(deleted.json) == ["attributes", "deletedDate", "key", "recoveryId", "scheduledPurgeDate"]
    assert (deleted.status, deleted.json) == (200, {**created, **deletion})
    assert shown.body == deleted.body
    assert deleted_list == [{"attributes": created["attributes"], "kid": f"{BASE}/keys/k", **deletion}]
    assert live_list == []
    assert while_deleted[0].error == (404, "KeyNotFound", f"Key not found: {BASE}/keys/k")
    assert while_deleted[1].status == 409
    assert while_deleted[1].json["error"]["innererror"] == {"code": "ObjectIsDeletedButRecoverable"}
    assert (recovered.status, recovered.json) == (200, created)
    assert (await user.send("GET", "/keys/k")).json == created
    assert await listed(user, "/deletedkeys") == []


async def test_a_purged_key_is_gone_and_its_name_free(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "EC"})
    await user.send("DELETE", "/keys/k")

    purged = await user.send("DELETE", "/deletedkeys/k")
    again = await user.send("DELETE", "/deletedkeys/k")
    created = await user.send("POST", "/keys/k/create", {"kty": "EC"})

    assert (purged.status, purged.body) == (204, b"")
    assert purged.headers["Content-Length"] == "0"
    assert purged.headers["Content-Type"] == "application/json; charset=utf-8"
    assert not {"Date", "Server"} & set(purged.headers)
    assert again.error == (404, "KeyNotFound", f"Key not found: {BASE}/deletedkeys/k")
    assert created.status == 200
    assert len(await listed(user, "/keys/k/versions")) == 1


async def test_a_deleted_key_is_purged_when_its_week_is_over(user: RawClient) -> None:
    await user.send("POST", "/keys/k/create", {"kty": "EC"})
    await user.send("DELETE", "/keys/k")

    user.hsm.clock.advance(WEEK - 60)
    before = await listed(user, "/deletedkeys")
    user.hsm.clock.advance(60)
    after = await listed(user, "/deletedkeys")

    assert (len(before), after) == (1, [])


@pytest.mark.parametrize("path", ["/keys", "/deletedkeys", "/keys/k/versions"])
async def test_a_list_comes_in_pages_of_the_size_that_is_asked_for(user: RawClient, path: str) -> None:
    for index in range(7):
        name = "k" if path == "/keys/k/versions" else f"k{index}"
        await user.send("POST", f"/keys/{name}/create", {"kty": "oct"})
        if path == "/deletedkeys":
            await user.send("DELETE", f"/keys/{name}")

    whole = (await user.send("GET", path, query="maxresults=7")).json
    pages = [(await user.send("GET", path, query="maxresults=3")).json]
    while link := pages[-1].get("nextLink"):
        url = URL(link)
        assert link.startswith(f"{BASE}{path}?")
        pages.append((await user.send("GET", url.path, version=None, query=url.raw_query_string)).json)
    elsewhere = await user.send("GET", path, query="$skiptoken=a/b")

    # A list that fills its page exactly has no next page.
    assert list(whole) == ["value"]
    assert [len(page["value"]) for page in pages] == [3, 3, 1]
    assert [item for page in pages for item in page["value"]] == whole["value"]
    assert len({item["kid"] for item in whole["value"]}) == 7
    assert elsewhere.error == (400, "BadParameter", "The $skiptoken is not one of this list")


async def test_a_page_size_out_of_range_is_refused(user: RawClient) -> None:
    for size in ("0", "26", "-1", "x", "", "%D9%A3", "1e1", "9" * 5000):
        reply = await user.send("GET", "/keys", query=f"maxresults={size}")

        assert reply.error == (400, "BadParameter", "maxresults must be a number from 1 to 25")


@pytest.mark.parametrize("token", ["", "a\n", "a\0", "a/b", "k" * 128, "ä"])
def test_a_page_of_keys_that_cannot_exist_is_refused(token: str) -> None:
    with pytest.raises(ServiceError, match=r"The \$skiptoken is not one of this list"):
        keys.parse_name_token(token)


async def test_a_list_goes_on_after_a_key_that_is_gone(user: RawClient) -> None:
    for name in ("a", "b", "c"):
        await user.send("POST", f"/keys/{name}/create", {"kty": "oct"})
    page = (await user.send("GET", "/keys", query="maxresults=2")).json
    await user.send("DELETE", "/keys/b")

    rest = await user.send("GET", "/keys", query=URL(page["nextLink"]).raw_query_string, version=None)

    assert [item["kid"] for item in rest.json["value"]] == [f"{BASE}/keys/c"]


def test_five_thousand_keys_are_the_limit() -> None:
    keys.check_room("k", None, 4999)

    with pytest.raises(ServiceError, match="No more than 5000 keys are allowed"):
        keys.check_room("k", None, 5000)


def test_a_hundred_versions_are_the_limit() -> None:
    version = KeyVersion("v", "oct-HSM", {}, (), 0, 0)
    keys.check_room("k", Key("k", (version,) * 99), 1)

    with pytest.raises(ServiceError, match="No more than 100 versions of a key are allowed") as caught:
        keys.check_room("k", Key("k", (version,) * 100), 1)
    assert (caught.value.status, caught.value.code) == (400, "KeyLimitExceeded")


async def test_keys_that_are_made_at_the_same_time_all_become_versions(user: RawClient) -> None:
    replies = await asyncio.gather(*(user.send("POST", "/keys/k/create", {"kty": "RSA"}) for _ in range(5)))

    kids = {reply.json["key"]["kid"] for reply in replies}
    assert {each["kid"] for each in await listed(user, "/keys/k/versions")} == kids
    assert len(kids) == 5


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("POST", "/keys/k/v/release", "Releasing a key"),
        ("POST", "/keys/k//release", "Releasing a key"),
        ("POST", "/keys/k/v/secureWrapKey", "Wrapping a key securely"),
        ("POST", "/keys/k//secureunwrapkey", "Unwrapping a key securely"),
        ("GET", "/ekm", "The external key manager (EKM)"),
        ("POST", "/ekm/create", "The external key manager (EKM)"),
        ("GET", "/securitydomain/upload", "Download or upload of the security domain"),
        ("POST", "/securitydomain/download", "Download or upload of the security domain"),
    ],
)
async def test_operation_that_is_not_emulated_is_501(user: RawClient, method: str, path: str, what: str) -> None:
    await user.assign(user.principal, EKM_ADMINISTRATOR)

    reply = await user.send(method, path, b"whatever" if method != "GET" else None)

    assert reply.error == (501, "NotImplemented", f"{what} is not part of this emulator")
