"""What leaves to attached systems: events, INS gate, reliability codes, charset; and the sender."""

from dataclasses import replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from ris.auth.values import Address
from ris.core.errors import Lost, Permanent, Transient
from ris.identity.foreign.feed import InboundEvent, LocalId, derive
from ris.identity.propagation.model import Kind
from ris.identity.propagation.queue import Outbound
from ris.identity.values import Attribute, Ins, PatientIdentity, Sex, Status, Traits
from ris.interop.hl7v2 import adt, emit, parser
from ris.interop.hl7v2.client import Sender
from ris.interop.hl7v2.mllp import framed
from ris.interop.hl7v2.settings import Hl7Settings, PartnerSettings
from ris.rem.evidence import Evidence
from ris.sandbox.pki import TestPki
from tests.interop.hl7v2.sample import DOMAIN
from tests.interop.hl7v2.test_mllp import Answer, listening, quick

AT = datetime(2024, 5, 14, 6, 30, tzinfo=UTC)
MATRICULE = "284036938300135"
OID = "1.2.250.1.213.1.4.10"
TRAITS = Traits(
    birth_family="D'ALMEIDA TESTRIS",
    birth_given_names=("JEAN", "PIERRE", "PAUL"),
    first_birth_given="JEAN PIERRE",
    birth_date=date(1977, 6, 5),
    sex=Sex.MALE,
    birth_place="2A004",
    used_family="MARTIN",
    used_given="JEAN",
)
IDENTITY = PatientIdentity(
    id=UUID(int=1),
    ipp="0000000042",
    ipp_oid=DOMAIN,
    traits=TRAITS,
    status=Status.QUALIFIEE,
    ins=Ins(MATRICULE, OID),
    address=Address(("1 RUE DE L'ÉTÉ",), "69003", "LYON", "FRA"),
    phone="0400000000",
)
PARTNER = PartnerSettings(
    name="PACS", host="127.0.0.1", port=1, application="PACS", facility="CABINET"
)


def outbound(kind: Kind = Kind.UPDATE, **options: object) -> Outbound:
    given = {"identity": IDENTITY, "occurred_at": AT, "message_id": UUID(int=7), **options}
    return Outbound(kind=kind, **given)  # type: ignore[arg-type]


def written(message: Outbound, partner: PartnerSettings = PARTNER) -> bytes:
    return emit.render(message, partner, Hl7Settings(), at=AT)


def back(data: bytes) -> adt.Reading:
    return adt.read(parser.parse(data), sender=DOMAIN, received_at=AT)


@pytest.mark.parametrize(
    ("kind", "structure", "event"),
    [
        (Kind.CREATE, "ADT_A05", InboundEvent.CREATE),
        (Kind.UPDATE, "ADT_A05", InboundEvent.UPDATE),
        (Kind.MERGE, "ADT_A39", InboundEvent.MERGE),
    ],
)
def test_a_qualified_identity_round_trips(kind: Kind, structure: str, event: InboundEvent) -> None:
    data = written(outbound(kind, absorbed_ipp="0000000041"))
    msh = parser.parse(data).msh
    assert (msh.text(9, 2), msh.text(9, 3)) == (kind.value, structure)
    assert (msh.text(12), msh.text(21)) == ("2.5", "2.11")
    read = back(data).inbound
    assert read.event is event
    assert read.local_ids == (LocalId("0000000042", DOMAIN),)
    assert read.ins == IDENTITY.ins
    assert derive(read).status is Status.QUALIFIEE
    assert read.traits.birth_family == TRAITS.birth_family
    assert read.traits.first_birth_given == "JEAN PIERRE"
    assert read.traits.birth_given_names == "JEAN PIERRE PAUL"
    assert (read.traits.birth_date, read.traits.sex) == ("1977-06-05", "M")
    assert (read.traits.birth_place, read.traits.used_family) == ("2A004", "MARTIN")
    assert (read.address, read.phone) == (IDENTITY.address, "0400000000")
    merged = LocalId("0000000041", DOMAIN) if kind is Kind.MERGE else None
    assert read.absorbed == merged
    assert read.message_id == str(UUID(int=7))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.QUALIFIEE])
@pytest.mark.rem("RIS.INS.37")
def test_no_matricule_leaves_below_qualified(
    kind: Kind, status: Status, evidence: Evidence
) -> None:
    data = written(outbound(kind, identity=replace(IDENTITY, status=status), withdrawn_oid=OID))
    assert MATRICULE.encode() not in data
    assert back(data.replace(b"MRG|^", b"MRG|X^")).inbound.ins is None
    evidence.add("01", f"{kind.value}-{status.name.lower()}.hl7", data)


@pytest.mark.parametrize("attribute", [Attribute.DOUTEUSE, Attribute.FICTIVE])
def test_a_blocking_attribute_closes_the_gate_whatever_the_status(attribute: Attribute) -> None:
    data = written(outbound(identity=replace(IDENTITY, attributes=frozenset({attribute}))))
    assert MATRICULE.encode() not in data


@pytest.mark.rem("RIS.INS.36", scenario="INS/va1.60.01")
def test_a_downgrade_withdraws_the_ins_by_an_a47(evidence: Evidence) -> None:
    identity = replace(IDENTITY, status=Status.VALIDEE, ins=None)
    data = written(outbound(Kind.WITHDRAW, identity=identity, withdrawn_oid=OID))
    read = back(data).inbound
    assert (read.event, read.ins) == (InboundEvent.UPDATE, None)
    assert derive(read).status is Status.VALIDEE
    assert f'""^^^ASIP-SANTE-INS-NIR&{OID}&ISO^INS' in data.decode()
    assert parser.parse(data).segment("MRG").text(1) == "0000000042"
    evidence.add("01", "adt-a47.hl7", data)


@pytest.mark.parametrize(
    ("status", "attributes", "classic", "new"),
    [
        (Status.QUALIFIEE, set(), "VALI", "QUAL"),
        (Status.VALIDEE, set(), "VALI", "VALI"),
        (Status.RECUPEREE, set(), "PROV", "RECUP"),
        (Status.PROVISOIRE, set(), "PROV", "PROV"),
        (Status.PROVISOIRE, {Attribute.DOUTEUSE, Attribute.HOMONYME}, "PROV~DOUT~HOMA", None),
        (Status.PROVISOIRE, {Attribute.FICTIVE}, "PROV~FICT", None),
    ],
)
def test_reliability_is_written_as_receivers_read_it(
    status: Status, attributes: set[Attribute], classic: str, new: str | None
) -> None:
    identity = replace(IDENTITY, status=status, attributes=frozenset(attributes))
    data = written(outbound(identity=identity))
    assert parser.parse(data).segment("PID").raw(32) == classic
    claim = derive(back(data).inbound)
    assert (claim.status, claim.attributes) == (status, attributes)
    recent = written(
        outbound(identity=identity), PARTNER.model_copy(update={"use_recup_qual": True})
    )
    assert new in (None, parser.parse(recent).segment("PID").raw(32))


def test_accents_survive_both_charsets_and_are_plain_where_latin9_lacks_them() -> None:
    latin = PARTNER.model_copy(update={"charset": "8859/15"})
    for partner in (PARTNER, latin):
        read = back(written(outbound(), partner)).inbound
        assert read.address is not None
        assert read.address.lines == ("1 RUE DE L'ÉTÉ",)
    polish = replace(IDENTITY, address=Address(("RUE ŁÓDŹ",), "69003", "LYON", "FRA"))
    read = back(written(outbound(identity=polish), latin)).inbound
    assert read.address is not None
    assert read.address.lines == ("RUE LODZ",)


def test_what_a_user_typed_cannot_forge_a_field() -> None:
    forged = replace(
        IDENTITY, status=Status.PROVISOIRE, phone="04|\rPID|1||X^^^&1&ISO^PI~^INS\x1c\r"
    )
    read = parser.parse(written(outbound(identity=forged)))
    assert len(read.all("PID")) == 1
    assert back(read.text().encode()).inbound.ins is None


# The sender, towards a listener of ours.


def sent(
    receive: Answer, message: Outbound | None = None, settings: Hl7Settings | None = None
) -> None:
    with listening(settings or quick(), receive) as port:
        partner = PARTNER.model_copy(update={"port": port})
        sender = Sender(Hl7Settings(partners=(partner,), answer_timeout_s=0.5))
        sender("PACS", message or outbound())


def answering(code: str, control: str = str(UUID(int=7))) -> Answer:
    text = f"MSH|^~\\&|P|C|R|C|1||ACK^A31^ACK|9|P|2.5\rMSA|{code}|{control}\rERR||PID|207|E\r"
    return lambda _data, _origin, _whole: text.encode()


@pytest.mark.rem("RIS.INS.34", scenario="INS/va1.60.01")
def test_a_partner_that_accepts_has_the_message(evidence: Evidence) -> None:
    heard: list[bytes] = []

    def receive(data: bytes, origin: str, whole: bool) -> bytes | None:
        heard.append(data)
        return answering("AA")(data, origin, whole)

    sent(receive)
    assert back(heard[0]).inbound.ins == IDENTITY.ins
    evidence.add("01", "adt-a31.hl7", heard[0])


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (answering("AR"), Transient),
        (answering("AE"), Permanent),
        (answering("AA", "other"), Lost),
        (lambda _d, _o, _w: b"MSH", Lost),
        (lambda _d, _o, _w: None, Lost),
        (lambda _d, _o, _w: b"", Lost),
    ],
)
def test_only_a_positive_answer_to_this_message_is_believed(
    answer: Answer, error: type[Exception]
) -> None:
    with pytest.raises(error):
        sent(answer)


def test_an_absent_partner_is_for_later_and_an_unknown_one_for_the_administrator() -> None:
    with pytest.raises(Transient):
        Sender(Hl7Settings(partners=(PARTNER,)))("PACS", outbound())
    with pytest.raises(Permanent) as refused:
        Sender(Hl7Settings())("PACS", outbound())
    assert refused.value.remote_code == "PARTNER_UNKNOWN"


def test_over_tls_the_partner_must_be_whom_we_trust(pki: TestPki) -> None:
    server = pki.server()
    tls = quick().model_copy(update={"certificate": server.certificate, "key": server.key})
    with listening(tls, answering("AA")) as port:
        known = PARTNER.model_copy(update={"host": "localhost", "port": port, "trust": pki.trust})
        Sender(Hl7Settings(partners=(known,)))("PACS", outbound())
        stranger = known.model_copy(update={"trust": pki.rogue().certificate})
        with pytest.raises(Transient):
            Sender(Hl7Settings(partners=(stranger,)))("PACS", outbound())


def test_a_frame_is_what_the_receiver_expects() -> None:
    assert framed(b"x") == b"\x0bx\x1c\r"
