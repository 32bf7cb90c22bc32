"""Letters through a real mail server, and every way in which one does not take them."""

import asyncio
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult

from activities import Failed
from activities.comms.smtp import SmtpMessenger
from activities.paging.smtp import SmtpPager
from activities.smtp import SUBJECT_LONGEST, Mailer
from model.catalogue.plan import Contact
from model.effects import Page, Recipient, Tell
from model.text import Refused
from tests.activities.mail_server import House, serving

ID = "INC-20260302-7F3A"
NINE = datetime(2026, 3, 2, 9, tzinfo=UTC)
TEXT = "SEV2 checkout-api eu-west error-rate 4%>1% 3 min, customers hit? unknown. Ack: http://gate.test/i/INC-1?t=x.y"
PASSWORD = "correct horse"
ANA = Contact(channel="email", address="ana@example.test")
PAGE = Page(
    incident=ID, person="ana", name="Ana Ng", contact=ANA, team="checkout", level=1, severity=2,
    opened_at=NINE, at=NINE,
)  # fmt: skip


@pytest.fixture
def house() -> House:
    return House()


@pytest.fixture
def mailer(house: House) -> Iterator[Mailer]:
    with serving(house) as it:
        yield it


async def refused(mailer: Mailer, page: Page = PAGE, text: str = TEXT) -> Failed:
    with pytest.raises(Failed) as caught:
        await SmtpPager(mailer).page(page, text, "k/1")
    return caught.value


async def test_a_page_arrives_with_its_text_and_its_link(mailer: Mailer, house: House) -> None:
    await SmtpPager(mailer).page(PAGE, TEXT, "k/1")
    [letter], [envelope] = house.letters, house.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == ("allclear@house.test", ["ana@example.test"])
    assert (letter["From"], letter["To"]) == ("AllClear <allclear@house.test>", "ana@example.test")
    assert letter["Subject"].startswith("SEV2 checkout-api eu-west error-rate")
    assert len(letter["Subject"]) <= SUBJECT_LONGEST
    assert letter["Date"].datetime == NINE
    assert letter.get_content_type() == "text/plain"
    body = letter.get_content()
    assert TEXT in body
    assert "\nhttp://gate.test/i/INC-1?t=x.y\r\n" in body
    assert f"{ID} · paged: Ana Ng for checkout" in body


async def test_a_letter_leads_to_the_call_through_the_page_which_counts_who_joins(mailer: Mailer, house: House) -> None:
    await SmtpPager(mailer).page(PAGE.model_copy(update={"tech_call": "https://meet.test/{incident}"}), TEXT, "k/1")
    body = house.letters[0].get_content()
    assert "\nhttp://gate.test/i/INC-1?t=x.y&call=1\r\n" in body
    assert "meet.test" not in body


async def test_the_same_key_is_the_same_message_and_another_key_another(mailer: Mailer, house: House) -> None:
    for key in ("k/1", "k/1", "k/2"):
        await SmtpPager(mailer).page(PAGE, TEXT, key)
    first, again, other = (letter["Message-ID"] for letter in house.letters)
    assert first == again != other
    assert re.fullmatch(r"<[0-9a-f]{40}@house\.test>", first)
    assert len({letter["References"] for letter in house.letters}) == 1


async def test_a_quiet_message_arrives(mailer: Mailer, house: House) -> None:
    tell = Tell(incident=ID, to=["checkout"], recipients=[], text="It is over – für alle.", at=NINE)
    await SmtpMessenger(mailer).tell(tell, Recipient(person="ana", contact=ANA), "k/1/ana")
    [letter] = house.letters
    assert letter["Subject"] == f"{ID}: It is over – für alle."
    assert letter.get_content().startswith("It is over – für alle.\r\n")


@pytest.mark.parametrize(
    ("where", "answer", "again"),
    [
        ("RCPT", "451 try later", True),
        ("RCPT", "550 no such user", False),
        ("DATA", "451 try later", True),
        ("DATA", "554 looks like spam", False),
        ("MAIL", "451 try later", True),
        ("MAIL", "550 you may not send here", True),
    ],
)
async def test_what_the_server_says_decides_about_another_attempt(
    mailer: Mailer, house: House, where: str, answer: str, again: bool
) -> None:
    house.says[where] = answer
    failed = await refused(mailer)
    assert failed.again is again
    assert answer in failed.reason


async def test_nobody_listening_is_tried_again(mailer: Mailer) -> None:
    with socket() as dead:
        dead.bind(("127.0.0.1", 0))  # bound, not listening: nobody else takes the port meanwhile
        failed = await refused(replace(mailer, port=dead.getsockname()[1]))
    assert failed.again
    assert failed.reason.endswith("cannot be used: Connection refused")


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    async with _silent() as port:
        began = time.monotonic()
        failed = await refused(Mailer("127.0.0.1", port, "a@b.test", tls="none", within=timedelta(seconds=0.3)))
    assert time.monotonic() - began < 2
    assert failed.again
    assert failed.reason == f"127.0.0.1:{port} did not answer in time"


@asynccontextmanager
async def _silent() -> AsyncIterator[int]:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_taken_message_is_taken_whatever_comes_after(mailer: Mailer, house: House) -> None:
    house.says["QUIT"] = "slowly"
    await SmtpPager(mailer).page(PAGE, TEXT, "k/1")
    assert len(house.letters) == 1


INJECTED = "SEV2\r\nBcc: all@example.test\n\n\0evil\x1b[2J\x85Bcc: x\u2028Bcc: y"


async def test_no_header_can_be_injected(mailer: Mailer, house: House) -> None:
    page = PAGE.model_copy(update={"incident": INJECTED, "name": INJECTED, "team": INJECTED})
    await SmtpPager(mailer).page(page, INJECTED, INJECTED)
    [letter], [envelope] = house.letters, house.envelopes
    assert letter["Bcc"] is None
    assert set(letter.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "References", "Auto-Submitted",
        "Content-Type", "Content-Transfer-Encoding", "MIME-Version", "X-Peer", "X-MailFrom", "X-RcptTo",
    } & set(letter.keys())  # fmt: skip
    assert envelope.rcpt_tos == ["ana@example.test"]
    assert letter["Subject"] == "SEV2 Bcc: all@example.test evil[2JBcc: x Bcc: y"
    assert not re.search(r"[\x00\x1b]", letter.get_content())


@pytest.mark.parametrize("sender", ["", "AllClear", "a@b.test, c@d.test", "a@b.test\r\nBcc: x@y.test"])
def test_a_sender_no_server_would_take_is_refused_before_the_first_page(sender: str) -> None:
    with pytest.raises(Refused, match="ALLCLEAR_SMTP_SENDER"):
        Mailer("127.0.0.1", 25, sender)


@pytest.mark.parametrize(
    "spec",
    [
        "ana@example.test, ben@example.test",
        "ana@example.test\r\nRCPT TO:<x@y.test>",
        "Ana <ana@example.test>",
        "ana",
        "",
        "@example.test",
        "ana@",
        "ana@example.test>",
        "ana@exa mple.test",
        "ana@example.test\0",
    ],
)
async def test_what_is_no_address_goes_nowhere(mailer: Mailer, house: House, spec: str) -> None:
    contact = Contact.model_construct(channel="email", address=spec)
    failed = await refused(mailer, PAGE.model_copy(update={"contact": contact}))
    assert not failed.again
    assert "is not a mail address" in failed.reason
    assert not house.envelopes


def _login(right: str) -> Any:
    def check(server: Any, session: Any, envelope: Any, mechanism: str, auth: Any) -> AuthResult:
        return AuthResult(success=auth.password.decode() == right, handled=False)

    return check


async def test_the_password_is_used_and_never_said(house: House) -> None:
    with serving(house, authenticator=_login(PASSWORD), auth_require_tls=False) as mailer:
        await SmtpPager(replace(mailer, user="allclear", password=PASSWORD)).page(PAGE, TEXT, "k/1")
        assert len(house.letters) == 1
        wrong = replace(mailer, user="allclear", password="wrong horse")
        failed = await refused(wrong)
    assert failed.again
    assert "refused the login (535)" in failed.reason
    assert "wrong horse" not in failed.reason + repr(wrong)


async def test_a_password_in_a_servers_answer_is_taken_out(mailer: Mailer, house: House) -> None:
    house.says["RCPT"] = f"550 {PASSWORD} Y29ycmVjdCBob3JzZQ== is not for me"
    with serving(house, authenticator=_login(PASSWORD), auth_require_tls=False) as asks:
        failed = await refused(replace(asks, user="allclear", password=PASSWORD))
    assert "550 *** *** is not for me" in failed.reason


async def test_without_the_encryption_that_was_asked_for_nothing_is_sent(mailer: Mailer, house: House) -> None:
    user = replace(mailer, user="allclear", password=PASSWORD)
    assert "STARTTLS" in (await refused(replace(user, tls="starttls"))).reason
    assert "ALLCLEAR_SMTP_TLS" in (await refused(replace(user, tls="tls"))).reason
    assert not house.envelopes


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    if not shutil.which("openssl"):
        pytest.skip("makes a certificate with openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


async def test_an_untrusted_certificate_is_not_accepted(house: House, self_signed: ssl.SSLContext) -> None:
    with serving(house, tls_context=self_signed) as mailer:
        failed = await refused(replace(mailer, tls="starttls", user="allclear", password=PASSWORD))
    assert failed.again
    assert "certificate is not trusted" in failed.reason
    assert not house.envelopes


async def test_the_check_greets_and_sends_nothing(mailer: Mailer, house: House) -> None:
    await mailer.check()
    assert not house.envelopes
