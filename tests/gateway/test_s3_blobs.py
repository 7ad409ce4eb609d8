"""The blob store in S3: signatures as AWS computes them, against a store that checks them, with its faults."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
import pytest

from chassis.errors import WrongSetting
from chassis.http import Policy
from services.gateway.adapters.s3_blobs import S3Blobs, SignedV4, StoreUnavailable, secret_key

ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
BODY = bytes(range(256)) * 40
BLOB = hashlib.sha256(BODY).hexdigest()
SOURCE = "rmm/ninjaone/main"
FAST = Policy(calls_per_second=10_000, burst=10_000, timeout_seconds=2, attempts=1, breaker_failures=1000)


class Store:
    """A bucket in memory that refuses what is not signed right. Source: Amazon S3 API reference, error responses."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.answer: httpx.Response | None = None
        self.secret = SECRET_KEY

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.answer is not None:
            return self.answer
        if not self._is_signed(request):
            return _error(403, "SignatureDoesNotMatch")
        path = request.url.path
        if not path.startswith("/bodies-of-tests/"):
            return _error(404, "NoSuchBucket")
        if request.method == "PUT":
            self.objects[path] = request.content
            return httpx.Response(200, headers={"etag": f'"{hashlib.md5(request.content).hexdigest()}"'})  # noqa: S324
        if path not in self.objects:
            return _error(404, "NoSuchKey")
        return httpx.Response(200, content=self.objects[path])

    def _is_signed(self, request: httpx.Request) -> bool:
        """Compute the signature from what came over the wire, written apart from what the product does."""
        matched = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, SignedHeaders=(.+), Signature=(.+)",
            request.headers["authorization"],
        )
        if matched is None or matched[1] != ACCESS_KEY:
            return False
        day, region, names, signature = matched.group(2, 3, 4, 5)
        if not {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names.split(";")):
            return False
        digest = hashlib.sha256(request.content).hexdigest()
        if request.headers["x-amz-content-sha256"] != digest or not request.headers["x-amz-date"].startswith(day):
            return False
        canonical = f"{request.method}\n{request.url.path}\n\n"
        canonical += "".join(f"{name}:{request.headers[name].strip()}\n" for name in names.split(";"))
        canonical += f"\n{names}\n{digest}"
        text = f"AWS4-HMAC-SHA256\n{request.headers['x-amz-date']}\n{day}/{region}/s3/aws4_request\n"
        text += hashlib.sha256(canonical.encode()).hexdigest()
        key = ("AWS4" + self.secret).encode()
        for part in (day, region, "s3", "aws4_request", text):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.compare_digest(key.hex(), signature)


def _error(status: int, code: str) -> httpx.Response:
    return httpx.Response(status, text=f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code></Error>')


@pytest.fixture
def store() -> Store:
    return Store()


def blobs_of(store: Store, *, bucket: str = "bodies-of-tests", secret: str = SECRET_KEY) -> S3Blobs:
    auth = SignedV4(key_id=ACCESS_KEY, secret=secret, region="eu-central-1")
    return S3Blobs(
        "https://s3.example:9000", bucket=bucket, auth=auth, policy=FAST, transport=httpx.MockTransport(store)
    )


def signed(url: str, headers: Mapping[str, str]) -> str:
    """Return how the example requests of the AWS documentation are signed by us."""
    moment = datetime(2013, 5, 24, tzinfo=UTC)
    auth = SignedV4(key_id=ACCESS_KEY, secret=SECRET_KEY, region="us-east-1", now=lambda: moment)
    request = httpx.Request("GET", url, headers=headers)
    next(auth.auth_flow(request))
    return str(request.headers["authorization"].rpartition("Signature=")[2])


def test_a_listing_is_signed_as_in_the_documentation() -> None:
    """Source: Amazon S3 API reference, "Signature Calculations", example "GET Bucket (List Objects)"."""
    signature = signed("https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J", {})

    assert signature == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"


def test_a_parameter_without_a_value_is_signed_as_in_the_documentation() -> None:
    """Source: Amazon S3 API reference, "Signature Calculations", example "GET Bucket Lifecycle"."""
    signature = signed("https://examplebucket.s3.amazonaws.com/?lifecycle", {})

    assert signature == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"


async def test_what_was_put_is_fetched_and_a_repeat_changes_nothing(store: Store) -> None:
    blobs = blobs_of(store)

    await blobs.put(BLOB, SOURCE, BODY)
    await blobs.put(BLOB, SOURCE, BODY)

    assert await blobs.fetch([BLOB]) == {BLOB: BODY}
    assert list(store.objects) == [f"/bodies-of-tests/bodies/{BLOB}"]


async def test_what_is_not_there_is_left_out(store: Store) -> None:
    assert await blobs_of(store).fetch(["0" * 64]) == {}


async def test_a_name_that_is_no_hash_is_never_asked_for(store: Store) -> None:
    store.answer = httpx.Response(500)

    assert await blobs_of(store).fetch(["../../other-bucket/secret", "", "A" * 64]) == {}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(_error(503, "SlowDown"), id="slow down"),
        pytest.param(_error(500, "InternalError"), id="internal error"),
        pytest.param(_error(403, "AccessDenied"), id="access denied"),
        pytest.param(_error(404, "NoSuchBucket"), id="no bucket"),
        pytest.param(httpx.Response(404, text="<html>not a store at all</html>"), id="another server"),
    ],
)
async def test_a_store_in_trouble_gives_up_no_body(store: Store, answer: httpx.Response) -> None:
    store.answer = answer

    with pytest.raises(StoreUnavailable):
        await blobs_of(store).fetch([BLOB])
    with pytest.raises(StoreUnavailable):
        await blobs_of(store).put(BLOB, SOURCE, BODY)


async def test_a_wrong_secret_is_refused_by_the_store(store: Store) -> None:
    with pytest.raises(StoreUnavailable, match="SignatureDoesNotMatch"):
        await blobs_of(store, secret="another").put(BLOB, SOURCE, BODY)


@pytest.mark.parametrize(("url", "bucket"), [("http://s3.example", "b"), ("", "b"), ("https://s3.example", "")])
def test_a_wrong_setting_is_said_before_anything_is_called(url: str, bucket: str) -> None:
    with pytest.raises(WrongSetting):
        S3Blobs(url, bucket=bucket, auth=httpx.BasicAuth("", ""))


def test_a_missing_secret_file_is_a_wrong_setting() -> None:
    with pytest.raises(WrongSetting, match="PATCHLINE_S3_SECRET_KEY_FILE"):
        secret_key(None)
