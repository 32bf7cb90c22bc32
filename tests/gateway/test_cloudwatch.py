"""CloudWatch alarms by SNS: with real signatures of a key of our own, whose certificate stands where SNS's would."""

import base64
import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.reading import Fault, Ignored, Seen
from gateway.sources.cloudwatch import alarm_of
from gateway.sources.sns import Verifier
from tests.gateway.house import House, new_name
from tests.gateway.test_alertmanager import ODD

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
MESSAGE: dict[str, Any] = {
    "AlarmName": "checkout-5xx",
    "AlarmDescription": None,
    "AWSAccountId": "123456789012",
    "AlarmConfigurationUpdatedTimestamp": "2026-02-01T10:00:00.000+0000",
    "NewStateValue": "ALARM",
    "NewStateReason": "Threshold Crossed: 1 out of the last 1 datapoints [42.0 (02/03/26 08:59:00)] was greater "
    "than the threshold (10.0) (minimum 1 datapoint for OK -> ALARM transition).",
    "StateChangeTime": "2026-03-02T09:00:37.811+0000",
    "Region": "EU (Ireland)",
    "AlarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-5xx",
    "OldStateValue": "OK",
    "OKActions": [TOPIC],
    "AlarmActions": [TOPIC],
    "InsufficientDataActions": [],
    "Trigger": {
        "MetricName": "HTTPCode_Target_5XX_Count",
        "Namespace": "AWS/ApplicationELB",
        "StatisticType": "Statistic",
        "Statistic": "SUM",
        "Unit": None,
        "Dimensions": [{"value": "app/checkout/50dc6c495c0c9188", "name": "LoadBalancer"}],
        "Period": 60,
        "EvaluationPeriods": 1,
        "DatapointsToAlarm": 1,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 10.0,
        "TreatMissingData": "notBreaching",
        "EvaluateLowSampleCountPercentile": "",
    },
}


class Amazon:
    """A topic that signs, and the certificate by which it is believed."""

    def __init__(self, now: datetime | None = None, *, valid: timedelta = timedelta(days=30)) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.now = now or datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - timedelta(days=60))
            .not_valid_after(self.now + valid)
            .sign(self.key, hashes.SHA256())
            .public_bytes(Encoding.PEM)
        )
        self.fetched: list[str] = []
        self.answers = True

    async def fetch(self, url: str) -> bytes:
        self.fetched.append(url)
        if not self.answers:
            raise OSError("nobody there")
        return self.certificate if url.endswith(".pem") else b"<ConfirmSubscriptionResponse/>"

    def signed(self, envelope: dict[str, Any]) -> bytes:
        kind = envelope["Type"]
        names = ["Message", "MessageId"]
        names += ["Subject"] * ("Subject" in envelope) if kind == "Notification" else ["SubscribeURL"]
        names += ["Timestamp"] + (["Token"] if kind != "Notification" else []) + ["TopicArn", "Type"]
        text = "".join(f"{name}\n{envelope[name]}\n" for name in names).encode()
        algorithm = hashes.SHA1() if envelope["SignatureVersion"] == "1" else hashes.SHA256()
        signature = base64.b64encode(self.key.sign(text, PKCS1v15(), algorithm)).decode()
        return json.dumps({**envelope, "Signature": signature}).encode()

    def notification(self, message: Any = MESSAGE, **changes: Any) -> dict[str, Any]:
        return {
            "Type": "Notification",
            "MessageId": new_name("da41e39f"),
            "TopicArn": TOPIC,
            "Subject": 'ALARM: "checkout-5xx" in EU (Ireland)',
            "Message": message if isinstance(message, str) else json.dumps(message),
            "Timestamp": self.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": "2",
            "SigningCertURL": CERTIFICATE,
            "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
            **changes,
        }

    def confirmation(self, **changes: Any) -> dict[str, Any]:
        topic = changes.get("TopicArn", TOPIC)
        return {
            **{k: v for k, v in self.notification("You have chosen to subscribe").items() if k != "Subject"},
            "Type": "SubscriptionConfirmation",
            "Token": "2336412f37",
            "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription"
            f"&TopicArn={topic}&Token=2336412f37",
            **changes,
        }


@pytest.fixture(scope="module")
def amazon() -> Amazon:
    return Amazon()


async def post(house: House, body: bytes, amazon: Amazon, **options: Any) -> Any:
    amazon.fetched.clear()
    given = {"sender": ("54.239.98.0", 443), "topics": [TOPIC], "fetch": amazon.fetch, **options}
    async with house.gateway(**given) as http:
        return await http.post("/alarms/cloudwatch", content=body, headers={"Content-Type": "text/plain"})


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [True, False], ids=["with a subject", "without"])
async def test_an_alarm_that_sns_signed_is_taken(house: House, amazon: Amazon, version: str, subject: bool) -> None:
    envelope = amazon.notification(SignatureVersion=version)
    if not subject:
        del envelope["Subject"]
    answer = await post(house, amazon.signed(envelope), amazon)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "unmapped": []})
    (alarm,) = await house.alarms()
    # The catalogue's rules know the load balancer, and Amazon's name of the region.
    assert alarm == {
        "by": "cloudwatch",
        "key": envelope["MessageId"],
        "alarm": "checkout-5xx#123456789012",
        "service": "checkout-api",
        "region": "eu-west",
        "metric": "error-rate",
        "state": "ALARM",
        "severity": 2,
        "summary": alarm["summary"],
        "link": "https://eu-west-1.console.aws.amazon.com/cloudwatch/home?region=eu-west-1#alarmsV2:alarm/checkout-5xx",
        "value": 42.0,
        "threshold": 10.0,
        "at": "2026-03-02T09:00:37.811000Z",
    }


async def test_its_end_is_the_end_of_the_same_alarm_and_a_second_delivery_counts_once(
    house: House, amazon: Amazon
) -> None:
    first = amazon.signed(amazon.notification())
    over = amazon.signed(amazon.notification({**MESSAGE, "NewStateValue": "OK"}))
    options: dict[str, Any] = {"topics": [TOPIC], "fetch": amazon.fetch}
    async with house.gateway(sender=("54.239.98.0", 443), **options) as http:
        answers = [await http.post("/alarms/cloudwatch", content=body) for body in (first, first, over)]
    assert [answer.json().get("absorbed", 0) for answer in answers] == [0, 1, 0]
    alarms = await house.alarms()
    assert [alarm["state"] for alarm in alarms] == ["ALARM", "OK"]
    assert len({alarm["alarm"] for alarm in alarms}) == 1


async def test_the_certificate_is_fetched_once(house: House, amazon: Amazon) -> None:
    amazon.fetched.clear()
    options: dict[str, Any] = {"topics": [TOPIC], "fetch": amazon.fetch}
    async with house.gateway(sender=("54.239.98.0", 443), **options) as http:
        for _ in range(3):
            await http.post("/alarms/cloudwatch", content=amazon.signed(amazon.notification()))
    assert amazon.fetched == [CERTIFICATE]


def _other_text(amazon: Amazon, body: dict[str, Any]) -> None:
    body["Message"] = json.dumps({**MESSAGE, "NewStateValue": "OK"})


def _other_key(amazon: Amazon, body: dict[str, Any]) -> None:
    body["Signature"] = json.loads(Amazon().signed(body))["Signature"]


def _old(amazon: Amazon, body: dict[str, Any]) -> None:
    body["Timestamp"] = (amazon.now - timedelta(minutes=66)).isoformat()
    body["Signature"] = json.loads(amazon.signed(body))["Signature"]


def _ahead(amazon: Amazon, body: dict[str, Any]) -> None:
    body["Timestamp"] = (amazon.now + timedelta(minutes=10)).isoformat()
    body["Signature"] = json.loads(amazon.signed(body))["Signature"]


def _set(name: str, value: Any) -> Callable[[Amazon, dict[str, Any]], None]:
    def change(amazon: Amazon, body: dict[str, Any]) -> None:
        body[name] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        _other_text, _other_key, _old, _ahead,
        _set("Signature", "bm90IG9uZQ=="), _set("Signature", "???"), _set("SignatureVersion", "3"),
        _set("Subject", "another"), _set("Timestamp", "2026-03-02T09:00:00Z\nTopicArn"),
    ],
    ids=[
        "another text", "another key", "an old one again", "one of tomorrow", "no signature", "no base64",
        "another version", "another subject", "a value with two lines",
    ],
)  # fmt: skip
async def test_what_sns_did_not_sign_just_now_is_refused(
    house: House, amazon: Amazon, change: Callable[[Amazon, dict[str, Any]], None]
) -> None:
    body = json.loads(amazon.signed(amazon.notification()))
    change(amazon, body)
    answer = await post(house, json.dumps(body).encode(), amazon)
    assert answer.status_code == 401
    assert "Amazon SNS signed" in answer.json()["error"]
    assert await house.alarms() == []


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c64.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-9c64.pem",
        "https://evil.example/SimpleNotificationService-9c64.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-9c64.pem",
        "https://user@sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c64.pem",
        "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-9c64.pem",
        "https://sns.eu-west-1.amazonaws.com\\.evil.example/SimpleNotificationService-9c64.pem",
        "https://bucket.s3.amazonaws.com/SimpleNotificationService-9c64.pem",
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "https://sns.eu-west-1.amazonaws.com/x/../SimpleNotificationService-9c64.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c64.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c64.pem#x",
        "https://[::1/SimpleNotificationService-9c64.pem",
        "", None, 7,
    ],
)  # fmt: skip
async def test_a_certificate_from_elsewhere_is_not_even_fetched(house: House, amazon: Amazon, url: Any) -> None:
    answer = await post(house, amazon.signed(amazon.notification(SigningCertURL=url)), amazon)
    assert answer.status_code == 401
    assert amazon.fetched == []


async def test_a_certificate_that_has_ended_proves_nothing(house: House) -> None:
    ended = Amazon(valid=timedelta(days=-1))
    answer = await post(house, ended.signed(ended.notification()), ended)
    assert answer.status_code == 401
    assert "not valid today" in answer.json()["error"]


async def test_while_the_certificate_cannot_be_had_sns_is_asked_to_try_again(house: House) -> None:
    away = Amazon()
    away.answers = False
    answer = await post(house, away.signed(away.notification()), away)
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


async def test_a_topic_of_somebody_else_is_refused(house: House, amazon: Amazon) -> None:
    body = amazon.signed(amazon.notification(TopicArn="arn:aws:sns:eu-west-1:999999999999:alarms"))
    answer = await post(house, body, amazon)
    assert answer.status_code == 403
    assert "ALLCLEAR_SNS_TOPICS" in answer.json()["error"]
    assert amazon.fetched == []


async def test_without_topics_only_this_machine_may_send_and_only_what_sns_signed(house: House, amazon: Amazon) -> None:
    good = amazon.signed(amazon.notification())
    stranger = await post(house, good, amazon, topics=[])
    near = await post(house, good, amazon, topics=[], sender=("127.0.0.1", 1))
    forged = await post(house, b'{"Type": "Notification"}', amazon, topics=[], sender=("127.0.0.1", 1))
    assert (stranger.status_code, near.status_code, forged.status_code) == (403, 202, 422)
    assert "ALLCLEAR_SNS_TOPICS" in stranger.json()["error"]


@pytest.mark.parametrize("version", ["1", "2"])
async def test_the_subscription_of_an_allowed_topic_is_confirmed(house: House, amazon: Amazon, version: str) -> None:
    envelope = amazon.confirmation(SignatureVersion=version)
    answer = await post(house, amazon.signed(envelope), amazon)
    assert answer.status_code == 202
    assert TOPIC in answer.json()["ignored"][0]["text"]
    assert amazon.fetched[-1] == envelope["SubscribeURL"]
    assert await house.alarms() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"SubscribeURL": "https://evil.example/?Action=ConfirmSubscription&TopicArn=" + TOPIC},
        {"SubscribeURL": "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + TOPIC},
        {"SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=DeleteTopic&TopicArn=" + TOPIC},
        {"SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=other"},
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:spam"},
    ],
    ids=["another host", "no TLS", "another action", "another topic", "a topic nobody allowed"],
)
async def test_no_other_subscription_is_confirmed(house: House, amazon: Amazon, changes: dict[str, str]) -> None:
    answer = await post(house, amazon.signed(amazon.confirmation(**changes)), amazon)
    assert answer.status_code in (401, 403)
    assert [url for url in amazon.fetched if url != CERTIFICATE] == []


async def test_without_topics_nothing_is_confirmed(house: House, amazon: Amazon) -> None:
    answer = await post(house, amazon.signed(amazon.confirmation()), amazon, topics=[], sender=("127.0.0.1", 1))
    assert answer.status_code == 403
    assert [url for url in amazon.fetched if url != CERTIFICATE] == []


async def test_a_composite_alarm_is_taken_as_unmapped_where_no_rule_knows_it(house: House, amazon: Amazon) -> None:
    name = new_name("checkout-down")
    message = {
        "AlarmName": name,
        "AlarmDescription": "Several signs of the checkout at once",
        "AWSAccountId": "123456789012",
        "NewStateValue": "ALARM",
        "NewStateReason": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:checkout-5xx transitioned to ALARM",
        "StateChangeTime": "2026-03-02T09:00:37.811+0000",
        "AlarmArn": f"arn:aws:cloudwatch:eu-west-1:123456789012:alarm:{name}",
        "AlarmRule": "ALARM(checkout-5xx) AND ALARM(checkout-slow)",
    }
    answer = await post(house, amazon.signed(amazon.notification(message)), amazon)
    service = f"cloudwatch:{name}#123456789012"
    assert (answer.status_code, answer.json()["unmapped"]) == (202, [service])
    assert [a["state"] for a in await house.alarms("unmapped") if a["service"] == service] == ["ALARM"]


async def test_insufficient_data_changes_nothing_and_is_said(house: House, amazon: Amazon) -> None:
    body = amazon.signed(amazon.notification({**MESSAGE, "NewStateValue": "INSUFFICIENT_DATA"}))
    answer = await post(house, body, amazon)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)
    assert "stays as it was" in answer.json()["ignored"][0]["text"]
    assert await house.alarms() == []


@pytest.mark.parametrize("message", ["words", "[1]", "null", '{"AlarmName": 5}', '{"budget": 1}', "[" * 5000])
async def test_a_message_that_is_no_alarm_is_refused_with_its_field(house: House, amazon: Amazon, message: str) -> None:
    answer = await post(house, amazon.signed(amazon.notification(message)), amazon)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("Message")


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"Type": "Notification"}', json.dumps(MESSAGE).encode()])
async def test_what_is_no_envelope_is_refused(house: House, amazon: Amazon, body: bytes) -> None:
    assert (await post(house, body, amazon)).status_code in (400, 422)


async def test_a_certificate_is_kept_but_not_for_ever(amazon: Amazon, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier = Verifier([TOPIC], amazon.fetch)
    amazon.fetched.clear()
    await verifier.opened(amazon.signed(amazon.notification()))
    monkeypatch.setattr("gateway.sources.sns.KEPT", -1.0)
    await verifier.opened(amazon.signed(amazon.notification()))
    assert amazon.fetched == [CERTIFICATE] * 2


@pytest.mark.parametrize("field", [*MESSAGE, "Trigger.Dimensions", "Trigger.Threshold"])
def test_no_value_of_any_field_breaks_the_reading(field: str) -> None:
    for odd in ODD:
        message = copy.deepcopy(MESSAGE)
        head, _, tail = field.partition(".")
        if tail:
            message[head][tail] = odd
        else:
            message[head] = odd
        assert isinstance(alarm_of(0, message, TOPIC, "id"), (Seen, Fault, Ignored))


def test_long_names_of_alarms_stay_apart() -> None:
    names = {
        seen.fields["alarm"]
        for end in "ab"
        if isinstance(seen := alarm_of(0, {**MESSAGE, "AlarmName": "x" * 200 + end}), Seen)
    }
    assert len(names) == 2
    assert all(len(name) <= 128 for name in names)
